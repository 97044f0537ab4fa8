"""Reads checks in Python, ``tests/**/*.ff.py``, from the syntax tree; nothing is imported or run here.

What parameters there are is read too: from the class that the decorator names, when it stands in the same file, else from
the texts with which the function asks for them.
"""

from __future__ import annotations

import ast
import datetime as dt
import decimal
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from flowforge.checks.own_params import (
    COLUMN,
    WHERE,
    FreeParams,
    Parameter,
    column_parameter,
    own_spec,
    params_class,
    where_parameter,
)
from flowforge.contract import WHOLE_ROWS
from flowforge.errors import CheckConfigError, ModuleLoadError, Problems
from flowforge.project.own_checks import CheckFunction, OwnCheck
from flowforge.values import Location

_CODE = "FF3040"
_KEYWORDS = ("name", "overwrite", "params_model", "key")
_PARAMETERS = ("executor", "table", "column", "params")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def read_python_checks(text: str, path: str, problems: Problems) -> list[OwnCheck]:
    """All functions in *text* that carry ``@dq_test``. Flaws go to *problems*."""
    try:
        tree = ast.parse(text, filename=path)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line, column = (error.lineno or 1, error.offset or 1) if isinstance(error, SyntaxError) else (1, 1)
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        problems.add(
            ModuleLoadError(
                f"Python cannot read this file: {said}", code="FF1111", location=Location(path, line, column)
            )
        )
        return []
    names = _decorator_names(tree)
    before = len(problems)
    found = []
    for statement in tree.body:
        if not isinstance(statement, _Function):
            continue
        for decorator in statement.decorator_list:
            if _is_check(decorator, names):
                check = _read(statement, decorator, tree, path, problems)
                if check is not None:
                    found.append(check)
    if not found and len(problems) == before:
        problems.add(
            _flaw(
                "no function of this file carries @dq_test",
                Location(path, 1, 1),
                "put `from flowforge import dq_test` on top and `@dq_test()` above the function,"
                " or drop the .ff from the file's name if it is only imported by others",
            )
        )
    return found


def _decorator_names(tree: ast.Module) -> tuple[set[str], set[str]]:
    """Names under which this file knows the decorator, and names of the package itself."""
    functions, modules = set(), set()
    for statement in ast.walk(tree):
        if isinstance(statement, ast.ImportFrom) and statement.module == "flowforge":
            functions |= {alias.asname or alias.name for alias in statement.names if alias.name == "dq_test"}
        elif isinstance(statement, ast.Import):
            modules |= {alias.asname or alias.name for alias in statement.names if alias.name == "flowforge"}
    return functions, modules


def _is_check(decorator: ast.expr, names: tuple[set[str], set[str]]) -> bool:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    functions, modules = names
    if isinstance(target, ast.Name):
        return target.id in functions
    return (
        isinstance(target, ast.Attribute)
        and target.attr == "dq_test"
        and isinstance(target.value, ast.Name)
        and target.value.id in modules
    )


def _place(node: ast.AST, path: str) -> Location:
    line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
    end = getattr(node, "end_col_offset", None)
    same_line = getattr(node, "end_lineno", line) == line
    return Location(path, line, column, max(1, end + 1 - column) if end and same_line else 1)


def _read(function: _Function, decorator: ast.expr, tree: ast.Module, path: str, problems: Problems) -> OwnCheck | None:
    before = len(problems)
    here = _place(function, path)
    given = _arguments(decorator, path, problems)
    name = _literal(given, "name", str, function.name, path, problems)
    overwrite = _literal(given, "overwrite", bool, False, path, problems)
    key = _key(given.get("key"), path, problems)
    if not name or not name.strip():
        problems.add(_flaw("the name of a check cannot be empty", _place(given["name"], path), None))
    arguments = function.args
    wanted = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    takes_four = wanted <= 4 and (len(arguments.posonlyargs) + len(arguments.args) >= 4 or arguments.vararg is not None)
    if isinstance(function, ast.AsyncFunctionDef):
        problems.add(_flaw(f"the check {function.name!r} is async; checks are plain functions", here, None))
    elif not takes_four or any(default is None for default in arguments.kw_defaults):
        problems.add(
            _flaw(
                f"{function.name!r} has to take four arguments",
                here,
                f"def {function.name}({', '.join(_PARAMETERS)}): ... return ok, message, example_sql",
            )
        )
    elif not any(isinstance(node, ast.Return) and node.value is not None for node in ast.walk(function)):
        problems.add(_flaw(f"{function.name!r} returns nothing", here, "return (ok, message, example_sql)"))
    if len(problems) > before:
        return None
    declared, free = _parameters(function, given.get("params_model"), tree)
    model = given.get("params_model")
    spec = own_spec(
        name,
        (ast.get_docstring(function) or f"A check of the project, in {path}.").strip().splitlines()[0],
        FreeParams if free else params_class(name, declared),
        key=key,
    )
    return OwnCheck(
        name=name,
        location=here,
        body=CheckFunction(function.name, ast.unparse(model) if model is not None else None),
        spec=spec,
        key=key,
        overwrite=overwrite,
    )


