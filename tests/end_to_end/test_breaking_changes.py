"""``flowforge diff`` tells which promises of contracts changed, and can fail on those that break their readers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

OLD = """
table: a
columns:
  id: {type: bigint, nullable: false}
  state: {enum: [new, paid]}
  gone: {}
"""
NEW = """
table: a
columns:
  id: {type: bigint, nullable: true}
  state: {enum: [new], regex: "^[a-z|]+$"}
  more: {}
"""


@pytest.fixture
def kept(shop, tmp_path: Path) -> Path:
    """A manifest with the old contract; the project has the new one."""
    shop.write("models/a.ff.sql", "select 1 as id, 'new' as state, 2 as gone, 3 as more")
    shop.write("models/a.contracts.yml", OLD)
    shop("compile", "--manifest", str(tmp_path / "old.json"))
    shop.write("models/a.contracts.yml", NEW)
    return tmp_path / "old.json"


def test_text_tells_the_breaking_ones_first(shop, kept: Path) -> None:
    assert shop("diff", "--state", str(kept)).out.splitlines() == [
        "contract  breaking  a.id: nullable is true, and was false",
        "contract  breaking  a.gone: column removed",
        "contract  stricter  a.state: enum is [new], and was [new, paid]",
        "contract  stricter  a.state: regex is ^[a-z|]+$, and was not said",
        "contract  stricter  a.more: column added",
        f"compared with {kept}: no difference",
        "changes of contracts: 2 breaking, 3 stricter",
    ]


def test_the_exit_code_is_asked_for(shop, kept: Path) -> None:
    assert shop("diff", "--state", str(kept), "--fail-on-breaking", ok=False).code == 2
    assert shop("diff", "--state", str(kept), "--fail-on-breaking", "--exclude", "a").code == 0
    shop.write("models/a.contracts.yml", OLD.replace("state: {", "state: {nullable: false, "))
    ended = shop("diff", "--state", str(kept), "--fail-on-breaking")
    assert "contract  stricter  a.state: nullable is false, and was true" in ended.out


def test_json_and_markdown(shop, kept: Path) -> None:
    told = json.loads(shop("diff", "--state", str(kept), "--format", "json").out)["contracts"]
    assert told[0] == {
        "table": "a.ff",
        "column": "id",
        "key": "nullable",
        "level": "breaking",
        "before": False,
        "after": True,
    }
    lines = shop("diff", "--state", str(kept), "--format", "markdown").out.splitlines()
    assert "**changes of contracts: 2 breaking, 3 stricter**" in lines
    assert "| breaking | `a.gone` | column removed |" in lines
    assert "| stricter | `a.state` | regex is ^[a-z\\|]+$, and was not said |" in lines


def test_a_contract_that_is_enforced_is_a_part_of_the_model(shop, kept: Path) -> None:
    shop.write("models/a.contracts.yml", OLD + "enforce_schema: {mode: verify}\n")
    lines = shop("diff", "-q", "--state", str(kept)).out.splitlines()
    assert lines[0].startswith("modified  a: contract changed from None to verify: id bigint not null, state, gone")
    assert "contract  compatible  a: mode is verify, and was off" in lines


def test_a_manifest_without_contracts_breaks_nothing_and_proves_nothing(shop, kept: Path) -> None:
    from flowforge.api.manifest_file import _checksum

    data = json.loads(kept.read_text())
    del data["contracts"], data["checksum"]
    kept.write_text(json.dumps({**data, "checksum": _checksum(data)}))
    assert "contract" not in shop("diff", "--state", str(kept)).out
    ended = shop("diff", "--state", str(kept), "--fail-on-breaking", ok=False)
    assert ended.code == 1
    assert "FF2341" in ended.err
