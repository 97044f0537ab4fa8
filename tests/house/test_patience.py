"""Nobody waits long for a server that is not there: what a profile says when it says nothing."""

from __future__ import annotations

import importlib

import attrs
import pytest

LONGEST = 10.0
"""Seconds until a wrong host, a wrong password, or a server that is down has to be told."""
SERVICES = ("postgres", "bigquery", "snowflake", "spark")


@pytest.mark.parametrize("name", SERVICES)
def test_a_connection_is_waited_for_less_than_ten_seconds(name: str) -> None:
    (spec,) = importlib.import_module(f"flowforge_{name}.plugin").flowforge_engines()
    field = next(field for field in attrs.fields(spec.settings) if field.name == "connect_timeout")
    assert 0 < field.default < LONGEST
    assert "Seconds" in field.metadata["help"]
