"""One model's quarantine, and what is asked of it: which rows are meant, how many, and for what they are there."""

from __future__ import annotations

import contextlib
import datetime as dt
import getpass
import os
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from flowforge.api.preparation import leases_of
from flowforge.config.flaws import nearest
from flowforge.contract import Capability, Dialect, Session
from flowforge.errors import NothingSelectedError, UsageError
from flowforge.frozen import frozen
from flowforge.materialize.quarantine import HASH, REASONS, parse_reasons, quarantine_relation
from flowforge.project.manifest import Node
from flowforge.run.plan import place
from flowforge.state.decisions import RELEASE, Decision, ensure_log, free_rows, hashes_of, next_moment
from flowforge.state.meta import relation_key
from flowforge.values import Relation, RelationKind

if TYPE_CHECKING:
    from flowforge.api.project import Project

_HASH = re.compile(r"[0-9A-Za-z]{4,64}")


@frozen
class Held:
    """The quarantine of one model.

    Parameters
    ----------
    rows:
        How many rows are in it, the released ones too.
    released:
        How many of them the next build publishes.
    reasons:
        By check, how many rows are there for its sake, whatever else is wrong with them.
    """

    node: str
    relation: Relation
    rows: int
    released: int
    reasons: Mapping[str, int]


@frozen
class Choice:
    """Which rows of a quarantine are meant.

    Parameters
    ----------
    checks:
        Rows that are there for one of these; none: whatever they are there for.
    hashes:
        Rows with these hashes, or with hashes that begin so; none: all.
    everything:
        Nobody has to say more.
    """

    checks: tuple[str, ...] = ()
    hashes: tuple[str, ...] = ()
    everything: bool = False


