"""What people read who cannot log in: one message, soon, with the setting that is wrong and without any secret."""

from __future__ import annotations

import gzip
import http.server
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flowforge_test_servers.mute import mute_server

from flowforge.errors import EngineError, ErrorKind
from flowforge_snowflake.connect import arguments, connect, reach
from flowforge_snowflake.settings import SnowflakeSettings

LEAST: dict[str, Any] = {"account": "myorg-account", "user": "builder", "database": "shop", "password": "hush-hush"}


class Gate(http.server.BaseHTTPRequestHandler):
    """Answers each login with what the test wants."""

    answer: dict[str, Any]
    asked: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.asked.append(json.loads(body) if body else {})
        data = json.dumps(self.answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def gate() -> Iterator[Callable[[dict[str, Any]], tuple[dict[str, Any], list[dict[str, Any]]]]]:
    """Starts a server that answers logins; gives settings for it, and what it was asked."""
    servers = []

    def start(answer: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        asked: list[dict[str, Any]] = []
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Mine", (Gate,), {"answer": answer, "asked": asked})
        )
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return {**LEAST, "host": "127.0.0.1", "port": server.server_address[1], "protocol": "http"}, asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def refusal(settings: dict[str, Any]) -> EngineError:
    with pytest.raises(EngineError) as caught:
        connect(SnowflakeSettings(**settings))
    error = caught.value
    assert "hush-hush" not in f"{error} {error.notes} {error.__cause__!r} {error.__context__!r}"
    assert "\n" not in error.message
    return error


REFUSALS = {
    "wrong password": (390100, "Incorrect username or password was specified.", ErrorKind.AUTH, "FF_SF_PASSWORD"),
    "expired token": (390318, "OAuth access token expired. [x]", ErrorKind.AUTH, "expired"),
    "wrong key": (390144, "JWT token is invalid. [x]", ErrorKind.AUTH, "private_key_path"),
    "unknown role": (390189, "Role 'X' specified in the connect string does not exist", ErrorKind.AUTH, "FF_SF_ROLE"),
    "network policy": (
        390422,
        "IP 10.0.0.1 is not allowed to access Snowflake.",
        ErrorKind.PERMISSION,
        "network policy",
    ),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_the_server_refuses(gate: Callable[..., Any], why: str) -> None:
    number, message, kind, help_ = REFUSALS[why]
    settings, _ = gate({"success": False, "code": str(number), "message": message, "data": {}})
    error = refusal(settings)
    assert error.kind is kind
    assert message in error.message
    assert "127.0.0.1" in error.message
    assert help_ in (error.help or "")


@pytest.mark.parametrize("name", ["database", "warehouse"])
def test_what_the_login_names_and_nobody_has(gate: Callable[..., Any], name: str) -> None:
    found = {"databaseName": "SHOP", "schemaName": None, "warehouseName": "W", "roleName": "R", f"{name}Name": None}
    data = {"token": "t", "masterToken": "m", "sessionId": 1, "parameters": [], "sessionInfo": found}
    settings, asked = gate({"success": True, "data": data})
    error = refusal({**settings, "warehouse": "w"})
    assert error.kind is ErrorKind.MISSING
    assert f"FF_SF_{name.upper()}" in (error.help or "")
    parameters = asked[0]["data"]["SESSION_PARAMETERS"]
    assert (parameters["TIMEZONE"], parameters["QUOTED_IDENTIFIERS_IGNORE_CASE"]) == ("UTC", False)
    assert parameters["CLIENT_TELEMETRY_ENABLED"] is False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("changes", "reason", "setting"),
    [
        ({"host": "127.0.0.1"}, "refused", "port"),
        ({"host": "x" * 70}, "no such host", "FF_SF_HOST"),
        ({"account": "x" * 70}, "no such host", "FF_SF_ACCOUNT"),
    ],
    ids=["nobody listens", "no host", "no account"],
)
def test_nobody_is_there(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], reason: str, setting: str) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(EngineError, match=reason) as caught:
        reach(SnowflakeSettings(**{**LEAST, "port": free_port(), **changes}))
    assert caught.value.kind is ErrorKind.CONNECTION
    assert setting in (caught.value.help or "")


@pytest.mark.parametrize("protocol", ["http", "https"])
def test_somebody_is_there_and_says_nothing(monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    more = {"host": "127.0.0.1", "protocol": protocol, "connect_timeout": 0.5}
    with mute_server() as port, pytest.raises(EngineError, match=r"no answer within 0\.5 seconds") as caught:
        reach(SnowflakeSettings(**{**LEAST, **more, "port": port}))
    assert caught.value.kind is ErrorKind.CONNECTION


@pytest.mark.parametrize("answer", [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", b"what?\r\n\r\n"])
@pytest.mark.parametrize("protocol", ["http", "https"])
def test_whatever_is_answered_somebody_is_there(monkeypatch: pytest.MonkeyPatch, protocol: str, answer: bytes) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def say() -> None:
            caller, _ = server.accept()
            with caller:
                caller.recv(1000)
                caller.sendall(answer)

        speaker = threading.Thread(target=say)
        speaker.start()
        more = {"host": "127.0.0.1", "protocol": protocol, "port": server.getsockname()[1]}
        reach(SnowflakeSettings(**{**LEAST, **more}))
        speaker.join()


def test_nothing_says_how_to_log_in() -> None:
    error = refusal({key: value for key, value in LEAST.items() if key != "password"})
    assert (error.kind, "private_key_path" in (error.help or "")) == (ErrorKind.AUTH, True)


def key(passphrase: bytes | None) -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    how = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


def test_keys_are_read_from_files_and_from_texts(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    pem = key(b"secret")
    (tmp_path / "key.p8").write_bytes(pem)
    least = {name: value for name, value in LEAST.items() if name != "password"}
    ways: list[dict[str, Any]] = [{"private_key_path": str(tmp_path / "key.p8")}, {"private_key": pem.decode()}]
    for way in ways:
        words = arguments(SnowflakeSettings(**least, **way, private_key_passphrase="secret"))
        assert words["authenticator"] == "SNOWFLAKE_JWT"
        serialization.load_der_private_key(words["private_key"], None)
    token = arguments(SnowflakeSettings(**least, token="t"))
    assert (token["authenticator"], token["token"]) == ("oauth", "t")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"private_key_path": "/no/such/key.p8"}, "cannot be read: No such file"),
        ({"private_key": "no key"}, "no PEM"),
        ({"private_key": key(b"secret").decode()}, "encrypted"),
        ({"private_key": key(b"secret").decode(), "private_key_passphrase": "another"}, "passphrase"),
    ],
    ids=["no file", "no key", "no passphrase", "wrong passphrase"],
)
def test_keys_that_cannot_be_read(settings: dict[str, Any], words: str) -> None:
    error = refusal({**LEAST, **settings})
    assert (error.kind, words in error.message) == (ErrorKind.AUTH, True)
    assert "PRIVATE KEY" not in str(error)


def test_names_are_folded_for_the_login() -> None:
    words = arguments(SnowflakeSettings(**{**LEAST, "database": "Shop", "schema": "two words"}))
    assert (words["database"], words["schema"]) == ("SHOP", '"two words"')


def test_the_connector_is_told_how_long_to_wait() -> None:
    assert arguments(SnowflakeSettings(**LEAST, connect_timeout=3))["login_timeout"] == 3
    assert arguments(SnowflakeSettings(**LEAST))["login_timeout"] < 10
