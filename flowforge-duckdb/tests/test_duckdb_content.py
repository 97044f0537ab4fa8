"""What DuckDB's own ``hash()`` confuses is told apart; what is equal stays equal."""

from __future__ import annotations

from itertools import combinations

import pytest

from flowforge.contract import CreateKind, Session
from flowforge.values import Namespace, Relation, RelationKind
from flowforge_duckdb.executor import DuckDBExecutor

T = Relation("t")

# Each group is one column type, and no two of its values may look alike.
DIFFERENT = {
    "boolean": ["NULL::BOOLEAN", "true", "false"],
    "integer": ["NULL::INTEGER", "0", "1", "-1"],
    "double": ["NULL::DOUBLE", "'0.0'::DOUBLE", "'-0.0'::DOUBLE", "'nan'::DOUBLE", "-('nan'::DOUBLE)", "'inf'::DOUBLE"],
    "float": ["NULL::FLOAT", "'0'::FLOAT", "'-0'::FLOAT", "'nan'::FLOAT", "-('nan'::FLOAT)", "1.5::FLOAT"],
    "hugeint": [
        "NULL::HUGEINT", "0::HUGEINT", "-1::HUGEINT", "18446744073709551616::HUGEINT", "-18446744073709551617::HUGEINT",
        "18446744073709551616::HUGEINT * 5 + 3", "18446744073709551616::HUGEINT * 3 + 5",
    ],
    "uhugeint": ["NULL::UHUGEINT", "0::UHUGEINT", "340282366920938463463374607431768211455::UHUGEINT"],
    "decimal-18": ["NULL::DECIMAL(18,4)", "0::DECIMAL(18,4)", "0.0001::DECIMAL(18,4)", "-0.0001::DECIMAL(18,4)"],
    "decimal-38": [
        "NULL::DECIMAL(38,2)", "0::DECIMAL(38,2)", "-0.01::DECIMAL(38,2)", "0.01::DECIMAL(38,2)",
        "'123456789012345678901234567890.12'::DECIMAL(38,2)", "'123456789012345678901234567890.13'::DECIMAL(38,2)",
    ],
    "decimal-scale": [
        "NULL::DECIMAL(38,38)", "0::DECIMAL(38,38)", "'0.00000000000000000000000000000000000001'::DECIMAL(38,38)",
        "'-0.00000000000000000000000000000000000001'::DECIMAL(38,38)",
    ],
    "uuid": [
        "NULL::UUID", "UUID '00000000-0000-0000-0000-000000000000'", "UUID 'ffffffff-ffff-ffff-ffff-ffffffffffff'",
        "UUID '00000000-0000-0001-0000-000000000002'", "UUID '00000000-0000-0002-0000-000000000001'",
    ],
    "text": ["NULL::VARCHAR", "''", "chr(0)", "'a'", "'a' || chr(0)", "'a '", "'A'", "chr(233)", "'e' || chr(769)", "'NULL'"],
    "long-text": [f"'{'x' * 40}'", f"'{'x' * 40}' || chr(0)", f"'{'x' * 41}'", f"'{'x' * 39}y'"],
    "collated": ["'a' COLLATE NOCASE", "'A' COLLATE NOCASE"],
    "blob": ["NULL::BLOB", "''::BLOB", "'\\x00'::BLOB", "'\\x00\\x00'::BLOB", "'\\x41'::BLOB"],
    "bit": ["NULL::BIT", "'0'::BIT", "'00'::BIT", "'1'::BIT", "'01'::BIT", "'00000001'::BIT"],
    "interval": [
        "NULL::INTERVAL", "INTERVAL 1 MONTH", "INTERVAL 30 DAY", "INTERVAL 720 HOUR", "INTERVAL 0 DAY",
        "to_days(1) - to_hours(24)", "INTERVAL 13 MONTH", "INTERVAL '1 year 30 days'", "-(INTERVAL 1 MONTH)",
    ],
    "timestamp": [
        "NULL::TIMESTAMP", "TIMESTAMP '2024-01-01'", "TIMESTAMP '2024-01-01 00:00:00.000001'", "'infinity'::TIMESTAMP",
        "'-infinity'::TIMESTAMP",
    ],
    "timestamp-ns": ["'2024-01-01 00:00:00.000000001'::TIMESTAMP_NS", "'2024-01-01 00:00:00.000000002'::TIMESTAMP_NS"],
    "timetz": ["NULL::TIMETZ", "TIMETZ '00:00:00+00'", "TIMETZ '01:00:00+01'", "TIMETZ '00:00:00+01'"],
    "json": ["NULL::JSON", "'null'::JSON", "'{\"a\":1}'::JSON", "'{\"a\": 1}'::JSON", "'{\"a\":1.0}'::JSON"],
    "enum": ["NULL::ENUM('a', 'b')", "'a'::ENUM('a', 'b')", "'b'::ENUM('a', 'b')"],
    "bignum": ["NULL::BIGNUM", "0::BIGNUM", "'123456789012345678901234567890123456789012'::BIGNUM"],
    "list": ["NULL::INTEGER[]", "[]::INTEGER[]", "[NULL]::INTEGER[]", "[1]", "[1, NULL]", "[NULL, 1]", "[1, 1]", "[2, 1]", "[1, 2]"],
    "list-of-texts": ["['ab', 'c']", "['a', 'bc']", "['abc']", "['ab', NULL]", "['ab', '']", "['a, b']", "['a', ' b']", "['NULL']", "[NULL::VARCHAR]"],
    "list-of-lists": [
        "NULL::INTEGER[][]", "[[1], [2]]", "[[1, 2]]", "[[1], []]", "[[], [1]]", "[NULL, [1]]", "[[NULL], [1]]", "[]::INTEGER[][]",
        "[[1, 2], []]", "[[], [1, 2]]",
    ],
    "list-of-doubles": ["['0.0'::DOUBLE]", "['-0.0'::DOUBLE]", "['nan'::DOUBLE]", "[-('nan'::DOUBLE)]", "[NULL::DOUBLE]"],
    "list-of-intervals": ["[INTERVAL 1 MONTH]", "[INTERVAL 30 DAY]"],
    "list-of-hugeints": ["[0::HUGEINT]", "[-1::HUGEINT]"],
    "array": ["NULL::DOUBLE[2]", "[NULL, NULL]::DOUBLE[2]", "['0'::DOUBLE, 1]::DOUBLE[2]", "['-0'::DOUBLE, 1]::DOUBLE[2]", "[1, '0'::DOUBLE]::DOUBLE[2]"],
    "struct": [
        "NULL::STRUCT(a DOUBLE, \"b c\" INTEGER)", "{'a': NULL::DOUBLE, 'b c': NULL::INTEGER}", "{'a': '0'::DOUBLE, 'b c': 1}",
        "{'a': '-0'::DOUBLE, 'b c': 1}", "{'a': '0'::DOUBLE, 'b c': NULL::INTEGER}", "{'a': NULL::DOUBLE, 'b c': 1}",
    ],
    "list-of-structs": ["[{'a': [1]}]", "[{'a': [1, NULL]}]", "[{'a': NULL::INTEGER[]}]", "[NULL::STRUCT(a INTEGER[])]", "[]::STRUCT(a INTEGER[])[]"],
    "map": [
        "NULL::MAP(VARCHAR, DOUBLE)", "MAP {}::MAP(VARCHAR, DOUBLE)", "MAP {'a': '0'::DOUBLE}", "MAP {'a': '-0'::DOUBLE}",
        "MAP {'a': NULL::DOUBLE}", "MAP {'b': '0'::DOUBLE}", "MAP {'a': '0'::DOUBLE, 'b': '0'::DOUBLE}",
    ],
    "map-of-lists": ["MAP {'a': [1]}", "MAP {'a': [1, NULL]}", "MAP {'a': []::INTEGER[]}", "MAP {'a': NULL::INTEGER[]}"],
    "union": [
        "NULL::UNION(a INTEGER, \"b'c\" INTEGER)", "union_value(a := 1)::UNION(a INTEGER, \"b'c\" INTEGER)",
        "union_value(\"b'c\" := 1)::UNION(a INTEGER, \"b'c\" INTEGER)", "union_value(a := NULL::INTEGER)::UNION(a INTEGER, \"b'c\" INTEGER)",
    ],
}  # fmt: skip


