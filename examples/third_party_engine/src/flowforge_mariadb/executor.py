"""One MariaDB server, and its errors in the contract's words."""

from __future__ import annotations

from typing import Any

import pymysql
from pymysql.constants import CLIENT

from flowforge.contract import Executor, Session
from flowforge.errors import EngineError, ErrorKind
from flowforge.values import Namespace
from flowforge_mariadb.dialect import MariaDBDialect
from flowforge_mariadb.session import MariaDBSession
from flowforge_mariadb.settings import MariaDBSettings

_KINDS = {
    ErrorKind.SYNTAX: (1064, 1149),
    ErrorKind.MISSING: (1049, 1051, 1054, 1109, 1146, 1305, 1356),
    ErrorKind.DUPLICATE: (1007, 1050, 1060),
    ErrorKind.TYPE: (1264, 1265, 1292, 1366, 1406, 1411, 4078),
    ErrorKind.CONSTRAINT: (1048, 1062, 1451, 1452, 4025),
    ErrorKind.PERMISSION: (1044, 1142, 1143, 1227, 1290),
    ErrorKind.AUTH: (1045, 1698),
    ErrorKind.CONNECTION: (1040, 1042, 1053, 1152, 1158, 1159, 1160, 1161, 1927, 2002, 2003, 2006, 2013, 2055),
    ErrorKind.LOCKED: (1205,),
    ErrorKind.DEADLOCK: (1020, 1213),
    ErrorKind.TIMEOUT: (1969, 3024),
    ErrorKind.CANCELLED: (1317,),
    ErrorKind.DISK: (1021, 1114),
    ErrorKind.MEMORY: (1037, 1038, 1041),
    ErrorKind.UNSUPPORTED: (1235,),
}
_KIND_OF = {code: kind for kind, codes in _KINDS.items() for code in codes}
# Standard texts and names, values refused rather than bent, quotients of more than four digits, and one collation in which
# no two texts are the same.
_START = (
    "SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_ZERO_DATE,NO_ZERO_IN_DATE', NAMES utf8mb4 COLLATE utf8mb4_nopad_bin, time_zone = '+00:00', "
    "group_concat_max_len = 4294967295, div_precision_increment = 15, tx_isolation = 'READ-COMMITTED'"
)


class MariaDBExecutor(Executor):
    """Knows the way to the server; every session has a connection of its own."""

    dialect: MariaDBDialect

    def __init__(self, settings: MariaDBSettings) -> None:
        self.dialect = MariaDBDialect()
        self.namespace = Namespace(settings.database)
        self._settings = settings

    def connect(self, label: str) -> pymysql.Connection[Any]:
        """A connection in autocommit mode."""
        settings = self._settings
        try:
            return self._connected(label)
        except pymysql.OperationalError as exc:
            known = self.error(exc)
            if known is None or known.kind not in (ErrorKind.AUTH, ErrorKind.CONNECTION):
                raise
            fields = "user and password" if known.kind is ErrorKind.AUTH else "host and port"
            raise EngineError(
                f"cannot connect to {settings.host}:{settings.port} as {settings.user}: {known.message}",
                kind=known.kind,
                help=f"see {fields} of the profile; `flowforge debug` tries them alone",
            ) from exc

    def _connected(self, label: str) -> pymysql.Connection[Any]:
        settings = self._settings
        return pymysql.connect(
            host=settings.host,
            port=settings.port,
            user=settings.user,
            password=settings.password,
            connect_timeout=settings.connect_timeout,
            charset="utf8mb4",
            program_name=label,
            autocommit=True,
            client_flag=CLIENT.FOUND_ROWS,
            init_command=_START,
        )

    def session(self, *, label: str, timeout: float | None = None) -> Session:
        """A connection; the server knows its *label* as the name of the program."""
        return MariaDBSession(self.connect, label, timeout, self.dialect, self.namespace)

    def error(self, exc: BaseException) -> EngineError | None:
        """Told apart by the server's numbers."""
        if isinstance(exc, EngineError):
            return exc
        if not isinstance(exc, pymysql.MySQLError):
            return None
        code, text = exc.args if len(exc.args) == 2 else (0, str(exc))
        kind = _KIND_OF.get(code, ErrorKind.CONNECTION if isinstance(exc, pymysql.InterfaceError) else ErrorKind.OTHER)
        return EngineError(str(text), kind=kind, retryable=kind is ErrorKind.DEADLOCK)

    def close(self) -> None:
        """Nothing is open but the sessions."""
