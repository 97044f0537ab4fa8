"""Checks that a project brings itself, in SQL and in Python: they pass and fail as they should, and put the right rows aside."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from flowforge.checks.execute import CheckOutcome, run_checks
from flowforge.checks.own_files import find_own_checks
from flowforge.contract import LoadMode, Session
from flowforge.errors import Problems, UnsupportedError
from flowforge.graph.dag import Dag
from flowforge.materialize.publish import Publication
from flowforge.materialize.quarantine import Judged, Quarantine, Rule, quarantine_relation
from flowforge.project.asked import Answers
from flowforge.project.macros import MacroLibrary
from flowforge.project.manifest import CheckDecl, Manifest, ModelConfig, Node, NodeKind, SqlBody
from flowforge.run.check_tables import CheckTables
from flowforge.run.compile import Compiler
from flowforge.run.modules import ProjectModules
from flowforge.run.own_checks import OwnCheckRunner
from flowforge.run.row_conditions import RowConditions
from flowforge.state.decisions import ensure_log
from flowforge.state.meta import relation_key
from flowforge.testkit.lab import Lab, arrow_table
from flowforge.testkit.suite.test_publishing import Press
from flowforge.values import Location, Relation, RelationKind

NOW = dt.datetime(2024, 1, 2, tzinfo=dt.UTC)
AWKWARD = 'awk"ward'
INJECTION = "x'; DROP TABLE checked; --"
COLUMNS: Mapping[str, list[Any]] = {
    "id": [1, 2, 3, 4, 4],
    AWKWARD: [1, -1, None, -2, 5],
    "code": ["A1", None, INJECTION, "", "' OR '1' = '1"],
}
FILES = {
    "whole.ff.sql": "{{ config(type='whole', params=[{'least': 0}]) }}\n"
    "select * from {{ table }} where {{ column }} < {{ params.least }} {% if where %} and ({{ where }}) {% endif %}\n",
    "keyed.ff.sql": "{{ config(type='keyed', key='id') }}\n"
    "select id from {{ table }} where {{ column }} < 0 -- the rest of the line is none of the query\n",
    "counted.ff.sql": "{{ config(type='counted') }} select count(*) as n from {{ table }} where {{ column }} < 0\n",
    "condition.ff.sql": "{{ config(type='condition', params=['word'], returns='condition') }}\n"
    "{{ column }} = {{ params.word | sql_literal }}\n",
    "lacking.ff.sql": "{{ config(type='lacking', key=['id', 'code']) }}\n"
    "select id, code from {{ table }} where {{ column }} is null\n",
    "asked.ff.py": """
from flowforge import dq_test


@dq_test(key="*")
def asked(executor, table, column, params):
    sql = f"select * from {table} where {column} = {executor.literal(params['word'])}"
    return not executor.rows(sql), "that word is there", sql


@dq_test()
def told(executor, table, column, params):
    n = executor.scalar(f"select count(*) as n from {table} where {column} is null")
    return n == 0, f"{n} are missing", None
