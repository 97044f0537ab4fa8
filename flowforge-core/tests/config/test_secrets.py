"""Secrets: names, passwords inside of connection strings, and every spelling of a value."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, quote_plus

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowforge.config.profiles import Profile
from flowforge.config.secrets import Redactor, is_secret_name, passwords_in, secrets_of
from flowforge.contract import EngineSpec, setting
from flowforge.errors import FlowForgeError, ProjectErrors


@pytest.mark.parametrize(
    "name",
    [
        "FF_SECRET_X",
        "ff_secret_anything",
        "FF_PG_DSN",
        "dsn",
        "PASSWORD",
        "PGPASSWORD",
        "FF_SF_PASSWORD",
        "db_passwd",
        "API_KEY",
        "apiKey",
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "accessToken",
        "tokens",
        "private-key",
        "KEY",
        "MY_SECRETS",
        "APIKEY",
    ],
)
def test_secret_names(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["MONKEY", "KEYBOARD", "TURKEY_SIZE", "PATH", "PWD", "FF_ENGINE", "HOME", "TOKENIZER", "schema", "", "USER", "_"],
)
def test_other_names(name: str) -> None:
    assert not is_secret_name(name)


SECRETS = ["p@ss/w:rd?", 'it\'s "quoted"', "a b+c%20", "back\\slash\n", "grüße-日本", "<&>'", "0123456789", "aA1!$ "]


@pytest.mark.parametrize("secret", SECRETS)
def test_every_spelling_is_masked(secret: str) -> None:
    redactor = Redactor([secret])
    forms = [
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote(secret, safe="").lower() if secret.islower() else quote(secret, safe=""),
        quote_plus(secret),
        repr(secret),
        ascii(secret),
        repr([{"dsn": secret}]),
        json.dumps({"k": secret}),
        json.dumps({"k": secret}, ensure_ascii=False),
        html.escape(secret),
        f"'{secret.replace(chr(39), chr(39) * 2)}'",
        f"postgresql://user:{quote_plus(secret)}@host/db",
        f"x{secret}{secret}y",
    ]
    for form in forms:
        masked = redactor.redact(f"before {form} after")
        assert "***" in masked
        assert secret.strip() not in masked
        assert quote(secret, safe="") not in masked
        assert masked.startswith("before ")
        assert masked.endswith(" after")


def test_longer_secrets_go_first() -> None:
    assert Redactor(["pass", "password", "word"]).redact("my password, pass") == "my ***, ***"


def test_short_secrets_only_as_words() -> None:
    redactor = Redactor(["ab", "7"])
    assert redactor.redact("ab cab ab-c 77 7") == "*** cab ***-c 77 ***"


def test_empty_values_mask_nothing() -> None:
    for redactor in (Redactor([]), Redactor(["", "  "])):
        assert not redactor
        assert redactor.redact("some text") == "some text"


def test_a_redactor_shows_nothing_of_itself() -> None:
    assert "hunter2" not in repr(Redactor(["hunter2"]))
    assert Redactor(["a1b2c3", "x"]) == Redactor(["x", "a1b2c3"])


@pytest.mark.parametrize(
    ("text", "password"),
    [
        ("postgresql://user:s3cret@host:5432/db", "s3cret"),
        ("postgresql+psycopg://user:s3cret@host", "s3cret"),
        ("postgresql://user:p%40ss@host/db", "p@ss"),
        ("postgresql://user:p%40ss@host/db", "p%40ss"),
        ("mysql://:only@host", "only"),
        ("postgresql://user:a@b@host/db", "a@b"),
        ("host=h user=u password=s3cret dbname=d", "s3cret"),
        ("host=h password='two words' user=u", "two words"),
        (r"password='it\'s'", "it's"),
        ("Server=h;Password=s3cret;Database=d", "s3cret"),
        ("PWD = s3cret", "s3cret"),
        ('jdbc:x://h?password="s3 cret"&a=b', "s3 cret"),
        ("https://h/?user=u&password=s3cret&x=1", "s3cret"),
    ],
)
def test_passwords_inside_of_connection_strings(text: str, password: str) -> None:
    assert password in set(passwords_in(text))
    assert password not in Redactor([text]).redact(f"login with {password} failed")


@pytest.mark.parametrize(
    "text", ["https://host:8080/path", "user@host", "host=h user=u", "a:b@c", "postgresql://u@h/d"]
)
def test_strings_without_a_password(text: str) -> None:
    assert not set(passwords_in(text))


@attrs.frozen(kw_only=True)
class Settings:
    dsn: str = setting(secret=True)
    url: str = setting(default="")
    api_token: str = setting(default="")
    pins: tuple[int, ...] = setting(default=(), secret=True)
    options: Mapping[str, Any] = setting(factory=dict, secret=True)
    schema: str = setting(default="main")


def test_secrets_of_a_profile_and_the_environment() -> None:
    settings = Settings(
        dsn="postgresql://me:pw-of-dsn@host/db",
        url="https://me:pw-of-url@host",
        api_token="token-of-profile",
        pins=(12345, 67890),
        options={"a": ["deep-secret"]},
        schema="visible",
    )
    profile = Profile("dev", EngineSpec("x", "", Settings, lambda: lambda s: None, {}), settings, True)  # type: ignore[arg-type,return-value]
    environ = {
        "FF_SECRET_A": "env-secret",
        "MY_PASSWORD": "env-password",
        "HTTPS_PROXY": "http://u:proxy-pw@proxy:1",
        "HOME": "/home/me",
    }
    redact = secrets_of(profile, environ).redact
    for secret in (
        *("postgresql://me:pw-of-dsn@host/db", "pw-of-dsn", "pw-of-url", "token-of-profile", "12345", "67890"),
        *("deep-secret", "env-secret", "env-password", "proxy-pw"),
    ):
        assert secret not in redact(f"x {secret} y"), secret
    assert redact("visible /home/me me host") == "visible /home/me me host"
    assert secrets_of(None, {"A_TOKEN": "abcdef"}).redact("abcdef") == "***"


def test_errors_are_cleaned_in_place() -> None:
    redactor = Redactor(["hunter2"])
    inner = FlowForgeError("login hunter2", help="not hunter2", notes=["note hunter2"])
    outer = ProjectErrors([inner, FlowForgeError("other")])
    assert redactor.clean(outer) is outer
    assert "hunter2" not in repr(
        (outer.message, str(outer), outer.args, inner.message, inner.help, inner.notes, str(inner))
    )


@given(st.text(min_size=4, max_size=12), st.text(max_size=30), st.text(max_size=30))
def test_a_secret_never_survives(secret: str, before: str, after: str) -> None:
    masked = Redactor([secret]).redact(before + secret + after)
    if secret.strip():
        assert secret not in masked or secret in "***" or secret in (before + "***" + after)
