"""The project's macros: which there are, what each of them refers to, and which a template needs.

Macro files are parsed, and nothing is run. A model depends on what the macros that it mentions refer to, whether it
calls them or not: the graph is the union over all branches here as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from flowforge.config.parsed import Parsed
from flowforge.errors import FlowForgeError, ModuleLoadError, Problems, ProjectError
from flowforge.frozen import frozen
from flowforge.project.calls import RESERVED, reserved_name
from flowforge.project.files import read_text
from flowforge.project.manifest import RefCall, SourceCall
from flowforge.project.scanned import numbers
from flowforge.values import Location


@frozen
class Macro:
    """One macro (or one value that is set at the top of a macro file).

    Parameters
    ----------
    uses:
        All names that its body mentions.
    computed:
        Where it refers to something that only rendering can tell.
    """

    name: str
    location: Location
    refs: tuple[RefCall, ...] = ()
    sources: tuple[SourceCall, ...] = ()
    uses: frozenset[str] = frozenset()
    computed: tuple[Location, ...] = ()


@frozen
class MacroFile:
    """One file; *text* has ``\\n`` for every line break."""

    path: str
    text: str
    macros: tuple[Macro, ...]


@frozen
class PythonMacro:
    """A public function of a file below ``macros_py``; the file is imported when a template calls it."""

    name: str
    path: str
    location: Location


@frozen
class MacroLibrary:
    """All macros of a project, by name, and the files that those in Jinja stand in, by path."""

    macros: Mapping[str, Macro] = attrs.field(factory=dict)
    files: Mapping[str, MacroFile] = attrs.field(factory=dict)
    python: Mapping[str, PythonMacro] = attrs.field(factory=dict)
    _used: dict[frozenset[str], tuple[Macro, ...]] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    def used_by(self, names: Iterable[str]) -> tuple[Macro, ...]:
        """The macros that *names* mention, and those that these mention; sorted by name."""
        asked = frozenset(names)
        if asked not in self._used:  # most models of a project mention the same ones
            self._used[asked] = self._find(asked)
        return self._used[asked]

    def _find(self, names: Iterable[str]) -> tuple[Macro, ...]:
        found: dict[str, Macro] = {}
        todo = [name for name in names if name in self.macros]
        while todo:
            name = todo.pop()
            if name not in found:
                macro = found[name] = self.macros[name]
                todo.extend(one for one in macro.uses if one in self.macros)
        return tuple(found[name] for name in sorted(found))

    def files_of(self, names: Iterable[str]) -> tuple[MacroFile, ...]:
        """The files that a template with these *names* needs. What else stands in a file may need others in turn."""
        found: set[str] = set()
        todo = set(names)
        while True:
            fresh = {macro.location.path for macro in self.used_by(todo)} - found
            if not fresh:
                return tuple(self.files[path] for path in sorted(found))
            found |= fresh
            todo |= {name for path in fresh for macro in self.files[path].macros for name in macro.uses}

    def python_of(self, names: Iterable[str]) -> tuple[PythonMacro, ...]:
        """The macros in Python that *names* mention, or that the macros which they mention do."""
        if not self.python:
            return ()
        words = set(names)
        words |= {word for file in self.files_of(words) for macro in file.macros for word in macro.uses}
        return tuple(self.python[name] for name in sorted(words & self.python.keys()))


def read_macros(
    root: Path, paths: Iterable[str], python: Iterable[str], problems: Problems, parsed: Parsed | None = None
) -> MacroLibrary:
    """Read the macro files *paths*, and look what *python* defines; what is wrong goes to *problems*.

    Parameters
    ----------
    parsed:
        What was kept of files that have not changed since.
    """
    parsed = parsed or Parsed.nothing(root)
    read = (_macro_file(root, path, problems, parsed) for path in paths)
    files = {file.path: file for file in read if file is not None}
    macros: dict[str, Macro] = {}
    functions: dict[str, PythonMacro] = {}
    for macro in (macro for file in files.values() for macro in file.macros):
        if _is_free(macro.name, macro.location, macros, problems):
            macros[macro.name] = macro
    for function in (function for path in python for function in _functions(root, path, problems, parsed)):
        if _is_free(function.name, function.location, {**macros, **functions}, problems):
            functions[function.name] = function
    return MacroLibrary(macros, files, functions)


def _is_free(name: str, location: Location, taken: Mapping[str, Macro | PythonMacro], problems: Problems) -> bool:
    if name in taken:
        problems.add(
            ProjectError(
                f"there are two macros called {name!r}",
                code="FF1415",
                location=location,
                help="rename one of them",
                notes=[f"the other one is at {taken[name].location}"],
            )
        )
    elif name in RESERVED:
        problems.add(reserved_name(name, location))
    else:
        return True
    return False


def _macro_file(root: Path, path: str, problems: Problems, parsed: Parsed) -> MacroFile | None:
    record = parsed.record("macros", path)
    if record is not None:
        return MacroFile(path, record[0], tuple(_kept_macro(path, *one) for one in record[1]))
    from flowforge.project.scan import normalize
    from flowforge.project.scan_macros import scan_macros  # Jinja's parser is for projects that have macros

    try:
        text = normalize(read_text(root, path, parsed))
    except FlowForgeError as error:
        problems.add(error)
        return None
    before = len(problems)
    file = MacroFile(path, text, scan_macros(text, path, problems))
    if len(problems) == before:
        parsed.keep("macros", path, [text, [_macro_record(macro) for macro in file.macros]])
    return file


def _macro_record(macro: Macro) -> list[Any]:
    return [
        macro.name,
        numbers(macro.location),
        [[ref.name, numbers(ref.location)] for ref in macro.refs],
        [[call.source, call.table, numbers(call.location)] for call in macro.sources],
        sorted(macro.uses),
        [numbers(where) for where in macro.computed],
    ]


def _kept_macro(
    path: str, name: str, at: Any, refs: list[Any], sources: list[Any], uses: list[str], computed: list[Any]
) -> Macro:
    return Macro(
        name,
        Location(path, *at),
        tuple(RefCall(ref, Location(path, *place)) for ref, place in refs),
        tuple(SourceCall(source, table, Location(path, *place)) for source, table, place in sources),
        frozenset(uses),
        tuple(Location(path, *place) for place in computed),
    )


def _functions(root: Path, path: str, problems: Problems, parsed: Parsed) -> list[PythonMacro]:
    """The public functions at the top of a Python file; nothing of it is run."""
    record = parsed.record("functions", path)
    if record is None:
        record = _function_lines(root, path, problems, parsed)
    return [PythonMacro(name, path, Location(path, line)) for name, line in record]


def _function_lines(root: Path, path: str, problems: Problems, parsed: Parsed) -> list[tuple[str, int]]:
    import ast

    try:
        tree = ast.parse(read_text(root, path, parsed), filename=path)
    except FlowForgeError as error:
        problems.add(error)
        return []
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = error.lineno or 1 if isinstance(error, SyntaxError) else 1
        problems.add(
            ModuleLoadError(f"Python cannot read this file: {error}", code="FF1111", location=Location(path, line))
        )
        return []
    functions = (one for one in tree.body if isinstance(one, ast.FunctionDef) and not one.name.startswith("_"))
    found = [(one.name, one.lineno) for one in functions]
    parsed.keep("functions", path, found)
    return found
