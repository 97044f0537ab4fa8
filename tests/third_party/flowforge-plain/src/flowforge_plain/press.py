"""Publishes one relation in a process of its own: ``python -m flowforge_plain.press ENGINE FOLDER RUN NAME VALUE ...``.

One publication for each *VALUE*. Every writer notes in ``journal.txt`` when it begins and when its rows are audited.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import attrs

from flowforge.contract import Session
from flowforge.values import Relation
from flowforge_plain.place import open_place


def main() -> None:
    """See above."""
    engine, folder, run_id, name, *values = sys.argv[1:]
    journal = os.open(Path(folder) / "journal.txt", os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    place = open_place(engine, Path(folder))
    place.ensure_meta()
    publisher = place.publisher(run_id)
    session = place.session()
    for value in map(int, values):
        made = place.publication(name, value)
        inner = made.write
        assert inner is not None

        def write(session: Session, staged: Relation, write: object = inner, value: int = value) -> int | None:
            os.write(journal, f"{value} begins\n".encode())
            return write(session, staged)  # type: ignore[no-any-return, operator]

        def audit(session: Session, relation_sql: str, value: int = value) -> None:
            os.write(journal, f"{value} ends\n".encode())

        publisher.publish(session, attrs.evolve(made, write=write), audit)
    place.close()


if __name__ == "__main__":
    main()
