"""Contracts as files: what they say together, what follows from it, and what is refused. Nothing is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from flowforge import Project
from flowforge.errors import FlowForgeError, ProjectErrors
from flowforge.project.contracts import Contract
from flowforge.project.manifest import CheckDecl

Load = Callable[[Mapping[str, str]], Project]
MODEL = {"models/orders.ff.sql": "select 1 as id", "models/items.ff.sql": "select 1 as id"}


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Writes and loads a project."""

    def loader(files: Mapping[str, str]) -> Project:
        for path, text in {"project.yml": "name: demo\nversion: 1\n", **MODEL, **files}.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        return Project.load(tmp_path, environ={})

    return loader


def problems(load: Load, files: Mapping[str, str]) -> list[tuple[str, str]]:
    """Codes and places of what is wrong."""
    with pytest.raises(FlowForgeError) as caught:
        load(files)
    error = caught.value
    errors = error.errors if isinstance(error, ProjectErrors) else (error,)
    return [(one.code, str(one.location)) for one in errors]


def orders(load: Load, contract: str, shared: str = "") -> tuple[Contract, list[CheckDecl]]:
    files = {"models/orders.contracts.yml": contract} | ({"contracts.yml": shared} if shared else {})
    manifest = load(files).manifest
    return manifest.contracts["orders.ff"], list(manifest.checks)


def test_every_key_becomes_a_check(load: Load) -> None:
    contract, checks = orders(
        load,
        """
version: 1
table: orders
columns:
  id: {type: int, physical: int4, nullable: false, unique: true}
  state: {enum: [new, paid], regex: "^[a-z]+$"}
  amount: {min: 0, max: 9.5}
  flag: {enum: x, nullable: true, unique: false}
  note: {description: what it is about}
""",
    )
    assert [(one.type, one.column) for one in checks] == [
        ("column_physical_type", "id"),
        ("column_type", "id"),
        ("not_null", "id"),
        ("unique", "id"),
        ("accepted_values", "state"),
        ("regex_match", "state"),
        ("between", "amount"),
        ("accepted_values", "flag"),
        ("column_exists", "note"),
    ]
    assert {(one.severity, one.tags, one.node, one.table) for one in checks} == {
        ("error", ("contract",), "orders.ff", "orders")
    }
    assert all(one.id.startswith("contract_") for one in checks)
    assert [str(one.location) for one in checks[:2]] == [
        "models/orders.contracts.yml:5:29",
        "models/orders.contracts.yml:5:14",
    ]
    assert (contract.mode, contract.allow_extra_columns, contract.enforced) == ("off", True, False)
    assert contract.columns["id"].type == "integer"
    assert (contract.columns["amount"].min, contract.columns["amount"].max) == (0, 9.5)
    assert contract.columns["flag"].enum == ("x",)


def test_a_contract_may_stand_beside_the_same_check(load: Load) -> None:
    yml = "version: 1\nmodels: [{name: orders, columns: [{name: id, checks: [not_null]}]}]\n"
    manifest = load(
        {"models/m.yml": yml, "models/o.contracts.yml": "table: orders.ff\ncolumns: {id: {nullable: false}}\n"}
    ).manifest
    assert [one.id for one in manifest.checks] == ["not_null_orders_id", "contract_not_null_orders_id"]


SHARED = """
version: 1
defaults:
  columns:
    - match: {name: "_id$", table: "^ord"}
      type: bigint
      nullable: false
    - match: {name: "id"}
      type: string
      unique: true
      description: names a row
"""


def test_the_first_rule_fills_what_a_column_leaves_open(load: Load) -> None:
    contract, checks = orders(
        load, "table: orders\ncolumns: {user_id: {}, item_id: {type: integer, unique: false}, id: {}, x: {}}\n", SHARED
    )
    found = {name: (one.type, one.nullable, one.unique) for name, one in contract.columns.items()}
    assert found == {
        "user_id": ("bigint", False, True),
        "item_id": ("integer", False, False),
        "id": ("string", True, True),
        "x": (None, True, False),
    }
    assert {one.column: str(one.location) for one in checks if one.type == "column_type"} == {
        "user_id": "contracts.yml:6:13",
        "item_id": "models/orders.contracts.yml:2:40",
        "id": "contracts.yml:9:13",
    }