def _arguments(decorator: ast.expr, path: str, problems: Problems) -> dict[str, ast.expr]:
    found: dict[str, ast.expr] = {}
    if not isinstance(decorator, ast.Call):
        return found
    for position, argument in enumerate(decorator.args):
        if position or isinstance(argument, ast.Starred):
            problems.add(_flaw("@dq_test takes only the name by position", _place(argument, path), "write keywords"))
            break
        found["name"] = argument
    for keyword in decorator.keywords:
        if keyword.arg not in _KEYWORDS or keyword.arg in found:
            said = f"@dq_test knows no {keyword.arg!r}" if keyword.arg else "@dq_test cannot take ** arguments"
            if keyword.arg in found:
                said = f"{keyword.arg!r} is given twice"
            problems.add(_flaw(said, _place(keyword, path), f"it takes {', '.join(_KEYWORDS)}"))
            continue
        assert keyword.arg is not None
        if not (isinstance(keyword.value, ast.Constant) and keyword.value.value is None):
            found[keyword.arg] = keyword.value
    return found


def _literal(given: Mapping[str, ast.expr], key: str, type_: type, default: Any, path: str, problems: Problems) -> Any:
    node = given.get(key)
    if node is None or (isinstance(node, ast.Constant) and node.value is None):
        return default
    if isinstance(node, ast.Constant) and isinstance(node.value, type_):
        return node.value
    kind = "a text" if type_ is str else "True or False"
    problems.add(
        _flaw(f"{key!r} has to be {kind}, written out", _place(node, path), "it is read without running the file")
    )
    return default


def _key(node: ast.expr | None, path: str, problems: Problems) -> tuple[str, ...]:
    """The columns by which the rows of the returned statement are found in the table; none: it may give anything."""
    if node is None:
        return ()
    try:
        said = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError):
        said = None
    names = (said,) if isinstance(said, str) else tuple(said) if isinstance(said, (list, tuple)) else ()
    sound = names and all(isinstance(name, str) and name for name in names) and len(set(names)) == len(names)
    if not sound or ("*" in names and names != WHOLE_ROWS):
        problems.add(
            _flaw(
                "'key' has to be the name of a column, a list of names, or '*', written out",
                _place(node, path),
                "'*' says that the returned statement gives whole rows of the table",
            )
        )
        return ()
    return names


# -- which parameters there are -------------------------------------------------------------------------------------


def _parameters(function: _Function, model: ast.expr | None, tree: ast.Module) -> tuple[list[Parameter], bool]:
    """The declared parameters, and whether there may be others."""
    arguments = [*function.args.posonlyargs, *function.args.args]
    names = [argument.arg for argument in arguments[:4]]
    uses = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    declared: dict[str, Parameter] = {}
    free = False
    if model is not None:
        fields = _fields_of(model, tree)
        free = fields is None
        declared = {one.name: one for one in fields or ()}
    elif len(names) == 4:
        asked = _asked_for(function, names[3])
        free = asked is None
        declared = {name: Parameter(name, default=None) for name in sorted(asked or ())}
    else:
        free = True
    if WHERE in declared:
        declared[WHERE] = where_parameter()
    if COLUMN not in declared and (len(names) < 3 or names[2] in uses):
        declared[COLUMN] = column_parameter(needed=False)
    return list(declared.values()), free