@frozen
class Desk:
    """One model's quarantine, and what is asked of it. One thread."""

    project: Project
    node: Node
    model: Relation
    table: Relation
    key: str

    @classmethod
    def of(cls, project: Project, model: str) -> Desk:
        node = project.manifest.find(model)
        if node is None:
            names = [one.short_name for one in project.manifest.nodes.values()]
            raise UsageError(f"there is no model {model!r}", code="FF3026", help=nearest(model, names))
        return cls.at(project, node, place(node, project.executor.namespace))

    @classmethod
    def at(cls, project: Project, node: Node, model: Relation) -> Desk:
        executor = project.executor
        table = quarantine_relation(executor.dialect, model)
        return cls(project, node, model, table, relation_key(executor.dialect, model, executor.namespace))

    @property
    def dialect(self) -> Dialect:
        return self.project.executor.dialect

    @property
    def sql(self) -> str:
        return self.dialect.render(self.table)

    def quote(self, name: str) -> str:
        return self.dialect.quote(name)

    @contextlib.contextmanager
    def alone(self, session: Session) -> Iterator[None]:
        """While the block runs, no run writes the model; what it writes becomes visible together, where that can be."""
        executor, name = self.project.executor, self.dialect.render(self.model)
        engine = self.project.engine
        if engine.support(Capability.TRANSACTIONAL_DDL) and engine.support(Capability.LOCKS):
            with session.transaction():
                session.lock(name, timeout=60.0)
                yield
            return
        made = f"quarantine{uuid.uuid4().hex[:10]}"
        leases = leases_of(executor, made, lambda label, timeout: executor.session(label=label, timeout=timeout))
        with leases.hold(session, name, timeout=60.0) as lease:
            yield
            lease.confirm(session)

    def held(self, session: Session) -> Held:
        sets = self.reasons(session)
        column = self.quote(REASONS)
        sql = f"SELECT {column}, COUNT(*) AS n FROM {self.sql} GROUP BY {column}"
        found = session.query(sql).read_all()
        rows, counts = 0, dict[str, int]()
        for text, count in zip(*(one.to_pylist() for one in found.columns), strict=True):
            rows += int(count)
            for reason in sets.get(text, ()):
                counts[reason] = counts.get(reason, 0) + int(count)
        waiting = self.count(session, self._released(session, sets)) if rows else 0
        return Held(self.node.name, self.table, rows, waiting, dict(sorted(counts.items())))

    def _released(self, session: Session, sets: Mapping[str, Sequence[str]]) -> str:
        """Rows that were released from all of their reasons."""
        log = ensure_log(session, self.dialect, self.project.executor.namespace)
        parts = []
        for text, reasons in sets.items():
            passes = [f"ff_held.{self.quote(HASH)} IN ({self.released(log, reason)})" for reason in reasons]
            parts.append(f"({' AND '.join([self.has([text]), *passes])})")
        return " OR ".join(parts) or "1 = 0"

    def reasons(self, session: Session) -> Mapping[str, Sequence[str]]:
        """The sets of reasons that rows have, by their texts."""
        column = self.quote(REASONS)
        found = session.query(f"SELECT DISTINCT {column} FROM {self.sql}").read_all()
        return {str(text): parse_reasons(text) for text in found.column(0).to_pylist()}

    def has(self, texts: Sequence[str]) -> str:
        """The condition that a row has one of these sets of reasons."""
        if not texts:
            return "1 = 0"
        return f"ff_held.{self.quote(REASONS)} IN ({', '.join(self.dialect.literal(text) for text in texts)})"

    def condition(self, session: Session, choice: Choice) -> str:
        """Which rows are meant.

        Raises
        ------
        NothingSelectedError
            When there are none.
        UsageError
            When there is no such check or row.
        """
        name = self.node.short_name
        if session.kind_of(self.table) is not RelationKind.TABLE or not self.count(session, "1 = 1"):
            raise NothingSelectedError(
                f"no rows of {name!r} are in quarantine", help="`flowforge quarantine ls` lists what there is"
            )
        sets = self.reasons(session)
        known = sorted({reason for reasons in sets.values() for reason in reasons})
        parts = []
        for check in choice.checks:
            if check not in known:
                raise UsageError(
                    f"no row of {name!r} is in quarantine for {check!r}",
                    code="FF3026",
                    help=nearest(check, known) or f"there are {', '.join(known)}",
                )
        if choice.checks:
            parts.append(self.has([text for text, found in sets.items() if set(found) & set(choice.checks)]))
        if choice.hashes:
            parts.append(f"ff_held.{self.quote(HASH)} IN ({', '.join(self._whole(session, choice.hashes))})")
        condition = " AND ".join(parts) or "1 = 1"
        if parts and not self.count(session, condition):
            raise NothingSelectedError(f"no row of {name!r} in quarantine is all of that")
        return condition

    def _whole(self, session: Session, beginnings: Sequence[str]) -> list[str]:
        """The hashes that begin so, as literals."""
        column = f"ff_held.{self.quote(HASH)}"
        found = []
        for text in beginnings:
            whole_or_begun(text)
            same = f"SUBSTR({column}, 1, {len(text)}) = {self.dialect.literal(text)}"
            sql = f"SELECT DISTINCT {column} AS ff_hash FROM {self.sql} AS ff_held WHERE {same}"
            hits = session.query(sql).read_all().column(0).to_pylist()
            if len(hits) != 1:
                words = (
                    f"no row in quarantine has the hash {text}"
                    if not hits
                    else f"{len(hits)} rows have hashes like {text}"
                )
                raise UsageError(words, code="FF3026", help="`flowforge quarantine show` shows them")
            found.append(self.dialect.literal(hits[0]))
        return found

    def hashes(self, condition: str) -> str:
        """The query for the hashes of the rows that are meant."""
        return f"SELECT DISTINCT ff_held.{self.quote(HASH)} AS ff_hash FROM {self.sql} AS ff_held WHERE {condition}"

    def released(self, log: Relation, check: str) -> str:
        """The query for the hashes of the rows that may pass a check."""
        return hashes_of(self.dialect, log, self.key, RELEASE, check)

    def count(self, session: Session, condition: str) -> int:
        sql = f"SELECT COUNT(*) AS n FROM {self.sql} AS ff_held WHERE {condition}"
        return int(session.query(sql).read_all().column(0)[0].as_py())

    def decision(self, session: Session, log: Relation, kind: str, note: str | None) -> Decision:
        """A new one, which counts more than all before it. While nobody else decides."""
        at = next_moment(session, self.dialect, log, self.key, dt.datetime.now(dt.UTC))
        return Decision(self.key, self.node.name, kind, uuid.uuid4().hex, _who(), at, note=note)

    def freed(self, session: Session, log: Relation, choice: Choice) -> Mapping[str, Sequence[str]]:
        """The releases that are meant: hashes of rows by check.

        Raises
        ------
        NothingSelectedError
            When there are none.
        UsageError
            When there is no such check or row.
        """
        name = self.node.short_name
        pairs = free_rows(session, self.dialect, log, self.key)
        if not pairs:
            raise NothingSelectedError(
                f"no row of {name!r} is released", help=f"`flowforge quarantine log -s {name}` shows what was decided"
            )
        known = sorted({check for check, _ in pairs})
        for check in choice.checks:
            if check not in known:
                raise UsageError(
                    f"no row of {name!r} is released from {check!r}",
                    code="FF3026",
                    help=nearest(check, known) or f"there are {', '.join(known)}",
                )
        rows = {
            _only_row({row for _, row in pairs if row.startswith(whole_or_begun(text))}, text) for text in choice.hashes
        }
        found: dict[str, list[str]] = {}
        for check, row in pairs:
            if (not choice.checks or check in choice.checks) and (not rows or row in rows):
                found.setdefault(check, []).append(row)
        if not found:
            raise NothingSelectedError(f"no released row of {name!r} is all of that")
        return found


def whole_or_begun(text: str) -> str:
    if not _HASH.fullmatch(text):
        raise UsageError(f"{text!r} is no hash of a row", code="FF3026", help="`flowforge quarantine show` shows them")
    return text


def _only_row(found: set[str], text: str) -> str:
    if len(found) != 1:
        words = f"no released row has the hash {text}" if not found else f"{len(found)} rows have hashes like {text}"
        raise UsageError(words, code="FF3026", help="`flowforge quarantine log --json` shows them")
    return found.pop()


def _who() -> str:
    """The user of the operating system."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # such as in a container that knows no names
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else ""
