"""What holds for every example project: it builds from a clean copy, from anywhere, and twice with the same rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CopyExample = Callable[[str], Any]
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/project.yml"))
SMALL = [name for name in NAMES if name != "nycflights"]


def test_every_folder_is_an_example_project() -> None:
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    distributions = {path.parent.name for path in EXAMPLES.glob("*/pyproject.toml")}
    assert distributions == {"third_party_engine"}
    assert sorted(folders - distributions) == NAMES
    assert set(NAMES) >= {"ephemeral_and_views", "nycflights", "python_models", "simple_duckdb"}


@pytest.mark.parametrize("name", NAMES)
def test_an_example_explains_itself(name: str) -> None:
    readme = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    assert readme.startswith(f"# {name}\n")
    assert f"flowforge build examples/{name}" in readme


@pytest.mark.parametrize("name", SMALL)
def test_a_second_build_gives_the_same_tables(name: str, copy_example: CopyExample) -> None:
    example = copy_example(name)
    example.build()
    first, kinds = example.fingerprints(), example.relations()
    assert first
    example.build()
    assert example.fingerprints() == first
    assert example.relations() == kinds


@pytest.mark.parametrize("name", SMALL)
def test_the_checks_of_an_example_hold(name: str, copy_example: CopyExample) -> None:
    example = copy_example(name)
    example.build()
    outcome = example.flowforge("test", name)
    assert outcome.code == 0, outcome.text
    assert "Data Quality Summary" in outcome.text


@pytest.mark.parametrize("name", SMALL)
def test_the_working_directory_does_not_matter(name: str, copy_example: CopyExample, tmp_path: Path) -> None:
    example = copy_example(name)
    inside = example.flowforge("build", cwd=example.path / "models")
    assert inside.code == 0, inside.text
    found = example.fingerprints()
    outside = example.flowforge("build", str(example.path), cwd=tmp_path)
    assert outside.code == 0, outside.text
    assert example.fingerprints() == found
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_valid_without_a_database(name: str, copy_example: CopyExample) -> None:
    example = copy_example(name)
    outcome = example.flowforge("validate", name)
    assert outcome.code == 0, outcome.text
    assert not example.database.exists()


@pytest.mark.parametrize("name", SMALL)
def test_an_unknown_profile_is_named_or_falls_back_to_default(name: str, copy_example: CopyExample) -> None:
    example = copy_example(name)
    outcome = example.flowforge("build", name, "--env", "elsewhere")
    assert not example.database.exists()
    if "default:" in (example.path / "profiles.yml").read_text(encoding="utf-8"):
        assert outcome.code == 0, outcome.text
    else:
        assert outcome.code == 1, outcome.text
        assert "elsewhere" in outcome.err
        assert "dev" in outcome.err
