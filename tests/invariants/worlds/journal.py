"""Keeps what was done to a world, as text that a person can follow and repeat."""

from __future__ import annotations

import attrs


@attrs.define
class Journal:
    """Steps in order. Files that did not change are not written again."""

    _lines: list[str] = attrs.field(factory=list)
    _number: int = 0

    def step(self, title: str, *details: str) -> None:
        """Begin a new step."""
        self._number += 1
        self._lines.append(f"[{self._number}] {title}")
        self.detail(*details)

    def detail(self, *details: str) -> None:
        """Add lines to the step."""
        for detail in details:
            self._lines += [f"      {line}" for line in detail.splitlines()]

    def script(self) -> str:
        """Everything, as one text."""
        return "\n".join(["", "the world, step by step:", *self._lines, ""])
