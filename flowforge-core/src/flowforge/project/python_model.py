"""Reads the models of one ``.ff.py`` file from its syntax tree; nothing is imported or run here."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from flowforge.errors import ModelConfigError, ModuleLoadError, Problems
from flowforge.project.manifest import PythonBody, RefCall
from flowforge.project.python_draft import PythonDraft
from flowforge.values import Location

DECORATORS = frozenset({"model", "engine_model"})
_ALIASES = {"only": "engines"}
_POSITIONAL = ("name", "deps", "require", "requires")


def read_python_models(text: str, path: str, problems: Problems) -> list[PythonDraft]:
    """All functions in *text* that carry ``@model``. What is wrong goes to *problems*."""
    try:
        tree = ast.parse(text, filename=path)
    except SyntaxError as error:
        problems.add(
            ModuleLoadError(
                f"Python cannot read this file: {error.msg}",
                code="FF1111",
                location=Location(path, error.lineno, error.offset or 1),
            )
        )
        return []
    except (ValueError, RecursionError, MemoryError) as error:
        problems.add(
            ModuleLoadError(f"Python cannot read this file: {error}", code="FF1111", location=Location(path, 1, 1))
        )
        return []
    names = _decorator_names(tree)
    before = len(problems)
    drafts = []
    for function in tree.body:
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for decorator in function.decorator_list:
            if _is_model(decorator, names):
                draft = _draft(function, decorator, path, problems)
                if draft is not None:
                    drafts.append(draft)
    if not drafts and len(problems) == before:
        problems.add(
            ModuleLoadError(
                "no function of this file carries @model",
                code="FF1112",
                location=Location(path, 1, 1),
                help="put `from flowforge import model` on top and `@model(...)` above the function,"
                " or drop the .ff from the file's name if it is only imported by others",
            )
        )
    return drafts


def _decorator_names(tree: ast.Module) -> tuple[set[str], set[str]]:
    """Names under which this file knows the decorators, and names of the package itself."""
    functions, modules = set(), set()
    for statement in ast.walk(tree):
        if isinstance(statement, ast.ImportFrom) and statement.module in ("flowforge", "flowforge.project.decorators"):
            functions |= {alias.asname or alias.name for alias in statement.names if alias.name in DECORATORS}
        elif isinstance(statement, ast.Import):
            modules |= {alias.asname or alias.name for alias in statement.names if alias.name == "flowforge"}
    return functions, modules


def _is_model(decorator: ast.expr, names: tuple[set[str], set[str]]) -> bool:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    functions, modules = names
    if isinstance(target, ast.Name):
        return target.id in functions
    return (
        isinstance(target, ast.Attribute)
        and target.attr in DECORATORS
        and isinstance(target.value, ast.Name)
        and target.value.id in modules
    )


def _place(node: ast.AST, path: str) -> Location:
    line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
    end = getattr(node, "end_col_offset", None)
    same_line = getattr(node, "end_lineno", line) == line
    return Location(path, line, column, max(1, end + 1 - column) if end and same_line else 1)


def _arguments(decorator: ast.expr, path: str, problems: Problems) -> Iterator[tuple[str, ast.expr, ast.expr]]:
    """(keyword, node to blame, value node) of the decorator's arguments."""
    if not isinstance(decorator, ast.Call):
        return
    for position, argument in enumerate(decorator.args):
        if isinstance(argument, ast.Starred) or position >= len(_POSITIONAL):
            problems.add(
                ModelConfigError(
                    "@model takes name, deps and requires by position; everything else by keyword",
                    code="FF1102",
                    location=_place(argument, path),
                )
            )
            return
        yield _POSITIONAL[position], argument, argument
    for keyword in decorator.keywords:
        if keyword.arg is None:
            problems.add(
                ModelConfigError(
                    "@model cannot take ** arguments: they are unknown before the file runs",
                    code="FF1102",
                    location=_place(keyword.value, path),
                )
            )
        else:
            yield _ALIASES.get(keyword.arg, keyword.arg), keyword.value, keyword.value


