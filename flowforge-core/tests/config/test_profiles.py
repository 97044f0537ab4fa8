"""``profiles.yml``: choice, precedence, templates, types, paths."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest

from flowforge.config.profiles import Profile, load_profile, profile_names
from flowforge.contract import EngineSpec, setting
from flowforge.errors import ConfigFileError, FlowForgeError, PluginError, ProfileError, ProjectErrors


def positive(_instance: Any, attribute: Any, value: int) -> None:
    if value < 1:
        raise ValueError(f"{attribute.name} must be at least 1, not {value}")


@attrs.frozen(kw_only=True)
class FileSettings:
    path: str = setting(default=":memory:", env="FF_FILEDB_PATH", path=True)
    schema: str | None = setting(default=None, env="FF_FILEDB_SCHEMA", aliases=("db_schema",))
    threads: int | None = setting(default=None, env="FF_FILEDB_THREADS")
    ratio: float = setting(default=1.0, env="FF_FILEDB_RATIO")
    fast: bool = setting(default=False, env="FF_FILEDB_FAST")
    mode: Literal["ro", "rw"] = setting(default="rw", env="FF_FILEDB_MODE")
    extensions: tuple[str, ...] = setting(default=(), env="FF_FILEDB_EXTENSIONS")
    retries: int = setting(default=1, validator=positive)
    extra: Mapping[str, str] = setting(factory=dict)
    key_file: Path | None = setting(default=None, path=True)  # noqa: RUF009 - a declaration, as attrs.field is


@attrs.frozen(kw_only=True)
class ServerSettings:
    dsn: str = setting(env="FF_SERVER_DSN", secret=True)
    port: int = setting(default=5432, env="FF_SERVER_PORT", secret=True)
    db_schema: str = setting(default="public", env="FF_SERVER_SCHEMA", aliases=("schema",))


def nothing() -> Any:
    raise AssertionError("nothing may be loaded")


FILEDB = EngineSpec("filedb", "files", FileSettings, nothing, {}, aliases=("fdb",), zero_config=True)
SERVER = EngineSpec("serverdb", "a server", ServerSettings, nothing, {}, aliases=("srv",))


def engines(name: str) -> EngineSpec:
    for spec in (FILEDB, SERVER):
        if name in (spec.name, *spec.aliases):
            return spec
    if name == "brokendb":
        raise PluginError("the plugin of 'brokendb' failed")
    raise ProfileError(f"unknown engine {name!r}")


Load = Callable[..., Profile]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(
        text: str | None, env: str = "dev", environ: Mapping[str, str] | None = None, engine: str | None = None
    ) -> Profile:
        if text is not None:
            (tmp_path / "profiles.yml").write_text(text)
        return load_profile(tmp_path, env, environ or {}, engine=engine, engines=engines, default_engine=lambda: FILEDB)

    return load


def refused(load: Load, *args: Any, **kwargs: Any) -> FlowForgeError:
    with pytest.raises(FlowForgeError) as caught:
        load(*args, **kwargs)
    return caught.value


# -- the choice of a profile and an engine


def test_without_a_file_the_default_engine_runs_without_settings(load: Load) -> None:
    profile = load(None)
    assert (profile.name, profile.engine, profile.settings, profile.explicit) == ("dev", FILEDB, FileSettings(), False)


def test_without_a_file_variables_and_flags_still_count(load: Load, tmp_path: Path) -> None:
    profile = load(None, environ={"FF_FILEDB_PATH": "x.db", "FF_SERVER_DSN": "s"})
    assert profile.settings.path == str(tmp_path / "x.db")
    assert load(None, environ={"FF_ENGINE": "srv", "FF_SERVER_DSN": "s"}).engine is SERVER
    assert load(None, environ={"FF_ENGINE": "nope"}, engine="filedb").engine is FILEDB


def test_the_profile_of_the_environment_or_the_default(load: Load) -> None:
    text = "dev: {engine: filedb, filedb: {schema: d}}\ndefault: {engine: fdb, fdb: {db_schema: x}}\n"
    dev, other = load(text), load(text, env="other")
    assert (dev.name, dev.settings.schema, dev.explicit) == ("dev", "d", True)
    assert (other.name, other.engine, other.settings.schema) == ("default", FILEDB, "x")


def test_profiles_may_stand_under_a_key_of_their_own(load: Load, tmp_path: Path) -> None:
    text = "profiles:\n  dev: {engine: filedb}\n  prod: {engine: serverdb}\n"
    assert load(text).name == "dev"
    assert profile_names(tmp_path, {}) == ("dev", "prod")
    error = refused(load, text + "stage: {engine: filedb}\n")
    assert str(error.location) == "profiles.yml:4:1"
    assert load("profiles: {engine: filedb}\n", env="profiles").name == "profiles"


def test_no_profile_of_that_name(load: Load, tmp_path: Path) -> None:
    error = refused(load, "prod: {engine: filedb}\nstaging: {engine: filedb}\n", env="stagign")
    assert error.code == "FF1302"
    assert error.help == "did you mean 'staging'?"
    assert "'prod', 'staging'" in error.notes[0]
    assert refused(load, "", env="dev").code == "FF1302"
    assert profile_names(tmp_path, {}) == ()


def test_flag_over_variable_over_file_for_the_engine(load: Load) -> None:
    text = "dev:\n  engine: filedb\n  filedb: {schema: f}\n  srv: {dsn: d, schema: s}\n"
    assert load(text).settings.schema == "f"
    by_variable = load(text, environ={"FF_ENGINE": "serverdb"})
    assert (by_variable.engine, by_variable.settings.db_schema) == (SERVER, "s")
    assert load(text, environ={"FF_ENGINE": "serverdb"}, engine="filedb").engine is FILEDB
    assert load("dev: {srv: {dsn: d}}", engine="serverdb").settings.dsn == "d"
    assert load(text, environ={"FF_ENGINE": ""}).engine is FILEDB


def test_an_unknown_engine_is_blamed_where_it_was_named(load: Load) -> None:
    error = refused(load, "dev:\n  engine: filedbb\n")
    assert str(error.location) == "profiles.yml:2:11"
    error = refused(load, "dev: {engine: filedb}", environ={"FF_ENGINE": "nope"})
    assert error.location is None
    assert "FF_ENGINE" in error.notes[-1]
    assert "--engine" in refused(load, "dev: {engine: filedb}", engine="nope").notes[-1]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[]", "1:1"),
        ("dev", "1:1"),
        ("dev:", "1:1"),
        ("dev: filedb", "1:6"),
        ("dev: {}", "1:1"),
        ("dev: {engine: 5}", "1:15"),
        ("dev: {engine: }", "1:15"),
        ("1: {engine: filedb}", "1:1"),
        ("? \n", "1:2"),
        ("{profiles: {}, '': 1}", "1:16"),
        ("{{ env('A', 'dev') }}: {engine: filedb}", "1:1"),
        ("dev: {engine: filedb, filedb: [a]}", "1:31"),
        ("dev: {engine: filedb, filedb: {pth: a}}", "1:32"),
        ("dev: {engine: filedb, filedb: {path: 5}}", "1:38"),
        ("dev: {engine: filedb, filedb: {threads: '4'}}", "1:41"),
        ("dev: {engine: filedb, filedb: {fast: 'yes'}}", "1:38"),
        ("dev: {engine: filedb, filedb: {retries: 0}}", "1:41"),
        ("dev: {engine: filedb, filedb: {schema: a, db_schema: b}}", "1:43"),
        ("dev: {engine: filedb, filedb: {}, fdb: {}}", "1:35"),
        ("dev: {engine: filedb, filedbb: {}}", "1:23"),
        ("dev: {engine: filedb, path: a}", "1:23"),
        ("dev: {engine: filedb, 5: a}", "1:23"),
        ("dev: {engine: filedb, artifacts: {mode: db}}", "1:23"),
        ("dev: {engine: serverdb, serverdb: {port: 1}}", "1:35"),
        ("dev: {engine: serverdb}", "1:6"),
        ("dev: {engine: filedb, filedb: {path: ../x.db}}", "1:38"),
        ("dev: {engine: filedb, filedb: {path: ''}}", "1:38"),
    ],
)
def test_what_is_wrong_has_its_place(load: Load, text: str, place: str) -> None:
    error = refused(load, text)
    assert not isinstance(error, ProjectErrors)
    assert str(error.location) == f"profiles.yml:{place}"


def test_all_flaws_of_a_profile_come_together(load: Load) -> None:
    error = refused(load, "dev:\n  engine: filedb\n  nope: 1\n  filedb:\n    pth: 1\n    threads: x\n    fast: 3\n")
    assert isinstance(error, ProjectErrors)
    assert [str(each.location) for each in error.errors] == [
        f"profiles.yml:{n}" for n in ("3:3", "5:5", "6:14", "7:11")
    ]


def test_blocks_of_other_engines_may_stay_and_mistyped_ones_may_not(load: Load) -> None:
    assert load("dev: {engine: filedb, serverdb: {dsn: x}, brokendb: {a: 1}, artifacts: }").engine is FILEDB
    error = refused(load, "dev: {engine: filedb, fildb: {path: x}}")
    assert error.help == "did you mean 'filedb'?"
    error = refused(load, "dev: {engine: filedb, threads: 3}")
    assert error.help is not None
    assert "under 'filedb:'" in error.help


def test_other_profiles_do_not_matter(load: Load) -> None:
    text = "dev: {engine: filedb}\nprod: {engine: nope, what: ever, x: \"{{ env('MISSING') }}\"}\nold: 5\n"
    assert load(text).name == "dev"


def test_a_missing_setting_names_its_variable(load: Load) -> None:
    error = refused(load, "dev: {engine: serverdb}")
    assert error.code == "FF1006"
    assert error.help is not None
    assert "FF_SERVER_DSN" in error.help
    assert "needs 'dsn'" in refused(load, None, engine="serverdb").message
    assert load("dev: {engine: serverdb}", environ={"FF_SERVER_DSN": "d"}).settings.dsn == "d"


# -- variables


def test_a_variable_wins_over_the_file(load: Load) -> None:
    text = "dev: {engine: filedb, filedb: {db_schema: f, threads: 2}}"
    settings = load(text, environ={"FF_FILEDB_SCHEMA": "v", "FF_FILEDB_THREADS": ""}).settings
    assert (settings.schema, settings.threads) == ("v", 2)


@pytest.mark.parametrize(("text", "value"), [
    ("1", True), ("true", True), ("YES", True), ("on", True), ("0", False), ("False", False), ("no", False), ("off", False),
])  # fmt: skip
def test_booleans_of_variables(load: Load, text: str, value: bool) -> None:
    assert load(None, environ={"FF_FILEDB_FAST": text}).settings.fast is value


def test_types_of_variables(load: Load) -> None:
    settings = load(
        None,
        environ={
            "FF_FILEDB_THREADS": " 4 ",
            "FF_FILEDB_RATIO": "0.5",
            "FF_FILEDB_MODE": "ro",
            "FF_FILEDB_EXTENSIONS": "json, icu",
            "FF_FILEDB_SCHEMA": "007",
        },
    ).settings
    assert (settings.threads, settings.ratio, settings.mode) == (4, 0.5, "ro")
    assert settings.extensions == ("json", "icu")
    assert settings.schema == "007"


@pytest.mark.parametrize(
    ("name", "value"), [("THREADS", "many"), ("RATIO", "x"), ("FAST", "2"), ("MODE", "r"), ("PATH", "../x.db")]
)
def test_a_wrong_variable_is_named(load: Load, name: str, value: str) -> None:
    error = refused(load, "dev: {engine: filedb}", environ={f"FF_FILEDB_{name}": value})
    assert isinstance(error, ProfileError)
    assert f"FF_FILEDB_{name}" in error.message
    assert error.location is None


# -- templates


def test_templates(load: Load, tmp_path: Path) -> None:
    text = (
        "dev:\n  engine: {{ env('ENGINE', 'filedb') }}\n  filedb:\n"
        "    path: \"{{ project_dir() }}/{{ env('NAME') | lower }}.db\"\n"
        "    threads: {{ env('THREADS', 3) }}\n    fast: {{ env('FAST') }}\n"
        "    schema: {% if env('CI', '') == '1' %}ci{% else %}local{% endif %}\n"
        "    extra: {a: \"x-{{ env('NAME') }}\"}\n"
    )
    settings = load(text, environ={"NAME": "Shop", "FAST": "yes", "CI": "1"}).settings
    assert settings == FileSettings(
        path=str(tmp_path / "shop.db"), threads=3, fast=True, schema="ci", extra={"a": "x-Shop"}
    )
    assert {type(text) for text in (settings.path, settings.schema, settings.extra["a"])} == {str}


@pytest.mark.parametrize(
    "password", ["p: #x", '"quoted"', "!tag", "*alias", "a\nb: c", "{{ env('HOME') }}", "}", "ü" * 9, "007", "null"]
)
def test_a_value_can_hold_any_character_and_never_changes_the_file(load: Load, password: str) -> None:
    for text in ("{{ env('PW') }}", "\"{{ env('PW') }}\"", "'{{ env(\"PW\") }}'"):
        profile = load(f"dev: {{engine: serverdb, serverdb: {{dsn: {text}, schema: s}}}}", environ={"PW": password})
        assert profile.settings.dsn == password
        assert profile.settings.db_schema == "s"


def test_a_variable_that_is_not_set(load: Load) -> None:
    error = refused(load, "# first\ndev:\n  engine: serverdb\n  serverdb:\n    dsn: \"{{ env('PW') }}\"\n")
    assert error.code == "FF1305"
    assert "PW" in error.message
    assert str(error.location) == "profiles.yml:5:10"
    error = refused(load, "dev:\n  engine: filedb\n  {% if env('X') == '1' %}\n  filedb: {}\n  {% endif %}\n")
    assert (error.code, str(error.location)) == ("FF1305", "profiles.yml:3")
    assert load("dev: {engine: filedb, filedb: {schema: \"{{ env('X', '') }}\"}}").settings.schema == ""


def test_places_behind_expressions_point_into_the_file(load: Load) -> None:
    error = refused(load, "dev: {engine: {{ env('E') }}, filedb: {pth: 1}}", environ={"E": "filedb"})
    assert str(error.location) == "profiles.yml:1:15"
    error = refused(load, "{# a\n b #}dev: {engine: filedb, filedb: {pth: 1}}")
    assert str(error.location) == "profiles.yml"


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ env.__globals__ }}",
        "{{ env['__globals__'] }}",
        "{{ env|attr('__globals__') }}",
        "{{ project_dir.__self__ }}",
        "{{ self.__init__ }}",
        "{{ config }}",
        "{{ range(10) }}",
        "{{ lipsum() }}",
        "{{ cycler('a') }}",
        "{{ namespace() }}",
        "{{ 'a' * 10 }}",
        "{{ 2 ** 9 }}",
        "{{ 'a'.upper() }}",
        "{{ '%d'|format(3) }}",
        "{{ 'x'|center(1000000000) }}",
        "{{ [1][0] }}",
        "{% for i in [1, 2] %}{% endfor %}",
        "{% set x = 1 %}",
        "{% macro m() %}{% endmacro %}",
        "{% include 'project.yml' %}",
        "{% import 'x' as x %}",
        "{% extends 'x' %}",
        "{% block b %}{% endblock %}",
        "{% call env() %}{% endcall %}",
        "{% filter upper %}{% endfilter %}",
        "{% raw %}{% endraw %}{{ x }}",
        "{{ env(",
        "{% if %}",
        "{{ 'a' | nope }}",
        "{{ env(5) }}",
        "{{ env() }}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    ],
)
def test_templates_can_do_nothing_else(load: Load, template: str) -> None:
    error = refused(load, f"dev: {{engine: filedb}}\n# {template}\n")
    assert isinstance(error, ProfileError)
    assert error.code == "FF1304"
    assert error.location is not None
    assert error.location.path == "profiles.yml"


def test_jinja_is_imported_only_for_templates(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from flowforge.config.profiles import profile_names; "
        f"profile_names(Path({str(tmp_path)!r}), {{}}); sys.exit('jinja2' in sys.modules)"
    )
    (tmp_path / "profiles.yml").write_text("dev: {engine: filedb}")
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    (tmp_path / "profiles.yml").write_text("dev: {engine: {{ env('X', 'y') }}}")
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 1


# -- paths


def test_relative_paths_start_at_the_project_not_at_the_working_folder(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    settings = load("dev: {engine: filedb, filedb: {path: a/../b/x.db, key_file: keys/k}}").settings
    assert settings.path == str(tmp_path / "b" / "x.db")
    assert settings.key_file == tmp_path / "keys" / "k"


@pytest.mark.parametrize("value", [":memory:", ":memory:name", "https://host/x.db", "s3://bucket/x", "/var/x.db"])
def test_what_is_no_relative_path_stays(load: Load, value: str) -> None:
    assert load('dev: {engine: filedb, filedb: {path: "%s"}}' % value).settings.path == value  # noqa: UP031


def test_home_is_understood(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert load("dev: {engine: filedb, filedb: {path: ~/x.db}}").settings.path == "/home/me/x.db"


@pytest.mark.parametrize("value", ["../x.db", "a/../../x.db", "link/x.db", "link", "..", "a\\0b"])
def test_paths_may_not_leave_the_project(load: Load, tmp_path: Path, value: str) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (tmp_path / "link").symlink_to(outside)
    error = refused(load, 'dev: {engine: filedb, filedb: {path: "%s"}}' % value)  # noqa: UP031
    assert error.code == "FF1307"
    assert str(error.location) == "profiles.yml:1:38"


def test_dots_behind_a_link_mean_what_the_system_says(load: Load, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b")
    settings = load("dev: {engine: filedb, filedb: {path: link/../../x.db}}").settings
    assert settings.path == str(tmp_path.resolve() / "x.db")


def test_a_relative_project_folder_gives_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    profile = load_profile(Path(), "dev", {"FF_FILEDB_PATH": "x.db"}, engines=engines, default_engine=lambda: FILEDB)
    assert profile.settings.path == str(tmp_path / "x.db")


def test_a_link_inside_of_the_project_is_fine(load: Load, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    assert load("dev: {engine: filedb, filedb: {path: link/x.db}}").settings.path == str(tmp_path / "link" / "x.db")


# -- secrets

SECRET = "hunter2-geheim"


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        (f"dev: {{engine: serverdb, serverdb: {{dsn: [{SECRET}]}}}}", {}),
        (f"dev: {{engine: serverdb, serverdb: {{dsn: {{{SECRET}: 1}}}}}}", {}),
        (f"dev: {{engine: serverdb, serverdb: {{dsn: x, port: {SECRET}}}}}", {}),
        ("dev: {engine: serverdb, serverdb: {dsn: x, port: \"{{ env('PW') }}\"}}", {"PW": SECRET}),
        ("dev: {engine: serverdb, serverdb: {dsn: x}}", {"FF_SERVER_PORT": SECRET}),
        ("dev: {engine: filedb, filedb: {threads: \"{{ env('MY_PASSWORD') }}\"}}", {"MY_PASSWORD": SECRET}),
        ("dev: {engine: filedb, filedb: {mode: \"{{ env('MY_PASSWORD') }}\"}}", {"MY_PASSWORD": SECRET}),
        ("dev: {engine: \"{{ env('MY_PASSWORD') }}\"}", {"MY_PASSWORD": SECRET}),
        ("dev: {engine: filedb}\n# {{ env('API_KEY') | nope }}", {"API_KEY": SECRET}),
    ],
)
def test_no_message_shows_a_secret(load: Load, text: str, environ: Mapping[str, str]) -> None:
    error = refused(load, text, environ=environ)
    parts = error.errors if isinstance(error, ProjectErrors) else (error,)
    shown = "".join(repr((part.message, part.help, part.notes, str(part), part.args)) for part in (error, *parts))
    assert SECRET not in shown


def test_the_repr_of_a_profile_shows_no_secret(load: Load) -> None:
    profile = load(f"dev: {{engine: serverdb, serverdb: {{dsn: {SECRET}}}}}")
    assert profile.settings.dsn == SECRET
    assert SECRET not in repr(profile)


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "profiles.yml").write_bytes(b"dev: {engine: \xf6}")
    with pytest.raises(ConfigFileError, match="offset 14"):
        load_profile(tmp_path, "dev", {}, engines=engines, default_engine=lambda: FILEDB)
