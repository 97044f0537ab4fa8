"""Reads checks in SQL: ``tests/**/*.ff.sql``. The template is scanned, as that of a model is, and nothing is rendered."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import attrs

from flowforge.checks.own_forms import as_query, rows_of
from flowforge.checks.own_params import (
    COLUMN,
    WHERE,
    Parameter,
    column_parameter,
    kind_of_default,
    own_spec,
    params_class,
    singular_spec,
    where_parameter,
)
from flowforge.config.check_entries import MEANT, as_tuple
from flowforge.config.names import is_name
from flowforge.config.structure import nearest, structure_plain
from flowforge.contract import WHOLE_ROWS
from flowforge.errors import CheckConfigError, FlowForgeError, Problems, ProjectError
from flowforge.frozen import frozen
from flowforge.project.asked import Answers
from flowforge.project.lexer import Kind, lex
from flowforge.project.macros import MacroLibrary
from flowforge.project.manifest import Limit, SqlBody
from flowforge.project.own_checks import COLUMN_WORDS, TABLE_WORDS, OwnCheck, Tuning
from flowforge.project.scan import literal_call, scan_sql
from flowforge.project.scanned import Scan
from flowforge.values import Location

"""Names of a template for the table and the column under test; the second ones are those of dbt."""
_NAME = re.compile(r"[A-Za-z_]\w*")
_CODE = "FF3040"


@frozen
class _Typed:
    """The header of a check that YAML uses."""

    type: str = attrs.field(validator=is_name)
    params: Any = ()
    returns: Literal["rows", "count", "condition"] | None = None
    key: tuple[str, ...] = attrs.field(default=(), converter=as_tuple, metadata={"accepts": str | tuple[str, ...]})
    description: str | None = None
    overwrite: bool = False
    deps: tuple[str, ...] = ()


def _limit(_instance: Any, _attribute: Any, value: str | None) -> None:
    if value is not None:
        Limit.parse(value)


@frozen
class _Single:
    """The header of a singular test."""

    later_keys: ClassVar[Mapping[str, str]] = {
        "fail_calc": "let the query give the count, and say returns='count'",
        "store_failures": "`flowforge test --store-failures` stores the rows that its query gives",
        "limit": "five failing rows are shown, whatever their number",
        "params": "a check with parameters has a type: add type='...'",
        "where": "write the condition into the query",
    }

    name: str | None = attrs.field(default=None, validator=is_name)
    severity: Literal["error", "warn", "info"] = "error"
    tags: tuple[str, ...] = attrs.field(default=(), converter=as_tuple, metadata={"accepts": str | tuple[str, ...]})
    description: str | None = None
    warn_if: str | None = attrs.field(default=None, validator=_limit)
    error_if: str | None = attrs.field(default=None, validator=_limit)
    returns: Literal["rows", "count"] | None = None
    on_fail: Literal["stop", "warn", "quarantine"] | None = None
    key: tuple[str, ...] = attrs.field(default=(), converter=as_tuple, metadata={"accepts": str | tuple[str, ...]})
    rows_of: str | None = attrs.field(default=None, validator=is_name)
    enabled: bool = True
    deps: tuple[str, ...] = ()


def read_sql_check(
    text: str, path: str, problems: Problems, library: MacroLibrary, answers: Answers
) -> OwnCheck | None:
    """The check in one file; ``None`` when it is disabled, or beyond understanding. Flaws go to *problems*."""
    before = len(problems)
    scan = scan_sql(text, path, "check")
    is_condition = (scan.config or {}).get("returns") == "condition"
    for problem in scan.problems:
        if not (is_condition and problem.code == "FF1124"):  # such as: start > end
            problems.add(problem)
    if scan.create is not None:
        problems.add(_flaw("a check is one query, and creates nothing", Location(path, 1, 1), "leave only the SELECT"))
    header = _answered(scan, path, answers, problems)
    if len(problems) > before:
        return None

    def place(keypath: Sequence[str | int], on_key: bool = False) -> Location:
        return scan.locate(keypath) or Location(path, 1, 1)

    if _mentions_this(scan):
        problems.add(_flaw("a check has no table of its own", place(()), "the table under test is {{ table }}"))
    if "type" in header:
        return _typed(header, place, scan, path, problems, library)
    return _singular(header, place, scan, path, problems, library)


def _typed(
    header: Mapping[str, Any], place: Any, scan: Scan, path: str, problems: Problems, library: MacroLibrary
) -> OwnCheck | None:
    before = len(problems)
    typed = structure_plain(header, _Typed, problems=problems, locate=place, error=CheckConfigError)
    if typed is None:
        return None
    declared = list(_declared(typed.params, place(["params"]), problems))
    known = {one.name for one in declared}
    if WHERE not in known and (WHERE in scan.names or "params.where" in scan.template):
        declared.append(where_parameter())
    if COLUMN not in known and not scan.names.isdisjoint(COLUMN_WORDS):
        declared.append(column_parameter(needed=True))
    if not scan.simple and "params" in scan.names:
        _check_names(scan, path, {one.name for one in declared}, problems)
    macros = library.used_by(scan.names)
    refs = (*scan.refs, *(ref for macro in macros for ref in macro.refs))
    sources = (*scan.sources, *(call for macro in macros for call in macro.sources))
    is_condition = typed.returns == "condition"
    if is_condition and WHERE not in {one.name for one in declared}:
        declared.append(where_parameter())
    uses_table = is_condition or not scan.names.isdisjoint(TABLE_WORDS)
    key = _key(typed.key, typed.returns, "table", scan, place, problems)
    if not uses_table and not refs and not sources:
        problems.add(
            _flaw(
                f"the check {typed.type!r} never reads the table under test",
                place(["type"]),
                "read it: select ... from {{ table }}; or leave out type= for a test that stands for itself",
            )
        )
    if len(problems) > before:
        return None
    written = dict.fromkeys(
        [*(f"ref('{ref.name}')" for ref in refs), *(f"source('{one.source}', '{one.table}')" for one in sources)]
    )
    params = params_class(typed.type, declared)
    return OwnCheck(
        name=typed.type,
        location=place(["type"]),
        body=SqlBody(as_query(scan.template) if is_condition else scan.template, scan.simple),
        spec=own_spec(
            typed.type,
            typed.description or f"A check of the project, in {path}.",
            params,
            tuple(written),
            key=key,
            is_condition=is_condition,
        ),
        refs=refs,
        sources=sources,
        returns=typed.returns,
        key=key,
        overwrite=typed.overwrite,
        uses_table=uses_table,
    )


def _singular(
    header: Mapping[str, Any], place: Any, scan: Scan, path: str, problems: Problems, library: MacroLibrary
) -> OwnCheck | None:
    before = len(problems)
    for words, of in ((TABLE_WORDS, "table"), (COLUMN_WORDS, "column"), (("params", WHERE), "parameters")):
        if not scan.names.isdisjoint(words):
            problems.add(
                _flaw(
                    f"a test without a type has no {of} under test",
                    Location(path, 1, 1),
                    "make it a check that YAML can use: {{ config(type='...', params=[...]) }}; or read ref('...')",
                )
            )
    single = structure_plain(header, _Single, problems=problems, locate=place, error=CheckConfigError)
    if single is None or len(problems) > before or not single.enabled:
        return None
    macros = library.used_by(scan.names)
    name = single.name or path.rsplit("/", 1)[-1].removesuffix(".ff.sql")
    limits = {
        key: Limit.parse(text) for key, text in (("warn_if", single.warn_if), ("error_if", single.error_if)) if text
    }
    for key, limit in limits.items():
        reason = None
        if limit.percent:
            reason = "cannot be a percentage here: the rows of a query have no whole"
        elif key == "error_if" and single.severity != "error":
            reason = f"says nothing with severity={single.severity!r}"
        elif key == "warn_if" and single.severity == "error" and single.error_if is None:
            reason = "says nothing alone: any failure is an error; add error_if, or severity='warn'"
        if reason is not None:
            problems.add(_flaw(f"{key!r} {reason}", place([key]), "write a number of failures such as '> 10'"))
    model = single.rows_of or _only_model(scan, macros)
    key_ = _key(single.key, single.returns, model, scan, place, problems)
    if single.on_fail is not None and "severity" in header and MEANT[single.on_fail] != single.severity:
        problems.add(
            _flaw(
                f"on_fail={single.on_fail!r} and severity={single.severity!r} say two things", place(["on_fail"]), _ONE
            )
        )
    if single.on_fail == "quarantine":
        _refuse_unknown_rows(single, key_, model, place, problems)
    for word, said in (("rows_of", single.rows_of), ("key", single.key)):
        if said and single.on_fail != "quarantine":
            problems.add(
                _flaw(f"{word!r} says nothing without on_fail='quarantine'", place([word]), "leave it out, or add that")
            )
    if len(problems) > before:
        return None
    severity = MEANT[single.on_fail] if single.on_fail is not None else single.severity
    return OwnCheck(
        name=name,
        location=place(["name"]) if single.name else Location(path, 1, 1),
        body=SqlBody(scan.template, scan.simple),
        spec=singular_spec(single.description or f"A test of the project, in {path}.", key_),
        refs=(*scan.refs, *(ref for macro in macros for ref in macro.refs)),
        sources=(*scan.sources, *(call for macro in macros for call in macro.sources)),
        returns=single.returns,
        key=key_,
        tuning=Tuning(
            severity,
            single.tags,
            single.description,
            **limits,
            on_fail=single.on_fail,
            rows_of=model if single.on_fail == "quarantine" else None,
        ),
    )


def _only_model(scan: Scan, macros: Sequence[Any]) -> str | None:
    """The one model that a template reads; ``None``: it reads several, or sources, which nobody can part."""
    names = {ref.name.removesuffix(".ff") for ref in (*scan.refs, *(ref for macro in macros for ref in macro.refs))}
    return names.pop() if len(names) == 1 else rows_of(scan.template)


def _key(
    written: tuple[str, ...], returns: str | None, of: str | None, scan: Scan, place: Any, problems: Problems
) -> tuple[str, ...]:
    """The columns by which the rows of a query's answer are found in the table called *of*; none: nobody knows them."""
    if written:
        said = f"returns={returns!r}" if returns in ("count", "condition") else None
        if said is not None:
            problems.add(_flaw(f"'key' says nothing with {said}", place(["key"]), "a key belongs to a query of rows"))
        if len(set(written)) != len(written) or ("*" in written and written != WHOLE_ROWS) or "" in written:
            problems.add(
                _flaw(
                    f"{list(written)!r} is no key",
                    place(["key"]),
                    "name columns of the table, each once, or write key='*' for whole rows",
                )
            )
        return written
    if returns in ("count", "condition"):
        return ()
    whose = rows_of(scan.template)
    return WHOLE_ROWS if whose is not None and whose.removesuffix(".ff") == of else ()