def token(session: Session, select: str) -> str:
    session.drop(T, RelationKind.TABLE)
    session.create_as(T, select, CreateKind.TABLE)
    found = session.content_hash(T)
    assert found is not None, select
    return found


@pytest.mark.parametrize("group", list(DIFFERENT))
def test_no_two_values_look_alike(executor: DuckDBExecutor, group: str) -> None:
    with executor.session(label="test") as session:
        values = DIFFERENT[group]
        layouts = set()
        tokens = {}
        for value in values:
            tokens[value] = token(session, f"SELECT {value} AS v, 1 AS other")
            layouts.add(session.layout(T))
            assert token(session, f"SELECT {value} AS v, 1 AS other") == tokens[value]
        assert len(layouts) == 1, "the values must not differ by their type"
        for one, other in combinations(values, 2):
            assert tokens[one] != tokens[other], f"{one} and {other}"


def test_an_odd_nan(executor: DuckDBExecutor) -> None:
    """Two NaNs whose bits differ below the sign come only from outside."""
    import pyarrow as pa

    from flowforge.contract import LoadMode

    tokens = []
    for payload in (0, 1):
        bits = pa.array([0x7FF8000000000000 + payload], pa.uint64())
        column = pa.Array.from_buffers(pa.float64(), 1, bits.buffers())
        with executor.session(label="test") as session:
            session.load(T, pa.table({"v": column}).to_reader(), LoadMode.CREATE)
            tokens.append(session.content_hash(T))
            session.drop(T, RelationKind.TABLE)
    assert tokens[0] != tokens[1]


