"""Rows that fail a check are put aside before anybody sees them, and the others are published.

A row is stored once, with all its reasons, in a table beside the model's. Whatever is judged is judged once: the
verdicts are written down with the rows before they are parted, so that each row is on exactly one side, even if a check
would answer differently a moment later. Knows sessions and conditions; nothing of checks, transactions or ``_ff_meta``.

Where all rows are made anew, the quarantine is that of the present build. Where rows are added, it grows: rows leave it
when a new row has their key, when they come again, when they are released, and when they are dropped.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import attrs

from flowforge.contract import CreateKind, Dialect, Session, TableOptions
from flowforge.errors import ModelExecutionError
from flowforge.frozen import frozen
from flowforge.materialize.columns import Shape, shape_of
from flowforge.materialize.increments import Increment, Strategy
from flowforge.state.decisions import DROP, LEFT, RELEASE, Decision, decided, hashes_of, write_decision
from flowforge.values import Relation, RelationKind

PREFIX = "_ff_quarantine_"
RUN, NODE, REASONS, HASH, AT = "_ff_run_id", "_ff_node", "_ff_reasons", "_ff_row_hash", "_ff_quarantined_at"
OWN = (RUN, NODE, REASONS, HASH, AT)
_FLAG, _MARK = "ff__q", "ff__hash"


@frozen
class Judged:
    """What a rule is applied to: a relation as *sql*, with its *columns*, and the *session* that may ask it."""

    session: Session
    sql: str
    columns: Shape


@frozen
class Rule:
    """One check that puts rows aside.

    Parameters
    ----------
    name:
        The check's id, which becomes the reason.
    condition:
        Takes what is judged, and gives the condition of a row that fails.
    """

    name: str
    condition: Callable[[Judged], str]


@frozen
class Quarantine:
    """Where the failing rows of one model go.

    Parameters
    ----------
    table:
        The quarantine.
    log:
        The table of decisions.
    key:
        The model's relation in there.
    rules:
        None, when the model had rules once and its quarantine still stands.
    told:
        Called with the number of failing rows of each rule, and of all new rows; raises to publish nothing.
    broken:
        Makes an error of what was raised while the rules were applied; ``None``: it is about something else.
    """

    table: Relation
    log: Relation
    key: str
    node: str
    rules: tuple[Rule, ...]
    told: Callable[[Mapping[str, int], int], None] = lambda counts, rows: None
    broken: Callable[[Exception], Exception | None] = lambda problem: None


@frozen
class Kept:
    """How many new rows were put aside, by reason and in all; and how many a decision left out for good."""

    rows: int = 0
    reasons: Mapping[str, int] = attrs.field(factory=dict)
    dropped: int = 0


def quarantine_relation(dialect: Dialect, model: Relation, prefix: str = PREFIX) -> Relation:
    """The quarantine of a model, in the same schema; the name is cut where the engine would not hold it."""
    name, limit = f"{prefix}{model.name}", dialect.max_identifier_bytes
    if limit is not None and len(name.encode()) > limit:
        tail = hashlib.blake2b(name.encode(), digest_size=5).hexdigest()
        name = name.encode()[: limit - len(tail) - 1].decode(errors="ignore") + f"_{tail}"
    return model.renamed(name)


@attrs.define
class Hold:
    """One attempt to part the rows of one publication. One thread.

    Parameters
    ----------
    spare:
        Names relations of this run's own.
    at_once:
        All that is written becomes visible together.
    kept:
        What was put aside.
    good:
        How many of the new rows are left, where they were counted.
    """

    quarantine: Quarantine
    dialect: Dialect
    run_id: str
    now: dt.datetime
    spare: Callable[[str], Relation]
    at_once: bool
    kept: Kept = attrs.field(factory=Kept)
    _columns: Shape | None = None
    _marked: bool = False
    _hashed: bool = False
    _grows: bool = False
    _past: Shape | None = None
    _releases: Collection[str] = ()
    _drops: bool = False
    _again: str = ""
    _released: str = ""
    good: int | None = None

    # parting

    def part(self, session: Session, rows: Relation, options: TableOptions = TableOptions()) -> None:
        """Leave only the good ones of new *rows*, which are all that the model has."""
        self._look(session, rows)
        if self._judge(session, rows, every=False):
            self._take_good(session, rows, options)

    def part_increment(self, session: Session, rows: Relation, increment: Increment) -> None:
        """Leave only the good ones of new *rows*, and add what was released of those that were put aside before."""
        self._look(session, rows)
        self._grows = True
        table = self._sql(self.quarantine.table)
        waiting = 0 if self._past is None else _number(session, f"SELECT COUNT(*) AS n FROM {table}")
        if not waiting:
            self._past = None
        if not self._judge(session, rows, every=bool(waiting)):
            return
        if waiting:
            self._refuse_other_types()
            self._again = self._comes_again(session, increment)
            self._released = self._is_released(session)
        self._take_good(session, rows, TableOptions())
        if self._released:
            assert self._columns is not None
            assert self._past is not None
            found = {name: other for name in self._columns.types if (other := self._past.find(name)) is not None}
            values = ", ".join(f"ff_held.{self._q(other)} AS {self._q(name)}" for name, other in found.items())
            condition = f"({self._released}) AND NOT ({self._again})"
            session.insert(rows, f"SELECT {values} FROM {table} AS ff_held WHERE {condition}", list(found))

    def _look(self, session: Session, rows: Relation) -> None:
        """Read what has to be known before anything is written."""
        quarantine = self.quarantine
        self._clear(session)  # of an attempt whose connection was lost
        self._columns = shape_of(session, self.dialect, rows, quarantine.node)
        taken = [name for name in OWN if self._columns.find(name) is not None]
        if taken:
            raise ModelExecutionError(
                f"the model has a column {taken[0]!r}, which every quarantine has for itself",
                node=quarantine.node,
                code="FF3024",
                help=f"leave it out, or give it another name: {taken[0]} as other_name",
            )
        self._past = None
        if session.kind_of(quarantine.table) is RelationKind.TABLE:
            self._past = shape_of(session, self.dialect, quarantine.table, quarantine.node)
        self._releases, self._drops = decided(session, self.dialect, quarantine.log, quarantine.key)

    def _judge(self, session: Session, rows: Relation, *, every: bool) -> bool:
        """Write the verdicts down beside the rows; False when there is nothing to part.

        Parameters
        ----------
        every:
            The rows are asked for by others too, whatever the verdicts are.
        """
        rules, source = self.quarantine.rules, self._sql(rows)
        assert self._columns is not None
        judged = Judged(session, source, self._columns)
        try:
            flags = [
                f"CASE WHEN ({rule.condition(judged)}) THEN 1 ELSE 0 END AS {_FLAG}{index}"
                for index, rule in enumerate(rules)
            ]
            counts = [0] * len(rules)
            total = 0
            if rules:
                listed = ", ".join(f"COALESCE(SUM({_FLAG}{index}), 0) AS n{index}" for index in range(len(rules)))
                inner = f"SELECT {', '.join(flags)} FROM {source} AS ff__source"
                found = session.query(f"SELECT COUNT(*) AS n, {listed} FROM ({inner}) AS ff__rows").read_all()
                total, *counts = [int(column[0].as_py()) for column in found.columns]
            if not every and not any(counts):
                self.quarantine.told(dict.fromkeys((rule.name for rule in rules), 0), total)
                return False
            hash_ = f"{self.dialect.row_hash(self._columns.types)} AS {_MARK}"
            select = ", ".join(["ff__source.*", *flags, hash_])
            session.create_as(self._marked_rows, f"SELECT {select} FROM {source} AS ff__source", CreateKind.TABLE)
        except Exception as problem:
            error = self.quarantine.broken(problem)
            if error is None:
                raise
            raise error from problem
        self._marked = True
        held, dropped = self._is_held, self._is_dropped
        sums = [f"COALESCE(SUM(CASE WHEN {one} THEN 1 ELSE 0 END), 0) AS n{index}" for index, one in enumerate([
            held, dropped, *(f"{self._fails(index)} AND NOT ({dropped})" for index in range(len(rules)))
        ])]  # fmt: skip
        found = session.query(
            f"SELECT COUNT(*) AS n, {', '.join(sums)} FROM {self._sql(self._marked_rows)} AS ff_rows"
        ).read_all()
        total, kept, lost, *counts = [int(column[0].as_py()) for column in found.columns]
        named = {rule.name: count for rule, count in zip(rules, counts, strict=True)}
        self.good = total - kept - lost
        self.kept = Kept(kept, {name: count for name, count in named.items() if count}, lost)
        self.quarantine.told(named, total)
        return True

    def _take_good(self, session: Session, rows: Relation, options: TableOptions) -> None:
        if not self.kept.rows and not self.kept.dropped:
            return
        assert self._columns is not None
        listed = ", ".join(f"ff_rows.{self._q(name)}" for name in self._columns.types)
        session.drop(rows, RelationKind.TABLE)
        good = f"NOT ({self._is_held}) AND NOT ({self._is_dropped})"
        session.create_as(
            rows,
            f"SELECT {listed} FROM {self._sql(self._marked_rows)} AS ff_rows WHERE {good}",
            CreateKind.TABLE,
            options,
        )

    # writing the quarantine

    def write(self, session: Session) -> None:
        """Bring the quarantine up to date: inside the transaction, or before the good rows are published.

        Without a transaction, what was released stays until :meth:`finish`: the rows are published in between.
        """
        leaves = self._leaves(finished=self.at_once)
        changed = bool(self.kept.rows) or (self._past is not None and (leaves is None or bool(leaves)))
        if not changed:
            self._clear(session)
            return
        gone = self._count_leaving(session, leaves)
        if leaves is None and not self.quarantine.rules:
            session.drop(self.quarantine.table, RelationKind.TABLE)  # nothing puts rows aside any more
        elif self.kept.rows or gone:
            self._rewrite(session, leaves)
        if gone:
            self._note(session, gone)
        if not self._is_unfinished:
            self._clear(session)

    def finish(self, session: Session) -> None:
        """Take out what was released, now that it is published. After :meth:`write`; needed without transactions."""
        if not self._is_unfinished:
            return
        condition = f"({self._released}) AND NOT ({self._again})"
        sql = f"SELECT COUNT(*) AS n FROM {self._sql(self.quarantine.table)} AS ff_held WHERE {condition}"
        gone = _number(session, sql)
        if gone:
            staged = self._staged
            session.create_as(
                staged,
                f"SELECT ff_held.* FROM {self._sql(self.quarantine.table)} AS ff_held WHERE NOT ({condition})",
                CreateKind.TABLE,
            )
            session.replace(staged, self.quarantine.table)
            self._note(session, gone)
        self._clear(session)

    @property
    def _is_unfinished(self) -> bool:
        return not self.at_once and bool(self._released)

    def _leaves(self, *, finished: bool) -> str | None:
        """The condition under which a row leaves the quarantine; ``None``: all do; empty: none does."""
        if not self._grows:
            return None
        parts = [part for part in (self._again, self._released if finished else "") if part]
        return " OR ".join(f"({part})" for part in parts)

    def _count_leaving(self, session: Session, leaves: str | None) -> int:
        """How many rows leave for good; those that are put aside again do not count."""
        if self._past is None or leaves == "":
            return 0
        conditions = [f"({leaves})"] if leaves else []
        if self.kept.rows:
            same = f"ff_rows.{_MARK} = ff_held.{self._q(HASH)} AND ({self._is_held})"
            conditions.append(f"NOT EXISTS (SELECT 1 FROM {self._sql(self._marked_rows)} AS ff_rows WHERE {same})")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return _number(session, f"SELECT COUNT(*) AS n FROM {self._sql(self.quarantine.table)} AS ff_held{where}")

    def _rewrite(self, session: Session, leaves: str | None) -> None:
        assert self._columns is not None
        staged = self._staged
        session.drop(staged, RelationKind.TABLE)
        columns = list(self._columns.types)
        past, marked, held = self._past, self._sql(self._marked_rows), self._sql(self.quarantine.table)
        if leaves is None or past is None:
            if self._marked:
                noted = ", ".join(f"{value} AS {self._q(name)}" for name, value in self._own().items())
                listed = ", ".join(f"ff_rows.{self._q(name)}" for name in columns)
                select = f"SELECT {listed}, {noted} FROM {marked} AS ff_rows WHERE {self._is_held}"
            else:  # nothing failed, so nothing was written down
                select = f"SELECT * FROM {held} WHERE 1 = 0"
            session.create_as(staged, select, CreateKind.TABLE)
            session.replace(staged, self.quarantine.table)
            return
        older = [name for name in past.types if self._columns.find(name) is None and name not in self._own_of(past)]
        old, fresh = [], []
        for name in columns:
            other = past.find(name)
            fresh.append(f"ff_rows.{self._q(name)} AS {self._q(name)}")
            old.append(
                f"{'ff_held.' + self._q(other) if other is not None else 'ff_rows.' + self._q(name)} AS {self._q(name)}"
            )
        for name in older:
            old.append(f"ff_held.{self._q(name)} AS {self._q(name)}")
            fresh.append(f"ff_held.{self._q(name)} AS {self._q(name)}")
        own = self._own()
        for name in OWN:
            found = past.find(name) or name
            old.append(f"ff_held.{self._q(found)} AS {self._q(name)}")
            fresh.append(f"{own[name]} AS {self._q(name)}")
        stays = f" WHERE NOT ({leaves})" if leaves else ""
        select = (
            f"SELECT {', '.join(old)} FROM {held} AS ff_held "
            f"LEFT JOIN (SELECT * FROM {marked} WHERE 1 = 0) AS ff_rows ON 1 = 0{stays} "
            f"UNION ALL SELECT {', '.join(fresh)} FROM {marked} AS ff_rows "
            f"LEFT JOIN (SELECT * FROM {held} WHERE 1 = 0) AS ff_held ON 1 = 0 WHERE {self._is_held}"
        )
        session.create_as(staged, select, CreateKind.TABLE)
        session.replace(staged, self.quarantine.table)

    def _note(self, session: Session, gone: int) -> None:
        """A line of the log about rows that left by themselves."""
        quarantine = self.quarantine
        decision = Decision(
            quarantine.key,
            quarantine.node,
            LEFT,
            self.run_id,
            "",
            self.now,
            rows=gone,
            note=f"{self.kept.rows} rows of this build were put aside",
        )
        write_decision(session, self.dialect, quarantine.log, decision)

    def _own(self) -> dict[str, str]:
        """What is noted beside a row, as SQL over the rows that were judged."""
        d = self.dialect
        parts = [
            f"CASE WHEN {self._fails(index)} THEN {d.literal(',' + json.dumps(rule.name))} ELSE {d.literal('')} END"
            for index, rule in enumerate(self.quarantine.rules)
        ]
        joined = d.literal("")
        for part in parts:
            joined = d.function("concat", left=joined, right=f"({part})")
        listed = d.function("concat", left=d.literal("["), right=f"SUBSTR({joined}, 2)")
        moment = self.now.astimezone(dt.UTC).replace(tzinfo=None)
        return {
            RUN: self._as_text(d.literal(self.run_id)),
            NODE: self._as_text(d.literal(self.quarantine.node.removesuffix(".ff"))),
            REASONS: self._as_text(d.function("concat", left=listed, right=d.literal("]"))),
            HASH: f"ff_rows.{_MARK}",
            AT: d.literal(moment),
        }

    def _as_text(self, expression: str) -> str:
        import pyarrow as pa

        return self.dialect.cast(expression, self.dialect.type_name(pa.string()))

    # conditions on rows that were judged, called ff_rows

    def _fails(self, index: int) -> str:
        """A row fails a rule that it was not released from."""
        rule, flag = self.quarantine.rules[index], f"ff_rows.{_FLAG}{index} = 1"
        if rule.name not in self._releases:
            return flag
        hashes = hashes_of(self.dialect, self.quarantine.log, self.quarantine.key, RELEASE, rule.name)
        return f"{flag} AND ff_rows.{_MARK} NOT IN ({hashes})"

    @property
    def _is_dropped(self) -> str:
        """It was decided that the row is never to be seen again; that holds as long as it fails."""
        if not self._drops or not self.quarantine.rules:
            return "1 = 0"
        flags = " OR ".join(f"ff_rows.{_FLAG}{index} = 1" for index in range(len(self.quarantine.rules)))
        return f"({flags}) AND ff_rows.{_MARK} IN ({self._dropped_hashes})"

    @property
    def _is_held(self) -> str:
        failing = " OR ".join(f"({self._fails(index)})" for index in range(len(self.quarantine.rules))) or "1 = 0"
        if not self._drops:
            return f"({failing})"
        return f"({failing}) AND ff_rows.{_MARK} NOT IN ({self._dropped_hashes})"

    @property
    def _dropped_hashes(self) -> str:
        return hashes_of(self.dialect, self.quarantine.log, self.quarantine.key, DROP)

    # conditions on rows that were put aside before, called ff_held

    def _comes_again(self, session: Session, increment: Increment) -> str:
        """One of the new rows is the same row, or takes its place. The hashes of such rows are looked for once."""
        assert self._past is not None
        assert self._columns is not None
        marked, held, hash_ = self._sql(self._marked_rows), self._sql(self.quarantine.table), self._q(HASH)
        joins = [f"ff_new.{_MARK} = ff_held.{hash_}"]
        keyed = increment.strategy in (Strategy.MERGE, Strategy.DELETE_INSERT) and increment.key
        pairs = [(self._columns.find(name), self._past.find(name)) for name in increment.key if keyed]
        if pairs and None not in {name for pair in pairs for name in pair}:
            joins.append(
                " AND ".join(f"ff_new.{self._q(one or '')} = ff_held.{self._q(old or '')}" for one, old in pairs)
            )
        select = " UNION ".join(
            f"SELECT ff_held.{hash_} AS {_MARK} FROM {held} AS ff_held JOIN {marked} AS ff_new ON {on}" for on in joins
        )
        session.create_as(self._repeated, select, CreateKind.TABLE)
        return f"ff_held.{hash_} IN (SELECT {_MARK} FROM {self._sql(self._repeated)})"

    def _is_released(self, session: Session) -> str:
        """For each set of reasons: the row was released from all of them; empty when nothing was."""
        if not self._releases:
            return ""
        column, hash_ = f"ff_held.{self._q(REASONS)}", f"ff_held.{self._q(HASH)}"
        sql = f"SELECT DISTINCT {self._q(REASONS)} FROM {self._sql(self.quarantine.table)}"
        parts = []
        for text in session.query(sql).read_all().column(0).to_pylist():
            reasons = parse_reasons(text)
            if not reasons or not set(reasons) <= set(self._releases):
                continue
            passes = [
                f"{hash_} IN ({hashes_of(self.dialect, self.quarantine.log, self.quarantine.key, RELEASE, reason)})"
                for reason in reasons
            ]
            parts.append(f"({column} = {self.dialect.literal(text)} AND {' AND '.join(passes)})")
        condition = " OR ".join(parts)
        if not condition or not self._drops:
            return f"({condition})" if condition else ""
        return f"({condition}) AND {hash_} NOT IN ({self._dropped_hashes})"

    def _refuse_other_types(self) -> None:
        assert self._past is not None
        assert self._columns is not None
        for name, type_ in self._columns.types.items():
            other = self._past.find(name)
            before = self._past.types[other] if other is not None else type_
            if before != type_ and "null" not in (str(before), str(type_)):
                raise ModelExecutionError(
                    f"the column {name!r} is {type_} now, and was {before} when rows were put aside in "
                    f"{self.quarantine.table}",
                    node=self.quarantine.node,
                    code="FF3025",
                    help="build the model from nothing with --full-refresh, drop these rows with "
                    "`flowforge quarantine drop`, or cast the column to its old type",
                )

    # words

    @property
    def _marked_rows(self) -> Relation:
        return self.spare("judged")

    @property
    def _staged(self) -> Relation:
        return self.spare("aside")

    @property
    def _repeated(self) -> Relation:
        return self.spare("again")

    @property
    def spares(self) -> tuple[Relation, ...]:
        """All relations that this may leave behind."""
        return (self._marked_rows, self._staged, self._repeated)

    def _clear(self, session: Session) -> None:
        for relation in self.spares:
            session.drop(relation, RelationKind.TABLE)

    def _own_of(self, past: Shape) -> Iterable[str]:
        return [found for name in OWN if (found := past.find(name)) is not None]

    def _q(self, name: str) -> str:
        return self.dialect.quote(name)

    def _sql(self, relation: Relation) -> str:
        return self.dialect.render(relation)


def parse_reasons(text: object) -> Sequence[str]:
    """The checks that a row was put aside for, as they are stored."""
    try:
        found = json.loads(str(text))
    except ValueError:
        return ()
    return tuple(str(one) for one in found) if isinstance(found, list) else ()


def _number(session: Session, sql: str) -> int:
    return int(session.query(sql).read_all().column(0)[0].as_py())
