"""Files that stand in the place of a table: what is read, and which files those are."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowforge.contract import Capability, FileSource
from flowforge.errors import ErrorKind, UnsupportedError
from flowforge.testkit.lab import Lab
from flowforge.testkit.marks import requires


def write(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def ids(lab: Lab, files: FileSource) -> list[int]:
    session = lab.session()
    query = f"SELECT CAST({lab.names('id')} AS INTEGER) AS {lab.names('id')} FROM {lab.dialect.file_source(files)} AS f"
    return sorted(row[0] for row in lab.rows(session, query))


def found(lab: Lab, folder: Path, files: FileSource) -> list[str]:
    paths = lab.session().source_files(files)
    assert paths is not None
    return sorted(Path(path).relative_to(folder).as_posix() for path in paths)


@requires(Capability.FILE_SOURCES)
@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("a.csv", {"a.csv": 1}),
        ("sub/*.csv", {"sub/b.csv": 2, "sub/c.csv": 3}),
        ("sub/?.csv", {"sub/b.csv": 2, "sub/c.csv": 3}),
        ("sub/[b].csv", {"sub/b.csv": 2}),
        ("sub/", {"sub/b.csv": 2, "sub/c.csv": 3, "sub/deep/d.csv": 4}),
        ("**/*.csv", {"a.csv": 1, "sub/b.csv": 2, "sub/c.csv": 3, "sub/deep/d.csv": 4}),
    ],
)
def test_a_location_means_the_same_files_to_both(
    lab: Lab, tmp_path: Path, location: str, expected: dict[str, int]
) -> None:
    rows = {"a.csv": 1, "sub/b.csv": 2, "sub/c.csv": 3, "sub/deep/d.csv": 4}
    write(tmp_path, {path: f"id,name\n{number},x\n" for path, number in rows.items()})
    write(tmp_path, {"sub/readme.txt": "no rows"})
    files = FileSource(location, tmp_path.as_posix(), "csv")
    assert ids(lab, files) == sorted(expected.values())
    assert set(found(lab, tmp_path, files)) >= set(expected)


@requires(Capability.FILE_SOURCES)
@pytest.mark.parametrize("name", ["with space", "quo'te", 'quo"te', "ümläut", "semi;colon", "b[a]s*e?"])
def test_the_base_is_no_pattern_and_no_sql(lab: Lab, tmp_path: Path, name: str) -> None:
    write(tmp_path, {f"{name}/a.csv": "id,name\n1,x\n", "ba/a.csv": "id,name\n2,x\n"})
    files = FileSource("a.csv", (tmp_path / name).as_posix(), "csv")
    assert ids(lab, files) == [1]
    assert found(lab, tmp_path, files) == [f"{name}/a.csv"]


@requires(Capability.FILE_SOURCES)
def test_no_file_is_an_empty_answer_and_an_error(lab: Lab, tmp_path: Path) -> None:
    for location in ("gone.csv", "*.csv", "gone/"):
        files = FileSource(location, tmp_path.as_posix(), "csv")
        assert lab.session().source_files(files) == []
        with lab.refused(ErrorKind.MISSING, ErrorKind.OTHER, ErrorKind.DISK):
            ids(lab, files)


@requires(Capability.FILE_SOURCES)
def test_only_the_base_tells_two_places_apart(lab: Lab) -> None:
    here, there = (lab.dialect.file_source(FileSource("a.csv", base, "csv")) for base in ("/some/where", "/else/where"))
    assert here.replace("/some/where", "/else/where") == there
    assert lab.dialect.file_source(FileSource("a.csv", "", "csv")) == here.replace("/some/where/", "")


@requires(Capability.FILE_SOURCES)
def test_files_elsewhere_are_not_looked_for(lab: Lab) -> None:
    files = FileSource("s3://bucket/a.csv", "", "csv")
    assert "s3://bucket/a.csv" in lab.dialect.file_source(files)
    assert lab.session().source_files(files) is None


@requires(Capability.FILE_SOURCES)
def test_what_is_unknown_is_refused(lab: Lab) -> None:
    for files in (
        FileSource("a.csv", "", "no such format"),
        FileSource("a.csv", "", "csv", {"no_such_option": True}),
        FileSource("a.csv", "", "csv", {"header); DROP TABLE t; --": True}),
    ):
        with pytest.raises(UnsupportedError):
            lab.dialect.file_source(files)
    assert lab.dialect.file_source(FileSource("a.csv", "", "csv"))
