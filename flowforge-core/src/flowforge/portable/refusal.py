"""The word by which a rule says that it cannot say something in another dialect."""

from __future__ import annotations


class Refused(Exception):
    """A part of a query that would mean something else. Never leaves this room."""

    def __init__(self, text: str, help: str) -> None:
        super().__init__(text)
        self.text = text
        self.help = help
