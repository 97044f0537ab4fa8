"""YAML beside the models: descriptions, tags and checks of models, seeds and columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowforge.config.properties import Properties, load_properties
from flowforge.errors import FlowForgeError, Problems

FULL = """\
version: 2
models:
  - name: users.ff
    description: People
    tags: core
    data_tests:
      - row_count_between: {min_rows: 1}
    columns:
      - name: id
        description: The key
        tests: [not_null, unique]
      - name: email
        checks:
          - accepted_values:
              values: [a]
              severity: warn
  - name: orders
seeds:
  - name: raw_users
    tags: [raw, daily]
    columns:
      - {name: id, tests: [{type: unique, tags: x}]}
"""


def load(root: Path, text: str) -> Properties:
    problems = Problems()
    found = read(root, text, problems)
    problems.raise_if_any()
    assert found is not None
    return found


def read(root: Path, text: str, problems: Problems) -> Properties | None:
    (root / "models").mkdir(exist_ok=True)
    (root / "models" / "schema.yml").write_text(text)
    return load_properties(root, "models/schema.yml", problems)


def flaws(root: Path, text: str) -> list[FlowForgeError]:
    problems = Problems()
    read(root, text, problems)
    return list(problems)


def test_a_full_file(tmp_path: Path) -> None:
    found = load(tmp_path, FULL)
    users, orders, seed = found.models
    assert (users.name, users.kind, users.description, users.tags) == ("users.ff", "models", "People", ("core",))
    assert [(column.name, column.description) for column in users.columns] == [("id", "The key"), ("email", None)]
    assert (orders.columns, orders.checks, orders.tags) == ((), (), ())
    assert (seed.kind, seed.tags) == ("seeds", ("raw", "daily"))
    assert str(users.location) == "models/schema.yml:3:11"
    assert str(seed.location) == "models/schema.yml:19:11"
    assert [(check.type, check.table, check.column, str(check.location)) for check in found.checks] == [
        ("row_count_between", "users.ff", None, "models/schema.yml:7:9"),
        ("not_null", "users.ff", "id", "models/schema.yml:11:17"),
        ("unique", "users.ff", "id", "models/schema.yml:11:27"),
        ("accepted_values", "users.ff", "email", "models/schema.yml:14:13"),
        ("unique", "raw_users", "id", "models/schema.yml:22:28"),
    ]
    assert found.checks[3].severity == "warn"


@pytest.mark.parametrize("text", ["", "# nothing\n", "version: 1\n", "models:\n", "models: []\nseeds:\n", "{}"])
def test_files_that_say_nothing(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text).models == ()


@pytest.mark.parametrize(
    ("text", "code", "line", "words"),
    [
        ("version: 3", "FF1005", 1, "one of 1, 2"),
        ("version: '1'", "FF1005", 1, "one of 1, 2"),
        ("model: []", "FF1004", 1, "'model'"),
        ("models: {a: b}", "FF1005", 1, "a list"),
        ("models: [a]", "FF1005", 1, "a mapping"),
        ("models:\n  - description: x", "FF1006", 2, "'name'"),
        ("models:\n  - name: a\n    column: []", "FF1004", 3, "'column'"),
        ("models:\n  - name: a\n    columns: {id: x}", "FF1005", 3, "a list"),
        ("models:\n  - name: a\n    columns: [{name: id, test: [x]}]", "FF1004", 3, "'test'"),
        ("models:\n  - name: a\n    columns: [{name: id}, {name: id}]", "FF1009", 3, "'id'"),
        ("models:\n  - name: a\n    tests: []\n    data_tests: []", "FF1004", 4, "mean the same"),
        ("models:\n  - name: a\n    config: [view]", "FF1005", 3, "'config'"),
        ("models:\n  - name: a\n    columns: [{name: id, meta: {a: 1}}]", "FF1007", 3, "'meta'"),
        ("sources: [{name: a}]", "FF1007", 1, "'sources'"),
        ("models:\n  - name: a\n    tests: [{unique: {tags: 5}}]", "FF1005", 3, "'tags'"),
        ("models:\n  - name: a\n    tags: [5]", "FF1005", 3, "'tags[0]'"),
        ("models:\n  - name: ' a'", "FF1005", 2, "'name'"),
        ('models:\n  - name: a\n  - name: "b\\0"', "FF1005", 3, "'name'"),
        ("a: [", "FF1002", 1, "cannot be read"),
    ],
)
def test_what_is_wrong_has_a_code_and_a_line(tmp_path: Path, text: str, code: str, line: int, words: str) -> None:
    (error,) = flaws(tmp_path, text)
    assert error.code == code
    assert words in error.message
    assert error.location is not None
    assert (error.location.path, error.location.line) == ("models/schema.yml", line)


def test_flaws_of_many_models_come_together(tmp_path: Path) -> None:
    text = "models:\n" + "".join(f"  - name: m{n}\n    columns: [{{name: c, tsts: [x]}}]\n" for n in range(30))
    assert [error.location.line for error in flaws(tmp_path, text) if error.location] == list(range(3, 63, 2))


def test_flaws_of_checks_do_not_hide_the_descriptions(tmp_path: Path) -> None:
    problems = Problems()
    found = read(tmp_path, "models: [{name: a, description: x, tests: [5, unique]}]", problems)
    assert len(problems) == 1
    assert found is not None
    assert [check.type for check in found.checks] == ["unique"]
