"""What the engine says about itself; no database is opened."""

from __future__ import annotations

import datetime as dt
import decimal
import inspect
import json
import re
import subprocess
import sys
from typing import Any

import attrs
import pyarrow as pa
import pytest

from flowforge.contract import API_VERSION, Capability, Dialect, EngineSpec, Executor, Session
from flowforge.errors import UnsupportedError
from flowforge.materialize.staging import staging_name
from flowforge.testkit.lab import Lab
from flowforge.values import Relation

PROBE = """
import json, sys
import attrs, flowforge.contract, flowforge.hookspecs
before = set(sys.modules)
import {module}
new = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(json.dumps(sorted(new - set(sys.stdlib_module_names) - {{"flowforge", "{module}".partition(".")[0]}})))
"""


def test_names_are_plain_words(ff_spec: EngineSpec) -> None:
    for word in (ff_spec.name, *ff_spec.aliases):
        assert re.fullmatch(r"[a-z][a-z0-9_]*", word), word
    assert ff_spec.summary


def test_every_capability_is_answered(ff_spec: EngineSpec) -> None:
    missing = [capability.value for capability in Capability if capability not in ff_spec.capabilities]
    assert missing == []


def test_the_contract_is_known(ff_spec: EngineSpec) -> None:
    assert 1 <= ff_spec.api <= API_VERSION


def test_settings_are_a_frozen_class_of_named_fields(ff_spec: EngineSpec) -> None:
    assert attrs.has(ff_spec.settings)
    for field in attrs.fields(ff_spec.settings):
        assert field.kw_only, field.name
        assert {"env", "secret", "path", "aliases", "help", "affects_data"} <= set(field.metadata), (
            f"{field.name}: made by setting()?"
        )
        assert field.metadata["help"], f"{field.name} has no help"
        env = field.metadata["env"]
        assert env is None or re.fullmatch(r"FF_[A-Z0-9_]+", env), env
    values = {f.name: "x" for f in attrs.fields(ff_spec.settings) if f.default is attrs.NOTHING}
    instance = ff_spec.settings(**values)
    for field in attrs.fields(ff_spec.settings):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(instance, field.name, "y")


def test_secret_looking_settings_are_marked_secret(ff_spec: EngineSpec) -> None:
    for field in attrs.fields(ff_spec.settings):
        if re.search(r"(^|_)(password|passwd|secret|token|dsn|private_key)($|_)", field.name):
            assert field.metadata["secret"], field.name


def test_the_entry_module_imports_no_driver(ff_spec: EngineSpec) -> None:
    module = inspect.unwrap(ff_spec.load).__module__
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(module=module)], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []


def test_loading_gives_an_executor_with_a_dialect_of_the_same_name(lab: Lab) -> None:
    assert isinstance(lab.executor, Executor)
    assert isinstance(lab.dialect, Dialect)
    assert lab.dialect.name == lab.spec.name


@pytest.mark.parametrize("base", [Executor, Dialect, Session])
def test_methods_take_what_the_contract_says(lab: Lab, base: type) -> None:
    mine = next(one for one in (lab.executor, lab.dialect, lab.session()) if isinstance(one, base))
    for name, method in inspect.getmembers(base, inspect.isfunction):
        if name.startswith("_"):
            continue
        expected = _parameters(method)
        found = _parameters(getattr(type(mine), name))
        assert found[: len(expected)] == expected, f"{name}{inspect.signature(getattr(type(mine), name))}"
        extra = list(inspect.signature(getattr(type(mine), name)).parameters.values())[len(expected) :]
        assert all(one.default is not one.empty or one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in extra)


def _parameters(function: Any) -> list[tuple[str, Any]]:
    return [(one.name, one.kind) for one in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), [1], {"a": 1}, decimal.Decimal("NaN")])
def test_what_has_no_literal_is_refused(lab: Lab, value: Any) -> None:
    with pytest.raises(TypeError):
        lab.dialect.literal(value)


@pytest.mark.parametrize(
    "value",
    [None, True, -1, 0.5, "it's", b"\x00'", dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 1, 2, 3)],  # noqa: DTZ001
    ids=repr,
)
def test_literals_are_one_line_of_text(lab: Lab, value: Any) -> None:
    text = lab.dialect.literal(value)
    assert text
    assert "\n" not in text


def test_folding_is_settled_after_one_time(lab: Lab) -> None:
    for name in ("lower", "UPPER", "MixedCase", "ünïcödé", "with space"):
        assert lab.dialect.fold(lab.dialect.fold(name)) == lab.dialect.fold(name)


def test_a_relation_is_rendered_with_all_its_parts(lab: Lab) -> None:
    quote, render = lab.dialect.quote, lab.dialect.render
    assert quote("n") in render(Relation("n"))
    assert quote("s") in render(Relation("n", "s"))
    lab.expect_refusal("a.b")
    assert render(Relation("a.b")) != render(Relation("b", "a"))


def test_every_type_has_a_column_type_or_a_refusal(lab: Lab) -> None:
    for type_ in (pa.int64(), pa.float64(), pa.string(), pa.bool_(), pa.date32(), pa.timestamp("us"), pa.binary()):
        assert lab.dialect.type_name(type_)
    with pytest.raises(UnsupportedError):
        lab.dialect.type_name(pa.sparse_union([pa.field("a", pa.int8()), pa.field("b", pa.string())]))


def test_the_types_of_our_own_tables_are_those_of_arrow(lab: Lab) -> None:
    for type_ in (pa.string(), pa.int64(), pa.timestamp("us")):
        assert lab.dialect.plain_type(str(type_)) == lab.dialect.type_name(type_)


def test_staging_names_fit(lab: Lab) -> None:
    limit = lab.dialect.max_identifier_bytes
    if limit is not None:
        assert len(staging_name("n" * 300, "run", limit=limit).encode()) <= limit
