"""How a run was called survives the way through the memory of runs, whatever another hand wrote there."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from flowforge.api.retry import recall, remember
from flowforge.config.secrets import Redactor
from flowforge.run.options import RunOptions
from flowforge.run.scheduler import FailPolicy
from flowforge.state.policy import CacheMode

options = st.builds(
    RunOptions,
    jobs=st.none() | st.integers(1, 64),
    policy=st.sampled_from(FailPolicy),
    timeout=st.none() | st.floats(0.1, 1e6),
    lock_timeout=st.none() | st.floats(0, 1e6),
    cache=st.sampled_from(CacheMode),
    rebuild=st.lists(st.text(min_size=1), max_size=3).map(tuple),
    full_refresh=st.booleans(),
    assume_unchanged=st.booleans(),
)
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def project(**vars: Any) -> Any:
    return SimpleNamespace(redactor=Redactor(["hush-hush-hush"]), given_vars=vars, given_engine=None)


@given(options)
def test_options_come_back(given_options: RunOptions) -> None:
    kept = json.loads(json.dumps(remember(project(), given_options)))
    assert recall(kept) == given_options


@given(st.dictionaries(st.sampled_from([*remember(project(), RunOptions())]), junk))
@example({"jobs": 0.5, "timeout": float("inf"), "lock_timeout": 10**400})
@example({"jobs": float("inf"), "timeout": float("nan"), "lock_timeout": -1})
def test_whatever_is_read_makes_options(record: dict[str, Any]) -> None:
    found = recall(record)
    assert found.jobs is None or found.jobs >= 1
    assert isinstance(found.cache, CacheMode)
    assert all(isinstance(name, str) for name in found.rebuild)


def test_secrets_and_what_is_no_plain_data_are_withheld() -> None:
    kept = remember(project(low=1, days=[1, 2], api_token="x", url="see hush-hush-hush", odd={1: 2}), RunOptions())
    assert kept["vars"] == {"low": 1, "days": [1, 2]}
    assert kept["withheld"] == ["api_token", "url", "odd"]
    assert "hush" not in json.dumps(kept)
