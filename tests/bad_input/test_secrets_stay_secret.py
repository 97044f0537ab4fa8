"""A secret never appears: not in output, not in a file, in no spelling, however a command ends."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import attrs
import pytest

import flowforge.plugins
from flowforge.builtin import flowforge_checks, flowforge_seed_formats
from flowforge.contract import EngineSpec, Executor, Session, setting
from flowforge.errors import EngineError, ErrorKind
from flowforge.plugins import PluginInfo, PluginSet
from flowforge.plugins.pluginset import Offers
from flowforge_duckdb.plugin import ENGINE
from flowforge_duckdb.settings import DuckDBSettings

Project = Callable[[Mapping[str, str | bytes]], Path]
Flowforge = Callable[..., Any]

SECRET = "S3cr3t/pä ss+w'o\"rd%&=\\x"
DSN = f"vault://user:{quote(SECRET, safe='')}@db.example.org/main"


def spellings(secret: str) -> set[str]:
    """How a log, an error or a file could carry it."""
    urls = {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    texts = {
        repr(secret)[1:-1],
        ascii(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    }
    return {secret, *urls, *(url.lower() for url in urls), *texts, html.escape(secret), secret.replace("'", "''")}


def leaks(text: str) -> list[str]:
    return sorted(form for form in spellings(SECRET) if form in text)


@attrs.frozen(kw_only=True)
class VaultSettings:
    """DuckDB with a password, and a place where it fails: connect, session, statement."""

    path: str = setting(default=":memory:", path=True)
    password: str | None = setting(default=None, env="FF_VAULT_PASSWORD", secret=True)
    pin: str | None = setting(default=None, secret=True)
    dsn: str | None = setting(default=None, env="FF_VAULT_DSN", secret=True)
    port: int = setting(default=1)
    fails: str = setting(default="nowhere")


class DriverError(Exception):
    """What the driver of such a database would raise: it has the connection string in it."""


def trouble(settings: VaultSettings, at: str) -> None:
    if settings.fails != at:
        return
    secret = settings.password or settings.pin or ""
    raise DriverError(
        f"{at} failed for {settings!r} {settings.dsn} {secret} {quote(secret)} {secret!r} {json.dumps(secret)}"
    )


class VaultSession:
    """A DuckDB session that may fail at its first statement for a model."""

    def __init__(self, inner: Session, settings: VaultSettings, label: str) -> None:
        self._inner, self._settings, self._label = inner, settings, label

    def __enter__(self) -> VaultSession:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def create_as(self, *args: Any, **kwargs: Any) -> Any:
        trouble(self._settings, "statement")
        return self._inner.create_as(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class VaultExecutor(Executor):
    """DuckDB's executor behind a login."""

    def __init__(self, settings: VaultSettings) -> None:
        if settings.fails == "connect":
            try:
                trouble(settings, "connect")
            except DriverError as error:
                raise EngineError(
                    str(error), kind=ErrorKind.AUTH, notes=[f"tried {error}"], help=f"see {error}"
                ) from error
        self._settings = settings
        self._inner = ENGINE.load()(DuckDBSettings(path=settings.path))
        self.dialect, self.namespace = self._inner.dialect, self._inner.namespace

    def session(self, *, label: str, timeout: float | None = None) -> Any:
        trouble(self._settings, "session")
        return VaultSession(self._inner.session(label=label, timeout=timeout), self._settings, label)

    def close(self) -> None:
        self._inner.close()

    def error(self, exc: BaseException) -> EngineError | None:
        if isinstance(exc, DriverError):
            return EngineError(str(exc), kind=ErrorKind.CONNECTION, notes=[f"driver: {exc}"], help=f"see {exc}")
        return self._inner.error(exc)


