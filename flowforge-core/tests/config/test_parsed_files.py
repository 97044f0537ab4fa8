"""What was parsed is a hint: whatever happens to its file, and however late files change, nothing old is taken for new."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from flowforge.config import kept_lines
from flowforge.config import parsed as module
from flowforge.config.kept_lines import FOLDER
from flowforge.config.parsed import FILE, Parsed

TICK = 10_000_000
SECOND = 1_000_000_000


class Clock:
    """A clock that only tests move, and a file system whose times come from it."""

    def __init__(self) -> None:
        self.now = 1_000_000 * SECOND + 123_456_789
        self.behind = 0
        self._times: dict[int, tuple[int, int]] = {}

    @property
    def file_time(self) -> int:
        return (self.now - self.behind) // TICK * TICK + 1

    def write(self, path: Path, text: str, *, keep_time: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        number = path.stat().st_ino
        before = self._times.get(number)
        self._times[number] = (before[0] if keep_time and before else self.file_time, self.file_time)

    def signature(self, found: os.stat_result) -> list[int]:
        changed, listed = self._times.get(found.st_ino, (self.file_time, self.file_time))
        return [found.st_size, changed, listed, found.st_ino]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "_now", lambda: made.now)
    monkeypatch.setattr(module, "_signature", made.signature)
    return made


def length(root: Path, path: str) -> Any:
    """What the file's length is said to be; parsed and kept when nothing is known."""
    parsed = Parsed.open(root)
    known = parsed.record("length", path)
    if known is None:
        data = parsed.content(path)
        known = [len(data), data.decode()]
        parsed.keep("length", path, known)
    parsed.save(complete=True)
    return known


def is_known(root: Path, path: str) -> bool:
    return Parsed.open(root).record("length", path) is not None


