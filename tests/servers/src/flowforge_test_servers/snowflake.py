"""A server that speaks Snowflake's protocol as long as a test run: fakesnow, which runs the SQL in DuckDB.

``python -m flowforge_test_servers.snowflake -- command ...`` runs a command beside one. The server is a process of its
own, on a free port of the loopback. ``--in PYTHON`` takes fakesnow from another environment.

Where fakesnow answers what Snowflake surely does not, so that hardly a test could run, the answer is mended: see
:func:`mend`. Everything else that it lacks is a known gap of the conformance suite.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from flowforge_test_servers.binaries import NoServerError

VARIABLES = "FF_TEST_SNOWFLAKE_"
_PATIENCE = 60.0
_NAME = r'(?:"(?:[^"]|"")+"\.?)+'
_CLONE = re.compile(
    rf"^CREATE (?P<over>OR REPLACE )?(?:TRANSIENT )?TABLE (?P<new>{_NAME}) CLONE (?P<old>{_NAME})(?: COPY GRANTS)?$"
)


@attrs.frozen
class SnowflakeServer:
    """Where a server listens, and whom it knows: everybody."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def settings(self) -> dict[str, Any]:
        """What a profile has to say; each database that is named springs into being."""
        return {
            "account": "emulated",
            "user": "tester",
            "password": "no secret",
            "host": "127.0.0.1",
            "port": self.port,
            "protocol": "http",
            "database": "FF_TEST",
            "load": "insert",
        }

    @property
    def variables(self) -> Mapping[str, str]:
        """The same for a command's environment."""
        return {f"{VARIABLES}{key.upper()}": str(value) for key, value in self.settings.items()}


@contextlib.contextmanager
def snowflake_server(python: str | None = None) -> Iterator[SnowflakeServer]:
    """A running server, stopped at the end of the block.

    Parameters
    ----------
    python:
        The interpreter of the environment that has fakesnow; this one when it is not given.

    Raises
    ------
    NoServerError
        When it does not start, with what it said.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen(
        [python or sys.executable, "-m", "flowforge_test_servers.snowflake", "--serve", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        process_group=0,  # Ctrl-C in a test is not for the server
    )
    said: list[bytes] = []
    assert process.stderr is not None
    listener = threading.Thread(target=lambda stream: said.extend(stream), args=(process.stderr,), daemon=True)
    listener.start()
    try:
        ends = time.monotonic() + _PATIENCE
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > ends:
                raise NoServerError("fakesnow did not start:\n" + b"".join(said).decode(errors="replace")[-2000:])
            time.sleep(0.05)
        yield SnowflakeServer(port, process)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        listener.join(10)
        process.stderr.close()


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2).close()
    except urllib.error.HTTPError:
        return True  # it speaks HTTP, which is enough
    except OSError:
        return False
    return True


# -- in the server's process --------------------------------------------------------------------------------------------


def mend() -> None:
    """Correct what fakesnow 0.12 does against Snowflake's documentation; run in the server's process only.

    NULL in a column of timestamps stays NULL. Errors that it knows no number for are errors of the statement, and not
    of HTTP, which the connector would answer by sending the statement again. What exists already, and values that
    cannot be cast or are out of range, have Snowflake's numbers. Statements wait for each other, where DuckDB would end
    one of two that write the same table. A clone takes the place of a table that stands there.
    """
    import duckdb
    import pyarrow as pa
    import pyarrow.compute as pc
    import snowflake.connector.errors as driver
    from fakesnow import arrow, cursor

    as_struct = arrow.timestamp_to_sf_struct

    def with_nulls(column: Any) -> Any:
        whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if isinstance(whole, pa.ChunkedArray):  # none at all
            whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], whole.type)
        struct = as_struct(pc.fill_null(whole, pa.scalar(0, whole.type)))
        fields = [pa.field(field.name, field.type) for field in struct.type]
        return pa.StructArray.from_arrays(struct.flatten(), fields=fields, mask=whole.is_null())

    arrow.timestamp_to_sf_struct = with_nulls

    class Cursor(cursor.FakeSnowflakeCursor):  # type: ignore[misc]
        def execute(self, command: str, *args: Any, **kwargs: Any) -> Any:
            try:
                with _ONE_AT_A_TIME:
                    return super().execute(
                        _CLONE.sub(r"CREATE \g<over>TABLE \g<new> AS SELECT * FROM \g<old>", command),
                        *args,
                        **kwargs,
                    )
            except driver.ProgrammingError as error:
                found = str(error.raw_msg or "")
                if error.errno == 2003 and "already exists" in found:
                    raise driver.ProgrammingError(msg=found, errno=2002, sqlstate="42710") from error
                raise
            except duckdb.Error as error:
                text = str(error).splitlines()[0]
                kinds = (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException)
                number, state = (100038, "22018") if isinstance(error, kinds) else (300002, "XX000")
                raise driver.ProgrammingError(msg=text, errno=number, sqlstate=state) from error

    import fakesnow.conn

    fakesnow.conn.FakeSnowflakeCursor = Cursor


_ONE_AT_A_TIME = threading.RLock()


def serve(port: int) -> None:
    """Serve until the process is ended."""
    import fakesnow.server
    import uvicorn

    mend()
    uvicorn.run(fakesnow.server.app, host="127.0.0.1", port=port, log_level="error")


def main(arguments: list[str] | None = None) -> int:
    """Run a command with the settings of a server in its environment, and end with its exit code."""
    parser = argparse.ArgumentParser(prog="python -m flowforge_test_servers.snowflake")
    parser.add_argument("--serve", type=int, metavar="PORT", help="be the server")
    parser.add_argument("--in", dest="python", help="the Python of the environment that has fakesnow")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- command ...")
    given = parser.parse_args(arguments)
    if given.serve:
        serve(given.serve)
        return 0
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not command:
        parser.error("say what to run: -- command ...")
    try:
        with snowflake_server(given.python) as server:
            return subprocess.run(command, env={**os.environ, **server.variables}, check=False).returncode
    except NoServerError as exc:
        print(exc, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
