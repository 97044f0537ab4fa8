"""``python -m flowforge_test_servers.board.counted FILE ARGS``: FlowForge, with each crash point noted in FILE."""

from __future__ import annotations

import os
import runpy
import sys

import flowforge.crash


def main() -> None:
    """Put a counter in the place of the crash points before anybody imports them, then run the command line."""
    _, trace, *rest = sys.argv
    file = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    flowforge.crash.crash_point = lambda point: os.write(file, f"{point}\n".encode()) and None  # type: ignore[assignment]
    sys.argv = ["flowforge", *rest]
    runpy.run_module("flowforge", run_name="__main__", alter_sys=False)


if __name__ == "__main__":
    main()
