"""An engine that claims too much, too little, or does something wrong, fails the suite.

The suite runs in a process of its own each time, on SQLite (the example of a third-party engine) and on DuckDB, with one thing
changed at a time.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from flowforge.contract import Capability
from flowforge.testkit.plugin import SUITE

Run = Callable[..., Any]


def some_quick(cases: Iterable[Any]) -> list[Any]:
    """All cases for the full lane, and each fourth of them for the quick one: every case is a process of some seconds."""
    return [case if n % 4 == 0 else pytest.param(case, marks=pytest.mark.full) for n, case in enumerate(cases)]


WITNESS = {
    Capability.TRANSACTIONAL_DDL: "test_transactions.py::test_a_created_table_is_rolled_back",
    Capability.ATOMIC_REPLACE: "test_replace.py::test_a_replacement_that_fails_leaves_the_old_table",
    Capability.MERGE: "test_merge.py::test_nothing_but_keys",
    Capability.ZERO_COPY_CLONE: "test_clone.py::test_a_copy_outlives_its_source",
    Capability.CANCEL: "test_sessions.py::test_a_statement_is_cancelled_from_another_thread",
    Capability.TIMEOUT: "test_sessions.py::test_a_statement_that_takes_too_long_is_stopped",
    Capability.LOCKS: "test_locks.py::test_a_held_lock_is_refused_after_the_time",
    Capability.SOURCE_STATE: "test_source_state.py::test_it_stays_while_nothing_is_written",
    Capability.CONTENT_HASH: "test_content_hash.py::test_equal_rows_have_one_token",
    Capability.FILE_SOURCES: "test_files_as_tables.py::test_only_the_base_tells_two_places_apart",
    Capability.COMMENTS: "test_comments.py::test_comments_are_replaced_and_removed",
    Capability.VIEWS: "test_replace.py::test_a_dependent_view_shows_the_new_rows",
    Capability.SCHEMAS: "test_catalogue.py::test_schemas_keep_relations_apart",
    Capability.PARALLEL_SESSIONS: "test_sessions.py::test_two_sessions_write_at_the_same_time",
    Capability.ERROR_POSITION: "test_errors.py::test_the_position_of_wrong_syntax",
    Capability.STRICT_CASTS: "test_errors.py::test_a_value_that_cannot_be_cast",
    Capability.NESTED_TYPES: "test_types.py::test_values_come_back[nested-struct]",
    Capability.EXACT_DECIMALS: "test_types.py::test_values_come_back[numbers-decimal-18-4]",
    Capability.TIME_ZONES: "test_types.py::test_values_come_back[times-timestamp-zoned]",
    Capability.MATERIALIZED_VIEWS: (
        "test_table_options.py::test_a_materialized_view_keeps_its_rows_until_it_is_replaced"
    ),
    Capability.ESTIMATE: "test_sessions.py::test_an_estimate_runs_nothing",
}
NOT_IN_DUCKDB = {Capability.ESTIMATE, Capability.MATERIALIZED_VIEWS, Capability.ZERO_COPY_CLONE}
NOT_IN_SQLITE = [
    capability
    for capability in WITNESS
    if capability.value
    in [
        "merge",
        "source_state",
        "content_hash",
        "file_sources",
        "comments",
        "schemas",
        "parallel_sessions",
        "error_position",
        "strict_casts",
        "nested_types",
        "exact_decimals",
        "time_zones",
        "materialized_views",
        "zero_copy_clone",
        "estimate",
    ]
]


@pytest.fixture(name="run_suite")
def run_suite_fixture(forge: Any, tmp_path: Path) -> Run:
    """Runs tests of the suite on the engine that a module's text defines as ``SPEC``."""

    def run(module: str, *arguments: str) -> Any:
        (tmp_path / "engine_under_test.py").write_text(module, "utf-8")
        return forge.run(tmp_path, "--ff-engine=engine_under_test:SPEC", *arguments)

    return run


def case(name: str) -> str:
    return str(SUITE / name)


