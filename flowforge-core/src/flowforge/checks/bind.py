"""Turns a check as it stands in YAML into a typed declaration of the manifest.

Knows raw checks, check specs and the one converter of FlowForge; no file, no engine.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

import attrs

from flowforge.checks.builtin import CHECKS
from flowforge.checks.own_params import FreeParams
from flowforge.config.check_entries import RawCheck
from flowforge.config.flaws import MISSING_KEY, nearest
from flowforge.config.structure import structure_plain
from flowforge.contract import CheckSpec
from flowforge.errors import CheckConfigError, ConfigFileError, Problems
from flowforge.frozen import frozen
from flowforge.project.manifest import CheckDecl, CheckTable, Limit
from flowforge.project.own_checks import CheckFunction, OwnCheck
from flowforge.values import Location

SpecLookup = Callable[[], Mapping[str, CheckSpec]]
TableLookup = Callable[[str], str | None]
Choose = Callable[[Mapping[str, Any], Callable[[str], Location]], Any]
"""Picks what is said for the project's engine, else ``default``; ``None``: nothing is. Gets the places of the keys."""


def _no_engine(said: Mapping[str, Any], locate: Callable[[str], Location]) -> Any:
    return said.get("default")


_DIGEST_BYTES = 3
_NO_WORD = re.compile(r"\W+")


def bind(
    raw: RawCheck,
    specs: SpecLookup,
    resolve: TableLookup,
    choose: Choose = _no_engine,
    own: Mapping[str, OwnCheck] = MappingProxyType({}),
) -> CheckDecl | None:
    """The declaration that *raw* means; ``None``: it is about other engines.

    Parameters
    ----------
    specs:
        All installed checks by name; called only for a check that is not one of the core's own.
    resolve:
        The name of the project's node that a table name means; ``None`` when it is none of them.
    choose:
        Picks among the engines of a parameter that may be said for each of them.
    own:
        The checks that the project brings itself, by type.

    Raises
    ------
    CheckConfigError, ProjectErrors
        With the places of everything that is wrong: the type, a parameter, a missing column.
    """
    mine = own.get(raw.type)
    spec = mine.spec if mine is not None else _spec(raw, specs, own)
    problems = Problems()
    kind: Any = spec.params
    shape = _shape(kind)
    fields = shape.fields
    data: dict[str, Any] = dict(raw.params)
    if not raw.table and (spec.reads is None or (mine is not None and mine.uses_table)):
        problems.add(
            ConfigFileError(
                "the key 'table' is missing",
                code=MISSING_KEY,
                location=raw.location,
                help="say which model, seed or relation is checked",
            )
        )
    if raw.column is not None and "column" in fields:
        data["column"] = raw.column
    elif raw.column is not None:
        problems.add(
            CheckConfigError(
                f"the check {raw.type!r} is about a whole table, not about the column {raw.column!r}",
                location=raw.location,
                help="declare it for the table, without a column",
            )
        )
    if raw.column is None and shape.wants_column and not (data.keys() & _other_words(spec, "column")):
        problems.add(
            CheckConfigError(
                f"the check {raw.type!r} needs a column",
                location=raw.location,
                help="add `column:`, or declare it under one of the model's columns",
            )
        )
        # A stand-in, so that the other parameters are looked at too.
        data["column"] = ""

    for name in shape.by_engine:
        said = data.get(name)
        if isinstance(said, Mapping):
            chosen = choose(said, functools.partial(_place_of_engine, raw, name))
            if chosen is None:
                return None
            data[name] = chosen
    if spec.params is FreeParams:
        data = {"values": raw.params, **({"column": data["column"]} if "column" in data else {})}

    def locate(path: tuple[str | int, ...], on_key: bool) -> Location:
        if spec.params is FreeParams and path[:1] == ("values",):
            path = path[1:]
        return raw.location if path[:1] == ("column",) else raw.locate(path, on_key)

    params = structure_plain(data, spec.params, problems=problems, locate=locate, error=CheckConfigError)
    limits = _limits(raw, spec, mine, problems)
    if raw.on_fail == "quarantine" and not spec.judges_rows:
        problems.add(_judges_no_rows(raw, mine))
    reads = _reads(raw, spec, params, resolve, problems)
    problems.raise_if_any()
    table = raw.table or reads[0].name
    column = raw.column or (getattr(params, "column", None) if "column" in fields else None)
    return CheckDecl(
        id=raw.name or raw.prefix + check_id(raw.type, table, column, params),
        type=raw.type,
        table=table,
        params=params,
        location=raw.location,
        node=resolve(table),
        column=column,
        severity=raw.severity,
        tags=raw.tags,
        description=raw.description,
        warn_if=limits.get("warn_if"),
        error_if=limits.get("error_if"),
        reads=reads,
        own=mine,
        on_fail=raw.on_fail or {"error": "stop"}.get(raw.severity, "warn"),
        judges_rows=spec.judges_rows,
        is_silent=raw.is_silent and not raw.prefix,  # contracts always stop
    )


