"""What a profile may say, and what it is told when it says something else. Needs no driver."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from flowforge.errors import EngineError, ErrorKind
from flowforge_spark import connect
from flowforge_spark.connect import session_conf
from flowforge_spark.settings import SparkSettings


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"master": "localhost:15002"}, "sc://host"),
        ({"master": "sc://"}, "sc://host"),
        ({"master": "sc://h:15002/;token=abc"}, "write it as token"),
        ({"table_format": "dleta"}, "did you mean delta"),
        ({"state_format": "parquet"}, "delta, iceberg"),
        ({"host": "https://x", "master": "local[2]"}, "say one of them"),
        ({"cluster_id": "1"}, "needs host"),
        ({"master": "sc://h", "warehouse_dir": "elsewhere"}, "a server has its own"),
        ({"extra_conf": {"spark.sql.session.timeZone": "CET"}}, "UTC"),
        ({"extra_conf": {"spark.x": ["a"]}}, "spark.x"),
        ({"connect_timeout": 0}, "more than 0"),
    ],
    ids=lambda given: "-".join(given) if isinstance(given, dict) else None,
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        SparkSettings(**given)
    assert "abc" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("parquet", True, False)),
        ({"master": "local[2]", "table_format": "delta"}, ("delta", True, False)),
        ({"master": "sc://h:1"}, ("delta", False, True)),
        ({"master": "yarn"}, ("delta", False, False)),
        ({"host": "https://x"}, ("delta", False, True)),
    ],
    ids=str,
)
def test_where_spark_runs_decides_the_format(given: dict[str, Any], expected: tuple[str, bool, bool]) -> None:
    settings = SparkSettings(**given)
    assert (settings.default_format, settings.is_local, settings.is_connect) == expected


def test_secrets_are_not_shown() -> None:
    shown = repr(SparkSettings(token="tok-1", extra_conf={"spark.hadoop.fs.s3a.secret.key": "key-1"}))
    assert "tok-1" not in shown
    assert "key-1" not in shown


def test_sessions_are_in_utc_and_a_profile_may_say_the_rest() -> None:
    conf = session_conf(SparkSettings(master="sc://h", extra_conf={"spark.sql.ansi.enabled": False, "spark.x": 1}))
    assert conf["spark.sql.session.timeZone"] == "UTC"
    assert conf["spark.sql.ansi.enabled"] == "false"
    assert conf["spark.x"] == "1"
    assert "spark.x" not in session_conf(SparkSettings(extra_conf={"spark.x": 1}))


@pytest.mark.parametrize(
    ("settings", "extra"),
    [
        (SparkSettings(master="sc://127.0.0.1:1"), "connect"),
        (SparkSettings(host="https://x"), "databricks"),
        (SparkSettings(), "local"),
    ],
    ids=["connect", "databricks", "local"],
)
def test_a_missing_driver_is_named_with_its_extra(
    settings: SparkSettings, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EngineError) as refused:
        connect.connect(settings)
    assert refused.value.code == "FF2130"
    assert refused.value.help == f"pip install 'flowforge-spark[{extra}]'"


def test_a_missing_java_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(EngineError, match="there is no Java under JAVA_HOME") as refused:
        connect.need_java()
    assert (refused.value.code, refused.value.kind) == ("FF2131", ErrorKind.UNSUPPORTED)


def test_a_java_that_is_too_old_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_402\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(EngineError, match=r"Java is of version 8\.0_402"):
        connect.need_java()


def test_a_local_warehouse_belongs_to_one_process_at_a_time(tmp_path: Path) -> None:
    settings = SparkSettings(master="local[2]", warehouse_dir=str(tmp_path / "house"))
    held = connect.alone(settings)
    assert held is not None
    with pytest.raises(EngineError, match=rf"in use by process {os.getpid()}") as refused:
        connect.alone(settings)
    assert refused.value.kind is ErrorKind.LOCKED
    held.close()
    again = connect.alone(settings)
    assert again is not None
    again.close()


def test_a_server_that_does_not_answer_is_named_at_once() -> None:
    with pytest.raises(EngineError, match=r"no Spark Connect server answers at 127\.0\.0\.1:1 ") as refused:
        connect.reach("sc://127.0.0.1:1/;session_id=x", SparkSettings(master="sc://127.0.0.1:1"))
    assert refused.value.kind is ErrorKind.CONNECTION
