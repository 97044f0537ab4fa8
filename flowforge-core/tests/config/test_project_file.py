"""``project.yml`` and the search for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowforge.config.project import ProjectConfig, find_project, load_project_config
from flowforge.errors import FlowForgeError, Problems, ProjectError


def load(root: Path, text: str | bytes) -> ProjectConfig:
    (root / "project.yml").write_bytes(text if isinstance(text, bytes) else text.encode())
    problems = Problems()
    config = load_project_config(root, problems)
    problems.raise_if_any()
    assert config is not None
    return config


def flaws(root: Path, text: str | bytes) -> list[FlowForgeError]:
    (root / "project.yml").write_bytes(text if isinstance(text, bytes) else text.encode())
    problems = Problems()
    assert load_project_config(root, problems) is None
    return list(problems)


def test_the_smallest_project(tmp_path: Path) -> None:
    assert load(tmp_path, "name: shop\nversion: 1\n") == ProjectConfig("shop", "1")


@pytest.mark.parametrize(("text", "version"), [("1", "1"), ("1.0", "1.0"), ("'0.1'", "0.1"), ("1.2.3", "1.2.3")])
def test_versions_become_texts(tmp_path: Path, text: str, version: str) -> None:
    assert load(tmp_path, f"name: shop\nversion: {text}\n").version == version


def test_everything_it_may_say(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        "name: shop\nversion: 1\nmodels_dir: sql/models\nvars: {start: 2024-01-01, n: 3, list: [a]}\n"
        "tests:\n  - {type: not_null, table: users, column: id, tags: [batch]}\n"
        "  - unique: {table: users, column: id}\nmodels: {}\nseeds:\ndocs: {}\nhooks: []\n",
    )
    assert config.models_dir == "sql/models"
    assert config.vars == {"start": "2024-01-01", "n": 3, "list": ["a"]}
    assert [(check.type, check.table, check.column, check.tags) for check in config.checks] == [
        ("not_null", "users", "id", ("batch",)),
        ("unique", "users", "id", ()),
    ]
    assert str(config.checks[1].location) == "project.yml:7:5"


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("", "FF1005", "project.yml:1:1"),
        ("[]", "FF1005", "project.yml:1:1"),
        ("name: shop", "FF1006", "project.yml:1:1"),
        ("name: shop\nversion: 1\nmodel_dir: x", "FF1004", "project.yml:3:1"),
        ("name: shop\nversion: true", "FF1005", "project.yml:2:10"),
        ("name: shop\nversion: 1\nvars: [a]", "FF1005", "project.yml:3:7"),
        ("name: shop\nversion: 1\nvars: {1: a}", "FF1005", "project.yml:3:8"),
        ("name: ''\nversion: 1", "FF1005", "project.yml:1:7"),
        ("name: shop\nversion: 1\nhooks: {on_run_start: []}", "FF1007", "project.yml:3:1"),
        ("name: shop\nversion: 1\nmodels_dir: ../other", "FF1005", "project.yml:3:13"),
        ("name: shop\nversion: 1\nmodels_dir: /etc", "FF1005", "project.yml:3:13"),
        ("name: shop\nversion: 1\nmodels_dir: ''", "FF1005", "project.yml:3:13"),
        ("name: shop\nversion: 1\ntests: {a: b}", "FF1005", "project.yml:3:8"),
        ("name: shop\nversion: 1\nversion: 2", "FF1003", "project.yml:3:1"),
        ("name: shop\n\tversion: 1", "FF1002", "project.yml:2:1"),
        (b"name: K\xf6ln\nversion: 1", "FF1002", "project.yml:1:8"),
    ],
)
def test_what_is_wrong_has_a_code_and_a_place(tmp_path: Path, text: str | bytes, code: str, place: str) -> None:
    (error,) = flaws(tmp_path, text)
    assert (error.code, str(error.location)) == (code, place)


def test_all_flaws_of_the_file_and_its_checks_come_together(tmp_path: Path) -> None:
    found = flaws(
        tmp_path,
        "name: shop\nversion: 1\nmodels_dir: ..\ntests: [{type: 5, table: a}, {unique: {}, not_null: {}}, 7]\n",
    )
    assert [(error.location.line, error.location.column) for error in found if error.location] == [
        (3, 13),
        (4, 16),
        (4, 30),
        (4, 58),
    ]


def test_models_dir_may_not_leave_the_project_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    root = tmp_path / "project"
    root.mkdir()
    (root / "models").symlink_to(tmp_path / "outside")
    (error,) = flaws(root, "name: shop\nversion: 1\n")
    assert "outside the project" in error.message


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    problems = Problems()
    assert load_project_config(tmp_path, problems) is None
    (error,) = problems
    assert error.help is not None
    assert "flowforge init" in error.help


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "project.yml").mkdir()
    problems = Problems()
    assert load_project_config(tmp_path, problems) is None
    (error,) = problems
    assert "cannot be read" in error.message


def test_the_project_is_found_from_any_folder_inside(tmp_path: Path) -> None:
    (tmp_path / "project.yml").touch()
    inner = tmp_path / "models" / "deep"
    inner.mkdir(parents=True)
    assert find_project(inner) == tmp_path.resolve()
    assert find_project(tmp_path) == tmp_path.resolve()
    (inner / "project.yml").touch()
    assert find_project(inner) == inner.resolve()


def test_no_project_anywhere(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"no project\.yml") as caught:
        find_project(tmp_path)
    assert caught.value.help is not None
    assert "flowforge init" in caught.value.help


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    (tmp_path / "project.yml").touch(mode=0)
    problems = Problems()
    assert load_project_config(tmp_path, problems) is None
    assert len(problems) == 1
