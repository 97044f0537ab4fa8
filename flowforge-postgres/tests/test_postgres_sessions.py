"""Sessions: what they are like, how they end, and what is said when the server or another session gets in the way."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from flowforge_test_servers.postgres import PostgresServer, postgres_server

from flowforge.contract import CreateKind, Session
from flowforge.errors import Committed, EngineError, ErrorKind
from flowforge.values import Relation
from flowforge_postgres.blockers import Patience
from flowforge_postgres.executor import PostgresExecutor
from flowforge_postgres.settings import PostgresSettings

PATIENCE = 20.0
T = Relation("t", "public")


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Threads that are gone after the test."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that a test may crash."""
    with postgres_server() as server:
        yield server


def until(question: Callable[[], Any]) -> Any:
    """Ask again and again until the answer is true."""
    ends = time.monotonic() + PATIENCE
    while not (answer := question()):
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)
    return answer


def working(outside: psycopg.Connection[Any], label: str) -> list[int]:
    """Processes of the server that run a statement under a name."""
    sql = "select pid from pg_stat_activity where datname = current_database() and application_name = %s and state = 'active'"
    return [pid for (pid,) in outside.execute(sql, (label,))]


def test_every_session_is_set_up_the_same(executor: PostgresExecutor, outside: psycopg.Connection[Any]) -> None:
    database = outside.info.dbname
    outside.execute(
        f"alter database {database} set timezone = 'Asia/Tokyo'; alter database {database} set datestyle = 'SQL'"
    )
    outside.execute(f"alter database {database} set bytea_output = 'escape'")
    outside.execute(f"alter database {database} set quote_all_identifiers = on")
    outside.execute(f"alter database {database} set idle_in_transaction_session_timeout = '1min'")
    settings = {
        "application_name": "flowforge/r/n",
        "TimeZone": "UTC",
        "DateStyle": "ISO, MDY",
        "bytea_output": "hex",
        "quote_all_identifiers": "off",
        "idle_in_transaction_session_timeout": "0",
        "client_connection_check_interval": "1s",
        "search_path": '"public"',
        "statement_timeout": "1500ms",
        "standard_conforming_strings": "on",
    }
    for _ in range(2):  # the second one comes out of the pool
        with executor.session(label="flowforge/r/n", timeout=1.5) as session:
            for name, value in settings.items():
                found = session.query(f'show "{name}"').read_all().column(0).to_pylist()
                assert found == [value], name


def test_connections_are_used_again_and_forget_what_was_done(executor: PostgresExecutor) -> None:
    pids = set()
    for _ in range(5):
        with executor.session(label="x") as session:
            ((pid,),) = (session.query("select pg_backend_pid()").read_all().to_pylist()[0].values(),)
            pids.add(pid)
            assert session.schema_of("select 1") is not None
            session.create_as(Relation("scratch"), "select 1 as id", CreateKind.TEMP)
            session.execute("set work_mem = '77MB'")
            session.lock("left over", timeout=1)
    assert len(pids) == 1
    with executor.session(label="y") as one, executor.session(label="z") as two:
        for session in (one, two):
            assert session.query("show work_mem").read_all().column(0).to_pylist() != ["77MB"]
            session.lock("left over", timeout=1) if session is one else None


def test_a_dead_connection_is_not_handed_out(executor: PostgresExecutor, outside: psycopg.Connection[Any]) -> None:
    executor.session(label="x").close()
    outside.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'flowforge'"
    )
    with executor.session(label="y") as session:
        assert session.execute("select 1").rows == 1


def test_a_statement_is_one_statement(session: Session) -> None:
    with pytest.raises(EngineError) as refusal:
        session.execute("select 1; drop table x")
    assert refusal.value.kind is ErrorKind.SYNTAX


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("select 'a'::text = 1", ErrorKind.TYPE),
        ("select - 'a'::text", ErrorKind.TYPE),
        ("select distinct j from (values (json '{}')) as v(j)", ErrorKind.TYPE),
        ("select ghost(1)", ErrorKind.MISSING),
        ("select upper(1)", ErrorKind.MISSING),
        ("select 1 / 0", ErrorKind.TYPE),
        ("select (select id from (values (1), (2)) as v(id))", ErrorKind.CONSTRAINT),
    ],
)
def test_an_operator_that_does_not_take_these_types_is_not_a_missing_function(
    session: Session, sql: str, kind: ErrorKind
) -> None:
    with pytest.raises(EngineError) as refusal:
        session.execute(sql)
    assert refusal.value.kind is kind, refusal.value.message


