"""What one Python file imports, read from its syntax tree, and whether it can import what no reader of it sees.

Knows nothing of folders: :mod:`flowforge.project.closure` finds the files. In doubt an import counts: one too many
costs a build that was not needed, one too few leaves old rows standing.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from flowforge.frozen import frozen

_OPAQUE_MODULES = frozenset({"code", "codeop", "imp", "pkgutil", "runpy", "site", "zipimport"})
"""Every use of these may import anything."""

_HARMLESS = ("importlib.metadata", "importlib.resources")
_SYS = frozenset({"path", "modules", "meta_path", "path_hooks", "path_importer_cache"})
_BUILTINS = frozenset({"exec", "eval", "compile", "__import__"})
_NAMES = frozenset({"exec", "eval", "__import__", "__builtins__", "__loader__", "__path__"})


@frozen
class Import:
    """One import, absolute or relative.

    Parameters
    ----------
    level:
        Number of leading dots; 0 is absolute.
    module:
        The dotted name behind them, in parts.
    names:
        What is taken out of the module; ``*`` is everything, empty when the module itself is bound.
    """

    level: int
    module: tuple[str, ...]
    names: tuple[str, ...] = ()


@frozen
class FileReads:
    """The imports of one file, wherever in it they stand.

    *attributes* are all names behind a dot: ``package.part`` reaches a module that somebody else has imported.
    """

    imports: tuple[Import, ...] = ()
    attributes: frozenset[str] = frozenset()
    dynamic: bool = False


UNREADABLE = FileReads(dynamic=True)


def aliases(tree: ast.AST) -> Mapping[str, str]:
    """The full dotted name for each name that an absolute import anywhere in *tree* binds.

    ``import a.b`` binds ``a``; ``from a import b as c`` binds ``c`` to ``a.b``. Where two imports bind one name to
    different things, the names are joined with ``|``.
    """
    bound: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.name if alias.asname else alias.name.partition(".")[0]
                bound.setdefault(alias.asname or name, set()).add(name)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            for alias in node.names:
                bound.setdefault(alias.asname or alias.name, set()).add(f"{node.module}.{alias.name}")
    return {name: "|".join(sorted(targets)) for name, targets in bound.items()}


def read_imports(tree: ast.Module) -> FileReads:
    """All imports of a file: on top, inside of functions, under ``TYPE_CHECKING``, and literal ``import_module``."""
    reader = _Reader(aliases(tree))
    for statement in tree.body:
        reader.visit(statement)
    return FileReads(tuple(dict.fromkeys(reader.imports)), frozenset(reader.attributes), reader.dynamic)


class _Reader(ast.NodeVisitor):
    def __init__(self, bound: Mapping[str, str]) -> None:
        self._bound = bound
        self.imports: list[Import] = []
        self.attributes: set[str] = set()
        self.dynamic = False

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            parts = tuple(alias.name.split("."))
            self.imports.append(Import(0, parts))
            self.dynamic = self.dynamic or _opaque(alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        names = tuple(alias.name for alias in node.names)
        self.imports.append(Import(node.level, tuple(node.module.split(".")) if node.module else (), names))
        if not node.level and node.module:
            self.dynamic = self.dynamic or any(
                _opaque(f"{node.module}.{name}") or (name == "*" and node.module in ("importlib", "sys", "builtins"))
                for name in names
                if (node.module, name) != ("importlib", "import_module")
            )

    def visit_Call(self, node: ast.Call) -> None:
        found = self._literal_import(node)
        if found is None:
            self.visit(node.func)
        else:
            self.imports.append(found)
        for argument in (*node.args, *node.keywords):
            self.visit(argument)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.attributes.add(node.attr)
        name = _dotted(node, self._bound)
        if name is None:
            self.visit(node.value)
        elif any(_dynamic_name(one) for one in name):
            self.dynamic = True

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in _NAMES or (node.id == "__package__" and not isinstance(node.ctx, ast.Load)):
            self.dynamic = True
        target = self._bound.get(node.id)
        if target is not None and isinstance(node.ctx, ast.Load):
            # A module that is handed around may be used in any way.
            self.dynamic = self.dynamic or any(
                one in ("importlib", "sys", "builtins") or _dynamic_name(one) for one in target.split("|")
            )

    def _literal_import(self, node: ast.Call) -> Import | None:
        """The import that ``import_module("a.b")`` or ``__import__("a.b")`` stands for, when it is a plain one."""
        if not node.args or not isinstance(node.args[0], ast.Constant) or not isinstance(node.args[0].value, str):
            return None
        text = node.args[0].value
        module = text.lstrip(".")
        level = len(text) - len(module)
        parts = tuple(module.split(".")) if module else ()
        if isinstance(node.func, ast.Name) and node.func.id == "__import__":
            return Import(0, parts) if len(node.args) == 1 and not node.keywords and not level else None
        if _dotted(node.func, self._bound) != ("importlib.import_module",):
            return None
        package = [*node.args[1:], *(keyword.value for keyword in node.keywords if keyword.arg == "package")]
        if not level:
            return Import(0, parts)
        if len(package) == 1 and isinstance(package[0], ast.Name) and package[0].id == "__package__":
            return Import(level, parts)
        return None


def _dotted(node: ast.expr, bound: Mapping[str, str]) -> tuple[str, ...] | None:
    """The full names that an expression such as ``il.import_module`` may have; ``None`` when it is no imported one."""
    behind: list[str] = []
    while isinstance(node, ast.Attribute):
        behind.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in bound:
        return None
    return tuple(".".join((one, *reversed(behind))) for one in bound[node.id].split("|"))


def _opaque(name: str) -> bool:
    """Whether an import of *name* alone may already lead anywhere."""
    if name.partition(".")[0] in _OPAQUE_MODULES:
        return True
    return name != "importlib" and name.startswith("importlib.") and not name.startswith(_HARMLESS)


def _dynamic_name(name: str) -> bool:
    top, _, rest = name.partition(".")
    first = rest.partition(".")[0]
    if top == "sys":
        return first in _SYS
    if top == "builtins":
        return first in _BUILTINS
    return _opaque(name)