DUCKDB = "from flowforge_duckdb.plugin import ENGINE as SPEC\n"
SQLITE = "from flowforge_sqlite.plugin import SPEC\n"
CLAIM = """
import attrs
from flowforge.contract import FULL, Capability, unsupported
SPEC = attrs.evolve(SPEC, capabilities={{**SPEC.capabilities, Capability.{capability}: {support}}})
"""


def test_every_capability_has_a_witness() -> None:
    named = {
        name
        for file in SUITE.glob("test_*.py")
        for name in Capability.__members__
        if f"Capability.{name}" in file.read_text()
    }
    named |= {
        one.name for one in Capability for file in SUITE.rglob("*.toml") if f'"{one.value}"' in file.read_text("utf-8")
    }
    assert named == {capability.name for capability in WITNESS}
    assert set(WITNESS) == set(Capability)


@pytest.mark.parametrize(
    "capability", some_quick(one for one in WITNESS if one not in NOT_IN_DUCKDB), ids=lambda one: one.value
)
def test_claiming_too_little_fails(run_suite: Run, capability: Capability) -> None:
    pytest.importorskip("duckdb", reason="DuckDB has these capabilities, and is not installed here")
    claim = CLAIM.format(capability=capability.name, support="unsupported('so it says')")
    done = run_suite(DUCKDB + claim, case(WITNESS[capability]))
    assert done.returncode == 1, done.output
    assert "duckdb claims too little" in done.output
    assert "so it says" in done.output


@pytest.mark.parametrize("capability", some_quick(NOT_IN_SQLITE), ids=lambda one: one.value)
def test_claiming_too_much_fails(run_suite: Run, capability: Capability) -> None:
    claim = CLAIM.format(capability=capability.name, support="FULL")
    done = run_suite(SQLITE + claim, case(WITNESS[capability]))
    assert done.returncode == 1, done.output
    assert "claims too little" not in done.output


def test_an_unanswered_capability_fails(run_suite: Run) -> None:
    module = SQLITE + (
        "import attrs\nfrom flowforge.contract import Capability\n"
        "SPEC = attrs.evolve(SPEC, capabilities={k: v for k, v in SPEC.capabilities.items() if k is not Capability.MERGE})\n"
    )
    done = run_suite(module, case("test_declaration.py::test_every_capability_is_answered"))
    assert done.returncode == 1
    assert "merge" in done.output


SABOTAGE = """
import attrs, contextlib, sqlite3
import pyarrow as pa, pyarrow.compute as pc
from flowforge.contract import *
from flowforge.errors import *
from flowforge.values import *

def sabotaged():
    from flowforge_sqlite import executor, session

    class Broken(session.SQLiteSession):
        pass
{body}

    class Executor(executor.SQLiteExecutor):
        def session(self, *, label, timeout=None):
            made = super().session(label=label, timeout=timeout)
            made.__class__ = Broken
            return made

    return Executor

SPEC = attrs.evolve(SPEC, load=sabotaged)
"""