def test_a_query_that_fails_does_no_harm_to_a_transaction(session: Session) -> None:
    with session.transaction():
        session.create_as(T, "select 1 as id", CreateKind.TABLE)
        for sql in ("select ghost", "select 1/0"):
            with pytest.raises(EngineError):
                session.query(sql)
        with pytest.raises(EngineError):
            session.schema_of("select ghost")
        reader = session.query("select generate_series(1, 500000) as n")
        reader.read_next_batch()
        reader.close()
        assert session.query("select id from t").read_all().num_rows == 1
    assert session.kind_of(T) is not None


def test_a_transaction_that_failed_is_not_said_to_be_committed(session: Session) -> None:
    def swallow() -> None:
        with session.transaction():
            session.create_as(T, "select 1 as id", CreateKind.TABLE)
            with contextlib.suppress(EngineError):
                session.execute("select ghost")

    with pytest.raises(EngineError, match="rolled back") as refusal:
        swallow()
    assert refusal.value.committed is Committed.NO
    assert session.kind_of(T) is None


def test_a_session_that_is_ended_in_a_transaction(
    session: Session, outside: psycopg.Connection[Any], threads: ThreadPoolExecutor
) -> None:
    label = "flowforge/run1/test"

    def work() -> None:
        with session.transaction():
            session.create_as(T, "select 1 as id", CreateKind.TABLE)
            session.execute("select pg_sleep(60)")

    running = threads.submit(work)
    (pid,) = until(lambda: working(outside, label) if "sleep" in activity(outside, label) else None)
    outside.execute("select pg_terminate_backend(%s)", (pid,))
    with pytest.raises(EngineError) as refusal:
        running.result(PATIENCE)
    error = refusal.value
    assert (error.kind, error.committed, error.retryable) == (ErrorKind.CONNECTION, Committed.NO, True)
    assert outside.execute("select to_regclass('t')").fetchone() == (None,)
    session.close()


def activity(outside: psycopg.Connection[Any], label: str) -> str:
    sql = "select coalesce(string_agg(query, ' '), '') from pg_stat_activity where datname = current_database() and application_name = %s"
    ((text,),) = outside.execute(sql, (label,))
    return str(text)


@pytest.mark.parametrize("where", ["commit", "alone"])
def test_a_session_that_is_ended_when_nobody_knows_what_stays(
    session: Session, outside: psycopg.Connection[Any], threads: ThreadPoolExecutor, where: str
) -> None:
    outside.execute(
        "create table t (id int); create function wait() returns trigger language plpgsql as"
        " 'begin perform pg_sleep(60); return null; end';"
        " create constraint trigger slow after insert on t deferrable initially deferred"
        " for each row execute function wait()"
    )

    def work() -> None:
        if where == "alone":
            session.execute("insert into t values (1)")
        else:
            with session.transaction():
                session.execute("insert into t values (1)")

    running = threads.submit(work)
    word = "COMMIT" if where == "commit" else "insert"
    (pid,) = until(
        lambda: working(outside, "flowforge/run1/test") if word in activity(outside, "flowforge/run1/test") else None
    )
    outside.execute("select pg_terminate_backend(%s)", (pid,))
    with pytest.raises(EngineError) as refusal:
        running.result(PATIENCE)
    error = refusal.value
    assert (error.kind, error.committed, error.retryable) == (ErrorKind.CONNECTION, Committed.UNKNOWN, False)


def test_a_server_that_crashes_and_comes_back(own_server: PostgresServer, threads: ThreadPoolExecutor) -> None:
    executor = PostgresExecutor(PostgresSettings(dsn=own_server.dsn))
    try:
        with executor.session(label="before") as session:
            session.create_as(T, "select 1 as id", CreateKind.TABLE)
        session = executor.session(label="during")

        def work() -> None:
            with session.transaction():
                session.execute("delete from t")
                session.execute("select pg_sleep(60)")

        running: Future[None] = threads.submit(work)
        with psycopg.connect(own_server.dsn, autocommit=True) as outside:
            until(lambda: "sleep" in activity(outside, "during"))
        own_server.restart(immediate=True)
        with pytest.raises(EngineError) as refusal:
            running.result(PATIENCE)
        assert (refusal.value.kind, refusal.value.committed) == (ErrorKind.CONNECTION, Committed.NO)
        session.close()
        with executor.session(label="after") as session:
            assert session.query("select id from t").read_all().num_rows == 1
    finally:
        executor.close()