def _asked_for(function: _Function, name: str) -> set[str] | None:
    """The texts with which a function asks its parameters; ``None`` when it does something else with them."""
    asked: set[str] = set()
    plain: set[int] = set()
    for node in ast.walk(function):
        key: str | None = None
        inner: ast.expr | None = None
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            inner, key = node.value, node.slice.value if isinstance(node.slice.value, str) else None
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            first = node.args[0] if node.args else None
            if isinstance(node.func.value, ast.Name):
                plain.add(id(node.func))
                inner = node.func.value
            key = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
        elif isinstance(node, ast.Attribute) and id(node) not in plain:
            inner, key = node.value, node.attr
        if key is not None and isinstance(inner, ast.Name) and inner.id == name:
            plain.add(id(inner))
            asked.add(key)
    others = (node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == name)
    return asked if all(id(node) in plain for node in others) else None


def _fields_of(model: ast.expr, tree: ast.Module) -> list[Parameter] | None:
    """The fields of a class at the top of the file; ``None`` when it is not there, or inherits from unknown ones."""
    classes = {statement.name: statement for statement in tree.body if isinstance(statement, ast.ClassDef)}
    if not isinstance(model, ast.Name) or model.id not in classes:
        return None
    fields: dict[str, Parameter] = {}
    line = list(_line_of(classes[model.id], classes))
    if any(one is None for one in line):
        return None
    for one in reversed(line):
        assert one is not None
        for statement in one.body:
            if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
                continue
            name = statement.target.id
            if "ClassVar" in ast.unparse(statement.annotation):
                continue
            needed = statement.value is None or _is_needed(statement.value)
            if needed:
                fields[name] = Parameter(name, _type_of(statement.annotation))
            else:
                fields[name] = Parameter(name, _type_of(statement.annotation), _given(statement.value))
    return list(fields.values())


_BASES = frozenset({"DQParamsBase", "object", "flowforge.DQParamsBase"})


def _line_of(cls: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> Iterator[ast.ClassDef | None]:
    """A class and its bases in this file; ``None`` for one from elsewhere."""
    seen: set[str] = set()
    todo = [cls]
    while todo:
        one = todo.pop()
        if one.name in seen:
            continue
        seen.add(one.name)
        yield one
        for base in one.bases:
            text = ast.unparse(base)
            if text in classes:
                todo.append(classes[text])
            elif text not in _BASES:
                yield None


def _is_needed(value: ast.expr | None) -> bool:
    """Whether ``attrs.field(...)`` gives no default."""
    if not isinstance(value, ast.Call) or ast.unparse(value.func).rsplit(".", 1)[-1] not in ("field", "ib"):
        return False
    return not any(keyword.arg in ("default", "factory") for keyword in value.keywords)


def _given(value: ast.expr | None) -> Any:
    """A default as far as it is written out; what it is counts only for the ids of checks."""
    try:
        return ast.literal_eval(value) if value is not None else None
    except (ValueError, TypeError, SyntaxError, RecursionError):
        return None


_TYPES: Mapping[str, Any] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "None": type(None),
    "list": tuple[Any, ...],
    "tuple": tuple[Any, ...],
    "dict": Mapping[str, Any],
    "Decimal": decimal.Decimal,
    "decimal.Decimal": decimal.Decimal,
    "date": dt.date,
    "dt.date": dt.date,
    "datetime.date": dt.date,
}


def _type_of(annotation: ast.expr) -> Any:
    """A type as far as its name says it; ``Any`` for others, which the class itself judges when it is made."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            return _type_of(ast.parse(annotation.value, mode="eval").body)
        except SyntaxError:
            return Any
    if isinstance(annotation, ast.Constant) and annotation.value is None:
        return type(None)
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return _either([_type_of(annotation.left), _type_of(annotation.right)])
    if isinstance(annotation, ast.Subscript):
        outer = ast.unparse(annotation.value).rsplit(".", 1)[-1]
        inner = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        if outer == "Optional" and len(inner) == 1:
            return _either([_type_of(inner[0]), type(None)])
        if outer == "Union":
            return _either([_type_of(one) for one in inner])
        if outer == "Literal" and all(isinstance(one, ast.Constant) for one in inner):
            return Literal[tuple(one.value for one in inner if isinstance(one, ast.Constant))]
        if outer in ("list", "List", "tuple", "Tuple", "Sequence"):
            return tuple.__class_getitem__((_type_of(inner[0]), ...))
        return _TYPES.get(outer, Any)
    return _TYPES.get(ast.unparse(annotation), Any)


def _either(types: Sequence[Any]) -> Any:
    if Any in types:
        return Any
    result = types[0]
    for one in types[1:]:
        result = result | one
    return result


def _flaw(message: str, where: Location, help: str | None) -> CheckConfigError:
    return CheckConfigError(message, code=_CODE, location=where, help=help)
