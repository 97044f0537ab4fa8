"""Portable functions in templates: where they may stand, and what is said about wrong arguments."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import attrs
import pyarrow as pa
import pytest

from flowforge.contract import Dialect, EngineSpec, unsupported
from flowforge.contract.functions import FUNCTIONS, PARTS
from flowforge.errors import FlowForgeError, RenderError
from flowforge.project.calls import ENGINE_QUESTIONS, PORTABLE
from flowforge.project.scan import scan_sql
from flowforge.rendering.engines import engine_functions, find_among
from flowforge.rendering.limits import MAX_SECONDS
from flowforge.rendering.portable import literal_filter, portable_functions
from flowforge.rendering.render import RenderContext, render
from flowforge.rendering.table import QueryTable


class Acme(Dialect):
    name = "acme"
    functions = {
        "date_trunc": "TRUNC({expr}, '{part}')",
        "date_trunc.week": "MONDAY({expr})",
        "date_add": "({expr} + {amount} {part})",
        "md5": "MD5({text})",
        "string_agg": unsupported("it is too old"),
        "safe_cast": "TRY({expr} AS {type})",
        "safe_cast.integer": "INT({expr})",
        "safe_cast.numeric": "NUM({expr}, {precision}, {scale}, {limit}, {{}})",
        "safe_cast.timestamp": "TS({expr})",
    }

    def type_name(self, type_: pa.DataType) -> str:
        raise NotImplementedError


def spec(name: str, **more: Any) -> EngineSpec:
    return EngineSpec(name, name, object, load=lambda: lambda settings: None, capabilities={}, **more)  # type: ignore[arg-type,return-value]


ACME = spec("acme", aliases=("acme_cloud",), abbreviation="AC", family="ansi")
OTHER = spec("other", aliases=("oth",))
HELPERS = {**portable_functions(Acme()), **engine_functions(ACME, find_among({"other": OTHER, "oth": OTHER}))}


@pytest.fixture
def rendered(recorder: Any) -> Any:
    context: RenderContext = attrs.evolve(
        recorder.context(), helpers=HELPERS, filters={"sql_literal": literal_filter(Acme())}
    )

    def text(template: str) -> str:
        scan = scan_sql(template, "models/m.ff.sql")
        assert scan.problems == ()
        return render(scan.template, context, path="models/m.ff.sql", model="m", simple=scan.simple).sql

    return text


@pytest.mark.parametrize(
    ("template", "sql"),
    [
        ("{{ ff_date_trunc('a.b', 'month') }}", "TRUNC(a.b, 'month')"),
        ("{{ ff_date_trunc('a') }}", "TRUNC(a, 'day')"),
        ("{{ ff_date_trunc('a + b', ' Week ') }}", "MONDAY((a + b))"),
        ("{{ ff_date_trunc(part='year', expr=\"'2024'\") }}", "TRUNC('2024', 'year')"),
        ("{{ ff_date_add('a', 'day', -1) }}", "(a + (-1) day)"),
        ("{{ ff_date_add('a', 'day', 'n*2') }}", "(a + (n*2) day)"),
        ("{{ ff_date_add(ff_date_trunc('a'), 'day', 1) }}", "((TRUNC(a, 'day')) + 1 day)"),
        ("{% if ff_is_engine('acme') %}{{ ff_hash('a') }}{% endif %}",
         "MD5(COALESCE(replace(replace(CAST(a AS VARCHAR), '~', '~~'), '|', '~1'), '~0'))"),
        ("{% macro day(x) %}{{ ff_date_trunc(x) }}{% endmacro %}{{ day('q') }}", "TRUNC(q, 'day')"),
        ("{% for c in ['a', 'b'] %}{{ ff_text(c) }} {% endfor %}", "CAST(a AS VARCHAR) CAST(b AS VARCHAR)"),
        ("{{ ff_concat('a', ['b', '1']) }}", "((CAST(a AS VARCHAR) || CAST(b AS VARCHAR)) || CAST(1 AS VARCHAR))"),
        ("{{ ff_bool_and('x') }}", "(MIN(CASE WHEN x THEN 1 WHEN NOT x THEN 0 END) = 1)"),
        ("{{ ff_safe_cast('x', 'INTEGER', default=1) }}", "COALESCE(INT(x), CAST(1 AS INTEGER))"),
        ("{{ ff_safe_cast('x', 'decimal(5, 2)', '1.005') }}",
         "COALESCE(NUM(x, 5, 2, 1000, {}), CAST(1.01 AS DECIMAL(5,2)))"),
        ("{{ ff_safe_cast('x', 'numeric(5)') }}", "NUM(x, 5, 0, 100000, {})"),
        ("{{ ff_safe_cast('x', 'timestamp', '2024-01-31T12:00:00+02:00') }}",
         "COALESCE(TS(x), CAST(CAST('2024-01-31 10:00:00' AS TIMESTAMP) AS TIMESTAMP))"),
        ("{{ ff_safe_cast('x', 'array<int64>', 'y') }}", "COALESCE(TRY(x AS array<int64>), CAST('y' AS array<int64>))"),
        ("{{ ff_type('double') }} {{ ff_type('numeric') }}", "DOUBLE PRECISION DECIMAL(38,9)"),
        ("{{ ff_partition_filter('d', 1, 2) }} {{ ff_partition_filter('d', none, 'x') }} {{ ff_partition_filter('d') }}",
         "(d BETWEEN 1 AND 2) (d <= 'x') (1 = 1)"),
        ("{{ ff_partition_in('d', [1, \"it's\"]) }} {{ ff_partition_in('d', []) }} {{ ff_partition_in('d', range(2)) }}",
         "(d IN (1, 'it''s')) (1 = 0) (d IN (0, 1))"),
        ("{{ [1, none, \"it's\", true] | map('sql_literal') | join(', ') }}", "1, NULL, 'it''s', TRUE"),
        ("{{ 'low' | var(3) | sql_literal }} {{ 'X' | env('y') | sql_literal }}", "3 'y'"),
        ("{{ ff_engine() }} {{ ff_engine('x') }} {{ ff_engine_family() }} {{ engine_family('OTH') }}", "acme acme ansi other"),
        ("{{ ff_is_engine('oth', 'AC') }} {{ is_engine('other') }} {{ is_engine(['acme_cloud']) }}", "True False True"),
        ("{{ normalize_engine(' ACME_CLOUD ') }} {{ normalize_engine('oth') }} {{ normalize_engine('Duck') }}", "acme other duck"),
        ("'{{ ff_engine() }}' -- {{ ff_engine( }}", "'acme' -- {{ ff_engine( }}"),
    ],
)  # fmt: skip
def test_functions_write_sql(rendered: Any, template: str, sql: str) -> None:
    assert rendered(template) == sql


@pytest.mark.parametrize(
    ("call", "said", "help_"),
    [
        ("ff_date_trunc('a', 'mnth')", "no part 'mnth'", "did you mean 'month'"),
        ("ff_date_trunc('a', 'decade')", "no part 'decade'", "the parts are"),
        ("ff_date_trunc('a', 3)", "int '3' is no part", "the parts are"),
        ("ff_date_trunc()", "missing a required argument: 'expr'", "write ff_date_trunc(expr, part='day')"),
        ("ff_date_trunc('a', parts='day')", "unexpected keyword argument 'parts'", "write ff_date_trunc("),
        ("ff_date_trunc('')", "is empty", "a column"),
        ("ff_date_trunc('(a')", "no whole expression", "a column"),
        ("ff_date_trunc('a) + (b')", "no whole expression", "a column"),
        ("ff_date_trunc('a; drop')", "no whole expression", "a column"),
        ("ff_date_trunc(\"'a\")", "no whole expression", "a column"),
        ("ff_date_trunc('a -- b')", "holds an SQL comment", "remove"),
        ("ff_date_trunc(12)", "int '12', and not SQL text", "sql_literal"),
        ("ff_date_trunc(none)", "is none, and not SQL text", "sql_literal"),
        ("ff_date_add('a', 'day', 1.5)", "amount is float '1.5'", "write SQL"),
        ("ff_date_add('a', 'day', true)", "amount is bool", "write SQL"),
        ("ff_hash()", "at least one", "write ff_hash("),
        ("ff_safe_cast('x', 'numeric(39, 2)')", "no type 'numeric(39, 2)'", "1 to 38 digits"),
        ("ff_safe_cast('x', 'numeric(5, 6)')", "no type", "1 to 38 digits"),
        ("ff_safe_cast('x', 'int); drop')", "is no type", "portable types"),
        ("ff_safe_cast('x', 'integer', 'abc')", "'abc' is no integer", "coalesce"),
        ("ff_safe_cast('x', 'integer', 2147483648)", "is no integer", "coalesce"),
        ("ff_safe_cast('x', 'integer', true)", "is no integer", "coalesce"),
        ("ff_safe_cast('x', 'numeric(3, 1)', 99.95)", "is no numeric", "coalesce"),
        ("ff_safe_cast('x', 'timestamp', 'soon')", "is no timestamp", "coalesce"),
        ("ff_text('x', 'double')", "not the same on every engine", "numeric(18, 4)"),
        ("ff_text('x', 'uuid')", "not the same on every engine", "numeric(18, 4)"),
        ("ff_partition_in('x', none)", "values is no list", "for example"),
        ("ff_partition_in('x', [[1]])", "has no SQL literal", "join"),
        ("ff_partition_filter('x', {})", "has no SQL literal", "write ff_partition_filter(col, start=None, end=None)"),
        ("ff_string_agg('x', 1, 'y')", "the separator is no text", "for example"),
        ("ff_string_agg('x', ',', [])", "order_by is empty", "another text"),
        ("ff_is_engine()", "which engine is not said", "one or more names"),
        ("ff_is_engine('')", "no name of an engine", "as text"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("behind", ["", "{{ '' }}"], ids=["direct", "jinja"])
def test_wrong_arguments_are_told_where_they_stand(
    rendered: Any, call: str, said: str, help_: str, behind: str
) -> None:
    with pytest.raises(RenderError) as caught:
        rendered(f"select\n  {{{{ {call} }}}}{behind}")
    error = caught.value
    assert error.code == "FF1417"
    assert said in error.message
    assert error.message.startswith(call.split("(")[0] + "(): ")
    assert help_ in (error.help or "")
    assert (error.location.path, error.location.line, error.location.column) == ("models/m.ff.sql", 2, 3)


def test_an_undefined_argument_is_called_by_its_name(rendered: Any) -> None:
    for call in (
        "ff_hash(colum)",
        "ff_partition_in('a', colum)",
        "ff_safe_cast('x', 'integer', colum)",
        "colum | sql_literal",
    ):
        with pytest.raises(RenderError, match="'colum' is not defined"):
            rendered(f"{{{{ {call} }}}}")


def test_what_an_engine_does_not_have(rendered: Any) -> None:
    with pytest.raises(RenderError, match=r"acme has no string_agg: it is too old") as caught:
        rendered("{{ ff_string_agg('a', ',', 'b') }}")
    assert caught.value.code == "FF1418"
    with pytest.raises(RenderError, match="acme has no current_timestamp"):
        rendered("{{ ff_current_timestamp() }}")


def test_a_secret_is_no_literal(rendered: Any) -> None:
    with pytest.raises(RenderError, match="a secret cannot be made an SQL literal"):
        rendered("{{ env('FF_SECRET_X') | sql_literal }}")


def test_an_unknown_function_has_a_suggestion(rendered: Any) -> None:
    with pytest.raises(RenderError) as caught:
        rendered("{{ ff_datetrunc('a') }}")
    assert (caught.value.code, caught.value.help) == ("FF1410", "did you mean 'ff_date_trunc'?")


def test_the_names_that_a_scan_knows_are_those_that_there_are() -> None:
    assert set(HELPERS) | {"engine"} == PORTABLE | ENGINE_QUESTIONS


def test_literal_calls_need_no_jinja() -> None:
    assert scan_sql("select {{ ff_date_trunc('a', 'day') }}, {{ ff_engine() }}", "m").simple
    assert not scan_sql("select {{ ff_hash(ff_text('a')) }}", "m").simple


def test_a_macro_in_a_model_cannot_take_a_name() -> None:
    problems: tuple[FlowForgeError, ...] = scan_sql("{% macro ff_hash(x) %}{% endmacro %}select 1", "m.ff.sql").problems
    assert [problem.code for problem in problems] == ["FF1415"]
    assert str(problems[0].location) == "m.ff.sql:1:10"


def test_names_in_filters_are_dependencies_too() -> None:
    scan = scan_sql("select {{ 'low' | var(3) }}, {{ 'HOME' | env }}", "m")
    assert (scan.vars, scan.envs) == (("low",), ("HOME",))


def test_every_text_of_the_contract_uses_the_fields_that_there_are() -> None:
    fields = {
        "expr": "x", "part": PARTS[0], "amount": "1", "start": "a", "end": "b", "precision": "5", "scale": "2", "limit": "1",
        "old": "o", "new": "n", "left": "l", "right": "r", "text": "t", "separator": "s", "order_by": "o", "type": "t",
    }  # fmt: skip
    for key, function in FUNCTIONS.items():
        assert set(function.fields) <= set(fields)
        if function.standard is not None:
            given = {name: fields[name] for name in function.fields}
            assert "{" not in Acme().function(key, **given)


def test_dates_of_python_are_literals_too(rendered: Any, recorder: Any) -> None:
    recorder.vars["day"] = dt.date(2024, 1, 31)
    assert rendered("{{ ff_partition_filter('d', var('day')) }}") == "(d >= CAST('2024-01-31' AS DATE))"


@pytest.mark.parametrize(
    "part", ["t._rows", "t.rows.__class__", "t[0]._values", "t.column.__self__", "t.columns[0]._values"]
)
def test_an_answer_shows_nothing_behind_it(recorder: Any, part: str) -> None:
    context = attrs.evolve(recorder.context(), run_query=lambda sql: QueryTable(["a"], [(1,)]))
    template = "{% set t = run_query('select 1') %}{{ " + part + " }}"
    with pytest.raises(RenderError) as caught:
        render(template, context, path="m", model="m", simple=False)
    assert caught.value.code == "FF1411"


def test_the_time_of_a_database_does_not_count(recorder: Any) -> None:
    def slow(sql: str) -> QueryTable:
        until = time.thread_time() + 1.2 * MAX_SECONDS
        while time.thread_time() < until:
            pass
        return QueryTable(["a"], [(1,)])

    context = attrs.evolve(recorder.context(), run_query=slow)
    template = "{% for i in range(3) %}{% if i == 1 %}{% set t = run_query('select 1') %}{% endif %}{{ i }}{% endfor %}"
    assert render(template, context, path="m", model="m", simple=False).sql == "012"
