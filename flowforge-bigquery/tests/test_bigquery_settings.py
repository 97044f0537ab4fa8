"""What a profile may say, and that listing plugins imports no driver."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from flowforge.contract import Capability
from flowforge_bigquery.plugin import ENGINE
from flowforge_bigquery.settings import BigQuerySettings


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"project": " "}, "project"),
        ({"dataset": ""}, "dataset"),
        ({"maximum_bytes_billed": 0}, "maximum_bytes_billed"),
        ({"connect_timeout": -1.0}, "connect_timeout"),
        ({"labels": {"Team": "x"}}, "label"),
        ({"labels": {"team": "Not So"}}, "label"),
        ({"api_endpoint": "localhost:9050"}, "api_endpoint"),
    ],
)
def test_settings_that_cannot_be(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        BigQuerySettings(**{"project": "p", "dataset": "d", **changes})


def test_a_key_is_referred_to_and_never_written() -> None:
    names = {name for name in dir(BigQuerySettings(project="p", dataset="d")) if not name.startswith("_")}
    assert not names & {"key", "private_key", "password", "token", "credentials_json"}


def test_every_capability_is_answered() -> None:
    assert set(ENGINE.capabilities) == set(Capability)


def test_names_need_no_service() -> None:
    assert ENGINE.offline is not None
    dialect, namespace = ENGINE.offline(BigQuerySettings(project="my-project", dataset="shop"))
    assert (dialect.name, namespace.schema, namespace.database) == ("bigquery", "shop", "my-project")


def test_listing_plugins_imports_no_driver() -> None:
    code = "import sys, flowforge_bigquery.plugin; print([n for n in sys.modules if n.split('.')[0] in ('google', 'pyarrow')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