FAULTS = {
    "inserts by position": """
        test_create.py
        def insert(self, relation, select, columns):
            return self.execute(f"INSERT INTO {self._dialect.render(relation)} {select}")
    """,
    "drops whatever stands there": """
        test_catalogue.py
        def drop(self, relation, kind):
            kind = self.kind_of(relation)
            if kind:
                self._run(f"DROP {kind.name} {self._dialect.render(relation)}")
    """,
    "keeps the staged table": """
        test_replace.py
        def replace(self, staged, target):
            with self._atomically():
                standing = self.kind_of(target)
                if standing:
                    self.drop(target, standing)
                self.create_as(target, f"SELECT * FROM {self._dialect.render(staged)}", CreateKind.TABLE)
    """,
    "replaces in two steps": """
        test_replace.py
        def replace(self, staged, target):
            standing = self.kind_of(target)
            if standing:
                self.drop(target, standing)
            self._run(f"ALTER TABLE {self._dialect.render(staged)} RENAME TO {self._dialect.quote(target.name)}")
    """,
    "commits whatever happens": """
        test_transactions.py
        @contextlib.contextmanager
        def transaction(self):
            self._inside = True
            try:
                yield
            finally:
                self._inside = False
                if self._connection.in_transaction:
                    self._connection.execute("COMMIT")
    """,
    "loads by position": """
        test_loading.py
        def load(self, relation, reader, mode):
            if mode is LoadMode.APPEND:
                names = self.schema_of(relation).names[: len(reader.schema)]
                reader = pa.Table.from_batches(reader, reader.schema).rename_columns(names).to_reader()
            return super(Broken, self).load(relation, reader, mode)
    """,
    "counts one row too few": """
        test_loading.py
        def load(self, relation, reader, mode):
            return super(Broken, self).load(relation, reader, mode) - 1
    """,
    "makes empty texts NULL": """
        test_types.py::test_values_come_back[basics-text]
        def load(self, relation, reader, mode):
            table = reader.read_all()
            for i, field in enumerate(table.schema):
                if pa.types.is_string(field.type):
                    column = table.column(i)
                    column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
                    table = table.set_column(i, field, column)
            return super(Broken, self).load(relation, table.to_reader(), mode)
    """,
    "never times out": """
        test_sessions.py::test_a_statement_that_takes_too_long_is_stopped
        def query(self, sql):
            self._connection.set_progress_handler(None, 0)
            return super(Broken, self).query(sql)
    """,
    "never cancels": """
        test_sessions.py::test_a_cancelled_transaction_is_rolled_back
        def cancel(self):
            pass
    """,
    "ignores options": """
        test_create.py
        def create_as(self, relation, select, kind, options=TableOptions()):
            return super(Broken, self).create_as(relation, select, kind)
    """,
    "lists views as tables": """
        test_catalogue.py
        def relations(self, namespace):
            found = super(Broken, self).relations(namespace)
            return [attrs.evolve(one, kind=RelationKind.TABLE) for one in found]
    """,
    "replaces a view in two steps": """
        test_replace_view.py
        def replace_view(self, target, select):
            standing = self.kind_of(target)
            if standing:
                self.drop(target, standing)
            return self.create_as(target, select, CreateKind.VIEW)
    """,
    "replaces only views by views": """
        test_replace_view.py
        def replace_view(self, target, select):
            self.drop(target, RelationKind.VIEW)
            return self.create_as(target, select, CreateKind.VIEW)
    """,
    "gives no types in the layout": """
        test_layouts.py
        def layout(self, relation):
            schema = self.schema_of(relation)
            return None if schema is None else ", ".join(schema.names)
    """,
    "sorts the layout": """
        test_layouts.py
        def layout(self, relation):
            text = super(Broken, self).layout(relation)
            return text and ", ".join(sorted(text.split(", ")))
    """,
    "counts rows in the layout": """
        test_layouts.py
        def layout(self, relation):
            text = super(Broken, self).layout(relation)
            return text and f"{text} {self._rows(f'SELECT count(*) FROM {self._dialect.render(relation)}')}"
    """,
    "says other words in layouts than in layout": """
        test_layouts.py
        def layouts(self, namespace):
            return {name: text.lower() for name, text in super(Broken, self).layouts(namespace).items()}
    """,
    "forgets views in layouts": """
        test_layouts.py
        def layouts(self, namespace):
            found = super(Broken, self).layouts(namespace)
            views = {one.relation.name for one in self.relations(namespace) if one.kind is RelationKind.VIEW}
            return {name: text for name, text in found.items() if name not in views}
    """,
    "locks nothing": """
        test_locks.py
        def lock(self, name, *, timeout):
            pass
    """,
    "hides the reader's error": """
        test_loading.py
        def load(self, relation, reader, mode):
            try:
                return super(Broken, self).load(relation, reader, mode)
            except sqlite3.Error:
                raise
            except Exception:
                return 0
    """,
    "takes other parameters": """
        test_declaration.py
        def merge(self, relation, staged, keys, columns):
            pass
    """,
}


