"""What the service says, in the contract's words: kinds, places, what may be tried again, what may have been done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests
from flowforge_test_servers.mute import mute_server
from google.api_core import exceptions as api
from google.auth import exceptions as auth

from flowforge.errors import Committed, EngineError, ErrorKind
from flowforge_bigquery.connect import make_client
from flowforge_bigquery.errors import Attempt, offset_of, translate
from flowforge_bigquery.executor import BigQueryExecutor
from flowforge_bigquery.settings import BigQuerySettings


def bad(message: str, reason: str = "invalidQuery", kind: type[api.GoogleAPICallError] = api.BadRequest) -> Exception:
    return kind(message, errors=[{"reason": reason, "message": message}])


SAID: list[tuple[Exception, ErrorKind]] = [
    (bad('Syntax error: Unexpected identifier "SELEC" at [1:1]'), ErrorKind.SYNTAX),
    (bad("Syntax error: Expected end of input but got keyword FROM at [2:6]"), ErrorKind.SYNTAX),
    (bad("Unrecognized name: ghost; Did you mean host? at [1:8]"), ErrorKind.MISSING),
    (bad("Name ghost not found inside t at [1:10]"), ErrorKind.MISSING),
    (bad("Function not found: nofunc at [1:8]"), ErrorKind.MISSING),
    (bad("Not found: Table p:d.t was not found in location EU", "notFound", api.NotFound), ErrorKind.MISSING),
    (bad("Column ghost is not present in table p.d.t at [1:14]"), ErrorKind.MISSING),
    (bad("Already Exists: Table p:d.t", "duplicate", api.Conflict), ErrorKind.DUPLICATE),
    (bad("Bad int64 value: no number"), ErrorKind.TYPE),
    (bad("Could not cast literal 'x' to type INT64 at [1:13]"), ErrorKind.TYPE),
    (bad("No matching signature for operator + for argument types: INT64, STRING. at [1:8]"), ErrorKind.TYPE),
    (
        bad("Query column 1 has type STRING which cannot be inserted into column id, which has type INT64"),
        ErrorKind.TYPE,
    ),
    (bad("Parameterized types are not allowed in CAST expressions at [1:8]"), ErrorKind.TYPE),
    (bad("division by zero: 1 / 0"), ErrorKind.TYPE),
    (bad("Invalid date: '2024-02-30'"), ErrorKind.TYPE),
    (bad("UPDATE/MERGE must match at most one source row for each target row"), ErrorKind.CONSTRAINT),
    (bad("Could not serialize access to table p:d.t due to concurrent update"), ErrorKind.DEADLOCK),
    (
        bad("Access Denied: Table p:d.t: User does not have permission", "accessDenied", api.Forbidden),
        ErrorKind.PERMISSION,
    ),
    (bad("Quota exceeded: Your project exceeded quota", "quotaExceeded", api.Forbidden), ErrorKind.QUOTA),
    (
        bad("Exceeded rate limits: too many table update operations", "rateLimitExceeded", api.Forbidden),
        ErrorKind.QUOTA,
    ),
    (
        bad("Query exceeded limit for bytes billed: 10.", "bytesBilledLimitExceeded", api.InternalServerError),
        ErrorKind.QUOTA,
    ),
    (bad("Resources exceeded during query execution", "resourcesExceeded"), ErrorKind.MEMORY),
    (bad("Job execution was cancelled: User requested cancellation", "stopped"), ErrorKind.CANCELLED),
    (bad("Request had invalid authentication credentials.", "authError", api.Unauthorized), ErrorKind.AUTH),
    (auth.RefreshError("invalid_grant: Token has been expired or revoked."), ErrorKind.AUTH),
    (auth.TransportError("nobody answered in time"), ErrorKind.CONNECTION),
    (requests.exceptions.ConnectionError("refused"), ErrorKind.CONNECTION),
    (api.RetryError("Timeout of 8.0s exceeded", requests.exceptions.ConnectionError("refused")), ErrorKind.CONNECTION),
    (api.RetryError("Timeout of 8.0s exceeded", auth.RefreshError("expired")), ErrorKind.AUTH),
]


@pytest.mark.parametrize(("exc", "kind"), SAID, ids=lambda one: str(one)[:50])
def test_kinds(exc: Exception, kind: ErrorKind) -> None:
    error = translate(exc, Attempt("SELECT 1"))
    assert error.kind is kind
    assert "\n" not in error.message
    assert " at [" not in error.message
    assert error.message


def test_what_passes_may_be_tried_again() -> None:
    again = {str(exc)[:40] for exc, _ in SAID if translate(exc, Attempt()).retryable}
    assert {str(exc)[:40] for exc, kind in SAID if kind is ErrorKind.SYNTAX}.isdisjoint(again)
    assert any("serialize" in text for text in again)
    assert any("rate limits" in text for text in again)


def test_somebody_is_there_and_says_nothing() -> None:
    with mute_server() as port, pytest.raises(EngineError, match=r"does not answer within 0\.5 seconds") as caught:
        BigQueryExecutor(
            BigQuerySettings(
                project="p", dataset="d", api_endpoint=f"http://127.0.0.1:{port}", location="EU", connect_timeout=0.5
            )
        )
    assert caught.value.kind is ErrorKind.CONNECTION
    assert "api_endpoint" in (caught.value.help or "")


def test_a_lost_answer_leaves_open_what_was_done() -> None:
    lost = bad("the backend went away", "backendError", api.ServiceUnavailable)
    assert translate(lost, Attempt(writes=True)).committed is Committed.UNKNOWN
    assert not translate(lost, Attempt(writes=True)).retryable
    assert translate(lost, Attempt()).committed is Committed.NO
    refused = requests.exceptions.ConnectionError("Connection refused")
    assert translate(refused, Attempt(writes=True)).committed is Committed.NO


@pytest.mark.parametrize(
    ("sql", "line", "column", "offset"),
    [
        ("SELECT x", 1, 8, 7),
        ("SELECT\n  a,\n  x", 3, 3, 14),
        ("SELECT 'ü🦆', x", 1, 14, 13),
        ("\tx", 1, 9, 1),
        ("a\tx", 1, 9, 2),
        ("x", 1, 2, 1),
        ("x", 2, 1, None),
    ],
)
def test_places(sql: str, line: int, column: int, offset: int | None) -> None:
    assert offset_of(sql, line, column) == offset


def test_places_count_in_the_text_of_the_caller() -> None:
    head, select = "CREATE TABLE `t` AS\n", "SELECT\n  ghost"
    error = translate(bad("Unrecognized name: ghost at [3:3]"), Attempt(head + select, len(head)))
    assert error.position == select.index("ghost")
    assert translate(bad("Syntax error: x at [1:3]"), Attempt(head + select, len(head))).position is None


def settings(**changes: Any) -> BigQuerySettings:
    return BigQuerySettings(**{"project": "p", "dataset": "d", **changes})


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (None, "cannot be read"),
        ("{not json", "no JSON"),
        ("[]", "no key of a service account"),
        ('{"type": "authorized_user", "refresh_token": "hush-hush"}', "authorized_user"),
        ('{"type": "service_account", "private_key": "hush-hush", "client_email": "a@b", "token_uri": "x"}', "damaged"),
    ],
)
def test_a_wrong_key_file_is_named_and_never_shown(tmp_path: Path, text: str | None, word: str) -> None:
    file = tmp_path / "key.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(EngineError, match=word) as caught:
        make_client(settings(keyfile=str(file)))
    assert caught.value.kind is ErrorKind.AUTH
    assert "keyfile" in caught.value.message
    said = json.dumps([caught.value.message, caught.value.help, *caught.value.notes])
    assert "hush-hush" not in said


def test_no_credentials_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(EngineError, match="no Google credentials") as caught:
        make_client(settings())
    assert "keyfile" in str(caught.value.help)


def test_a_service_that_does_not_answer_is_given_up_soon() -> None:
    with pytest.raises(EngineError, match="cannot be reached") as caught:
        BigQueryExecutor(settings(api_endpoint="http://127.0.0.1:9", connect_timeout=0.5))
    assert caught.value.kind is ErrorKind.CONNECTION
    assert "api_endpoint" in str(caught.value.help)
