"""Gaps that the runner of the suite knows of: data with reasons, judged strictly."""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

from flowforge.contract import Capability
from flowforge.frozen import frozen


@frozen
class Gap:
    """One entry of a file of known gaps.

    Parameters
    ----------
    key:
        A capability's value, or a pattern (as for file names) of case names such as ``test_merge.py::*``.
    run:
        False for a case that would hang.
    """

    key: str
    reason: str
    run: bool = True

    def covers(self, case: str, capabilities: Iterable[Capability]) -> bool:
        """Is the case, which needs these capabilities, what this gap speaks of?"""
        if "::" not in self.key:
            return self.key in {capability.value for capability in capabilities}
        # Cases with parameters have brackets, which are meant as they stand.
        pattern = self.key.replace("[", "[[]")
        return fnmatch.fnmatchcase(case, pattern)


def read_gaps(path: Path) -> tuple[Gap, ...]:
    """Read a TOML file: key -> reason, or key -> ``{reason = "...", run = false}``.

    Raises
    ------
    pytest.UsageError
        For anything else.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise pytest.UsageError(f"--ff-known-gaps {path}: {exc}") from exc
    known = {capability.value for capability in Capability}
    gaps = []
    for key, value in data.items():
        entry = {"reason": value} if isinstance(value, str) else value
        if "::" not in key and key not in known:
            raise pytest.UsageError(f"{path}: {key!r} is no capability, and a case is written as file::test")
        if not isinstance(entry, dict) or not entry.get("reason") or set(entry) - {"reason", "run"}:
            raise pytest.UsageError(f'{path}: {key!r} needs a reason: text, or {{reason = "...", run = false}}')
        gaps.append(Gap(key, str(entry["reason"]), bool(entry.get("run", True))))
    return tuple(gaps)
