from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowforge.run.modules import ProjectModules

MODEL = "def f():\n    from site_a.part import V\n    import site_b\n    return V, site_b.V\n"


def write(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def write_library(root: Path, value: int) -> None:
    write(root, "lib/site_a/part.py", f"V = {value}{' ' * value}\n")
    write(root, "lib/site_b.py", f"from site_a import part\n\nV = part.V{' ' * value}\n")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    root = tmp_path / "project"
    monkeypatch.syspath_prepend(str(root / "lib"))
    write_library(root, 1)
    write(root, "models/m.ff.py", MODEL)
    yield root
    for name in [name for name in sys.modules if name.startswith("site_")]:
        del sys.modules[name]


def test_what_models_imported_from_the_project_is_imported_anew_in_the_next_run(root: Path) -> None:
    first = ProjectModules(root)
    assert first.function("models/m.ff.py", "f")() == (1, 1)
    write_library(root, 2)
    assert first.function("models/m.ff.py", "f")() == (1, 1), "the same run works with the same code to its end"
    assert ProjectModules(root).function("models/m.ff.py", "f")() == (2, 2)


def test_what_the_program_itself_imported_stays(root: Path) -> None:
    import site_b  # type: ignore[import-not-found]

    assert ProjectModules(root).function("models/m.ff.py", "f")() == (1, 1)
    ProjectModules(root)
    assert sys.modules["site_b"] is site_b


def test_installed_packages_and_other_projects_stay(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, "venv/site-packages/site_c.py", "")
    write(tmp_path, "elsewhere/site_d.py", "")
    monkeypatch.syspath_prepend(str(root / "venv/site-packages"))
    monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
    write(
        root,
        "models/m.ff.py",
        "import site_c, site_d\n\ndef f():\n    import site_b\n    return site_c, site_d, site_b\n",
    )
    before = ProjectModules(root).function("models/m.ff.py", "f")()
    ProjectModules(tmp_path / "other")
    assert sys.modules["site_b"] is before[2]
    after = ProjectModules(root).function("models/m.ff.py", "f")()
    assert after[:2] == before[:2]
    assert after[2] is not before[2]
