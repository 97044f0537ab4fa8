"""The record of provoked faults: one line of JSON a case, out of which ``tests/crash/table.py`` makes a page.

Any test may call :func:`record`. Nothing is written unless ``FF_FAULT_TABLE`` names a file.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import attrs

VARIABLE = "FF_FAULT_TABLE"


@attrs.frozen
class Case:
    """What came of one fault.

    Parameters
    ----------
    fault:
        The fault's id in the catalogue, such as ``K1``.
    engine:
        The engine's name; ``any`` when none takes part.
    how:
        How it was provoked, in a few words; cases with the same words are counted together.
    outcome:
        What the user is left with, in a few words.
    damage:
        Something was lost, doubled, mixed or reported wrongly.
    cases:
        How many times it was provoked.
    """

    fault: str
    engine: str
    how: str
    outcome: str
    damage: bool = False
    cases: int = 1


def record(fault: str, engine: str, how: str, outcome: str, damage: bool = False, *, cases: int = 1) -> None:
    """Add one case to the file; from any thread and any process. The parameters are those of :class:`Case`."""
    place = os.environ.get(VARIABLE)
    if not place:
        return
    line = json.dumps(attrs.asdict(Case(fault, engine, how, outcome, damage, cases)), ensure_ascii=False)
    with Path(place).open("a", encoding="utf-8") as file:
        file.write(line + "\n")  # one short write in append mode: lines of several processes do not mix


def read(path: Path) -> Iterator[Case]:
    """The cases of a file, in the order in which they were recorded."""
    for line in path.read_text("utf-8").splitlines():
        if line.strip():
            yield Case(**json.loads(line))


@contextlib.contextmanager
def provoked(fault: str, engine: str, how: str, outcome: str, *, cases: int = 1) -> Iterator[None]:
    """Record that the block found no damage; when an assertion fails in it, record that it did, with what was seen."""
    try:
        yield
    except AssertionError as error:
        record(fault, engine, how, " ".join(str(error).split())[:300], damage=True, cases=cases)
        raise
    record(fault, engine, how, outcome, cases=cases)
