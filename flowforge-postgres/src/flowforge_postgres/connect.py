"""Opens connections and says what every session is like: the same on each server, whatever its configuration says."""

from __future__ import annotations

import re
import uuid
from typing import Any

import attrs
import psycopg
from psycopg import conninfo, generators

from flowforge.errors import EngineError, ErrorKind, UnsupportedError
from flowforge_postgres.dialect import exactly
from flowforge_postgres.errors import Attempt, translate
from flowforge_postgres.reading import loaders
from flowforge_postgres.settings import PostgresSettings, plain_dsn

OLDEST = 15
_NETWORK: dict[str, Any] = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # ms
    "fallback_application_name": "flowforge",
}
# The same for the server's end: a session whose client is out of reach must not hold its locks for hours.
_NETWORK_OF_SERVER = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
# What reading, hashing and literals rely on, and what gives the same rows on every server.
_SAME_EVERYWHERE = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "client_encoding": "UTF8",
    "client_min_messages": "warning",
    "default_transaction_isolation": "read committed",
    "array_nulls": "on",
    "quote_all_identifiers": "off",
    "transform_null_equals": "off",
    # A Python model may compute for long while its table is locked; a client that is gone is noticed by other means.
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
}
_SINCE_17 = {"transaction_timeout": "0"}
_ORPHANS = "client_connection_check_interval"
_MARK = "flowforge.session"
_LABEL_BYTES = 63
_REASON = re.compile(r" failed: (?:FATAL: )?(?!connection to server)([^\n]+)")


@attrs.frozen
class Line:
    """A connection that is ready for a session.

    Parameters
    ----------
    pid:
        The server's process; behind a pooler, the connection itself knows only a number that the pooler made up.
    mark:
        What the session of the server was marked with, where a pooler may exchange it for another.
    """

    connection: psycopg.Connection[tuple[Any, ...]]
    pid: int
    mark: str | None


@attrs.frozen
class Address:
    """Where to connect to. *words* may hold the password; *place* is safe to show."""

    words: dict[str, Any] = attrs.field(repr=False)
    place: str


def address_of(settings: PostgresSettings) -> Address:
    """What libpq has to be told.

    Raises
    ------
    EngineError
        When the dsn makes no sense to libpq; its text is not repeated, as it may hold a password.
    """
    parts = {
        "host": settings.host,
        "port": settings.port,
        "user": settings.user,
        "password": settings.password,
        "dbname": settings.database,
        "sslmode": settings.sslmode,
    }
    given = {key: value for key, value in parts.items() if value is not None}
    try:
        words: dict[str, Any] = conninfo.conninfo_to_dict(plain_dsn(settings.dsn) if settings.dsn else "", **given)
    except psycopg.Error:
        raise EngineError(
            "the dsn cannot be understood",
            kind=ErrorKind.CONNECTION,
            help="write postgresql://user:password@host:port/database; special characters of a password as %XX",
        ) from None
    words = {**_NETWORK, **words, "connect_timeout": settings.connect_timeout}
    with_defaults = {option.keyword: option.val for option in psycopg.pq.Conninfo.get_defaults()}

    def part(keyword: bytes, otherwise: str) -> str:
        own = words.get(keyword.decode())
        default = with_defaults.get(keyword)
        return str(own) if own is not None else default.decode() if default else otherwise

    return Address(words, f"{part(b'host', 'localhost')}:{part(b'port', '5432')}")


def connect(address: Address) -> psycopg.Connection[tuple[Any, ...]]:
    """A new connection, in autocommit mode.

    Raises
    ------
    EngineError
        Naming host and port, never the password.
    """
    try:
        connection = psycopg.connect(**address.words, autocommit=True, prepare_threshold=None, context=loaders())
    except (psycopg.Error, UnicodeError) as exc:  # the second is what Python makes of a host that cannot be a name
        raise _refused(exc, address.place) from None  # the driver's own text repeats more than people should see
    if connection.info.server_version < OLDEST * 10_000:
        version = connection.info.server_version // 10_000
        connection.close()
        raise UnsupportedError(
            f"the server at {address.place} is PostgreSQL {version}; FlowForge needs {OLDEST} or newer",
            help="upgrade the server",
        )
    return connection


def looks_after_clients(connection: psycopg.Connection[tuple[Any, ...]]) -> bool:
    """Can this server notice that a client is gone while it works for it? Only some platforms can."""
    try:
        connection.execute(f"SELECT pg_catalog.set_config('{_ORPHANS}', '1s', false)")
    except psycopg.Error:
        if connection.closed:
            raise
        return False
    return True