def stored(root: Path) -> list[Any]:
    return [json.loads(line) for line in (root / FOLDER / FILE).read_bytes().split(b"\n")[1:]]


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose bytes were looked at from now on."""
    seen: list[str] = []
    real = Parsed.content

    def content(self: Parsed, path: str) -> bytes:
        seen.append(path)
        return real(self, path)

    monkeypatch.setattr(Parsed, "content", content)
    return seen


def test_a_file_that_has_not_changed_is_not_read_again(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.write(tmp_path / "a", "one")
    clock.now += SECOND
    assert length(tmp_path, "a") == [3, "one"]
    seen = reads(monkeypatch)
    assert length(tmp_path, "a") == [3, "one"]
    assert seen == []


def test_a_file_that_was_only_touched_is_read_and_not_parsed(tmp_path: Path, clock: Clock) -> None:
    clock.write(tmp_path / "a", "one")
    clock.now += SECOND
    length(tmp_path, "a")
    clock.now += SECOND
    clock.write(tmp_path / "a", "one")
    clock.now += SECOND
    assert is_known(tmp_path, "a")
    before = stored(tmp_path)
    length(tmp_path, "a")
    assert stored(tmp_path) != before  # the new times are kept, so that it is not read for ever


@pytest.mark.parametrize("keep_time", [False, True])
def test_a_change_that_keeps_the_size_is_seen(tmp_path: Path, clock: Clock, keep_time: bool) -> None:
    clock.write(tmp_path / "a", "one")
    clock.now += SECOND
    length(tmp_path, "a")
    clock.now += SECOND
    clock.write(tmp_path / "a", "two", keep_time=keep_time)
    clock.now += SECOND
    assert length(tmp_path, "a") == [3, "two"]


@pytest.mark.parametrize("later", [0, 1, TICK - 1, TICK, 3 * TICK])
def test_a_change_in_the_moment_after_reading_is_seen(tmp_path: Path, clock: Clock, later: int) -> None:
    clock.now = clock.now // TICK * TICK
    clock.write(tmp_path / "a", "one")
    clock.now += min(later, TICK - 1)
    length(tmp_path, "a")
    clock.write(tmp_path / "a", "two")
    clock.now += SECOND
    assert length(tmp_path, "a") == [3, "two"]
    assert length(tmp_path, "a") == [3, "two"]


def test_a_clock_of_the_file_system_that_is_behind_hides_no_change(tmp_path: Path, clock: Clock) -> None:
    clock.behind = 10 * SECOND
    clock.now = clock.now // TICK * TICK
    clock.write(tmp_path / "a", "one")
    length(tmp_path, "a")
    clock.write(tmp_path / "a", "two")  # the same time, ten seconds ago
    assert length(tmp_path, "a") == [3, "two"]


def test_times_in_whole_seconds_are_believed_only_later(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def coarse(found: os.stat_result) -> list[int]:
        size, changed, listed, number = clock.signature(found)
        return [size, changed // SECOND * SECOND, listed // SECOND * SECOND, number]

    monkeypatch.setattr(module, "_signature", coarse)
    clock.write(tmp_path / "a", "one")
    clock.now += SECOND
    length(tmp_path, "a")
    assert stored(tmp_path)[0][1] is None
    clock.now += 3 * SECOND
    length(tmp_path, "a")
    assert stored(tmp_path)[0][1] is not None


def test_files_that_are_gone_are_forgotten_when_all_were_asked_for(tmp_path: Path, clock: Clock) -> None:
    for name in ("a", "b"):
        clock.write(tmp_path / name, name)
    parsed = Parsed.open(tmp_path)
    for name in ("a", "b"):
        parsed.content(name)
        parsed.keep("length", name, 1)
    parsed.save(complete=True)
    for complete, left in ((False, ["length:a", "length:b"]), (True, ["length:a"])):
        again = Parsed.open(tmp_path)
        assert again.record("length", "a") == 1
        again.save(complete=complete)
        assert sorted(entry[0] for entry in stored(tmp_path)) == left


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:-3]),
        lambda file: file.write_bytes(file.read_bytes().replace(b"[3,", b"[4,")),
        lambda file: file.write_bytes(b"\x80\x04garbage"),
        lambda file: file.write_bytes(b"[1, 2]\n" + file.read_bytes().split(b"\n")[1]),
        lambda file: file.write_bytes(b"[" * 100_000),
        lambda file: (file.unlink(), file.mkdir()),
        lambda file: (file.unlink(), file.symlink_to(file.with_name("nothing"))),
        lambda file: file.chmod(0),
    ],
    ids=["empty", "cut", "changed", "garbage", "foreign head", "deep", "folder", "link", "closed"],
)
def test_a_file_that_is_not_as_it_was_written_is_no_file(tmp_path: Path, damage: Any) -> None:
    (tmp_path / "a").write_text("one")
    length(tmp_path, "a")
    damage(tmp_path / FOLDER / FILE)
    assert length(tmp_path, "a") == [3, "one"]
    assert length(tmp_path, "a") == [3, "one"]


def test_another_version_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("one")
    length(tmp_path, "a")
    assert is_known(tmp_path, "a")
    monkeypatch.setattr(module, "_makers", lambda: b"another")
    assert not is_known(tmp_path, "a")


def test_parsers_and_the_program_itself_make_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    real = kept_lines.standing
    monkeypatch.setattr(kept_lines, "standing", lambda path: (seen.append(path), real(path))[1])
    module._makers.__wrapped__()
    names = {Path(path).parent.name + "/" + Path(path).name for path in seen}
    assert {"project/scan.py", "config/yaml_nodes.py", "jinja2/__init__.py", "yaml/__init__.py"} <= names


def test_a_folder_that_cannot_be_written_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("one")

    def refuse(*given: Any) -> Any:
        raise PermissionError("read-only")

    monkeypatch.setattr(kept_lines, "make_own_folder", refuse)
    assert length(tmp_path, "a") == [3, "one"]
    assert not (tmp_path / FOLDER).exists()


def test_a_writer_that_is_killed_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("one")
    length(tmp_path, "a")
    before = (tmp_path / FOLDER / FILE).read_bytes()
    (tmp_path / "a").write_text("three")
    real = os.replace

    def killed(*given: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        length(tmp_path, "a")
    monkeypatch.setattr(os, "replace", real)
    assert (tmp_path / FOLDER / FILE).read_bytes() == before
    assert length(tmp_path, "a") == [5, "three"]


def test_what_killed_writers_left_is_removed_later(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    length(tmp_path, "a")
    left, fresh = (tmp_path / FOLDER / f"{FILE}.{number}.tmp" for number in (1, 2))
    left.write_bytes(b"half")
    fresh.write_bytes(b"half")
    os.utime(left, (1, 1))
    (tmp_path / "a").write_text("three")
    length(tmp_path, "a")
    assert not left.exists()
    assert fresh.exists()


def test_two_writers_leave_the_file_of_one_of_them(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    both = [Parsed.open(tmp_path), Parsed.open(tmp_path)]
    for parsed, name in zip(both, ("a", "b"), strict=True):
        parsed.content(name)
        parsed.keep("length", name, [1, name])
    for parsed in both:
        parsed.save(complete=True)
    assert [entry[0] for entry in stored(tmp_path)] == ["length:b"]
    assert length(tmp_path, "a") == [1, "a"]


def test_a_record_belongs_to_the_bytes_that_were_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    parsed = Parsed.open(tmp_path)
    assert parsed.record("length", "a") is None
    data = parsed.content("a")
    (tmp_path / "a").write_text("other")  # while it is being parsed
    parsed.keep("length", "a", [len(data), data.decode()])
    parsed.save(complete=True)
    assert length(tmp_path, "a") == [5, "other"]


@pytest.mark.parametrize("record", [{1, 2}, object(), 10**5000], ids=["set", "object", "number"])
def test_what_json_cannot_hold_is_not_kept(tmp_path: Path, record: Any) -> None:
    (tmp_path / "a").write_text("one")
    parsed = Parsed.open(tmp_path)
    parsed.content("a")
    parsed.keep("length", "a", record)
    parsed.save(complete=True)
    assert not is_known(tmp_path, "a")


def test_nothing_is_known_and_nothing_kept_without_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    parsed = Parsed.nothing(tmp_path)
    assert parsed.record("length", "a") is None
    assert parsed.content("a") == b"one"
    parsed.keep("length", "a", 1)
    parsed.save(complete=True)
    assert not (tmp_path / FOLDER).exists()