def _judges_no_rows(raw: RawCheck, mine: OwnCheck | None) -> CheckConfigError:
    """Why rows that fail cannot be put aside, and what would help."""
    where = raw.locate_common("on_fail")
    if mine is None:
        return CheckConfigError(
            f"the check {raw.type!r} does not say of single rows that they fail, so none can be put aside",
            code="FF3020",
            location=where,
            help="`on_fail: stop` keeps the old rows, `on_fail: warn` publishes the new ones and reports it",
        )
    if isinstance(mine.body, CheckFunction):
        why = "its function says whether all is well, and not which rows fail"
        help_ = "say @dq_test(..., key='*') and return a statement that selects whole rows of the table, or key='id'"
    elif mine.returns == "count":
        why = "its query gives a number, and no rows"
        help_ = "select the failing rows: select * from {{ table }} where ..."
    else:
        why = "nobody can tell from its query which rows of the table fail"
        help_ = (
            "give whole rows, select * from {{ table }} where ...; or name the columns that tell them, key='id'; "
            "or write only the condition, returns='condition'"
        )
    return CheckConfigError(
        f"the check {raw.type!r} cannot put rows aside: {why}",
        code="FF3068",
        location=where,
        help=help_,
        notes=[f"the check is declared at {mine.location}"],
    )


def _place_of_engine(raw: RawCheck, parameter: str, engine: str) -> Location:
    return raw.locate((parameter, engine), True)


@frozen
class _Shape:
    """What the parameters of a check look like; *defaults* are those of all but the column."""

    fields: frozenset[str]
    by_engine: tuple[str, ...]
    wants_column: bool
    defaults: tuple[tuple[str, Any], ...]


@functools.lru_cache(maxsize=256)
def _shape(params: Any) -> _Shape:
    fields = attrs.fields(params)
    column = attrs.fields_dict(params).get("column")
    return _Shape(
        frozenset(field.alias or field.name for field in fields),
        tuple(field.name for field in fields if field.metadata.get("by_engine")),
        column is not None and _default(column) is attrs.NOTHING,
        tuple((field.name, _default(field)) for field in fields if field.name != "column"),
    )


def _other_words(spec: CheckSpec, name: str) -> frozenset[str]:
    return frozenset(attrs.fields_dict(spec.params)[name].metadata.get("aliases", ()))


def _reads(
    raw: RawCheck, spec: CheckSpec, params: Any, resolve: TableLookup, problems: Problems
) -> tuple[CheckTable, ...]:
    """The further tables of a check; those that make no sense go to *problems*."""
    if spec.reads is None or params is None:
        return ()
    found = []
    for written in spec.reads(params):
        call = _CALL.fullmatch(written)
        if call is None and ("(" in written or not written.strip()):
            problems.add(CheckConfigError(f"{written!r} names no table", location=raw.location, help=_TABLE_HELP))
            continue
        name = written.strip().removesuffix(".ff")
        if call is not None:
            name = f"{call['group']}.{call['table']}" if call["table"] else call["node"].removesuffix(".ff")
        node = resolve(name)
        if call is not None and not call["table"] and node is None:
            problems.add(CheckConfigError(f"there is no model or seed {name!r}", location=raw.location))
        found.append(CheckTable(written, name, node))
    return tuple(found)