def _refused(exc: Exception, place: str) -> EngineError:
    # Several addresses of one host may have been tried in turn; what is said of the last one counts.
    reasons = _REASON.findall(str(exc)) or [line for line in str(exc).splitlines() if line] or ["no reason given"]
    reason = reasons[-1].strip()
    low = reason.lower()
    kind, help_ = ErrorKind.CONNECTION, "check that the server runs and can be reached, then run again"
    if "too many" in low or "remaining connection slots" in low:
        kind, help_ = ErrorKind.QUOTA, "lower --jobs, or raise the limit of connections of the server or the role"
    elif any(word in low for word in ("password", "authentication", "pg_hba", "role ")):
        kind, help_ = ErrorKind.AUTH, "check user and password in the profile, or FF_PG_DSN"
    elif "database " in low and "not exist" in low:
        kind, help_ = ErrorKind.MISSING, "create the database, or correct its name in the profile"
    elif isinstance(exc, UnicodeError):
        reason, help_ = "this is no name of a host", "correct the host in the profile, or FF_PG_DSN"
    return EngineError(
        f"cannot connect to PostgreSQL at {place}: {reason}",
        kind=kind,
        retryable=kind in (ErrorKind.CONNECTION, ErrorKind.QUOTA),
        help=help_,
    )


def prepare(
    connection: psycopg.Connection[tuple[Any, ...]],
    settings: PostgresSettings,
    label: str,
    timeout: float | None,
    *,
    looked_after: bool,
) -> Line:
    """Give a connection the settings of a session, in one statement; fails when the connection is dead.

    Parameters
    ----------
    looked_after:
        The answer of :func:`looks_after_clients`: then the server ends the work of a killed process within a second.
    """
    path = ", ".join(exactly(name) for name in (settings.schema, *settings.search_path))
    values = {
        **_SAME_EVERYWHERE,
        **_NETWORK_OF_SERVER,
        "application_name": shortened(label),
        "statement_timeout": _milliseconds(timeout),
        "lock_timeout": _milliseconds(settings.lock_timeout),
        "search_path": path,
        _MARK: uuid.uuid4().hex,
    }
    if connection.info.server_version >= 170_000:
        values.update(_SINCE_17)
    if looked_after:
        values[_ORPHANS] = "1s"
    if settings.role is not None:
        values["role"] = settings.role
    calls = ", ".join(f"pg_catalog.set_config('{key}', {_text(value)}, false)" for key, value in values.items())
    try:
        pid = connection.execute(f"SELECT pg_catalog.pg_backend_pid(), {calls}".encode()).fetchall()[0][0]
    except psycopg.Error as exc:
        raise translate(exc, Attempt(offset=None)) from exc
    return Line(connection, pid, values[_MARK] if pid != connection.info.backend_pid else None)


def described(connection: psycopg.Connection[tuple[Any, ...]], sql: str) -> psycopg.pq.abc.PGresult:
    """The columns of a query, which is not run: not even its plan is made, which can take seconds.

    Raises
    ------
    psycopg.Error
        When the server does not understand it.
    """
    pgconn = connection.pgconn
    result: psycopg.pq.abc.PGresult
    with connection.lock:
        pgconn.send_prepare(b"", sql.encode())
        for describe in (True, False):
            (result,) = connection.wait(generators.execute(pgconn))
            if result.status == psycopg.pq.ExecStatus.FATAL_ERROR:
                raise psycopg.errors.error_from_result(result, "utf-8")
            if describe:
                pgconn.send_describe_prepared(b"")
    return result


def check_line(line: Line) -> None:
    """Make sure, inside a transaction, that it runs on the server's session that was prepared for it.

    Raises
    ------
    EngineError
        When a pooler has put it on another, which has the settings of somebody else.
    """
    if line.mark is None:
        return
    try:
        found = line.connection.execute(f"SELECT pg_catalog.current_setting('{_MARK}', true)").fetchall()
    except psycopg.Error as exc:
        raise translate(exc, Attempt(offset=None)) from exc
    if found != [(line.mark,)]:
        raise UnsupportedError(
            "a pooler between this machine and PostgreSQL gives every transaction another session of the server",
            help="connect to the server itself, or set the pooler to session pooling (pool_mode = session)",
        )


def shortened(label: str) -> str:
    """*label* cut to what the server shows of a client's name."""
    return label.encode()[:_LABEL_BYTES].decode(errors="ignore")


def _milliseconds(seconds: float | None) -> str:
    return "0" if seconds is None else str(max(1, round(seconds * 1000)))


def _text(value: str) -> str:
    return "'" + value.replace("'", "''").replace("\0", "") + "'"
