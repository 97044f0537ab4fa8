"""``_ff_leases``: locks for engines that have none.

A lease is a row that says who may write a relation, until when, and in which epoch. It is taken, kept and given back
by single UPDATE statements that only match the row as it was last seen, so of two runs one finds that it was too late.
Times are those of the database, so the clocks of hosts do not matter; and whoever sees a lease unchanged for longer
than it lasts may take it too, so the database's clock does not matter much either.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from flowforge.contract import Dialect, Session
from flowforge.crash import crash_point
from flowforge.errors import EngineError, ErrorKind
from flowforge.frozen import frozen
from flowforge.state.making import make_once
from flowforge.state.meta import moment
from flowforge.state.process import birth_of, is_gone
from flowforge.values import Namespace, Relation

LEASE_TABLE = "_ff_leases"
_PATIENCE = 1.0  # seconds of waiting before anybody is told
_TEXTS = ("holder", "run_id", "host", "birth", "since")
_NUMBERS = ("epoch", "until_ms", "pid")
_COLUMNS = (*_TEXTS, *_NUMBERS)

logger = logging.getLogger("flowforge.locks")


@frozen
class Holder:
    """Who holds a lease, or held it last, when *holder* is empty.

    Parameters
    ----------
    holder:
        A text of its own for every time that a lease is taken.
    birth:
        See :func:`~flowforge.state.process.birth_of`.
    since:
        When it was taken, by the database's clock, as text.
    epoch:
        How often the lease was taken.
    until_ms:
        When it ends unless it is renewed: milliseconds since 1970, by the database's clock.
    """

    holder: str = ""
    run_id: str = ""
    host: str = ""
    birth: str = ""
    since: str = ""
    epoch: int = 0
    until_ms: int = 0
    pid: int = 0

    def __str__(self) -> str:
        return f"run {self.run_id} (pid {self.pid} on {self.host}, since {self.since} UTC)"

    @property
    def is_dead(self) -> bool:
        """Whether its process was on this very machine, and has ended; False when nobody knows."""
        here = birth_of(os.getpid()).split()[:2]
        return bool(here) and self.birth.split()[:2] == here and is_gone(self.pid, self.birth)


@frozen
class Leases:
    """The leases of one run. Safe from any thread.

    Parameters
    ----------
    namespace:
        The profile's own; the table of leases lives there.
    open_session:
        Called with a label when a lease has to be renewed while the session that took it is busy.
    length, beat, poll:
        Seconds that a lease lasts without being renewed, between renewals, and between looks at somebody else's.
    stop:
        Ends all waiting when it is set.
    """

    dialect: Dialect
    namespace: Namespace
    run_id: str
    open_session: Callable[[str], Session]
    length: float = 30.0
    beat: float = 10.0
    poll: float = 0.2
    stop: threading.Event = attrs.field(factory=threading.Event)

    @property
    def table(self) -> Relation:
        """The table of leases."""
        return Relation(LEASE_TABLE, self.namespace.schema, self.namespace.database)

    @contextlib.contextmanager
    def hold(self, session: Session, name: str, *, timeout: float | None) -> Iterator[Lease]:
        """Hold the lease called *name* for the length of the block; nobody else does meanwhile.

        Parameters
        ----------
        session:
            Takes the lease and gives it back; free for other uses in between.
        timeout:
            Seconds to wait for another run; ``None`` waits for ever.

        Raises
        ------
        EngineError
            Of kind ``LOCKED``, naming the holder, after *timeout*; of kind ``CANCELLED`` after a stop.
        """
        self._ensure(session)
        lease = Lease(self, name, self._take(session, name, timeout))
        crash_point("lease.taken")
        try:
            with lease.kept_alive():
                yield lease
        finally:
            self._release(session, name, lease.mine)

    def alive(self, session: Session) -> frozenset[str]:
        """The runs that hold a lease now."""
        if session.kind_of(self.table) is None:
            return frozenset()
        holders, now = self._read(session, None)
        return frozenset(one.run_id for one in holders if one.holder and one.until_ms >= now and not one.is_dead)

    # taking

    def _ensure(self, session: Session) -> None:
        if session.kind_of(self.table) is not None:
            return
        import pyarrow as pa

        text, number = self.dialect.type_name(pa.string()), self.dialect.type_name(pa.int64())
        kinds = {"name": text, **dict.fromkeys(_TEXTS, text), **dict.fromkeys(_NUMBERS, number)}
        make_once(session, self.dialect, self.table, kinds)
        crash_point("lease.created")

    def _take(self, session: Session, name: str, timeout: float | None) -> Holder:
        started = changed = time.monotonic()
        told, seen = False, Holder()
        while True:
            holders, now = self._read(session, name)
            if not holders:
                # A second row by another run at the same moment does no harm: see _valid.
                self._insert(session, name)
                continue
            standing = _valid(holders)
            if standing != seen:
                seen, changed = standing, time.monotonic()
            mine = self._try(session, name, standing, now, unchanged=time.monotonic() - changed)
            if mine is not None:
                return mine
            waited = time.monotonic() - started
            if timeout is not None and waited >= timeout:
                raise EngineError(
                    f"waited {timeout:g} seconds for {name}, which is held by {seen}",
                    kind=ErrorKind.LOCKED,
                    help="wait for that run, or stop it; --lock-timeout says how long to wait",
                )
            if not told and waited >= _PATIENCE:
                told = True
                logger.warning("waiting for %s, which is held by %s", name, seen)
            # Not always the same pause, so that two runs that got into each other's way do not do so again.
            if self.stop.wait(self.poll * random.uniform(0.7, 1.3)):
                raise EngineError(f"cancelled while waiting for {name}", kind=ErrorKind.CANCELLED)

    def _try(self, session: Session, name: str, standing: Holder, now: int, *, unchanged: float) -> Holder | None:
        """Take the lease if it is free, and return what then stands in the table, or ``None``.

        It is taken only when no row of its epoch, or of a later one, is anybody else's, be it a free one: a row that
        was added late still looks as it did before all others, so whoever takes it may be behind by any number of
        epochs. Of two that take different rows of one epoch, the second to write sees the first.
        """
        free = (
            not standing.holder
            or standing.run_id == self.run_id  # left behind by a lost connection: a run writes a relation only once
            or standing.until_ms < now
            or standing.is_dead
            or unchanged > self.length
        )
        if not free:
            return None
        mine = Holder(
            holder=uuid.uuid4().hex,
            run_id=self.run_id,
            host=socket.gethostname(),
            birth=birth_of(os.getpid()),
            since=dt.datetime.fromtimestamp(now / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M:%S"),
            epoch=standing.epoch + 1,
            until_ms=now + self._length_ms,
            pid=os.getpid(),
        )
        self.update(session, name, standing, mine)
        holders, _ = self._read(session, name)
        if mine not in holders:
            return None
        if any(one.epoch >= mine.epoch and one.holder != mine.holder for one in holders):
            self.update(session, name, mine, attrs.evolve(mine, holder="", until_ms=0))
            return None
        return mine

    @property
    def _length_ms(self) -> int:
        return int(self.length * 1000)

    def renew(self, session: Session, name: str, mine: Holder) -> Holder | None:
        """Let the lease last for its full length again; ``None`` when it belongs to somebody else by now."""
        _, now = self._read(session, name)
        later = attrs.evolve(mine, until_ms=now + self._length_ms)
        self.update(session, name, mine, later, only_mine=True)
        holders, _ = self._read(session, name)
        # Whoever took a second row at the same moment has the same epoch, sees this one and steps back: see _try.
        taken_over = any(one.holder not in ("", mine.holder) and one.epoch > mine.epoch for one in holders)
        return later if later in holders and not taken_over else None

    def _release(self, session: Session, name: str, mine: Holder) -> None:
        try:
            self.update(session, name, mine, attrs.evolve(mine, holder="", until_ms=0), only_mine=True)
            crash_point("lease.released")
        except Exception as error:  # noqa: BLE001 - what was held for is over, however it ended
            logger.warning("the lease on %s was not given back, it ends by itself: %s", name, error)

    # rows

    def _read(self, session: Session, name: str | None) -> tuple[list[Holder], int]:
        """The rows of one name (or all), and the database's time in milliseconds since 1970."""
        quote = self.dialect.quote
        condition = "" if name is None else f" WHERE {quote('name')} = {self.dialect.literal(name)}"
        listed = ", ".join(quote(column) for column in _COLUMNS)
        found = session.query(
            f"SELECT {listed}, CURRENT_TIMESTAMP AS {quote('now')} FROM {self.dialect.render(self.table)}{condition}"
        ).read_all()
        now, holders = 0, []
        for values in zip(*(column.to_pylist() for column in found.columns), strict=True):
            holders.append(_holder(values))
            now = int(moment(values[-1]).timestamp() * 1000)
        return holders, now

    def _insert(self, session: Session, name: str) -> None:
        nobody = attrs.asdict(Holder())
        row = (name, *(nobody[column] for column in _COLUMNS))
        session.add_rows(self.dialect, self.table, ("name", *_COLUMNS), [row])

    def update(self, session: Session, name: str, before: Holder, after: Holder, *, only_mine: bool = False) -> None:
        """Write *after* over *before*, if that is what stands there; *only_mine*: whatever time is noted."""
        quote, literal = self.dialect.quote, self.dialect.literal
        wanted, written = attrs.asdict(before), attrs.asdict(after)
        unchanged = ("holder", "epoch") if only_mine else ("holder", "epoch", "until_ms")
        conditions = [f"{quote('name')} = {literal(name)}"]
        conditions += [f"{quote(column)} = {literal(wanted[column])}" for column in unchanged]
        changes = {column: written[column] for column in _COLUMNS}
        session.update_rows(self.dialect, self.table, changes, " AND ".join(conditions))