@pytest.mark.parametrize("fault", some_quick(FAULTS))
def test_a_fault_fails(run_suite: Run, fault: str) -> None:
    file, _, body = textwrap.dedent(FAULTS[fault]).strip().partition("\n")
    module = SQLITE + SABOTAGE.format(body=textwrap.indent(body, " " * 8))
    done = run_suite(module, "-x", case(file))
    assert done.returncode == 1, f"the suite does not see an engine that {fault}\n{done.output}"
    assert "FAILED" in done.output, done.output


HASHED = """
        def content_hash(self, relation):
            rows = self._rows(f"SELECT * FROM {{self._dialect.render(relation)}}")
            token = {token}
            return token and str(token)
"""
CLAIMS_HASH = CLAIM.format(capability="CONTENT_HASH", support="FULL")
EXACT = "(self.layout(relation), sorted(map(repr, rows)))"
WRONG_HASHES = {
    "ignores doubled rows": "(self.layout(relation), sorted(set(map(repr, rows))))",
    "depends on the order": "(self.layout(relation), rows)",
    "ignores the layout": "sorted(map(repr, rows))",
    "takes NULL for an empty text": "(self.layout(relation), sorted(repr([v or '' if v != 0 else v for v in r]) for r in rows))",
    "rounds": "(self.layout(relation), sorted(repr([f'{v:.6g}' if type(v) is float else v for v in r]) for r in rows))",
    "only counts": "(self.layout(relation), len(rows))",
    "knows no borders": "(self.layout(relation), ''.join(sorted(str(v) for r in rows for v in r)))",
    "knows nothing": "None",
    "is another one each time": "(self.layout(relation), sorted(map(repr, rows)), object())",
}


@pytest.mark.parametrize("fault", some_quick(WRONG_HASHES))
def test_a_wrong_hash_fails(run_suite: Run, fault: str) -> None:
    body = HASHED.format(token=WRONG_HASHES[fault])
    done = run_suite(SQLITE + CLAIMS_HASH + SABOTAGE.format(body=body), "-x", case("test_content_hash.py"))
    assert done.returncode == 1, f"the suite does not see a hash that {fault}\n{done.output}"
    assert "FAILED" in done.output, done.output


NAIVE = """
import attrs

def load():
    from flowforge_duckdb.executor import DuckDBExecutor
    from flowforge_duckdb.session import DuckDBSession

    def content_hash(self, relation):
        (found,) = self._rows(f"SELECT count(*), sum(hash(t)) FROM {self._dialect.render(relation)} AS t")
        return f"{self.layout(relation)} {found}"

    DuckDBSession.content_hash = content_hash
    return DuckDBExecutor

SPEC = attrs.evolve(SPEC, load=load)
"""


@pytest.mark.parametrize(
    "pair", some_quick(["negative-zero", "month-or-thirty-days", "list-empty-null", "decimal-zero-or-less"])
)
def test_a_hash_that_was_made_for_joins_fails(run_suite: Run, pair: str) -> None:
    pytest.importorskip("duckdb", reason="its own hash is what is tried here")
    done = run_suite(DUCKDB + NAIVE, case(f"test_content_hash.py::test_rows_that_differ_in_one_thing[{pair}]"))
    assert done.returncode == 1, done.output
    assert "FAILED" in done.output, done.output


def test_a_slow_and_exact_hash_is_right(run_suite: Run) -> None:
    body = HASHED.format(token=EXACT)
    done = run_suite(SQLITE + CLAIMS_HASH + SABOTAGE.format(body=body), case("test_content_hash.py"))
    assert done.returncode == 0, done.output


STATE = """
        def source_state(self, relation):
            if self.kind_of(relation) is None:
                return None
            return str({token})
"""
WRONG_STATES = {
    "sees only how many rows there are": "self._rows(f'SELECT count(*) FROM {self._dialect.render(relation)}')",
    "changes with every look": "time.monotonic_ns()",
    "sees only its own changes": "self._connection.total_changes",
}


