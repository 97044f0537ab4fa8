"""All distributions are packaged alike, and each says what it is."""

from __future__ import annotations

import re
from pathlib import Path


def test_the_workspace_has_its_seven_distributions(all_distributions: list) -> None:
    engines = {"duckdb", "postgres", "bigquery", "spark", "snowflake"}
    assert {each.name for each in all_distributions} == {
        "flowforge-core",
        "flowforge-streaming",
        *(f"flowforge-{engine}" for engine in engines),
    }


def test_the_workspace_itself_is_not_installable(repository: Path) -> None:
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    assert not re.search(r"^\[(project|build-system)\]", text, re.MULTILINE)


def test_common_metadata(distribution) -> None:
    project = distribution.settings["project"]
    assert project["name"] == distribution.name
    assert project["requires-python"] == ">=3.11"
    assert project["license"] == "Apache-2.0"
    assert project["license-files"] == ["LICENSE"]
    assert "Typing :: Typed" in project["classifiers"]
    assert distribution.settings["build-system"]["build-backend"] == "hatchling.build"
    assert "dynamic" not in project


def test_one_version_train(distribution, all_distributions: list) -> None:
    (core,) = (each for each in all_distributions if each.name == "flowforge-core")
    version = core.settings["project"]["version"]
    assert distribution.settings["project"]["version"] == version
    text = (distribution.package / "__init__.py").read_text(encoding="utf-8")
    assert set(re.findall(r'^__version__ = "(.*)"$', text, re.MULTILINE)) <= {version}
    if distribution.name != core.name:
        major, minor, _ = version.split(".")
        pin = f"flowforge-core>={major}.{minor},<{major}.{int(minor) + 1}"
        assert pin in distribution.settings["project"]["dependencies"]


def test_the_core_depends_on_no_engine_and_no_data_frames(all_distributions: list) -> None:
    (core,) = (each for each in all_distributions if each.name == "flowforge-core")
    names = {re.split(r"[\[<>=~! ]", each)[0] for each in core.settings["project"]["dependencies"]}
    assert names == {
        "attrs", "cattrs", "click", "jinja2", "pluggy", "python-dotenv", "rich", "ruamel.yaml", "sqlglot", "tenacity",
    }  # fmt: skip


def test_files_that_every_distribution_has(distribution, repository: Path) -> None:
    licence = (repository / "LICENSE").read_bytes()
    assert (distribution.folder / "LICENSE").read_bytes() == licence
    assert (distribution.folder / "README.md").read_text(encoding="utf-8").startswith(f"# {distribution.name}\n")
    assert (distribution.package / "py.typed").exists()


def test_import_names_are_flat(distribution) -> None:
    """No shared namespace package: a stray `__init__.py` in one plugin would hide the core."""
    expected = "flowforge" if distribution.name == "flowforge-core" else distribution.name.replace("-", "_")
    assert distribution.package.name == expected


def test_an_unfinished_distribution_says_so_and_registers_nothing(distribution) -> None:
    readme = (distribution.folder / "README.md").read_text(encoding="utf-8")
    assert bool(distribution.entry_modules) != ("**It is not finished.**" in readme)


def test_entry_points_name_modules_that_exist(distribution) -> None:
    for module in distribution.entry_modules:
        path = distribution.folder / "src" / Path(*module.split("."))
        assert path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def test_typing_settings_and_changelog_know_every_distribution(distribution, repository: Path) -> None:
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    assert f'"{distribution.package.name}",' in text
    assert f'"{distribution.name}/src",' in text
    assert f'name = "{distribution.name}"' in text


def test_fragments_of_the_changelog_have_a_place_and_a_kind(repository: Path) -> None:
    settings = (repository / "pyproject.toml").read_text(encoding="utf-8")
    kinds = re.findall(r'^directory = "(\w+)"', settings, re.MULTILINE)
    fragments = [path for path in (repository / ".changelog").glob("*/*") if path.name != ".gitkeep"]
    assert kinds
    for fragment in fragments:
        assert re.fullmatch(rf"\+[a-z0-9-]+\.({'|'.join(kinds)})\.md", fragment.name), fragment
        assert f'path = "{fragment.parent.name}"' in settings, fragment
        assert fragment.read_text(encoding="utf-8").strip().endswith("."), f"{fragment}: whole sentences"