def test_a_rule_counts_only_for_columns_that_are_listed(load: Load) -> None:
    manifest = load({"models/o.contracts.yml": "table: orders\ncolumns: {x: {}}\n", "contracts.yml": SHARED}).manifest
    assert [one.type for one in manifest.checks] == ["column_exists"]
    assert [(note.code, str(note.location)) for note in manifest.notes] == [
        ("FF3067", "contracts.yml:5:7"),
        ("FF3067", "contracts.yml:8:7"),
    ]


def test_descriptions_reach_the_model_where_nothing_else_describes_the_column(load: Load) -> None:
    yml = "version: 1\nmodels: [{name: orders, columns: [{name: id, description: own}, {name: x}]}]\n"
    contract = "table: orders\ncolumns: {id: {description: other}, x: {description: of x}, y: {description: of y}}\n"
    node = load({"models/m.yml": yml, "models/o.contracts.yml": contract}).manifest.nodes["orders.ff"]
    assert {name: one.description for name, one in node.columns.items()} == {"id": "own", "x": "of x", "y": "of y"}


MODES = """
enforcement:
  default_mode: verify
  allow_extra_columns: false
  tables:
    orders: {mode: cast, allow_extra_columns: true}
"""


@pytest.mark.parametrize(
    ("own", "shared", "mode", "extra"),
    [
        ("", "", "off", True),
        ("enforce_schema: {mode: verify}", "", "verify", True),
        ("enforce_schema: {allow_extra_columns: false}", "", "off", False),
        ("", "enforcement: {default_mode: verify, allow_extra_columns: false}", "verify", False),
        ("", MODES, "cast", True),
        ("enforce_schema: {mode: off}", MODES, "off", True),
        ("enforce_schema: {mode: verify, allow_extra_columns: false}", MODES, "verify", False),
    ],
)
def test_the_nearest_mode_counts(load: Load, own: str, shared: str, mode: str, extra: bool) -> None:
    contract, _ = orders(load, f"table: orders\ncolumns: {{id: {{}}}}\n{own}\n", shared)
    assert (contract.mode, contract.allow_extra_columns) == (mode, extra)


def test_a_default_mode_is_about_what_is_built(load: Load) -> None:
    files = {
        "sources.yml": "crm: {users: {schema: other}}\n",
        "models/loose.ff.sql": "{{ config(materialized='ephemeral') }}select 1 as id",
        "models/u.contracts.yml": "table: crm.users\ncolumns: {id: {nullable: false}}\n",
        "models/l.contracts.yml": "table: loose\ncolumns: {id: {nullable: false}}\n",
        "contracts.yml": "enforcement: {default_mode: verify}\n",
    }
    manifest = load(files).manifest
    assert {name: one.mode for name, one in manifest.contracts.items()} == {"crm.users": "off", "loose.ff": "off"}
    assert [(one.node, one.source) for one in manifest.checks] == [("loose.ff", None), (None, "crm.users")]


def test_a_contract_of_a_disabled_model_waits_for_it(load: Load) -> None:
    files = {"models/a.ff.sql": "{{ config(enabled=false) }}select 1", "models/a.contracts.yml": "table: a\n"}
    assert load(files).manifest.contracts == {}


OF_ENGINES = (
    "table: orders\ncolumns:\n  id: {physical: {default: text, duckdb: int}}\n  x: {physical: {postgres: text}}\n"
)


def test_types_of_engines(load: Load) -> None:
    profile = "dev: {engine: duckdb, duckdb: {path: ':memory:'}}\n"
    manifest = load({"models/o.contracts.yml": OF_ENGINES, "profiles.yml": profile}).manifest
    columns = manifest.contracts["orders.ff"].columns
    assert (columns["id"].physical, columns["x"].physical) == ("int", None)
    assert [(one.type, one.column) for one in manifest.checks] == [
        ("column_physical_type", "id"),
        ("column_exists", "x"),
    ]


def test_a_check_of_a_physical_type_may_name_engines_too(load: Load) -> None:
    yml = "name: demo\nversion: 1\ntests:\n  - {type: column_physical_type, table: orders, column: id, physical: %s}\n"
    profile = {"profiles.yml": "dev: {engine: duckdb, duckdb: {path: ':memory:'}}\n"}
    manifest = load({"project.yml": yml % "{duckdb: int8, default: text}", **profile}).manifest
    assert [one.params.physical for one in manifest.checks] == ["int8"]
    assert load({"project.yml": yml % "{postgres: text}", **profile}).manifest.checks == ()
    assert problems(load, {"project.yml": yml % "{duckbd: text}", **profile}) == [("FF4003", "project.yml:4:72")]
    assert problems(load, {"project.yml": yml % "7", **profile}) == [("FF3002", "project.yml:4:71")]