@pytest.fixture(autouse=True)
def _vault(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugins of this process are the core's own and the engine ``vault``."""
    spec = EngineSpec(
        name="vault",
        summary="DuckDB behind a login",
        settings=VaultSettings,
        load=lambda: VaultExecutor,
        capabilities=ENGINE.capabilities,
    )
    offers = Offers(
        engines={"vault": spec},
        checks={check.name: check for check in flowforge_checks()},
        seed_formats={suffix: one for one in flowforge_seed_formats() for suffix in one.suffixes},
    )
    plugins = PluginSet([PluginInfo("vault", "vault", "1", "active", ("engine vault",))], offers)
    monkeypatch.setattr(flowforge.plugins, "load_plugins", lambda environ: plugins)


FILES: Mapping[str, str | bytes] = {
    "models/fine.ff.sql": "select 1 as one",
    "models/broken.ff.sql": "{{ config(enabled=false) }} select no_such_column from {{ ref('fine') }}",
    "models/python.ff.py": "from flowforge import model\n\n\n@model(deps=['fine'])\ndef python(fine):\n    return fine\n",
    "seeds/s.csv": "a\n1\n",
    "project.yml": "name: a\nversion: 1\ntests:\n  - {type: not_null, table: fine, column: one}\n",
}


def profile(fails: str, **settings: str) -> str:
    block = {"path": "vault.duckdb", "fails": fails, **settings}
    lines = "".join(f"    {key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in block.items())
    return f"dev:\n  engine: vault\n  vault:\n{lines}"


@attrs.frozen
class Way:
    """How the password gets to the engine; *sources* are the files that hold it, for they have to."""

    id: str
    settings: Mapping[str, str] = attrs.field(factory=dict)
    files: Mapping[str, str | bytes] = attrs.field(factory=dict)
    environ: Mapping[str, str] = attrs.field(factory=dict)
    sources: tuple[str, ...] = ()


QUOTED = "'" + SECRET.replace("\\", "\\\\").replace("'", "\\'") + "'"
WAYS = [
    Way("in-the-profile", {"password": SECRET, "dsn": DSN}, sources=("profiles.yml",)),
    Way("in-a-field-of-any-name", {"pin": SECRET}, sources=("profiles.yml",)),
    Way("by-env-in-the-profile", {"password": "{{ env('FF_VAULT_SECRET_NAME') }}"}, environ={"FF_VAULT_SECRET_NAME": SECRET}),
    Way("by-env-of-a-plain-name", {"password": "{{ env('HARMLESS') }}"}, environ={"HARMLESS": SECRET}),
    Way("by-the-field's-variable", environ={"FF_VAULT_PASSWORD": SECRET, "FF_VAULT_DSN": DSN}),
    Way("by-a-file", files={".env": f"FF_VAULT_PASSWORD={QUOTED}\n"}, sources=(".env",)),
]  # fmt: skip
COMMANDS = [
    ("build",),
    ("build", "-vv"),
    ("build", "-vv", "--sql-debug", "--log-format", "json"),
    ("build", "--log-format", "github"),
    ("test", "-v"),
    ("show", "fine", "-vv"),
    ("compile", "--out", "compiled"),
    ("debug", "-vv"),
    ("validate",),
    ("ls", "--format", "json"),
    ("dag", "--out", "dag.mmd"),
    ("plugins",),
]


def written(folder: Path, sources: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for file in folder.rglob("*"):
        name = file.relative_to(folder).as_posix()
        if file.is_file() and name not in sources:
            yield name, file.read_bytes().decode("utf-8", "replace")


@pytest.mark.parametrize("fails", ["nowhere", "connect", "session", "statement"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.id)
def test_a_password_appears_nowhere(way: Way, fails: str, project: Project, flowforge: Flowforge) -> None:
    folder = project({**FILES, "profiles.yml": profile(fails, **way.settings), **way.files})
    codes = []
    for command in COMMANDS:
        environ = {**way.environ, "FLOWFORGE_TRACE": "1"}
        outcome = flowforge(folder, *command, environ=environ, traced=True)
        assert leaks(outcome.text) == [], (command, outcome.text)
        codes.append(outcome.code)
    assert codes[0] == (0 if fails == "nowhere" else 1)
    assert codes[7] == (0 if fails in ("nowhere", "statement") else 1)
    for name, text in written(folder, way.sources):
        assert leaks(text) == [], name


@pytest.mark.parametrize("fails", ["connect", "session", "statement"])
def test_the_error_is_still_told(fails: str, project: Project, flowforge: Flowforge) -> None:
    folder = project({**FILES, "profiles.yml": profile(fails, password=SECRET, dsn=DSN)})
    outcome = flowforge(folder, "build")
    assert f"{fails} failed for VaultSettings(" in outcome.text
    assert "***" in outcome.text


BAD_PROFILES = {
    "key-beside-it": "dev: {engine: vault, vault: {password: SECRET, portt: 1}}\n",
    "key-below-it": "dev:\n  engine: vault\n  vault:\n    password: SECRET\n    portt: 1\n",
    "list-for-a-password": "dev: {engine: vault, vault: {password: [SECRET]}}\n",
    "mapping-for-a-password": "dev: {engine: vault, vault: {password: {a: SECRET}}}\n",
    "a-list-in-lines": "dev:\n  engine: vault\n  vault:\n    password:\n      - SECRET\n",
    "pin": "dev: {engine: vault, vault: {pin: [SECRET]}}\n",
    "wrong-port": "dev: {engine: vault, vault: {port: many, password: SECRET}}\n",
    "unknown-engine": "dev: {engine: valt, vault: {password: SECRET}}\n",
    "password-twice": "dev:\n  engine: vault\n  vault:\n    password: SECRET\n    password: SECRET\n",
    "password-mistyped": "dev:\n  engine: vault\n  vault:\n    pasword: SECRET\n",
    "no-engine": "dev: {vault: {password: SECRET}}\n",
    "not-closed": "dev: {engine: vault, vault: {password: SECRET\n",
    "tab": "dev:\n  engine: vault\n  vault:\n\tpassword: SECRET\n",
    "quote": "dev:\n  engine: vault\n  vault: {password: 'SECRET}\n",
    "template": "dev:\n  engine: vault\n  vault: {password: SECRET{{ nothing }} }\n",
    "template-call": "dev:\n  engine: vault\n  vault: {password: \"{{ env('FF_NOT_SET_ANYWHERE', 'SECRET') | nope }}\"}\n",
    "outside": "dev: {engine: vault, vault: {path: ../x, password: SECRET}}\n",
    "block-text": "dev:\n  engine: vault\n  vault:\n    port: many\n    password: |\n      SECRET\n",
    "anchor": "dev:\n  engine: vault\n  vault: {password: &a SECRET, pin: [*a]}\n",
}  # fmt: skip
PLAIN = "Hunter2Hunter2"


@pytest.mark.parametrize("name", BAD_PROFILES)
@pytest.mark.parametrize("flags", [(), ("-vv",), ("--log-format", "github"), ("--log-format", "json")], ids=" ".join)
def test_a_profile_that_is_wrong_shows_no_password(
    name: str, flags: tuple[str, ...], project: Project, flowforge: Flowforge
) -> None:
    folder = project({**FILES, "profiles.yml": BAD_PROFILES[name].replace("SECRET", PLAIN)})
    for command in ("build", "debug", "compile"):
        outcome = flowforge(folder, command, *flags, environ={"FLOWFORGE_TRACE": "1"}, traced=True)
        assert outcome.code == 1, outcome.text
        assert PLAIN not in outcome.text
        assert "profiles.yml" in outcome.text


@pytest.mark.parametrize(
    "line", [f"FF_VAULT_PASSWORD {PLAIN}", f"FF_VAULT_PASSWORD='{PLAIN}", PLAIN, f"export {PLAIN}"]
)
def test_a_line_of_variables_that_is_wrong_is_not_shown(line: str, project: Project, flowforge: Flowforge) -> None:
    folder = project({**FILES, "profiles.yml": profile("nowhere"), ".env": f"A=1\n{line}\n"})
    outcome = flowforge(folder, "build", "-vv", environ={"FLOWFORGE_TRACE": "1"}, traced=True)
    assert outcome.code == 1
    assert ".env:2" in outcome.text
    assert PLAIN not in outcome.text


USES = {
    "a-value": ("select '{{ env(\"FF_SECRET_TOKEN\") }}' as token", 0),
    "a-failing-cast": ("select cast('{{ env(\"FF_SECRET_TOKEN\") }}' as integer) as token", 1),
    "a-missing-column": ("select no_such_column, '{{ env(\"FF_SECRET_TOKEN\") }}' as token", 1),
    "an-identifier": ("select \"{{ env('FF_SECRET_TOKEN') }}\" from (select 1 as x)", 1),
    "an-open-text": ('select \'{{ env("FF_SECRET_TOKEN") }} as token', 1),
    "a-filter": ("select '{{ env(\"FF_SECRET_TOKEN\") | upper }}' as token", 0),
    "cut": ("select '{{ env(\"FF_SECRET_TOKEN\")[:3] }}' as token", 1),
    "called": ("select '{{ env(\"FF_SECRET_TOKEN\")() }}' as token", 1),
    "a-second-statement": ("select 1 as x; select '{{ env(\"FF_SECRET_TOKEN\") }}' as token", 1),
}


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("secret", [PLAIN, "O'Hara\"s-Secret%20"])
def test_a_secret_in_a_model_is_masked_everywhere_but_in_the_engine(
    name: str, secret: str, project: Project, flowforge: Flowforge
) -> None:
    body, code = USES[name]
    folder = project({**FILES, "profiles.yml": profile("nowhere"), "models/user.ff.sql": body})
    commands = [*COMMANDS, ("show", "user", "-vv"), ("show", "user", "--format", "json"), ("compile", "-s", "user")]
    for command in commands:
        outcome = flowforge(folder, *command, environ={"FF_SECRET_TOKEN": secret, "FLOWFORGE_TRACE": "1"}, traced=True)
        assert not [form for form in spellings(secret) if form in outcome.text], (command, outcome.text)
        if command == ("build",) and secret == PLAIN:
            assert outcome.code == code, outcome.text
    for file, text in written(folder, ("vault.duckdb",)):
        assert not [form for form in spellings(secret) if form in text], file
    if code == 0:
        assert "***" in flowforge(folder, "compile", "-s", "user", environ={"FF_SECRET_TOKEN": secret}).out


def test_the_engine_gets_the_secret_itself(project: Project, flowforge: Flowforge, read: Any) -> None:
    folder = project(
        {
            "models/user.ff.sql": USES["a-value"][0],
            "profiles.yml": profile("nowhere").replace("vault.duckdb", "demo.duckdb"),
        }
    )
    assert flowforge(folder, "build", environ={"FF_SECRET_TOKEN": PLAIN}).code == 0
    assert read(folder, "from user") == [(PLAIN,)] or read(folder, 'from "user"') == [(PLAIN,)]