def test_a_server_that_is_down_is_named_with_its_port() -> None:
    started = time.monotonic()
    with pytest.raises(EngineError) as refusal:
        PostgresExecutor(PostgresSettings(dsn="postgresql://u:hush%21@127.0.0.1:1/d"))
    assert time.monotonic() - started < 10
    error = refusal.value
    assert (error.kind, error.retryable) == (ErrorKind.CONNECTION, True)
    assert "127.0.0.1:1" in error.message
    assert "Connection refused" in error.message
    assert "hush" not in "".join([str(error), repr(error.__cause__), repr(error.__context__), *error.notes])


def test_a_wrong_password_is_not_repeated(postgres_dsn: str) -> None:
    dsn = psycopg.conninfo.make_conninfo(postgres_dsn, password="hush !%")
    with pytest.raises(EngineError) as refusal:
        PostgresExecutor(PostgresSettings(dsn=dsn))
    assert refusal.value.kind is ErrorKind.AUTH
    assert "hush" not in str(refusal.value)


def test_a_missing_database(postgres_dsn: str) -> None:
    with pytest.raises(EngineError) as refusal:
        PostgresExecutor(PostgresSettings(dsn=postgres_dsn, database="ghost"))
    assert refusal.value.kind is ErrorKind.MISSING


class Relay(threading.Thread):
    """Passes bytes on between a client and the server, until it is told to keep them."""

    def __init__(self, target: tuple[str, int]) -> None:
        super().__init__(daemon=True)
        self._target = target
        self._silent = threading.Event()
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._pairs: dict[socket.socket, socket.socket] = {}

    def fall_silent(self) -> None:
        self._silent.set()

    def close(self) -> None:
        self._over.set()
        self.join(PATIENCE)
        for each in (self._listener, *self._pairs):
            each.close()

    def run(self) -> None:
        while not self._over.is_set():
            waiting = [self._listener] if self._silent.is_set() else [self._listener, *self._pairs]
            for ready in select.select(waiting, [], [], 0.05)[0]:
                if ready is self._listener:
                    client, server = ready.accept()[0], socket.create_connection(self._target)
                    self._pairs.update({client: server, server: client})
                elif not self._silent.is_set():
                    data = ready.recv(65536)
                    if data:
                        self._pairs[ready].sendall(data)
                    else:
                        self._pairs.pop(self._pairs.pop(ready)).close()
                        ready.close()
                        break


def test_a_server_that_answers_nothing_any_more(postgres_dsn: str, threads: ThreadPoolExecutor) -> None:
    """The network swallows everything, and no end of the line notices: waiting for ever would be the default."""
    words = psycopg.conninfo.conninfo_to_dict(postgres_dsn)
    relay = Relay((str(words["host"]), int(words["port"])))
    relay.start()
    dsn = psycopg.conninfo.make_conninfo(postgres_dsn, port=relay.port, sslmode="disable", gssencmode="disable")
    executor = PostgresExecutor(
        PostgresSettings(dsn=dsn, connect_timeout=2), Patience(answer=0.5, refusal=1.5, silence=2.0)
    )
    try:
        with executor.session(label="patient") as session:
            running = threads.submit(session.execute, "select pg_sleep(60)")
            time.sleep(1.5)  # slow statements are looked after, and left alone while the server answers
            assert not running.done()
            relay.fall_silent()
            with pytest.raises(EngineError, match="answered nothing") as refusal:
                running.result(PATIENCE)
            assert (refusal.value.kind, refusal.value.committed) == (ErrorKind.CONNECTION, Committed.UNKNOWN)
    finally:
        executor.close()
        relay.close()