def _holder(values: Sequence[Any]) -> Holder:
    kinds: dict[str, type] = {**dict.fromkeys(_TEXTS, str), **dict.fromkeys(_NUMBERS, int)}
    return Holder(
        **{column: kind(value or kind()) for (column, kind), value in zip(kinds.items(), values, strict=False)}
    )


def _valid(holders: Sequence[Holder]) -> Holder:
    """The row that counts: of the latest epoch, of those one that is held, and of those not what a dead run left."""
    return max(holders, key=lambda one: (one.epoch, bool(one.holder), not (one.holder and one.is_dead), one.until_ms))


class Lease:
    """A lease that is held. Used by the thread that took it, and by one that keeps it alive."""

    def __init__(self, leases: Leases, name: str, mine: Holder) -> None:
        self._leases = leases
        self._name = name
        self._mutex = threading.Lock()
        self._lost: Exception | None = None
        self.mine = mine

    @contextlib.contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Renew it from another thread, on another session, while the block runs."""
        over = threading.Event()
        thread = threading.Thread(target=self._keep, args=(over,), name="flowforge-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            # A renewal that hangs in the database is left alone: after the release it finds nothing to renew.
            thread.join(self._leases.beat)

    def _keep(self, over: threading.Event) -> None:
        session: Session | None = None
        while not over.wait(self._leases.beat):
            try:
                session = session or self._leases.open_session(f"flowforge/{self._leases.run_id}/lease")
                self._renew(session)
            except Exception as error:  # noqa: BLE001 - the next renewal may succeed, and `confirm` tells the truth
                self._lost = error
                if session is not None:
                    with contextlib.suppress(Exception):
                        session.close()
                session = None
        if session is not None:
            session.close()

    def _renew(self, session: Session) -> bool:
        with self._mutex:
            later = self._leases.renew(session, self._name, self.mine)
            if later is not None:
                self.mine = later
            return later is not None

    def confirm(self, session: Session) -> None:
        """See that nobody else has taken the lease, and that it lasts for its full length from now on.

        Raises
        ------
        EngineError
            Of kind ``LOCKED`` (code ``FF2303``) when somebody has.
        """
        if self._renew(session):
            return
        raise EngineError(
            f"another run has taken over {self._name}, because this one did not renew its lease in time",
            kind=ErrorKind.LOCKED,
            code="FF2303",
            help="run again",
            notes=[f"the last renewal failed: {self._lost}"] if self._lost else [],
        )
