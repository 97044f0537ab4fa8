"""What `flowforge plugins new` renders beside engines installs, is clean, is listed, and does its work in a project.

Renderers and stream sources are called by nothing in a project yet; their own tests run what the test kit has for them. An engine of the same making runs them, because the environment has no other one.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

PYTHON = os.environ.get("FF_SCAFFOLD_PYTHON", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="needs an environment of its own: nox -s scaffold")

KINDS = {
    "engine": "shelf",
    "check": "whole_boxes",
    "seed-format": "pairs",
    "doc-renderer": "pages",
    "stream-source": "till_rolls_of_all_our_branches",  # a name as long as it may be
}
OFFERS = {
    "engine": "engine shelf",
    "check": "check whole_boxes",
    "seed-format": "seed format pairs (.pairs)",
    "doc-renderer": "renderer pages",
    "stream-source": "stream source till_rolls_of_all_our_branches",
}


def run(*arguments: str, cwd: Path, expected: int = 0) -> str:
    done = subprocess.run([PYTHON, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """The folders of all of them, which are installed."""
    folder, made = tmp_path_factory.mktemp("plugins"), {}
    for kind, name in KINDS.items():
        made[kind] = folder / f"flowforge-{name.replace('_', '-')}"
        run("-m", "flowforge", "plugins", "new", name, "--kind", kind, cwd=folder)
    run("-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", *map(str, made.values()), cwd=folder)
    yield made
    run("-m", "pip", "uninstall", "--quiet", "--yes", *(path.name for path in made.values()), cwd=folder)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "engine"])
def test_they_are_clean_and_pass_their_own_tests(
    plugins: dict[str, Path], kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run("-m", "ruff", "check", ".", cwd=plugins[kind])
    run("-m", "ruff", "format", "--check", ".", cwd=plugins[kind])
    # What all of them import is read once.
    run("-m", "mypy", "--cache-dir", str(tmp_path_factory.getbasetemp() / "types"), cwd=plugins[kind])
    run("-m", "pytest", "-q", cwd=plugins[kind])


def test_they_are_listed(plugins: dict[str, Path], tmp_path: Path) -> None:
    said = run("-m", "flowforge", "plugins", cwd=tmp_path)
    assert [offer for offer in OFFERS.values() if f"    {offer}\n" not in said] == []


def test_a_project_uses_them(plugins: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "seeds").mkdir()
    (tmp_path / "project.yml").write_text("name: shop\nversion: 1\n")
    (tmp_path / "profiles.yml").write_text("dev:\n  engine: shelf\n  shelf:\n    path: .local/shop.db\n")
    (tmp_path / "seeds" / "settings.pairs").write_text("# of today\ncolour = red\nsize = 012\n")
    (tmp_path / "models" / "boxes.ff.sql").write_text(
        "select 1 as id, 12 as pieces union all select 2, 13 from {{ ref('settings') }} where key = 'size'\n"
    )
    (tmp_path / "models" / "boxes.yml").write_text(
        "version: 1\nmodels:\n  - name: boxes\n    columns:\n      - name: pieces\n        tests:\n"
        "          - whole_boxes: {factor: 12, severity: warn}\n"
    )
    said = run("-m", "flowforge", "build", ".", cwd=tmp_path)
    assert "has one value that is no multiple of 12" in said
    assert "012" in run("-m", "flowforge", "show", "settings", cwd=tmp_path)