def test_a_table_that_somebody_has_locked(
    executor: PostgresExecutor, outside: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    outside.execute("create table t (id int); set application_name = 'a foreign tool'")
    session = executor.session(label="flowforge/r/n")

    def write() -> None:
        with session.transaction():
            session.lock("t", timeout=2.5)
            session.execute("insert into t values (1)")

    with session, caplog.at_level(logging.WARNING, "flowforge.locks"), outside.transaction():
        outside.execute("lock table t")
        with pytest.raises(EngineError) as refusal:
            write()
    error = refusal.value
    assert error.kind is ErrorKind.LOCKED
    for text in (error.message, caplog.text):
        assert f"pid {outside.info.backend_pid}" in text
        assert "a foreign tool" in text
        assert "lock on t " in text
    assert "flowforge/r/n is waiting" in caplog.text


def test_waiting_for_a_lock_says_for_whom(
    executor: PostgresExecutor, threads: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    with executor.session(label="flowforge/first/n") as holder, executor.session(label="flowforge/second/n") as waiter:

        def work() -> None:
            with waiter.transaction():
                waiter.lock("orders", timeout=PATIENCE)

        with caplog.at_level(logging.WARNING, "flowforge.locks"), holder.transaction():
            holder.lock("orders", timeout=1)
            running = threads.submit(work)
            until(lambda: "waiting for the lock on orders, held by flowforge/first/n" in caplog.text)
        running.result(PATIENCE)


def test_two_sessions_that_lock_each_other_out(
    executor: PostgresExecutor, outside: psycopg.Connection[Any], threads: ThreadPoolExecutor
) -> None:
    outside.execute("create table a (id int); create table b (id int)")
    both = threading.Barrier(2, timeout=PATIENCE)

    def work(first: str, second: str) -> str:
        with executor.session(label=first) as session:
            try:
                with session.transaction():
                    session.execute(f"lock table {first}")
                    both.wait()
                    session.execute(f"lock table {second}")
            except EngineError as error:
                assert (error.kind, error.retryable, error.committed) == (ErrorKind.DEADLOCK, True, Committed.NO)
                return "deadlock"
            return "done"

    ends = [threads.submit(work, *names) for names in (("a", "b"), ("b", "a"))]
    assert sorted(end.result(PATIENCE) for end in ends) == ["deadlock", "done"]


def test_a_load_is_cancelled(executor: PostgresExecutor, threads: ThreadPoolExecutor) -> None:
    import pyarrow as pa

    from flowforge.contract import LoadMode

    begun = threading.Event()
    schema = pa.schema([("id", pa.int64())])

    def batches() -> Iterator[pa.RecordBatch]:
        for _ in range(200):
            begun.set()
            time.sleep(0.1)
            yield pa.RecordBatch.from_pydict({"id": [1]}, schema)

    with executor.session(label="x") as session:
        reader = pa.RecordBatchReader.from_batches(schema, batches())
        running = threads.submit(session.load, T, reader, LoadMode.CREATE)
        assert begun.wait(PATIENCE)
        session.cancel()
        with pytest.raises(EngineError) as refusal:
            running.result(PATIENCE)
        assert refusal.value.kind is ErrorKind.CANCELLED
        assert session.kind_of(T) is None


ORPHAN = """
import sys
from flowforge_postgres.blockers import Patience
from flowforge_postgres.executor import PostgresExecutor
from flowforge_postgres.settings import PostgresSettings
session = PostgresExecutor(PostgresSettings(dsn=sys.argv[1])).session(label="flowforge/dead/n")
with session.transaction():
    session.lock("orders", timeout=1)
    print("ready", flush=True)
    session.execute("select pg_sleep(60)")
"""


def test_a_killed_process_leaves_nothing_at_work(postgres_dsn: str, outside: psycopg.Connection[Any]) -> None:
    with subprocess.Popen([sys.executable, "-c", ORPHAN, postgres_dsn], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        until(lambda: "sleep" in activity(outside, "flowforge/dead/n"))
        os.kill(process.pid, signal.SIGKILL)
    killed = time.monotonic()
    until(lambda: not working(outside, "flowforge/dead/n"))
    assert time.monotonic() - killed < 20


def test_reaping_ends_the_sessions_of_one_run_only(
    executor: PostgresExecutor, outside: psycopg.Connection[Any], threads: ThreadPoolExecutor
) -> None:
    dead, alive = (executor.session(label=f"flowforge/{run}/n") for run in ("dead", "deadly"))
    running = threads.submit(dead.execute, "select pg_sleep(60)")
    until(lambda: working(outside, "flowforge/dead/n"))
    assert executor.reap(["dead", "other'; --"]) == 1
    assert executor.reap([]) == 0
    with pytest.raises(EngineError) as refusal:
        running.result(PATIENCE)
    assert refusal.value.kind is ErrorKind.CONNECTION
    assert alive.execute("select 1").rows == 1
    for session in (dead, alive):
        session.close()


def test_a_closed_executor_keeps_no_connection(executor: PostgresExecutor, outside: psycopg.Connection[Any]) -> None:
    one, two = executor.session(label="flowforge/a/n"), executor.session(label="flowforge/a/n")
    one.close()
    executor.close()
    two.close()
    until(
        lambda: (
            outside.execute(
                "select count(*) from pg_stat_activity where datname = current_database() and application_name ~ '^flowforge'"
            ).fetchone()
            == (0,)
        )
    )
