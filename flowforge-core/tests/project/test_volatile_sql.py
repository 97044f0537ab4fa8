"""Volatile functions and undeclared relations in rendered SQL."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowforge.project.volatile_sql import SqlReads, scan_rendered

KNOWN = {("main", "orders"), ("main", "users"), ("lake", "raw", "events")}


def scan(sql: str) -> SqlReads:
    found = scan_rendered(sql, KNOWN, str.lower)
    for one in found.relations:
        assert sql.startswith(one.text.removesuffix("()"), one.offset)
    for one in found.volatile:
        assert sql.startswith(one.text.removesuffix("()"), one.offset)
    return found


def relations(sql: str) -> list[str]:
    return [one.text for one in scan(sql).relations]


def volatile(sql: str) -> list[str]:
    return [one.text for one in scan(sql).volatile]


@pytest.mark.parametrize(
    "sql",
    [
        'select * from "main"."orders"',
        'select * from "main"."orders" as o join "main"."users" u using (id, day)',
        "select * from main.orders",
        "select * from MAIN . Orders",
        'select * from "lake"."raw"."events"',
        "select * from `lake.raw.events`",
        "select 1",
        "select 1 as a union all select 2",
        "with a as (select 1 as x), b as (select * from a) select * from b join a on a.x = b.x",
        "with Foo as (select 1 as x) select * from foo",
        "with a (x, y) as (select 1, 2) select * from a",
        "with a as materialized (select 1), b as not materialized (select * from a) select * from b",
        "with recursive r(n) as (select 1 union all select n + 1 from r where n < 5) select * from r",
        "with recursive as (select 1) select * from recursive",
        'with "a b" as (select 1) select * from "a b"',
        "with a as (with b as (select 1 as x) select * from b) select * from a",
        "with a as (select 1) (select * from a) union all (select * from a)",
        "with a as (select 1) from a",
        "with a as (from main.orders) from a select x",
        "with a as (select 1 as x) select * from main.users where id in (select x from a)",
        "with a as (select 1 as x) select (select max(x) from a) as m",
        "with a as (select 1) search depth first by x set y select * from a",
        "from main.orders",
        "from main.orders select a, b where a > 1",
        "from o: main.orders",
        "table main.orders",
        "select * from (select * from main.orders) o, (select * from main.users) u",
        "select * from ((select * from main.orders) union all (select * from main.orders)) x",
        "select * from (main.orders o join main.users u on o.id = u.id)",
        "select * from ((main.orders o join main.users u using (id)) cross join main.users w)",
        "select * from main.orders o, lateral (select o.a + 1 as b) l",
        "select * from main.orders, unnest(items) as t(x)",
        "select * from main.orders cross join unnest(items) with ordinality as t(x, n)",
        "select * from main.orders, lateral flatten(input => orders.items) f",
        "select * from main.orders lateral view explode(items) t as x, y",
        "select * from generate_series(1, 10) as today(x)",
        "select * from range(5) r(i), range(3)",
        "select * from pg_catalog.generate_series(1, 2)",
        "select * from table(flatten(input => x))",
        "select * from rows from (generate_series(1, 2), generate_series(1, 3)) as t(a, b)",
        "select * from (values (1, 2), (3, 4)) v(a, b)",
        "select * from json_each('[1]')",
        "values (1), (2)",
        "select extract(year from day) from main.orders",
        "select substring(name from 2 for 3), trim(both ' ' from name), trim(from name) from main.users",
        "select overlay(name placing 'x' from 2), position('a' in name) from main.users",
        "select extract(epoch from (a - b)), extract(day from x), extract(day from y) from main.orders",
        "select a is distinct from b, a is not distinct from b from main.orders",
        "select * from main.orders o join main.users u on o.a is not distinct from u.a, main.users w",
        "select * from main.orders where a in (1, 2) order by a, b limit 3",
        "select * from main.orders o join main.users u on u.x in [1, b, c]",
        "select sum(a) over (partition by b order by c rows between 1 preceding and current row) from main.orders",
        "select sum(a) over w, max(b) over v from main.orders window w as (order by a), v as (order by b)",
        "select * exclude (a), * except (b, c) from main.orders",
        "select -- from a\n 1 /* from b, c */ from main.orders",
        "select 'from a', $$from b$$, $q$ join c $q$ from main.orders",
        "select /*+ leading(a b) from x */ 1 from main.orders",
        "pivot main.orders on a using sum(b), max(c)",
        "select * from main.orders pivot (sum(v) for m in ('a', 'b')) p",
        "select * from main.orders unpivot (v for m in (a, b))",
        "with p as (pivot main.orders on a using sum(b)) select * from p",
        "summarize main.orders",
        "describe select * from main.orders",
        "select * from main.orders group by all having count(*) > 1 qualify row_number() over (order by a) = 1",
        "select case when a then 'x' end, {'from': 1}, [x for x in y] from main.orders",
        "select * from main.orders natural left join main.users",
        "select * from main.orders asof join main.users on a >= b",
        'select a.from_date, t."from" from main.orders a',
        "select exists (from main.orders), array(select a from main.users)",
        "select * from only main.orders",
        "select * from main.orders for system_time as of x",
        "select * from main.orders tablesample reservoir (10) repeatable (1)",
        "select 1 where 'x' = E'it\\'s from y'",
    ],
)
def test_queries_that_read_only_what_is_known(sql: str) -> None:
    assert relations(sql) == []
    assert volatile(sql) == []


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("select * from raw.customers", ["raw.customers"]),
        ("select * from customers c, main.orders, invoices", ["customers", "invoices"]),
        ("select * from orders", ["orders"]),
        ('select * from "Main"."orders"', ['"Main"."orders"']),
        ("select * from db.main.orders", ["db.main.orders"]),
        ("select * from main.orders o left join raw.x on o.a = x.a, raw.y", ["raw.x", "raw.y"]),
        ("select * from main.orders o join o.items i on true", ["o.items"]),
        ("with orders as (select * from orders) select * from orders", ["orders"]),
        ("with a as (select * from b), b as (select 1) select * from a, b", ["b"]),
        ("with a as (select 1) select (with b as (select * from a) select 1) from b", ["b"]),
        ('with "Foo" as (select 1) select * from foo', ["foo"]),
        ("select * from (with a as (select 1) select * from a) x join a on true", ["a"]),
        ("from x", ["x"]),
        ("from x select a", ["x"]),
        ("table x", ["x"]),
        ("select 1 union all table x", ["x"]),
        ("select 1 union by name from x", ["x"]),
        ("(select * from x) union (select * from y)", ["x", "y"]),
        ("pivot x on a using sum(b)", ["x"]),
        ("unpivot x on a, b into name n value v", ["x"]),
        ("summarize x", ["x"]),
        ("describe x", ["x"]),
        ("select * from (summarize x)", ["x"]),
        ("select * from (x join y using (id)) join (z) on true", ["x", "y", "z"]),
        ("select * from (((x)))", ["x"]),
        ("select (select max(a) from x), (select 1 where exists (select 1 from y))", ["x", "y"]),
        ("select extract(day from (select max(a) from x)) from main.orders", ["x"]),
        ("select * from main.orders where a in (select b from x) and c = any (from y)", ["x", "y"]),
        ("select count(*) filter (where a in (select 1 from x)) from main.orders", ["x"]),
        ("select a is distinct from (select 1 from x) from y", ["x", "y"]),
        ("select * from read_csv('a.csv')", ["read_csv()"]),
        ("select * from 'a.csv'", ["'a.csv'"]),
        ('select * from "a.parquet" p', ['"a.parquet"']),
        ("select * from main.orders, glob('*') g", ["glob()"]),
        ("select * from my_function(1, 2) as t(a)", ["my_function()"]),
        ("select * from s.my_function(1)", ["s.my_function()"]),
        ("select * from query_table('x')", ["query_table()"]),
        ("select * from table(my_function(1))", ["my_function()"]),
        ("select * from main.orders, lateral my_function(orders.a)", ["my_function()"]),
        ("select * from @stage/path/file.csv (file_format => x)", ["@stage/path/file.csv"]),
        ("select * from unnest((select list(a) from x))", ["x"]),
        ("select * from main.orders cross join x", ["x"]),
        ("select * from main.orders union all select * from x order by 1, 2", ["x"]),
        ("select * from main.orders except select * from x", ["x"]),
        ("select * from x where a = 1 group by a, b", ["x"]),
        ("select * from x tablesample (10) repeatable (3), y", ["x", "y"]),
        ("select * from a.b.c.d", ["a.b.c.d"]),
        ("select * from s . t", ["s . t"]),
        ("select * from x -- ' \n join y using (a)", ["x", "y"]),
        ("select * from main.orders asof left join x on a >= b", ["x"]),
        ("select * from main.orders o join lateral (select * from x where x.a = o.a) on true", ["x"]),
    ],
)
def test_relations_that_nobody_declared(sql: str, found: list[str]) -> None:
    assert relations(sql) == found


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("select current_date", ["current_date"]),
        ("select CURRENT_TIMESTAMP(3), LOCALTIMESTAMP", ["CURRENT_TIMESTAMP()", "LOCALTIMESTAMP"]),
        ("select now(), today(), getdate(), sysdate", ["now()", "today()", "getdate()", "sysdate"]),
        ("select random() as r from main.orders order by rand()", ["random()", "rand()"]),
        ("select uuid(), gen_random_uuid(), newid()", ["uuid()", "gen_random_uuid()", "newid()"]),
        ("select nextval('s'), next value for s", ["nextval()", "next value for"]),
        ("select clock_timestamp ( ), txid_current()", ["clock_timestamp()", "txid_current()"]),
        ("select current_user, session_user, version()", ["current_user", "session_user", "version()"]),
        ("select current_setting('x'), getvariable('y')", ["current_setting()", "getvariable()"]),
        ("select pg_catalog.now(), pg_backend_pid()", ["now()", "pg_backend_pid()"]),
        ("select * from main.orders where day > current_date - 7", ["current_date"]),
        ("select extract(year from current_date)", ["current_date"]),
        ("select age(day) from main.orders", ["age()"]),
        ("select 'now'::timestamp, date 'today', cast('now' as date)", ["'now'", "'today'", "'now'"]),
        ("select datetime('now', '-1 day'), date()", ["'now'", "date()"]),
        ("select * from main.orders tablesample (10)", ["tablesample"]),
        ("select * from main.orders using sample 10%", ["sample"]),
        ("with a as (select now() as n) select * from a", ["now()"]),
        ("select * from range(now())", ["now()"]),
        ("select (select max(x) from unnest([random()]) t(x))", ["random()"]),
    ],
)
def test_functions_that_change_by_themselves(sql: str, found: list[str]) -> None:
    assert volatile(sql) == found


@pytest.mark.parametrize(
    "sql",
    [
        "select t.now, t.current_date, t.random from main.orders t",
        "select x as now, y as current_date from main.orders",
        'select "random", "now", "current_date" from main.orders',
        "select now, today, random from main.orders",
        "select 'now()', 'current_date' -- now()\n from main.orders /* random() */",
        "select $$now()$$ from main.orders",
        "select uuid('a'), date('2024-01-01'), age(a, b), x::uuid from main.orders",
        "select 'today' as a, b = 'now' from main.orders",
        "select rows, range, current_row from main.orders",
        "with now(a) as (select 1) select * from now",
        "with random as (select 1 as a) select random.a from random",
        "select today.x from (select 1 as x) today(x)",
        "select {'now': 1}, struct_pack(current_date := 1)",
        "select pg_typeof(a) from main.orders",
    ],
)
def test_names_that_only_look_like_them(sql: str) -> None:
    assert volatile(sql) == []
    assert relations(sql) == []


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("select * from main.orders o, o.items", []),
        ("select * from main.orders as o cross join o.items i, i.parts", []),
        ("select * from main.orders, orders.items", []),
        ("select * from main.orders o join o.items i on true", ["o.items"]),
        ("select * from o.items, main.orders o", ["o.items"]),
        ("select * from (select * from main.orders o) x, o.items", ["o.items"]),
    ],
)
def test_items_of_rows_where_the_engine_has_them(sql: str, found: list[str]) -> None:
    assert [one.text for one in scan_rendered(sql, KNOWN, str.lower, items=True).relations] == found
    if found == []:
        assert relations(sql)[0] in ("o.items", "orders.items")


def test_offsets_and_order() -> None:
    sql = "select now(), (select 1 from b) from a"
    found = scan(sql)
    assert [(one.text, one.offset) for one in found.relations] == [("b", 29), ("a", 37)]
    assert [(one.text, one.offset) for one in found.volatile] == [("now()", 7)]


@pytest.mark.parametrize(
    "sql", ["", ")", "((", "select", "from", "with", "with a as", "from a,", "select (]", "join", "'"]
)
def test_broken_text_is_no_error(sql: str) -> None:
    scan_rendered(sql, KNOWN, str.lower)


@settings(max_examples=300)
@given(
    st.lists(
        st.sampled_from(
            [
                "select",
                "from",
                "with",
                "as",
                "(",
                ")",
                "[",
                "]",
                ",",
                ".",
                "a",
                "b",
                "'x'",
                '"y"',
                "join",
                "on",
                "union",
                "table",
                "lateral",
                "::",
                ":",
                "now",
            ]
        )
    )
)
def test_any_row_of_tokens_is_read_to_its_end(tokens: list[str]) -> None:
    scan_rendered(" ".join(tokens), KNOWN, str.lower)


@pytest.mark.parametrize(
    "sql",
    [
        "select "
        + ", ".join(f"t.c{n} + coalesce(x.d{n}, 'none') as e{n}" for n in range(1200))
        + " from main.orders t",
        "with " + ", ".join(f"c{n} as (select * from main.orders where a = {n})" for n in range(1000)) + " select 1",
        "select * from " + "(select * from " * 2500 + "main.orders" + ")" * 2500,
        "select " + "(" * 25000 + "1" + ")" * 25000,
        "select " + "[" * 25000,
        "select 1 from main.orders where a in (" + "'x', " * 10000 + "'y')",
        "with a (" * 12000,
        "select '" + "''" * 20000 + "'",
    ],
    ids=["columns", "queries", "nested", "parentheses", "brackets", "strings", "broken", "quotes"],
)
def test_long_texts_take_linear_time(sql: str) -> None:
    begin = time.process_time()
    scan_rendered(sql, KNOWN, str.lower)
    assert time.process_time() - begin < 5


# -- generated queries whose reads are known -------------------------------------------------------------------------

NAMES = st.sampled_from(["t1", "t2", "raw.t3", '"T 4"', "db.s.t5", "main.orders"])
SCALARS = st.sampled_from(
    [
        *("1", "'from x'", "a", "t.now", "extract(year from d)", "trim(both from s)", "substring(s from 2)", '"from"'),
        *(
            "case when a is distinct from b then 1 end",
            "sum(a) over (order by b rows between 1 preceding and current row)",
        ),
        *("f(a, b)", "[1, a]", "{'from': 1}", "x -- from y\n", "/* from y */ z", "$$ from y $$"),
    ]
)
JOINS = st.sampled_from([" join ", " left join ", ", ", " cross join ", " natural join ", " full outer join "])


def _with_alias(query: tuple[str, list[str]]) -> st.SearchStrategy[tuple[str, list[str]]]:
    text, reads = query
    return st.sampled_from([("(" + text + ") s", reads), ("(" + text + ") as s(a, b)", reads)])


def _select(inner: st.SearchStrategy[tuple[str, list[str]]]) -> st.SearchStrategy[tuple[str, list[str]]]:
    factor = st.one_of(
        NAMES.map(lambda name: (name, [name])),
        NAMES.map(lambda name: (f"{name} as q", [name])),
        NAMES.map(lambda name: (f"({name} u)", [name])),
        st.sampled_from(
            [("range(3) r(i)", []), ("unnest(a)", []), ("(values (1, 2)) v", []), ("'a.csv'", ["'a.csv'"])]
        ),
        st.just(("reader(a, b) x", ["reader()"])),
        inner.flatmap(_with_alias),
    )
    scalar = st.one_of(
        SCALARS.map(lambda text: (text, [])),
        inner.map(lambda query: (f"({query[0]})", query[1])),
        inner.map(lambda query: (f"exists ({query[0]})", query[1])),
        inner.map(lambda query: (f"coalesce(1, ({query[0]}))", query[1])),
    )

    @st.composite
    def build(draw: st.DrawFn) -> tuple[str, list[str]]:
        columns = draw(st.lists(scalar, min_size=1, max_size=3))
        factors = draw(st.lists(st.tuples(JOINS, factor), min_size=1, max_size=3))
        text = "select " + ", ".join(column for column, _ in columns) + " from " + factors[0][1][0]
        text += "".join(
            join + one + (" on a = b" if "join" in join and "l" in join else "") for join, (one, _) in factors[1:]
        )
        reads = [name for _, names in columns for name in names] + [name for _, (_, names) in factors for name in names]
        if draw(st.booleans()):
            condition, more = draw(scalar)
            text, reads = f"{text} where {condition} > 1 group by a, b order by c, d", reads + more
        return text, reads

    @st.composite
    def combined(draw: st.DrawFn) -> tuple[str, list[str]]:
        (one, first), (two, second) = draw(build()), draw(build())
        operator = draw(st.sampled_from(["union all", "intersect", "except", "union"]))
        return f"{one} {operator} {two}", first + second

    @st.composite
    def with_list(draw: st.DrawFn) -> tuple[str, list[str]]:
        (body, first), (main, second) = draw(build()), draw(build())
        name = draw(st.sampled_from(["t1", "cte"]))
        own = [read for read in second if read != name]
        return f"with {name} as ({body}) {main} union all select * from {name}", first + own

    return st.one_of(build(), combined(), with_list())


BASE: st.SearchStrategy[tuple[str, list[str]]] = NAMES.map(lambda name: (f"select a from {name}", [name]))


@settings(max_examples=300, deadline=None)
@given(st.recursive(BASE, _select, max_leaves=6))
def test_generated_queries_read_what_they_were_made_of(query: tuple[str, list[str]]) -> None:
    text, reads = query
    found = set(relations(text))
    visible = {name for name in reads if name != "main.orders"}
    # A query inside of a WITH may read t1 as the common table expression of that name.
    assert found - {"t1"} == visible - {"t1"}
    if "with t1" not in text:
        assert found == visible
