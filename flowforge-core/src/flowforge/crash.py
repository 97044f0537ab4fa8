"""Named places at which a test can kill the process, as a power cut would; they do nothing otherwise.

``FF_CRASH_AT=publish.replaced:2`` ends the process without any clean-up when it comes to ``publish.replaced`` for the
second time. Every step that writes has such a place behind it, and the crash board of the tests kills at each of them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

VARIABLE = "FF_CRASH_AT"
EXIT_CODE = 137
"""What a shell reports for a process that was killed."""

CRASH_POINTS = (
    "meta.created",
    "meta.migrated",
    "windows.created",
    "decisions.created",
    "publish.locked",
    "publish.staged",
    "publish.audited",
    "publish.replaced",
    "publish.grown",
    "publish.versioned",
    "publish.pruned",
    "publish.parted",
    "publish.hooked",
    "publish.noted",
    "publish.committed",
    "open.cloned",
    "open.staged",
    "open.versioned",
    "open.announced",
    "open.parted",
    "open.replaced",
    "open.settled",
    "open.windows",
    "open.hooked",
    "open.noted",
    "open.cleaned",
    "lease.created",
    "lease.taken",
    "lease.released",
    "leftovers.dropped",
    "seed.batch",
    "seed.loaded",
    "state.created",
    "state.run_begun",
    "state.node_noted",
    "state.run_ended",
)
"""All places there are. ``publish.*`` is the branch in one transaction, ``open.*`` the branch without."""


def _armed(setting: str | None) -> Callable[[str], None]:
    if not setting:
        return lambda point: None
    name, _, nth = setting.partition(":")
    if name not in CRASH_POINTS or not (nth or "1").isdecimal():
        raise ValueError(f"{VARIABLE}={setting}: no such crash point")
    left = int(nth or "1")
    lock = threading.Lock()

    def reached(point: str) -> None:
        nonlocal left
        if point == name:
            with lock:
                left -= 1
                if left == 0:
                    os._exit(EXIT_CODE)

    return reached


crash_point = _armed(os.environ.get(VARIABLE))
"""Called with the name of a place, by whoever has just taken that step. Any thread."""