def _draft(
    function: ast.FunctionDef | ast.AsyncFunctionDef, decorator: ast.expr, path: str, problems: Problems
) -> PythonDraft | None:
    before = len(problems)
    if isinstance(function, ast.AsyncFunctionDef):
        problems.add(
            ModuleLoadError(
                f"the model function {function.name!r} is async; models are plain functions",
                code="FF1113",
                location=_place(function, path),
            )
        )
        return None
    values: dict[str, Any] = {}
    nodes: dict[str, ast.expr] = {}
    places: dict[str, Location] = {}
    for key, blame, value in _arguments(decorator, path, problems):
        places[key] = _place(blame, path)
        if key in values:
            problems.add(ModelConfigError(f"{key!r} is given twice", code="FF1102", location=places[key]))
            continue
        try:
            values[key] = ast.literal_eval(value)
            nodes[key] = value
        except (ValueError, TypeError, SyntaxError, RecursionError):
            problems.add(
                ModelConfigError(
                    f"the value of {key!r} must be a literal: @model is read without running the file",
                    code="FF1102",
                    location=places[key],
                    help="write the value itself, or compute inside of the function",
                )
            )
    name = values.pop("name", None)
    if name is not None and not (isinstance(name, str) and name):
        problems.add(ModelConfigError("'name' must be text", code="FF1102", location=places["name"]))
    refs = _refs(values.pop("deps", ()), nodes.get("deps"), places.get("deps"), path, problems)
    if len(problems) > before:
        return None  # whether the function fits cannot be said of deps that are wrong
    body = _body(function, refs, values, places, path, problems)
    if len(problems) > before:
        return None
    return PythonDraft(
        name=name,
        location=places.get("name") or _place(decorator, path),
        refs=refs,
        body=body,
        config=values,
        places=places,
        docstring=ast.get_docstring(function),
    )


def _refs(
    deps: Any, node: ast.expr | None, place: Location | None, path: str, problems: Problems
) -> tuple[RefCall, ...]:
    if isinstance(deps, str):
        deps = (deps,)
    if deps is None:
        return ()
    if not isinstance(deps, list | tuple) or not all(isinstance(dep, str) and dep for dep in deps):
        problems.add(
            ModelConfigError("'deps' must be a list of model names", code="FF1102", location=place or Location(path))
        )
        return ()
    elements = node.elts if isinstance(node, ast.List | ast.Tuple) else [node] * len(deps)
    calls = tuple(
        RefCall(dep, _place(element, path) if element is not None else Location(path))
        for dep, element in zip(deps, elements, strict=True)
    )
    seen: set[str] = set()
    for call in calls:
        if call.name.removesuffix(".ff") in seen:
            problems.add(ModelConfigError(f"'deps' names {call.name!r} twice", code="FF1102", location=call.location))
        seen.add(call.name.removesuffix(".ff"))
    return calls


def _requires(
    value: Any, refs: tuple[RefCall, ...], place: Location, problems: Problems
) -> Mapping[str, tuple[str, ...]]:
    columns = (list, tuple, set, frozenset)
    if isinstance(value, columns) and len(refs) == 1:
        value = {refs[0].name: value}
    known = {ref.name.removesuffix(".ff") for ref in refs}
    if not isinstance(value, Mapping) or not all(
        isinstance(key, str) and isinstance(names, columns) and all(isinstance(name, str) for name in names)
        for key, names in value.items()
    ):
        problems.add(
            ModelConfigError(
                "'requires' must map an input's name to its columns",
                code="FF1102",
                location=place,
                help='for example requires={"users": {"id", "email"}}',
            )
        )
        return {}
    for key in value:
        if key.removesuffix(".ff") not in known:
            problems.add(
                ModelConfigError(
                    f"'requires' names {key!r}, which is not one of the model's deps", code="FF1103", location=place
                )
            )
    return {key.removesuffix(".ff"): tuple(sorted(names)) for key, names in value.items()}


def _body(
    function: ast.FunctionDef,
    refs: tuple[RefCall, ...],
    values: dict[str, Any],
    places: Mapping[str, Location],
    path: str,
    problems: Problems,
) -> PythonBody:
    requires: Mapping[str, tuple[str, ...]] = {}
    for key in ("require", "requires"):
        given = values.pop(key, None)
        if given is not None:
            requires = _requires(given, refs, places[key], problems)
    arguments = function.args
    parameters = tuple(argument.arg for argument in (*arguments.posonlyargs, *arguments.args))
    mandatory = len(parameters) - len(arguments.defaults)
    variadic = arguments.vararg is not None
    count = len(refs)
    fits = variadic or mandatory <= count <= len(parameters) or (count > 1 and mandatory <= 1 <= len(parameters))
    needs_keywords = any(default is None for default in arguments.kw_defaults)
    if not fits or needs_keywords:
        takes = f"{mandatory} parameter{'' if mandatory == 1 else 's'}"
        problems.add(
            ModuleLoadError(
                f"{function.name!r} takes {takes}, but the model has {count} deps",
                code="FF1114",
                location=_place(function, path),
                help="take one parameter for each of the deps, or a single one that gets a dict of all inputs"
                if count
                else "a model without deps takes no parameter",
            )
        )
    return PythonBody(function.name, parameters, variadic, requires, function.lineno)
