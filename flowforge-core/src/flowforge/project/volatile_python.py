"""Finds what makes the result of Python code depend on more than its inputs, as far as its text shows it.

Reads syntax trees. Names are followed through imports and their aliases, also from file to file, and through the
scopes of functions, so that a column or a parameter with such a name is no finding. What is stored in a variable and
used elsewhere is found where it is stored.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from flowforge.frozen import frozen
from flowforge.plugins.firstparty import FirstParty
from flowforge.project.python_imports import aliases
from flowforge.project.volatile_names import (
    BUILTINS,
    CHANCE,
    EXACT,
    METHODS,
    MODULES,
    MOMENTS,
    NO_CHANCE,
    PATH_METHODS,
    PREFIXES,
    SEEDED,
    SQL_FUNCTIONS,
    WORDS,
    Kind,
)
from flowforge.values import Location

_PREFIXES = sorted(PREFIXES, key=len, reverse=True)
_NOW = frozenset({"now", "today"})


@frozen
class Reason:
    """Why the same code over the same inputs may give another result.

    *text* goes on from the model's name, such as "reads the clock (datetime.datetime.now)".
    """

    text: str
    location: Location
    kind: Kind


def volatile_reasons(sources: Mapping[str, str]) -> tuple[Reason, ...]:
    """All reasons in some files of a model's closure, each name once, at its first place.

    Parameters
    ----------
    sources:
        Texts by path relative to the project. Files that Python cannot read give no reason; nor do those whose names
        do not end in ``.py``.
    """
    trees = {}
    for path, text in sorted(sources.items()):
        if path.endswith(".py"):
            try:
                trees[path] = ast.parse(text, filename=path)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue  # it does not run either
    bound = {path: aliases(tree) for path, tree in trees.items()}
    shared: dict[str, set[str]] = {}
    for names in bound.values():
        for name, targets in names.items():
            shared.setdefault(name, set()).update(targets.split("|"))
    own = {part.partition(".")[0] for path in sources for part in path.split("/")}
    found: dict[tuple[Kind, str], Reason] = {}
    for path, tree in trees.items():
        finder = _Finder(path, bound[path], shared, own, _stars(tree))
        try:
            finder.run(tree)
        except RecursionError:
            continue  # deeper than Python itself can run it
        for name, reason in sorted(finder.found, key=lambda each: (each[1].location.line, each[1].location.column)):
            found.setdefault((reason.kind, name), reason)
    return tuple(found.values())


def _stars(tree: ast.AST) -> tuple[str, ...]:
    """The modules from which everything is imported."""
    return tuple(
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level and node.names[0].name == "*"
    )


@functools.cache
def _modules() -> Mapping[str, Kind]:
    drivers: dict[str, Kind] = {}
    for package in FirstParty.read().packages:
        drivers |= dict.fromkeys(package.drivers, "files" if package.zero_config else "network")
    return {**MODULES, **drivers}


def _kind(name: str) -> Kind | None:
    """What the full dotted *name* stands for."""
    if name in EXACT:
        return EXACT[name]
    for module in CHANCE:
        if name.startswith(f"{module}."):
            member = name.removeprefix(f"{module}.").partition(".")[0]
            return None if member in NO_CHANCE or member in SEEDED else "random"
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            return PREFIXES[prefix]
    parts = name.split(".")
    if len(parts) > 2 and parts[-2] == "functions" and parts[-1] in SQL_FUNCTIONS:
        return SQL_FUNCTIONS[parts[-1]]
    for count in (1, 2):
        kind = _modules().get(".".join(parts[:count]))
        if kind is not None and len(parts) > count:
            return kind
    for exact in (".".join(parts[:count]) for count in range(2, len(parts))):
        if exact in EXACT:
            return EXACT[exact]  # such as os.environ.get
    return None


class _Finder(ast.NodeVisitor):
    def __init__(
        self,
        path: str,
        bound: Mapping[str, str],
        shared: Mapping[str, set[str]],
        own: set[str],
        stars: tuple[str, ...],
    ) -> None:
        self._path = path
        self._bound = bound
        self._shared = shared
        self._own = own
        self._stars = stars
        self._relative: dict[str, str] = {}
        self._scopes: list[frozenset[str]] = []
        self._pathlib = any("pathlib" in targets for targets in bound.values())
        self.found: list[tuple[str, Reason]] = []

    def run(self, tree: ast.Module) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                self._relative |= {alias.asname or alias.name: alias.name for alias in node.names}
        self._scopes.append(_locals(tree.body, imported=set(self._bound) | set(self._relative)))
        for statement in tree.body:
            self.visit(statement)

    # -- scopes ------------------------------------------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for outside in (*node.decorator_list, *_defaults(node.args)):
            self.visit(outside)
        if node.name == "__hash__":
            self._inside({*_parameters(node.args), "hash"}, node.body)
        else:
            self._inside(_parameters(node.args), node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for outside in _defaults(node.args):
            self.visit(outside)
        self._inside(_parameters(node.args), [node.body])

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        names = {name for one in node.generators for name in _targets(one.target)}
        results = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self.visit(node.generators[0].iter)
        rest = [one.iter for one in node.generators[1:]] + [test for one in node.generators for test in one.ifs]
        self._inside(names, [*rest, *results])

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def _inside(self, names: Iterable[str], body: Sequence[ast.AST]) -> None:
        self._scopes.append(frozenset(names) | _locals(body, imported=()))
        for each in body:
            self.visit(each)
        self._scopes.pop()

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    # -- names -------------------------------------------------------------------------------------------------------

    def visit_Call(self, node: ast.Call) -> None:
        names = list(self._full(node.func))
        for name in names:
            module, _, member = name.rpartition(".")
            if module in CHANCE and member in SEEDED and not _has_seed(node):
                self._add("random", name, node.func)
            if name in MOMENTS and any(_is_now(argument) for argument in node.args):
                self._add("clock", name, node.func)
            if name.startswith("pathlib.Path.") and (member in METHODS or member in PATH_METHODS):
                self._add("files", name, node.func)
        if isinstance(node.func, ast.Attribute) and not self._is_outside(node.func):
            self._method(node, node.func)
        self.generic_visit(node)

    def _method(self, node: ast.Call, function: ast.Attribute) -> None:
        kind = METHODS.get(function.attr)
        if kind is None and self._pathlib and function.attr in PATH_METHODS:
            kind = "files"
        if function.attr == "sample" and not any(
            keyword.arg in (None, "random_state", "seed") for keyword in node.keywords
        ):
            kind = "random"
        if kind is not None:
            self._add(kind, f".{function.attr}", function, f".{function.attr}()")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if not self._check(node):
            self.visit(node.value)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._check(node)
            imported = node.id in self._bound or node.id in self._relative
            if node.id in BUILTINS and not imported and not self._is_local(node.id):
                self._add(BUILTINS[node.id], node.id, node)

    def _check(self, node: ast.Attribute | ast.Name) -> bool:
        """Report what an expression names; True when it begins with an imported name, so that nothing is left of it."""
        names = list(self._full(node))
        for name in names:
            kind = _kind(name)
            if kind is not None:
                self._add(kind, name, node)
        return bool(names)

    def _full(self, node: ast.expr) -> Iterator[str]:
        """The full dotted names that an expression may mean; none when it begins with no imported name."""
        behind: list[str] = []
        while isinstance(node, ast.Attribute):
            behind.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or self._is_local(node.id):
            return
        if node.id in self._bound:
            for target in self._bound[node.id].split("|"):
                yield ".".join((target, *behind))
                if target.partition(".")[0] in self._own:
                    yield from self._through([*target.split(".")[1:], *behind])
        if node.id in self._relative:
            yield from self._through([self._relative[node.id], *behind])
        if self._stars and node.id not in self._bound:
            yield from (name for module in self._stars if _kind(name := ".".join((module, node.id, *behind))))

    def _through(self, parts: list[str]) -> list[str]:
        """Full names that a part of the project hands on: ``clock.datetime.now``, where ``clock.py`` imports it."""
        return [
            ".".join((target, *parts[index + 1 :]))
            for index, part in enumerate(parts)
            for target in sorted(self._shared.get(part, ()))
        ]

    def _is_outside(self, node: ast.expr) -> bool:
        """Whether an expression begins with a module or name from outside of the project."""
        while isinstance(node, ast.Attribute):
            node = node.value
        if not isinstance(node, ast.Name) or self._is_local(node.id):
            return False
        return any(
            target.partition(".")[0] not in self._own for target in self._bound.get(node.id, "").split("|") if target
        )

    def _is_local(self, name: str) -> bool:
        return any(name in scope for scope in self._scopes)

    def _add(self, kind: Kind, name: str, node: ast.expr, shown: str | None = None) -> None:
        same_line = node.end_lineno == node.lineno and node.end_col_offset is not None
        length = max(1, (node.end_col_offset or 0) - node.col_offset) if same_line else 1
        place = Location(self._path, node.lineno, node.col_offset + 1, length)
        self.found.append((name, Reason(f"{WORDS[kind]} ({shown or name})", place, kind)))


def _has_seed(node: ast.Call) -> bool:
    values = [*node.args, *(keyword.value for keyword in node.keywords)]
    return any(not (isinstance(value, ast.Constant) and value.value is None) for value in values)


def _is_now(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.strip().lower() in _NOW


def _parameters(arguments: ast.arguments) -> set[str]:
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
    return {one.arg for one in every}


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [*arguments.defaults, *(one for one in arguments.kw_defaults if one is not None)]


def _targets(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _locals(body: Sequence[ast.AST], imported: Iterable[str]) -> frozenset[str]:
    """The names that a scope binds by anything but an import. What it imports too counts as imported."""
    bound: set[str] = set()
    outside = set(imported)
    todo: list[ast.AST] = list(body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
            continue
        if isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            outside |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Global | ast.Nonlocal):
            outside |= set(node.names)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
        todo.extend(ast.iter_child_nodes(node))
    return frozenset(bound - outside)
