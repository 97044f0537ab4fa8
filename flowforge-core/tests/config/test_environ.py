"""Layers of ``.env`` files below the shell's variables."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowforge.config.environ import layered_environ
from flowforge.errors import ConfigFileError, FlowForgeError, ProfileError, ProjectErrors


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def test_later_layers_win_and_the_shell_wins_over_all(tmp_path: Path, root: Path) -> None:
    layers = [tmp_path / ".env", root / ".env", root / ".env.local", root / ".env.dev", root / ".env.dev.local"]
    for number, file in enumerate(layers):
        file.write_text("".join(f"V{n}=layer{number}\n" for n in range(number, 6)))
    (root / ".env.prod").write_text("V0=wrong\n")
    found = layered_environ(root, "dev", {"V5": "shell", "OTHER": "x"}, cwd=tmp_path)
    assert found == {"OTHER": "x", "V5": "shell", **{f"V{n}": f"layer{n}" for n in range(5)}}


def test_the_process_s_own_environment_is_the_default_and_stays_as_it_is(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FF_SHELL", "1")
    monkeypatch.delenv("FF_FILE", raising=False)
    monkeypatch.chdir(root)
    (root / ".env").write_text("FF_FILE=2\n")
    found = layered_environ(root, "dev")
    assert (found["FF_SHELL"], found["FF_FILE"]) == ("1", "2")
    assert "FF_FILE" not in os.environ
    with pytest.raises(TypeError):
        found["X"] = "y"  # type: ignore[index]


def test_values_are_taken_as_they_stand(root: Path) -> None:
    (root / ".env").write_bytes(
        b"\xef\xbb\xbf# comment\r\nA=1\r\nexport B=two # comment\r\nC='$A ${A} #x'\r\nD=\"x\\ny\"\r\nE=\r\n\r\nF=${A}$HOME\r\n"
    )
    found = layered_environ(root, "dev", {}, cwd=root)
    assert found == {"A": "1", "B": "two", "C": "$A ${A} #x", "D": "x\ny", "E": "", "F": "${A}$HOME"}


def test_every_line_that_is_no_assignment_is_reported_without_its_text(root: Path) -> None:
    (root / ".env").write_text("A=1\nhunter2 hunter3\nB='x\nC\n")
    (root / ".env.dev").write_text("\n\n=x\n")
    with pytest.raises(ProjectErrors) as caught:
        layered_environ(root, "dev", {}, cwd=root)
    places = [str(error.location) for error in caught.value.errors]
    assert places[0] == ".env:2"
    assert ".env.dev:3" in places
    assert set(caught.value.codes) == {"FF1010"}
    assert "hunter2" not in str(caught.value)


def test_another_encoding_is_refused_with_its_offset(root: Path) -> None:
    (root / ".env").write_bytes(b"A=1\nB=K\xf6ln\n")
    with pytest.raises(ConfigFileError, match="0xf6 at offset 7") as caught:
        layered_environ(root, "dev", {}, cwd=root)
    assert str(caught.value.location) == ".env:2"


@pytest.mark.parametrize("env", ["../x", "a/b", "", ".", "..", "a b", "-x", "a\n"])
def test_names_of_environments_are_no_paths(root: Path, env: str) -> None:
    with pytest.raises(ProfileError):
        layered_environ(root, env, {}, cwd=root)


@pytest.mark.parametrize("env", ["dev", "prod-eu", "ci_2", "v1.2"])
def test_common_names_of_environments(root: Path, env: str) -> None:
    assert layered_environ(root, env, {}, cwd=root) == {}


def test_a_folder_called_env_is_no_layer(root: Path) -> None:
    (root / ".env").mkdir()
    assert layered_environ(root, "dev", {"A": "1"}, cwd=root) == {"A": "1"}


def test_dotenv_is_imported_only_when_there_is_a_file(root: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from flowforge.config.environ import layered_environ; "
        f"layered_environ(Path({str(root)!r}), 'dev', {{}}); sys.exit('dotenv' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0
    (root / ".env").write_text("A=1")
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 1


@pytest.mark.parametrize("text", ["'", '"', "A='", "\\", "=", "A", "export", "A=1\nA", "\x00", "A=\x00"])
def test_odd_files_are_read_or_refused(root: Path, text: str) -> None:
    (root / ".env").write_text(text)
    try:
        layered_environ(root, "dev", {}, cwd=root)
    except FlowForgeError as error:
        assert error.location is None or error.location.path == ".env"
