"""Asks the checks that a project brings itself: renders those in SQL, imports and calls those in Python."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from flowforge.checks.plan import BoundCheck, OwnQuery, Verdict
from flowforge.checks.shape import is_count
from flowforge.config.structure import structure_plain
from flowforge.contract import Session
from flowforge.errors import CheckConfigError, EngineError, ErrorKind, FlowForgeError, Problems
from flowforge.frozen import frozen
from flowforge.project.decorators import PARAMS_MODEL
from flowforge.project.manifest import CheckDecl
from flowforge.project.own_checks import COLUMN_WORDS, CheckFunction, OwnCheck
from flowforge.run.blame import called_from, exception_text, project_frames
from flowforge.run.check_executor import CheckExecutor, ColumnName, changes_something
from flowforge.run.check_tables import CheckTables
from flowforge.run.compile import Compiled
from flowforge.run.modules import ProjectModules
from flowforge.values import Location

Translate = Callable[[BaseException], EngineError | None]


class CheckParams:
    """A check's parameters in its template or function: ``params.x``, ``params['x']``, ``params.get('x')``."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)

    def __getitem__(self, name: str) -> Any:
        return self.__dict__[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __len__(self) -> int:
        return len(self.__dict__)

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__

    def __getattr__(self, name: str) -> Any:
        if name == "get":
            return self.__dict__.get
        raise AttributeError(f"there is no parameter {name!r}")

    def __repr__(self) -> str:
        return f"params({self.__dict__!r})"


@frozen
class OwnCheckRunner:
    """Binds checks to what asks them. Safe from any thread.

    Parameters
    ----------
    modules:
        Gives the imported modules of the run.
    """

    root: Path
    modules: Callable[[], ProjectModules]
    translate: Translate

    def bound(self, check: CheckDecl, own: OwnCheck, tables: CheckTables) -> BoundCheck:
        """*check* with the function that asks it."""
        if isinstance(own.body, CheckFunction):
            return BoundCheck(check, own.spec, ask=lambda session: self._call(check, own, tables, session))
        return BoundCheck(check, own.spec, write=lambda: own_query(check, own, tables))

    def failing(self, check: CheckDecl, own: OwnCheck, tables: CheckTables, session: Session) -> str | None:
        """The query whose rows tell which rows of the table fail; ``None``: all is well.

        Raises
        ------
        FlowForgeError
            As in asking the check; and when it says that something fails, but not which rows.
        """
        if not isinstance(own.body, CheckFunction):
            return own_query(check, own, tables).sql
        verdict = self._call(check, own, tables, session)
        if verdict.ok:
            return None
        if not verdict.sql:
            raise CheckConfigError(
                f"the check {check.id!r} says that rows fail, and not which: {verdict.message or 'no message'}",
                code="FF3069",
                location=own.location,
                help="return a statement that selects the failing rows, as the third value",
            )
        reason = changes_something(verdict.sql)
        if reason is not None:
            raise CheckConfigError(
                f"the statement that {check.id!r} returned is no query: {reason}",
                code="FF3044",
                location=own.location,
                help="return one SELECT",
            )
        return verdict.sql

    def _call(self, check: CheckDecl, own: OwnCheck, tables: CheckTables, session: Session) -> Verdict:
        """Call a check's function.

        Raises
        ------
        FlowForgeError
            When it raises, or returns something else than it should; with its line.
        """
        body = own.body
        assert isinstance(body, CheckFunction)
        try:
            function = self.modules().function(own.path, body.function)
            model = getattr(self.modules().member(own.path, body.function), PARAMS_MODEL, None)
            params = _params(check, own, model)
            column = ColumnName(tables.dialect.quote(check.column), check.column) if check.column is not None else None
            executor = CheckExecutor(session, tables.dialect, self.translate)
            answer = function(executor, tables.main(check), column, params)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
                raise
            raise self._blamed(own, error) from error
        return _verdict(own, answer)

    def _blamed(self, own: OwnCheck, error: BaseException) -> FlowForgeError:
        frames = project_frames(self.root, error)
        place = Location(*frames[-1][:2]) if frames else own.location
        if isinstance(error, EngineError) and error.kind is ErrorKind.CANCELLED:
            return error
        if isinstance(error, FlowForgeError):
            error.location = error.location or place
            return error
        return CheckConfigError(
            exception_text(error, "the check"), code="FF3043", location=place, notes=called_from(frames)
        )


def _params(check: CheckDecl, own: OwnCheck, model: Any) -> Any:
    values = _values_of(check)
    if model is None:
        return CheckParams(values)
    if not (isinstance(model, type) and attrs.has(model)):
        raise CheckConfigError(
            f"the params_model of the check {own.name!r} is no class of parameters",
            code="FF3043",
            location=own.location,
            help="make it an attrs class, or a subclass of DQParamsBase",
        )
    defaults = {field.name: field.default for field in attrs.fields(type(check.params))}
    given = {name: value for name, value in values.items() if name not in defaults or not _is(value, defaults[name])}
    if "column" in {field.name for field in attrs.fields(model)} and check.column is not None:
        given["column"] = check.column
    problems = Problems()
    params = structure_plain(
        given, model, problems=problems, locate=lambda path, on_key: check.location, error=CheckConfigError
    )
    problems.raise_if_any()
    return params


def _values_of(check: CheckDecl) -> dict[str, Any]:
    from flowforge.checks.own_params import values_of  # only a project with such checks needs that

    return values_of(check.params)


def _is(value: Any, default: Any) -> bool:
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        default = default.factory()
    return type(value) is type(default) and bool(value == default)


def _verdict(own: OwnCheck, answer: Any) -> Verdict:
    if isinstance(answer, (tuple, list)) and len(answer) == 3:
        ok, message, sql = answer
        plain = isinstance(ok, bool) or type(ok).__name__ in ("bool_", "bool")  # numpy's
        if plain and all(text is None or isinstance(text, str) for text in (message, sql)):
            return Verdict(bool(ok), message or None, sql or None)
    shown = repr(answer)
    raise CheckConfigError(
        f"the check {own.name!r} returned {shown if len(shown) <= 80 else shown[:80] + ' ...'}",
        code="FF3043",
        location=own.location,
        help="return (ok, message, example_sql): True or False, and two texts or None",
    )


def compile_own_check(check: CheckDecl, own: OwnCheck, tables: CheckTables) -> Compiled:
    """The SQL of a check.

    Raises
    ------
    FlowForgeError
        When its template cannot be rendered, or is no query.
    """
    values = _values_of(check)
    column = tables.dialect.quote(check.column) if check.column is not None else None
    words = {
        **dict.fromkeys(COLUMN_WORDS, column),
        "params": CheckParams(values),
        "where": values.get("where"),
    }
    table = "" if check.node is not None or check.is_singular else tables.main(check)
    compiled = tables.compiler.compile_check(check, own, table, words)
    reason = changes_something(compiled.executable)
    if reason is not None:
        raise CheckConfigError(
            f"a check only reads: {reason}", code="FF3044", location=Location(own.path), help="write one SELECT"
        )
    return compiled


def own_query(check: CheckDecl, own: OwnCheck, tables: CheckTables) -> OwnQuery:
    """The query of a check in SQL, whose answer has a clear meaning; or its condition.

    Raises
    ------
    FlowForgeError
        When there is none.
    """
    compiled = compile_own_check(check, own, tables)
    if own.returns == "condition":
        text, shown = (
            _condition(own, sql, _values_of(check).get("where")) for sql in (compiled.executable, compiled.sql)
        )
        return OwnQuery(text, shown, False, lambda _offset: Location(own.path), is_condition=True)
    counts: bool | None = own.returns == "count"
    if own.returns is None:
        counts = is_count(compiled.executable, tables.dialect.sqlglot)
    if counts is None:
        raise CheckConfigError(
            f"nobody can tell what the answer of the check {own.name!r} means: a number of failures, or failing rows",
            code="FF3042",
            location=Location(own.path, 1, 1),
            help="say it: {{ config(returns='count') }} or {{ config(returns='rows') }}",
        )
    return OwnQuery(compiled.executable, compiled.sql, counts, compiled.locate)


def _condition(own: OwnCheck, sql: str, where: str | None) -> str:
    from flowforge.checks.own_forms import condition_in

    try:
        condition = condition_in(sql)
    except ValueError as why:
        raise CheckConfigError(
            f"the template of {own.name!r} is no condition: {why}",
            code="FF3040",
            location=Location(own.path),
            help="write one expression in SQL that is true for a failing row, or a query and no returns='condition'",
        ) from why
    return condition if where is None else f"({where}) AND ({condition})"