@pytest.mark.parametrize("fault", some_quick(WRONG_STATES))
def test_a_wrong_state_fails(run_suite: Run, fault: str) -> None:
    claim = CLAIM.format(capability="SOURCE_STATE", support="FULL") + "import time\n"
    module = SQLITE + claim + SABOTAGE.format(body=STATE.replace("{token}", WRONG_STATES[fault]))
    done = run_suite(module, "-x", case("test_source_state.py"))
    assert done.returncode == 1, f"the suite does not see a state that {fault}\n{done.output}"
    assert "FAILED" in done.output, done.output


CLONING = """
import attrs
from flowforge_plain.plugin import CLONING as SPEC
from flowforge.contract import *
from flowforge.errors import *
from flowforge.values import *

def sabotaged():
    from flowforge_plain import engine

    class Broken(engine.CloningSession):
        pass
{body}

    class Executor(engine.CloningExecutor):
        session_type = Broken

    return Executor

SPEC = attrs.evolve(SPEC, load=sabotaged)
"""
CLONES = {
    "lets both be one": """
        def clone(self, source, target, options=TableOptions()):
            self._run(f"CREATE VIEW {self._dialect.render(target)} AS SELECT * FROM {self._dialect.render(source)}")
    """,
    "clones over what stands there": """
        def clone(self, source, target, options=TableOptions()):
            self.drop(target, RelationKind.TABLE)
            super(Broken, self).clone(source, target, options)
    """,
    "forgets rows": """
        def clone(self, source, target, options=TableOptions()):
            select = f"SELECT DISTINCT * FROM {self._dialect.render(source)}"
            self.create_as(target, select, CreateKind.TABLE)
    """,
    "forgets types": """
        def clone(self, source, target, options=TableOptions()):
            self._run(f"CREATE TABLE {self._dialect.render(target)} AS SELECT * FROM {self._dialect.render(source)}")
    """,
    "takes the source away": """
        def clone(self, source, target, options=TableOptions()):
            self._run(f"ALTER TABLE {self._dialect.render(source)} RENAME TO {self._dialect.quote(target.name)}")
    """,
    "makes a table of a missing one": """
        def clone(self, source, target, options=TableOptions()):
            if self.kind_of(source) is None:
                self._run(f"CREATE TABLE {self._dialect.render(target)} (id BIGINT)")
            else:
                super(Broken, self).clone(source, target, options)
    """,
}


@pytest.mark.parametrize("fault", some_quick(CLONES))
def test_a_wrong_clone_fails(run_suite: Run, fault: str) -> None:
    pytest.importorskip("flowforge_plain", reason="it has the engine that clones")
    body = textwrap.indent(textwrap.dedent(CLONES[fault]), " " * 8)
    done = run_suite(CLONING.replace("{body}", body), "-x", case("test_clone.py"))
    assert done.returncode == 1, f"the suite does not see an engine that {fault}\n{done.output}"
    assert "FAILED" in done.output, done.output


def test_a_right_clone_passes_and_may_not_be_denied(run_suite: Run) -> None:
    pytest.importorskip("flowforge_plain", reason="it has the engine that clones")
    done = run_suite(CLONING.replace("{body}", ""), case("test_clone.py"))
    assert done.returncode == 0, done.output
    claim = CLAIM.format(capability="ZERO_COPY_CLONE", support="unsupported('so it says')")
    done = run_suite(CLONING.replace("{body}", "") + claim, case("test_clone.py::test_a_copy_outlives_its_source"))
    assert done.returncode == 1, done.output
    assert "cloning claims too little" in done.output


def test_the_sabotage_is_the_only_fault(run_suite: Run) -> None:
    done = run_suite(SQLITE + SABOTAGE.format(body=""), case("test_transactions.py"), case("test_loading.py"))
    assert done.returncode == 0, done.output