def _refuse_unknown_rows(
    single: _Single, key: Sequence[str], model: str | None, place: Any, problems: Problems
) -> None:
    where = place(["on_fail"])
    if single.returns == "count":
        problems.add(_unknown("its query gives a number, and no rows", where))
    elif model is None:
        problems.add(_unknown("it does not read one model, so nobody can tell whose rows it gives", where, _WHOSE))
    elif not key:
        problems.add(_unknown(f"nobody can tell from its query which rows of {model!r} fail", where))
    if single.severity == "error" and single.warn_if is not None:
        problems.add(
            _flaw(
                "'warn_if' says nothing with on_fail='quarantine', which always reports the rows", where, "leave it out"
            )
        )


def _unknown(why: str, where: Location, help: str | None = None) -> CheckConfigError:
    return CheckConfigError(
        f"the test cannot put rows aside: {why}",
        code="FF3068",
        location=where,
        help=help
        or "give whole rows, select * from {{ ref('model') }} where ..., or name the columns that tell them: key=",
    )


_ONE = "say one of them"
_WHOSE = "name the model whose rows it gives: rows_of='model'"


def _answered(scan: Scan, path: str, answers: Answers, problems: Problems) -> dict[str, Any]:
    """The header with answers where it asks for variables."""
    values = {}
    for key, value in (scan.config or {}).items():
        try:
            values[key] = answers.give(value)
        except FlowForgeError as error:
            error.location = error.location or scan.locate([key]) or Location(path, 1, 1)
            problems.add(error)
    return values


