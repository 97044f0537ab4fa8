"""Private schemas for the tables of unit tests, on engines that have no temporary tables.

Each has a number and is held by a lease, so that runs beside each other never share one. Whoever takes one removes
what a dead run left in it; whoever ends removes the schema. Knows sessions and leases.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator

import attrs

from flowforge.contract import Capability, Dialect, EngineSpec, Session
from flowforge.errors import EngineError, ErrorKind, ProjectError
from flowforge.frozen import frozen
from flowforge.state.lease import Leases
from flowforge.values import Namespace, Relation

NUMBERS = 32
"""Schemas that there may be at once, of all runs together."""


@frozen
class _Home:
    """A schema that is held, and the session that holds it."""

    namespace: Namespace
    session: Session
    held: contextlib.ExitStack


class Homes:
    """The private schemas of one run, each made when it is first needed. Safe from any thread.

    Parameters
    ----------
    namespace:
        The profile's; the schemas stand beside it.
    leases:
        Of the run.
    open_session:
        Takes the label.
    """

    def __init__(
        self,
        engine: EngineSpec,
        dialect: Dialect,
        namespace: Namespace,
        leases: Leases,
        open_session: Callable[[str], Session],
    ) -> None:
        self._engine = engine
        self._dialect = dialect
        self._namespace = namespace
        self._leases = leases
        self._open_session = open_session
        self._lock = threading.Lock()
        self._free: queue.SimpleQueue[_Home] = queue.SimpleQueue()
        self._made: list[_Home] = []
        self._next = 1
        self.needed = False
        """The engine was found to have no temporary tables."""

    @contextlib.contextmanager
    def taken(self) -> Iterator[Namespace]:
        """A schema that is empty and nobody else's while the block runs; what stands in it afterwards is removed.

        Raises
        ------
        ProjectError
            ``FF3015``, on engines without schemas.
        """
        try:
            home = self._free.get_nowait()
        except queue.Empty:
            with self._lock:
                home = self._make()
        yield home.namespace
        # After a failure it is not used again: a statement may still run in it.
        self._clear(home.session, home.namespace)
        self._free.put(home)

    def close(self) -> None:
        """Remove all of them; what cannot be removed is left to the next run."""
        with self._lock:
            for home in self._made:
                with home.held, contextlib.suppress(Exception):
                    self._remove(home.session, home.namespace)
            self._made.clear()

    def _make(self) -> _Home:
        if not self._engine.support(Capability.SCHEMAS):
            raise ProjectError(
                f"{self._engine.name} has neither temporary tables nor schemas, so unit tests have no place of their own",
                code="FF3015",
                help="give them a database of their own: a profile with the ending _utest, or --engine",
            )
        first = not self._made
        while self._next <= NUMBERS:
            number, held = self._next, contextlib.ExitStack()
            self._next += 1
            session = held.enter_context(contextlib.closing(self._open_session(f"schema {number}")))
            try:
                held.enter_context(self._leases.hold(session, f"unit tests {number}", timeout=0.0))
            except EngineError as error:
                held.close()
                if error.kind is not ErrorKind.LOCKED:
                    raise
                continue
            except BaseException:
                held.close()
                raise
            home = _Home(self._named(number), session, held)
            self._made.append(home)
            session.ensure_schema(Relation("any").within(home.namespace))
            self._clear(session, home.namespace)
            if first:
                self._sweep(session)
            return home
        raise EngineError(
            f"{NUMBERS} private schemas are in use by unit tests", kind=ErrorKind.LOCKED, help="wait for other runs"
        )

    def _named(self, number: int) -> Namespace:
        return attrs.evolve(self._namespace, schema=f"{self._namespace.schema or 'ff'}__utest_{number}")

    def _sweep(self, session: Session) -> None:
        """Remove what dead runs have left in schemas that this run may never need."""
        for number in range(self._next, NUMBERS + 1):
            namespace = self._named(number)
            try:
                standing = session.relations(namespace)
            except Exception:  # noqa: BLE001 - there is no such schema, in the words of some driver
                return
            if not standing:
                return
            with contextlib.suppress(EngineError), self._leases.hold(session, f"unit tests {number}", timeout=0.0):
                self._remove(session, namespace)

    def _clear(self, session: Session, namespace: Namespace) -> None:
        for info in session.relations(namespace):
            session.drop(info.relation.within(namespace), info.kind)

    def _remove(self, session: Session, namespace: Namespace) -> None:
        self._clear(session, namespace)
        name = self._dialect.render(Relation(namespace.schema or "", namespace.database))
        session.execute(f"DROP SCHEMA {name}")