def test_a_type_without_quotes_is_explained(load: Load) -> None:
    with pytest.raises(FlowForgeError) as caught:
        load({"models/o.contracts.yml": "table: orders\ncolumns: {id: {type: numeric(10,2)}}\n"})
    assert (caught.value.code, str(caught.value.location)) == ("FF1004", "models/o.contracts.yml:2:33")
    assert "in quotes" in (caught.value.help or "")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"models/o.contracts.yml": "table: ordres\n"}, [("FF3060", "models/o.contracts.yml:1:8")]),
        ({"models/o.contracts.yml": "columns: {id: {}}\n"}, [("FF1006", "models/o.contracts.yml:1:1")]),
        ({"models/o.contracts.yml": "table: orders\ntable: items\n"}, [("FF1003", "models/o.contracts.yml:2:1")]),
        ({"models/o.contracts.yml": "table: orders\ncolum: {}\n"}, [("FF1004", "models/o.contracts.yml:2:1")]),
        (
            {"models/o.contracts.yml": "table: orders\ncolumns: {id: {nulable: true}}\n"},
            [("FF1004", "models/o.contracts.yml:2:16")],
        ),
        (
            {"models/o.contracts.yml": "table: orders\ncolumns: {id: {type: integr}}\n"},
            [("FF1005", "models/o.contracts.yml:2:22")],
        ),
        (
            {"models/o.contracts.yml": "table: orders\ncolumns: {id: {physical: 'int); drop table x; --'}}\n"},
            [("FF1005", "models/o.contracts.yml:2:26")],
        ),
        (
            {"models/o.contracts.yml": "table: orders\ncolumns: {id: {min: 3, max: 1}}\n"},
            [("FF3002", "models/o.contracts.yml:2:29")],
        ),
        (
            {"models/o.contracts.yml": "table: orders\ncolumns: {id: {enum: []}, x: {regex: '('}}\n"},
            [("FF1005", "models/o.contracts.yml:2:22"), ("FF1005", "models/o.contracts.yml:2:38")],
        ),
        (
            {"models/o.contracts.yml": "table: orders\ncolumns: {id: {}, ID: {}}\n"},
            [("FF3062", "models/o.contracts.yml:2:19")],
        ),
        (
            {"models/o.contracts.yml": "table: orders\n", "models/p.contracts.yml": "table: orders.ff\n"},
            [("FF3061", "models/p.contracts.yml:1:8")],
        ),
        (
            {"models/o.contracts.yml": "table: orders\nenforce_schema: {mode: strict}\n"},
            [("FF1005", "models/o.contracts.yml:2:24")],
        ),
        (
            {
                "sources.yml": "crm: {users: {}}\n",
                "models/u.contracts.yml": "table: crm.users\nenforce_schema: {mode: verify}\n",
            },
            [("FF3062", "models/u.contracts.yml:2:24")],
        ),
        ({"contracts.yml": "enforcement: {tables: {ordres: {mode: off}}}\n"}, [("FF3060", "contracts.yml:1:24")]),
        ({"contracts.yml": "enforcement: {tables: {orders: {mode: off}}}\n"}, [("FF3062", "contracts.yml:1:24")]),
        ({"contracts.yml": "defaults: {columns: [{match: {name: id}}]}\n"}, [("FF3062", "contracts.yml:1:22")]),
        ({"contracts.yml": "defaults: {columns: [{type: text}]}\n"}, [("FF1006", "contracts.yml:1:22")]),
        (
            {"contracts.yml": "defaults: {columns: [{match: {name: '('}, type: text}]}\n"},
            [("FF1005", "contracts.yml:1:37")],
        ),
        ({"contracts.yml": "version: 2\n"}, [("FF1005", "contracts.yml:1:10")]),
    ],
)
def test_what_makes_no_sense(load: Load, files: dict[str, str], expected: list[tuple[str, str]]) -> None:
    assert problems(load, files) == expected