def _declared(written: Any, where: Location, problems: Problems) -> list[Parameter]:
    """What ``params=`` says: names, and mappings from a name to its default."""
    entries = written if isinstance(written, (list, tuple)) else [written]
    found: dict[str, Parameter] = {}
    for entry in entries:
        pairs = entry.items() if isinstance(entry, Mapping) else [(entry, attrs.NOTHING)]
        for name, default in pairs:
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                problems.add(_flaw(f"{name!r} cannot be the name of a parameter", where, _PARAMS))
            elif name in found:
                problems.add(_flaw(f"the parameter {name!r} is declared twice", where, "keep one of them"))
            elif name in _TAKEN:
                problems.add(
                    _flaw(
                        f"a parameter cannot be called {name!r}, which all checks have", where, "give it another name"
                    )
                )
            elif name == WHERE:
                found[name] = where_parameter()
            elif name == COLUMN:
                found[name] = column_parameter(needed=default is attrs.NOTHING)
            elif default is attrs.NOTHING:
                found[name] = Parameter(name)
            else:
                found[name] = Parameter(name, kind_of_default(default), default)
    return list(found.values())


_TAKEN = frozenset(
    ["type", "table", "name", "severity", "tags", "warn_if", "error_if", "params", "arguments", "config", "description"]
)
_PARAMS = "write names, and defaults in a mapping: params=['least', {'share': 0.5}]"


def _check_names(scan: Scan, path: str, known: set[str], problems: Problems) -> None:
    """Refuse ``params.x`` where no ``x`` is declared."""
    from jinja2 import nodes

    from flowforge.project.jinja_source import TemplateProblem, parse, parser_environment, start_offset, walk
    from flowforge.project.lexer import position

    try:
        tree = parse(parser_environment(), scan.template)
    except TemplateProblem:
        return  # said already
    for node in walk(tree):
        if isinstance(node, nodes.Getattr):
            name = node.attr
        elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            name = node.arg.value
        else:
            continue
        if isinstance(node.node, nodes.Name) and node.node.name == "params" and name not in known and name != "get":
            line, column = position(scan.template, start_offset(node))
            problems.add(
                _flaw(
                    f"the parameter {name!r} is not declared",
                    Location(path, line, column, len("params.") + len(name)),
                    nearest(name, known) or "name it in config(params=[...])",
                )
            )


def _mentions_this(scan: Scan) -> bool:
    if not scan.simple:
        return "this" in scan.names
    tokens = (token for token in lex(scan.template) if token.kind is Kind.EXPRESSION)
    return any((call := literal_call(scan.template, token)) and call.function == "this" for token in tokens)


def _flaw(message: str, where: Location, help: str | None) -> ProjectError:
    return CheckConfigError(message, code=_CODE, location=where, help=help)