def test_the_same_instant_in_two_zones_is_one_value(executor: DuckDBExecutor) -> None:
    with executor.session(label="test") as session:
        one = token(session, "SELECT TIMESTAMPTZ '2024-01-01 00:00:00+00' AS v")
        session.execute("SET TimeZone = 'America/Adak'")
        assert token(session, "SELECT TIMESTAMPTZ '2024-01-01 01:00:00+01' AS v") == one


def test_how_the_rows_are_stored_does_not_matter(executor: DuckDBExecutor) -> None:
    with executor.session(label="test") as session:
        plain = "SELECT i % 7 AS a, 'k' || i % 5 AS b, (i % 3)::DOUBLE AS c, [i % 4] AS d FROM range(200000) t(i)"
        first = token(session, plain)
        assert token(session, f"SELECT * FROM ({plain}) ORDER BY b, a DESC, c, d") == first
        assert token(session, f"SELECT * FROM ({plain}) UNION ALL SELECT 1, 'x', 1, [1] LIMIT 200000") == first
        session.execute("CHECKPOINT")  # compresses, by dictionaries and runs
        assert session.content_hash(T) == first
        session.execute("DELETE FROM t WHERE a = 3")
        session.execute(
            "INSERT INTO t SELECT i % 7, 'k' || i % 5, i % 3, [i % 4] FROM range(200000) t(i) WHERE i % 7 = 3"
        )
        assert session.content_hash(T) == first
        with session.transaction():
            session.create_as(Relation("v"), f"SELECT * FROM ({plain})", CreateKind.VIEW)
            assert session.content_hash(Relation("v")) == first


def test_values_that_change_places(executor: DuckDBExecutor) -> None:
    with executor.session(label="test") as session:
        rows = [
            "(1, 2), (3, 4)",
            "(1, 4), (3, 2)",
            "(2, 1), (4, 3)",
            "(1, 2), (1, 2), (3, 4)",
            "(1, 2), (3, 4), (3, 4)",
            "(1, 2)",
        ]
        tokens = [token(session, f"SELECT * FROM (VALUES {values}) v(a, b)") for values in rows]
        assert len(set(tokens)) == len(tokens)


def test_nothing_but_the_layout(executor: DuckDBExecutor) -> None:
    with executor.session(label="test") as session:
        selects = [
            "SELECT 1 AS a",
            "SELECT 1::BIGINT AS a",
            "SELECT 1 AS b",
            "SELECT 1 AS a, 1 AS b",
            "SELECT '1' AS a",
        ]
        selects += [f"{select} WHERE false" for select in selects]
        tokens = [token(session, select) for select in selects]
        assert len(set(tokens)) == len(tokens)


def test_many_columns_and_deep_types(executor: DuckDBExecutor) -> None:
    with executor.session(label="test") as session:
        token(
            session,
            "SELECT " + ", ".join(f"i + {number} AS c{number}" for number in range(1500)) + " FROM range(3) t(i)",
        )
        value = "1.5::DOUBLE"
        for _ in range(6):
            value = f"[{{'a': {value}, 'b': MAP {{'k': 1}}}}]"
        one = token(session, f"SELECT {value} AS v")
        assert token(session, f"SELECT {value.replace('1.5', '1.6')} AS v") != one


