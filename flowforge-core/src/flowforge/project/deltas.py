"""Finds the delta of an incremental model: a query or a function that gives the new rows in its place.

A query stands in the settings themselves or in a file that they name, a function in a Python file of the project.
Both are read as models are: nothing is rendered, imported or run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import attrs

from flowforge.config.flaws import nearest
from flowforge.errors import FlowForgeError, ModelConfigError, Problems
from flowforge.frozen import frozen
from flowforge.project.files import read_text
from flowforge.project.macros import MacroLibrary
from flowforge.project.manifest import Delta, Incremental, PythonBody, SqlBody
from flowforge.values import Location

if TYPE_CHECKING:
    import ast

_FILE = re.compile(r"[^\s{}();]+\.sql")
_REFERENCE = re.compile(r"\s*(?P<module>[^:\s]+)\s*:\s*(?P<function>[A-Za-z_]\w*)\s*")
_NOT_BLANK = re.compile(r"[^\n]")


@frozen
class DeltaReader:
    """Reads the deltas of one project. *used* collects the files that deltas stand in; one thread."""

    root: Path
    library: MacroLibrary = attrs.field(factory=MacroLibrary)
    used: set[str] = attrs.field(factory=set)

    def read(
        self,
        settings: Incremental | None,
        raw: Mapping[str, Any],
        place: Callable[[str], Location],
        inputs: int | None,
        problems: Problems,
    ) -> Delta | None:
        """The delta that *settings* speak of, if they do; what is wrong with it goes to *problems*.

        Parameters
        ----------
        raw, place:
            What the model says, and where.
        inputs:
            How many frames a function gets; ``None`` when that is not known yet.
        """
        if settings is None or not (settings.delta_sql or settings.delta_python):
            return None
        key = "delta_sql" if settings.delta_sql else "delta_python"
        where = place(next((one for one in (key, "delta", "incremental") if one in raw), key))
        try:
            if settings.delta_sql:
                return self._query(settings.delta_sql, where, problems)
            return self._function(settings.delta_python or "", where, inputs)
        except FlowForgeError as error:
            problems.add(error)
            return None

    # queries

    def _query(self, text: str, where: Location, problems: Problems) -> Delta | None:
        name = text.strip()
        if _FILE.fullmatch(name):
            path = self._inside(name, where)
            if not (self.root / path).is_file():
                raise _wrong(
                    f"there is no file {name!r} with the query of the delta",
                    where,
                    "it is looked for in the project's folder",
                )
            self.used.add(path)
            template = read_text(self.root, path)
        else:
            path, template = where.path, self._padded(text, where)
        from flowforge.project.scan import scan_sql

        scan = scan_sql(template, path)
        if scan.config is not None:
            raise _wrong(
                "a delta has no config() of its own", scan.config_location or where, "move it into the model's"
            )
        for problem in scan.problems:
            problems.add(problem)
        macros = self.library.used_by(scan.names) if self.library.macros else ()
        return Delta(
            SqlBody(scan.template, scan.simple),
            path,
            (*scan.refs, *(ref for macro in macros for ref in macro.refs)),
            (*scan.sources, *(source for macro in macros for source in macro.sources)),
        )

    def _padded(self, text: str, where: Location) -> str:
        """*text* with blanks in front, so that it has the lines and columns of the file that it stands in."""
        try:
            whole = read_text(self.root, where.path)
        except FlowForgeError:
            return text
        lines = whole.split("\n")
        start = sum(len(line) + 1 for line in lines[: max((where.line or 1) - 1, 0)])
        at = whole.find(text.rstrip("\n"), start)
        if at >= 0:
            return _NOT_BLANK.sub(" ", whole[:at]) + text
        first = next((line for line in text.split("\n") if line.strip()), "")
        at = whole.find(first.strip(), start)  # a block of YAML, whose lines are indented
        before = whole.count("\n", 0, at) - text[: text.find(first)].count("\n") if at >= 0 else (where.line or 1) - 1
        return "\n" * max(before, 0) + text

    # functions

    def _function(self, reference: str, where: Location, inputs: int | None) -> Delta:
        match = _REFERENCE.fullmatch(reference)
        if match is None:
            raise _wrong(
                f"{reference!r} is no function", where, "write 'module:function', as in 'models.deltas:new_orders'"
            )
        module, name = match["module"], match["function"]
        path = module if module.endswith(".py") else module.replace(".", "/") + ".py"
        path = self._inside(path, where)
        if not (self.root / path).is_file():
            raise _wrong(
                f"there is no file {path!r} with the function of the delta",
                where,
                "modules are looked for in the project's folder",
            )
        import ast

        try:
            tree = ast.parse(read_text(self.root, path), filename=path)
        except SyntaxError as error:
            raise ModelConfigError(
                f"Python cannot read this file: {error.msg}",
                code="FF1138",
                location=Location(path, error.lineno, error.offset or 1),
            ) from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise _wrong(f"Python cannot read {path!r}: {error}", where, "correct the file") from None
        functions = {one.name: one for one in tree.body if isinstance(one, ast.FunctionDef)}
        function = functions.get(name)
        if function is None:
            raise _wrong(
                f"{path} has no function {name!r}",
                where,
                nearest(name, functions) or "define it at the top of the file",
            )
        self.used.add(path)
        return Delta(self._body(function, path, inputs), path)

    @staticmethod
    def _body(function: ast.FunctionDef, path: str, inputs: int | None) -> PythonBody:
        arguments = function.args
        parameters = tuple(one.arg for one in (*arguments.posonlyargs, *arguments.args))
        needed = len(parameters) - len(arguments.defaults)
        variadic = arguments.vararg is not None
        if inputs is not None:
            fits = needed <= inputs and (variadic or inputs <= len(parameters))
            fits = fits or (inputs > 1 and needed <= 1 <= len(parameters))
            if not fits or any(default is None for default in arguments.kw_defaults):
                raise ModelConfigError(
                    f"{function.name!r} takes {needed} parameter{'' if needed == 1 else 's'}, but the model has"
                    f" {inputs} inputs",
                    code="FF1139",
                    location=Location(path, function.lineno, function.col_offset + 1),
                    help="take one parameter for each input, or a single one that gets a dict of all of them",
                )
        return PythonBody(function.name, parameters, variadic, {}, function.lineno)

    def _inside(self, name: str, where: Location) -> str:
        path = PurePosixPath(name.replace("\\", "/"))
        outside = path.is_absolute() or ".." in path.parts or bool(PureWindowsPath(name).drive)
        if not outside:
            outside = not (self.root / path).resolve().is_relative_to(self.root.resolve())
        if outside:
            raise _wrong(
                f"{name!r} is outside the project", where, "name a file of the project, relative to its folder"
            )
        return path.as_posix()


def _wrong(message: str, where: Location, help: str) -> ModelConfigError:
    return ModelConfigError(message, code="FF1138", location=where, help=help)