_TEXT = r"""\s*(['"])(?P<{}>[^'"]+)\{}\s*"""
_CALL = re.compile(
    rf"\s*(?:ref\({_TEXT.format('node', 1)}\)|source\({_TEXT.format('group', 3)},{_TEXT.format('table', 5)}\))\s*"
)
_TABLE_HELP = "write a model's name, ref('name'), source('group', 'table') or schema.table"


def _limits(raw: RawCheck, spec: CheckSpec, mine: OwnCheck | None, problems: Problems) -> dict[str, Limit]:
    """What ``warn_if`` and ``error_if`` say; what makes no sense goes to *problems*."""
    limits = {}
    for key, text in (("warn_if", raw.warn_if), ("error_if", raw.error_if)):
        if text is None:
            continue
        try:
            limit = Limit.parse(text)
            if spec.measure is not None or spec.inspect is not None:
                judged = "judges one number" if spec.measure is not None else "looks at columns"
                raise ValueError(f"says nothing here: this check {judged} and counts no rows")
            if mine is not None and isinstance(mine.body, CheckFunction) and not mine.key:
                raise ValueError(
                    "says nothing here: a check in Python says itself whether it fails, and counts no rows"
                )
            if limit.percent and spec.query is not None and not spec.judges_rows:
                raise ValueError("cannot be a percentage here: the rows of a comparison have no whole")
            if key == "warn_if" and raw.on_fail == "quarantine":
                raise ValueError("says nothing with `on_fail: quarantine`, which always reports the rows")
            if key == "error_if" and raw.severity != "error":
                raise ValueError(f"says nothing with `severity: {raw.severity}`")
            if key == "warn_if" and raw.severity == "error" and raw.error_if is None:
                raise ValueError("says nothing alone: any failure is an error; add 'error_if', or `severity: warn`")
        except ValueError as error:
            problems.add(CheckConfigError(f"'{key}' {error}", location=raw.locate_common(key), help=_LIMIT_HELP))
        else:
            limits[key] = limit
    return limits


_LIMIT_HELP = "write a number of failures such as '> 10', or a share of the rows such as '>= 5%'"


def check_id(type_: str, table: str, column: str | None, params: Any) -> str:
    """A readable id that depends on nothing but the check itself: ``not_null_users_email``.

    A short digest follows when parameters differ from their defaults, or when the readable part alone could be that
    of another check.
    """
    parts = [type_, table.removesuffix(".ff"), *([column] if column else [])]
    readable = "_".join(_NO_WORD.sub("_", part) for part in parts)
    kind: Any = type(params)
    special = {}
    for name, default in _shape(kind).defaults:
        value = getattr(params, name)
        if value != default:
            special[name] = value
    if not special and readable == "_".join(parts):
        return readable
    told = json.dumps([parts, special], sort_keys=True, default=repr)
    return f"{readable}_{hashlib.blake2b(told.encode(), digest_size=_DIGEST_BYTES).hexdigest()}"


def _default(field: attrs.Attribute[Any]) -> Any:
    default: Any = field.default
    if isinstance(default, attrs.Factory) and not default.takes_self:  # type: ignore[arg-type]
        return default.factory()
    return default


def _spec(raw: RawCheck, specs: SpecLookup, own: Collection[str]) -> CheckSpec:
    for spec in CHECKS:
        if spec.name == raw.type:
            return spec
    installed = specs()
    if raw.type in installed:
        return installed[raw.type]
    known = sorted({*installed, *own, *(spec.name for spec in CHECKS)})
    hint = nearest(raw.type, known)
    raise CheckConfigError(
        f"unknown check {raw.type!r}",
        code="FF3005",
        location=raw.location,
        help=hint,
        notes=() if hint is not None and hint.startswith("known") else [f"installed checks: {', '.join(known)}"],
    )
