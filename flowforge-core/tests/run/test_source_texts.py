"""Tokens of files, and stand-ins for files in compiled SQL."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowforge.run.source_files import files_state, newest
from flowforge.run.source_text import before_put_in, put_in

LATER = 4_000_000_000_000_000_000


def write(folder: Path, **files: str) -> list[str]:
    for name, text in files.items():
        (folder / name).write_text(text)
    return [str(folder / name) for name in files]


@pytest.mark.parametrize("hashed", [1000, 0])
def test_a_token_changes_with_content_names_and_number(tmp_path: Path, hashed: int) -> None:
    def state(paths: list[str]) -> str:
        token = files_state(paths, tmp_path, hashed=hashed, clock=lambda: LATER)
        assert token is not None
        return token

    paths = write(tmp_path, a="1", b="2")
    first = state(paths)
    assert state(paths[::-1]) == first
    assert state([*paths, *paths]) == first
    assert state(paths[:1]) != first
    assert state([*paths, *write(tmp_path, c="")]) != first
    write(tmp_path, b="22")
    assert state(paths) != first
    write(tmp_path, b="2")
    os.rename(tmp_path / "b", tmp_path / "d")
    assert state([paths[0], str(tmp_path / "d")]) != first
    assert files_state(paths[:1], tmp_path / "elsewhere", hashed=hashed, clock=lambda: LATER) != state(paths[:1])


def test_small_files_are_known_by_their_content(tmp_path: Path) -> None:
    paths = write(tmp_path, a="1", b="2")
    first = files_state(paths, tmp_path)
    os.utime(paths[0], ns=(1, 1))
    os.unlink(paths[1])
    write(tmp_path, b="2")
    assert files_state(paths, tmp_path) == first
    before = os.stat(paths[1])
    write(tmp_path, b="3")
    os.utime(paths[1], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert files_state(paths, tmp_path) != first


def test_of_a_large_file_that_was_written_a_moment_ago_nothing_is_known(tmp_path: Path) -> None:
    paths = write(tmp_path, a="1")
    written = os.stat(paths[0]).st_ctime_ns
    assert files_state(paths, tmp_path, hashed=0, clock=lambda: written + 10**9) is None
    settled = files_state(paths, tmp_path, hashed=0, clock=lambda: written + 3 * 10**9)
    assert settled is not None
    os.utime(paths[0], ns=(1, 1))  # the time of the file lies in the past, that of the change does not
    touched = os.stat(paths[0]).st_ctime_ns
    assert files_state(paths, tmp_path, hashed=0, clock=lambda: touched + 10**9) is None
    assert files_state(paths, tmp_path, hashed=0, clock=lambda: touched + 3 * 10**9) != settled


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files_state([str(tmp_path / "gone")], tmp_path)
    with pytest.raises(FileNotFoundError):
        newest([str(tmp_path / "gone")])
    assert newest([]) is None


VALUES = {'"one"': "read('a')", '"one_more"': "x", '"y"': "a much longer text than before"}


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.lists(st.sampled_from([*VALUES, "select ", " from ", '"', "'quo\"te'", ", "]), max_size=12))
def test_offsets_lead_back(pieces: list[str]) -> None:
    sql = "".join(pieces)
    whole = put_in(sql, VALUES)
    rebuilt, offset = "", 0
    while offset < len(whole):
        before = before_put_in(sql, VALUES, offset)
        found = next((text for text in sorted(VALUES, key=len, reverse=True) if sql.startswith(text, before)), None)
        if found is not None and whole.startswith(VALUES[found], offset):
            assert before_put_in(sql, VALUES, offset + len(VALUES[found]) - 1) == before
            rebuilt += found
            offset += len(VALUES[found])
        else:
            rebuilt += sql[before]
            offset += 1
    assert rebuilt == sql
    assert before_put_in(sql, VALUES, len(whole)) == len(sql)
    assert put_in(sql, {}) == sql