""",
}
CASES: list[tuple[str, str, dict[str, Any], int | None]] = [
    ("whole", "id", {}, 0),
    ("whole", AWKWARD, {}, 2),
    ("whole", AWKWARD, {"least": -1}, 1),
    ("whole", AWKWARD, {"where": "id < 3"}, 1),
    ("keyed", "id", {}, 0),
    ("keyed", AWKWARD, {}, 2),
    ("counted", AWKWARD, {}, 2),
    ("counted", "id", {}, 0),
    ("condition", "code", {"word": "B"}, 0),
    ("condition", "code", {"word": INJECTION}, 1),
    ("condition", "code", {"word": "' OR '1' = '1"}, 1),
    ("condition", "code", {"word": INJECTION, "where": "id > 3"}, 0),
    ("lacking", "code", {}, 1),
    ("lacking", "id", {}, 0),
    ("asked", "code", {"word": "B"}, 0),
    ("asked", "code", {"word": INJECTION}, 1),
    ("asked", "code", {"word": "' OR '1' = '1"}, 1),
    ("told", "id", {}, 0),
    ("told", "code", {}, None),
]
ASIDE: list[tuple[str, str, dict[str, Any], list[int]]] = [
    ("whole", AWKWARD, {}, [2, 4]),
    ("keyed", AWKWARD, {}, [2, 4, 4]),
    ("condition", "code", {"word": INJECTION}, [3]),
    ("lacking", "code", {}, [2]),
    ("asked", "code", {"word": INJECTION}, [3]),
]


class Bench:
    """A project that holds nothing but checks, and one model whose rows they are about."""

    def __init__(self, lab: Lab, root: Path) -> None:
        (root / "tests").mkdir()
        for name, text in FILES.items():
            (root / "tests" / name).write_text(text, "utf-8")
        problems = Problems()
        found = find_own_checks(root, problems, MacroLibrary(), Answers({}, {}), dict)
        problems.raise_if_any()
        self.lab, self.types = lab, found.types
        self.model = lab.relation("checked")
        relation = Relation("checked")
        node = Node("checked.ff", NodeKind.SQL, "models/checked.ff.sql", relation, ModelConfig(), SqlBody("", True))
        manifest = Manifest("conformance", "1", {node.name: node}, {})
        compiler = Compiler(
            manifest,
            Dag.build({node.name: []}),
            engine=lab.spec,
            dialect=lab.dialect,
            namespace=lab.namespace,
            environ={},
            vars={},
            root=root,
        )
        self.tables = CheckTables(manifest, compiler, lab.dialect, lab.namespace)
        modules = ProjectModules(root)
        self.runner = OwnCheckRunner(root, lambda: modules, lab.executor.error)
        self.conditions = RowConditions({}, self.tables, self.runner)

    def check(self, type_: str, column: str, params: Mapping[str, Any]) -> CheckDecl:
        own, column = self.types[type_], self.lab.allowed(column)
        made = own.spec.params(column=column, **params)
        return CheckDecl(type_, type_, "checked", made, Location("t.yml"), node="checked.ff", column=column, own=own)

    def columns(self) -> dict[str, Any]:
        return {self.lab.allowed(name): values for name, values in COLUMNS.items()}

    def ask(self, session: Session, *checks: CheckDecl) -> list[CheckOutcome]:
        bound = [self.runner.bound(check, check.own, self.tables) for check in checks if check.own is not None]
        lab = self.lab
        return run_checks(session, lab.executor.error, lab.dialect, lab.sql(self.model), bound, NOW)

    def rule(self, check: CheckDecl) -> Rule:
        def condition(judged: Judged) -> str:
            return self.conditions.of(check, judged.session, judged.sql, judged.columns)

        return Rule(check.id, condition)


@pytest.fixture
def bench(lab: Lab, tmp_path: Path) -> Bench:
    return Bench(lab, tmp_path)


def test_each_of_them_counts_what_fails(bench: Bench) -> None:
    session = bench.lab.session()
    bench.lab.table(session, "checked", bench.columns())
    outcomes = bench.ask(session, *(bench.check(type_, column, params) for type_, column, params, _ in CASES))
    told = [(outcome.status, outcome.failures, outcome.message) for outcome in outcomes]
    for (type_, column, params, failures), (status, count, message) in zip(CASES, told, strict=True):
        wanted = "pass" if failures == 0 else "fail"
        assert status == wanted, (type_, column, params, message)
        if failures:
            assert count == failures, (type_, column, params, message)
    assert bench.lab.count(session, bench.model) == 5


def test_an_empty_table_passes(bench: Bench) -> None:
    import pyarrow as pa

    session = bench.lab.session()
    kinds = {name: pa.string() if name == "code" else pa.int64() for name in bench.columns()}
    empty = {name: pa.array([], kind) for name, kind in kinds.items()}
    bench.lab.table(session, "checked", empty)
    outcomes = bench.ask(session, *(bench.check(type_, column, params) for type_, column, params, _ in CASES))
    assert {outcome.status for outcome in outcomes} == {"pass"}, [one.message for one in outcomes]


def test_they_put_their_rows_aside(bench: Bench) -> None:
    lab = bench.lab
    press = Press(lab)
    log = ensure_log(press.session, lab.dialect, lab.namespace)
    table = arrow_table(bench.columns())
    try:
        lab.dialect.row_hash({field.name: field.type for field in table.schema})
    except UnsupportedError as error:
        pytest.xfail(error.message)

    def write(session: Session, staged: Relation) -> int:
        return session.load(staged, table.to_reader(), LoadMode.CREATE)

    held = quarantine_relation(lab.dialect, bench.model)
    for number, (type_, column, params, expected) in enumerate(ASIDE):
        rule = bench.rule(bench.check(type_, column, params))
        key = relation_key(lab.dialect, bench.model, lab.namespace)
        press.publish(
            Publication(
                node="checked.ff",
                target=bench.model,
                kind=RelationKind.TABLE,
                fingerprint="",
                data_id=f"d{number}",
                write=write,
                quarantine=Quarantine(held, log, key, "checked.ff", (rule,)),
                hash_rows=True,
            )
        )
        kept = _ids(lab, press.session, held) if press.session.kind_of(held) is not None else []
        assert kept == expected, type_
        assert sorted([*_ids(lab, press.session, bench.model), *kept]) == [1, 2, 3, 4, 4]


def _ids(lab: Lab, session: Session, relation: Relation) -> list[int]:
    return [int(value) for (value,) in lab.rows(session, relation, "id")]
