"""A command that a program calls leaves the program's logging as it was."""

from __future__ import annotations

import logging

import pytest

from flowforge.cli.main import run


@pytest.mark.parametrize("arguments", [["explain", "FF1001", "-vv"], ["explain", "FF0000", "--quiet"], ["--version"]])
def test_logging_is_as_before(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    root, statements = logging.getLogger("flowforge"), logging.getLogger("flowforge.sql")
    mine = logging.NullHandler()
    root.addHandler(mine)
    before = list(root.handlers), root.propagate, root.level, statements.level
    try:
        run(arguments)
        assert (list(root.handlers), root.propagate, root.level, statements.level) == before
    finally:
        root.removeHandler(mine)