@pytest.mark.parametrize("value", ["1::VARIANT", "[1::VARIANT]", "{'a': 1::VARIANT}"])
def test_types_without_an_exact_hash_have_no_token(executor: DuckDBExecutor, value: str) -> None:
    with executor.session(label="test") as session:
        session.create_as(T, f"SELECT {value} AS v", CreateKind.VIEW)  # a file of DuckDB 1.5 holds no such column
        assert session.content_hash(T) is None
        assert session.source_state(T) is None
        assert session.layout(T) is not None


def test_names_that_are_hard(executor: DuckDBExecutor) -> None:
    with executor.session(label="test") as session:
        one = token(
            session, """SELECT [[0.5::DOUBLE]] AS "ff__0", {'a"b': [1.5::DOUBLE]} AS "x"", y", 1 AS "ff__row" """
        )
        two = token(
            session, """SELECT [[0.5::DOUBLE]] AS "ff__0", {'a"b': [2.5::DOUBLE]} AS "x"", y", 1 AS "ff__row" """
        )
        assert one != two


def test_layouts_are_those_of_each_relation(executor: DuckDBExecutor) -> None:
    types = [
        "BOOLEAN", "HUGEINT", "DECIMAL(4,1)", "VARCHAR", "VARCHAR COLLATE NOCASE", "JSON", "ENUM('x y', 'it''s')", "mood", "mood[]",
        "INTEGER[]", "INTEGER[3]", "STRUCT(a INTEGER, \"b c\" mood)", "MAP(VARCHAR, INTEGER)", "UNION(a INTEGER, b VARCHAR)",
        "TIMESTAMP_NS", "TIMESTAMPTZ", "TIMETZ", "INTERVAL", "UUID", "BIT", "BIGNUM",
    ]  # fmt: skip
    with executor.session(label="test") as session:
        session.execute("CREATE TYPE mood AS ENUM ('sad', 'o''k')")
        for number, type_ in enumerate(types):
            session.execute(f'CREATE TABLE t{number} (x {type_}, "A, b" INTEGER)')
        session.execute("CREATE VIEW v AS SELECT * FROM t0")
        session.execute("CREATE VIEW untyped AS SELECT NULL AS x")
        found = session.layouts(Namespace("main"))
        assert set(found) == {f"t{number}" for number in range(len(types))} | {"v", "untyped"}
        for name, text in found.items():
            assert session.layout(Relation(name)) == text


def test_a_view_over_what_has_changed(executor: DuckDBExecutor) -> None:
    """DuckDB's catalogue goes on telling the old columns until somebody reads the view."""
    with executor.session(label="test") as session:
        session.create_as(T, "SELECT 1 AS a", CreateKind.TABLE)
        session.execute("CREATE VIEW v AS SELECT * FROM t")
        session.execute("CREATE VIEW w AS SELECT a FROM t")
        before = session.layouts(Namespace("main"))
        session.execute("ALTER TABLE t ADD COLUMN b VARCHAR")
        after = session.layouts(Namespace("main"))
        assert after["v"] != before["v"]
        assert after["w"] == before["w"]
        session.drop(T, RelationKind.TABLE)
        assert session.layouts(Namespace("main")) == {}
        for view in (Relation("v"), Relation("w")):
            assert session.layout(view) is None
            assert session.content_hash(view) is None
            assert session.kind_of(view) is RelationKind.VIEW


def test_asking_for_a_layout_does_no_harm_to_a_transaction(executor: DuckDBExecutor) -> None:
    with executor.session(label="test") as session:
        session.create_as(T, "SELECT 1 AS a", CreateKind.TABLE)
        session.execute("CREATE VIEW v AS SELECT * FROM t")
        session.drop(T, RelationKind.TABLE)
        with session.transaction():
            session.create_as(Relation("kept"), "SELECT 1 AS a", CreateKind.TABLE)
            assert session.layout(Relation("v")) is None
            assert session.layout(Relation("ghost")) is None
            assert session.content_hash(Relation("ghost")) is None
            assert session.layouts(Namespace("main")) == {"kept": '"a" INTEGER'}
        assert session.kind_of(Relation("kept")) is RelationKind.TABLE
