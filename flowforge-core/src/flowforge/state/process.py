"""Tells whether the process that began a run is gone. Asks the operating system, touches nothing."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")


def birth_of(pid: int) -> str:
    """A text that no other process on this machine ever has; empty where the system does not tell.

    It is made of the boot, the name space of process ids (containers share a host name easily), and the start time.
    """
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        space = os.readlink(_PROC / "self/ns/pid")
        state, started = _stat(pid)
    except (OSError, ValueError, IndexError):
        return ""
    return "" if state in "ZX" else f"{boot} {space} {started}"


def is_gone(pid: int, birth: str) -> bool:
    """Whether the process *pid*, of which :func:`birth_of` once said *birth*, has ended; False when nobody knows."""
    if pid <= 0:
        return False
    noted, known = birth.split(), birth_of(pid).split()
    if len(noted) == 3:
        mine = birth_of(os.getpid()).split()
        if len(mine) == 3:
            if noted[0] != mine[0]:
                return True  # the machine was started anew since
            if noted[1] != mine[1]:
                return False  # of another container: its ids mean nothing here
    if len(noted) == len(known) == 3:
        return noted != known  # the id went to another process
    return not _exists(pid)


def _stat(pid: int) -> tuple[str, str]:
    """State and start time (in ticks since the boot) of a process."""
    fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    return fields[0], fields[19]


def _exists(pid: int) -> bool:
    if os.name != "posix":
        return True  # there is no way to ask without a driver; better a run too many than a live one called dead
    try:
        if _stat(pid)[0] in "ZX":
            return False
    except (OSError, ValueError, IndexError):
        pass  # no /proc, or a hidden process: the next question decides
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
