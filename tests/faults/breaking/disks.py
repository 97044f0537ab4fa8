"""Disks that are small, full or closed for writing: file systems in memory, mounted for the time of a block."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

WORLD = 0o1777  # a database server is another user


def _mount(*words: str) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this machine permits no mounts, without which this disk cannot be made: {done.stderr.strip()}")


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A disk of its own at *folder*. Tests that need it are skipped where nothing may be mounted."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk, and only the way of Linux is known here")
    folder.mkdir(parents=True)
    _mount("-t", "tmpfs", "-o", f"size={megabytes}m,mode={WORLD:o}", "flowforge-faults", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


@contextlib.contextmanager
def filled(disk: Path) -> Iterator[None]:
    """No byte is free on *disk* during the block."""
    ballast = disk / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            for size in (1 << 16, 1 << 12):  # the second fills what is left of the first
                with contextlib.suppress(OSError):
                    while file.write(b"\0" * size) == size:
                        pass
        _assert_full(disk)
        yield
    finally:
        ballast.unlink(missing_ok=True)


def _assert_full(disk: Path) -> None:
    probe = disk / "probe"
    try:
        probe.write_bytes(b"x" * 4096)
    except OSError as error:
        assert error.errno == errno.ENOSPC, error
        return
    finally:
        probe.unlink(missing_ok=True)
    raise AssertionError(f"{disk} is not full")


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing can be written below *folder* during the block; by its owner neither."""
    if os.geteuid() == 0:  # whom modes do not bind
        _mount("--bind", str(folder), str(folder))
        try:
            _mount("-o", "remount,bind,ro", str(folder))
            yield
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        return
    modes = {path: path.stat().st_mode for path in (folder, *folder.rglob("*")) if not path.is_symlink()}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
