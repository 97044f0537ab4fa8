"""What a profile may say, and what of it is shown."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from flowforge.contract import EngineSpec
from flowforge_snowflake.plugin import ENGINE
from flowforge_snowflake.settings import SnowflakeSettings

LEAST: dict[str, Any] = {"account": "myorg-account", "user": "builder", "database": "shop"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"account": "myorg-account.snowflakecomputing.com"}, "in front of"),
        ({"account": "https://x"}, "in front of"),
        ({"account": " "}, "must not be empty"),
        ({"schema": ""}, "must not be empty"),
        ({"port": 0}, "more than 0"),
        ({"connect_timeout": -1}, "more than 0"),
        ({"protocol": "ftp"}, "https or http"),
        ({"load": "fast"}, "one of auto, stage, insert"),
    ],
    ids=lambda value: repr(value) if isinstance(value, dict) else None,
)
def test_values_that_make_no_sense(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SnowflakeSettings(**{**LEAST, **changes})


def test_nothing_secret_is_shown() -> None:
    secrets = ("password", "private_key", "private_key_path", "private_key_passphrase", "token")
    shown = repr(SnowflakeSettings(**LEAST, **dict.fromkeys(secrets, "hush")))
    assert "hush" not in shown
    assert shown.count("***") == len(secrets)


def test_the_rules_of_text_need_no_connection() -> None:
    assert ENGINE.offline is not None
    dialect, namespace = ENGINE.offline(SnowflakeSettings(**LEAST, schema="analytics"))
    assert (dialect.name, namespace.database, namespace.schema) == (ENGINE.name, "shop", "analytics")


def test_every_setting_can_be_found_in_the_readme(request: pytest.FixtureRequest) -> None:
    readme = request.path.parent.parent / "README.md"
    text = readme.read_text("utf-8")
    assert isinstance(ENGINE, EngineSpec)
    for name in inspect.signature(SnowflakeSettings).parameters:
        assert f"`{name}`" in text, name
