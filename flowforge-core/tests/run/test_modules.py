from __future__ import annotations

import sys
from pathlib import Path

from flowforge.run.modules import ProjectModules


def write(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_two_projects_with_the_same_files_share_nothing(tmp_path: Path) -> None:
    functions = []
    for name in ("one", "two"):
        root = tmp_path / name
        write(root, "models/rates.py", f"RATE = {name!r}\n")
        write(root, "models/m.ff.py", "from .rates import RATE\n\ndef f():\n    return RATE\n")
        functions.append(ProjectModules(root).function("models/m.ff.py", "f"))
    assert [function() for function in functions] == ["one", "two"]


def test_an_edit_within_the_same_second_is_seen_and_no_bytecode_is_left(tmp_path: Path) -> None:
    for value in ("a", "b"):
        write(tmp_path, "models/lib.py", f"V = {value!r}\n")
        write(tmp_path, "models/m.ff.py", "from .lib import V\n\ndef f():\n    return V\n")
        assert ProjectModules(tmp_path).function("models/m.ff.py", "f")() == value
    assert not list(tmp_path.rglob("*.pyc"))


def test_a_file_that_raises_is_not_kept(tmp_path: Path) -> None:
    write(tmp_path, "models/m.ff.py", "raise RuntimeError('no')\n")
    modules, before = ProjectModules(tmp_path), len(sys.modules)
    for _ in range(2):
        try:
            modules.function("models/m.ff.py", "f")
        except RuntimeError as error:
            assert str(error) == "no"
        else:
            raise AssertionError
    assert not [name for name in list(sys.modules)[before:] if name.endswith("m__ff")]


def test_a_file_runs_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        "models/m.ff.py",
        "import itertools\nN = [0]\nN[0] += 1\n\ndef f():\n    return N[0]\n\ndef g():\n    return N[0]\n",
    )
    modules = ProjectModules(tmp_path)
    assert modules.function("models/m.ff.py", "f")() == modules.function("models/m.ff.py", "g")() == 1
