"""Casts new rows to the types of a contract: values stay what they are, or nothing is written.

A cast to a type that holds every value of the old one is part of the query. Any other is tried on rows that are staged
as they came: each value is cast there and back again, and one that does not come back is told. Columns keep their
order, and none is left out. Knows sessions; nothing of transactions or of the order of the protocol.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from flowforge.config.type_words import arrow_type, same_word
from flowforge.contract import CreateKind, Dialect, Session, TableOptions
from flowforge.errors import EngineError, ErrorKind, ModelExecutionError, UnsupportedError
from flowforge.frozen import frozen
from flowforge.materialize.column_types import ColumnTypes
from flowforge.materialize.staging import staging_name
from flowforge.materialize.widening import widens
from flowforge.values import Location, Relation, RelationKind

if TYPE_CHECKING:
    import pyarrow as pa

Write = Callable[[Session, Relation], int | None]
_SHOWN = 40


@frozen
class Target:
    """The type that a column should have: *physical* in the engine's words, else *word* for all engines."""

    column: str
    physical: str | None
    word: str | None
    location: Location


@frozen
class _Cast:
    """One column that has another type. *exact*: no value can change."""

    name: str
    text: str
    exact: bool
    target: Target


@frozen
class Casting:
    """The casts of one node's rows. Any thread, with a session of its own.

    Parameters
    ----------
    location:
        Where the contract stands.
    error:
        The executor's translation of its driver's exceptions.
    """

    node: str
    targets: tuple[Target, ...]
    location: Location
    dialect: Dialect
    run_id: str
    error: Callable[[BaseException], EngineError | None]

    # what may be done with it

    def create(
        self, session: Session, relation: Relation, select: str, kind: CreateKind, options: TableOptions
    ) -> int | None:
        """Create *relation* from a query, under the contract's types; the number of rows, if it is known.

        Raises
        ------
        ModelExecutionError
            When a value would change, or nobody could know whether one does.
        """
        columns = ColumnTypes(session, self.dialect, select)
        casts = self._casts(session, columns)
        risky = [cast for cast in casts if not cast.exact]
        if not risky:
            text, before = self._around(columns, casts, select)
            with _shifted(before):
                return session.create_as(relation, text, kind, options).rows
        if kind is not CreateKind.TABLE:
            raise self._refused(
                risky, f"the rows of a {kind.value.replace('_', ' ')} are made where nobody looks at them"
            )
        raw = self._raw(relation)
        with self._passing(session, raw):
            session.create_as(raw, select, CreateKind.TABLE)
            return self._cast_from(session, raw, relation, columns, casts, options)

    def written(self, write: Write, options: TableOptions) -> Write:
        """*write*, whose rows are cast when they are there."""

        def cast(session: Session, relation: Relation) -> int | None:
            raw = self._raw(relation)
            with self._passing(session, raw):
                rows = write(session, raw)
                columns = ColumnTypes(session, self.dialect, f"SELECT * FROM {self.dialect.render(raw)}")
                casts = self._casts(session, columns)
                if casts:
                    self._cast_from(session, raw, relation, columns, casts, options)
                else:
                    session.replace(raw, relation)
            return rows

        return cast

    def view(self, session: Session, select: str) -> str:
        """The query of a view, with casts.

        Raises
        ------
        ModelExecutionError
            When one of them could change a value.
        """
        columns = ColumnTypes(session, self.dialect, select)
        casts = self._casts(session, columns)
        risky = [cast for cast in casts if not cast.exact]
        if risky:
            raise self._refused(risky, "the rows of a view are made where nobody looks at them")
        return self._around(columns, casts, select)[0]

    # how it is done

    def _casts(self, session: Session, columns: ColumnTypes) -> list[_Cast]:
        """The columns that have other types than they should; those that are missing are told by who verifies."""
        names = list(columns.schema.names)
        if len(set(names)) != len(names):
            raise self._impossible("two of its columns have one name, so nobody knows which of them is meant")
        found = []
        for target in self.targets:
            name = columns.find(target.column)
            if name is None:
                continue
            text = self._wanted(columns, name, target)
            if text is None:
                continue
            schema = session.schema_of(f"SELECT {self.dialect.cast('NULL', text)} AS ff__type")
            assert schema is not None
            old, new = columns.arrow_of(name), schema.field(0).type
            found.append(_Cast(name, text, _keeps_values(old, new), target))
        if found:
            for name in names:
                if self.dialect.fold(name) != name:
                    raise self._impossible(f"the column {name!r} has a name that this engine only keeps in quotes")
        return found

    def _wanted(self, columns: ColumnTypes, name: str, target: Target) -> str | None:
        """What to cast a column to; ``None``: it has this type."""
        if target.physical is not None:
            return None if same_word(columns.word_of(name), known_word(columns, target, self)) else target.physical
        assert target.word is not None
        if columns.is_of(name, target.word):
            return None
        try:
            return self.dialect.type_name(arrow_type(target.word))
        except UnsupportedError as error:
            raise ModelExecutionError(
                f"{target.column!r} should be {target.word}: {error.message}",
                node=self.node,
                code="FF3066",
                location=target.location,
                help=error.help,
            ) from error

    def _around(self, columns: ColumnTypes, casts: Sequence[_Cast], select: str) -> tuple[str, int]:
        """The query with casts, and how many characters stand in front of *select* then."""
        if not casts:
            return select, 0
        texts = {cast.name: cast.text for cast in casts}
        quote = self.dialect.quote
        listed = ", ".join(
            f"{self.dialect.cast(quote(name), texts[name])} AS {quote(name)}" if name in texts else quote(name)
            for name in columns.names
        )
        head = f"SELECT {listed} FROM (\n"
        return f"{head}{select}\n) AS ff_rows", len(head)

    def _cast_from(
        self,
        session: Session,
        raw: Relation,
        relation: Relation,
        columns: ColumnTypes,
        casts: Sequence[_Cast],
        options: TableOptions,
    ) -> int | None:
        self._refuse_losses(session, raw, columns, [cast for cast in casts if not cast.exact])
        select, _ = self._around(columns, casts, f"SELECT * FROM {self.dialect.render(raw)}")
        return session.create_as(relation, select, CreateKind.TABLE, options).rows

    def _refuse_losses(self, session: Session, raw: Relation, columns: ColumnTypes, casts: Sequence[_Cast]) -> None:
        """Cast every value there and back again.

        Raises
        ------
        ModelExecutionError
            When one does not come back, with an example, or cannot be cast at all.
        """
        if not casts:
            return
        table, lost = self.dialect.render(raw), {cast.name: self._is_lost(columns, cast) for cast in casts}
        counts = ", ".join(
            f"{self.dialect.count_if(lost[cast.name])} AS ff__{place}" for place, cast in enumerate(casts)
        )
        ((*numbers,),) = self._asked(session, f"SELECT {counts} FROM {table}", casts)
        found = []
        for cast, number in zip(casts, numbers, strict=True):
            if not number:
                continue
            column = self.dialect.quote(cast.name)
            example = f"SELECT {column} AS ff__old, {self.dialect.cast(column, cast.text)} AS ff__new FROM {table}"
            ((old, new),) = self._asked(session, f"{example} WHERE {lost[cast.name]} LIMIT 1", casts)
            found.append((cast, int(number), _short(old), _short(new)))
        if not found:
            return
        rows = [("column", "cast to", "rows", "for example")]
        rows += [(cast.name, cast.text, str(number), f"{old} becomes {new}") for cast, number, old, new in found]
        only = found[0][0].target.location if len(found) == 1 else self.location
        raise ModelExecutionError(
            "a cast to the types of the contract would change values, so nothing was replaced",
            node=self.node,
            code="FF3064",
            location=only,
            notes=aligned(rows),
            help="correct the type in the contract, or cast the column in the model as you mean it",
        )

    def _is_lost(self, columns: ColumnTypes, cast: _Cast) -> str:
        column = self.dialect.quote(cast.name)
        back = self.dialect.cast(self.dialect.cast(column, cast.text), columns.word_of(cast.name))
        return f"{column} IS NOT NULL AND ({back} IS NULL OR {back} <> {column})"

    def _asked(self, session: Session, sql: str, casts: Sequence[_Cast]) -> list[tuple[Any, ...]]:
        try:
            table = session.query(sql).read_all()
        except Exception as problem:
            error = problem if isinstance(problem, EngineError) else self.error(problem)
            if error is None or error.kind in _PASSING:
                raise
            tried = ", ".join(f"{cast.name} to {cast.text}" for cast in casts)
            raise ModelExecutionError(
                f"the rows cannot be cast to the types of the contract: {error.message}",
                node=self.node,
                code="FF3064",
                location=casts[0].target.location if len(casts) == 1 else self.location,
                notes=[f"tried: {tried}"],
                help="correct the type in the contract, or cast the column in the model as you mean it",
            ) from problem
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    def _raw(self, relation: Relation) -> Relation:
        limit = self.dialect.max_identifier_bytes
        return relation.renamed(staging_name(f"{relation.name}__raw", self.run_id, limit=limit))

    @contextlib.contextmanager
    def _passing(self, session: Session, raw: Relation) -> Iterator[None]:
        """Work with a relation that nobody needs afterwards."""
        session.drop(raw, RelationKind.TABLE)  # of an attempt whose connection was lost
        try:
            yield
        except BaseException:
            with contextlib.suppress(Exception):  # it must not hide why; the next run finds what stays
                session.drop(raw, RelationKind.TABLE)
            raise
        session.drop(raw, RelationKind.TABLE)

    def _refused(self, casts: Sequence[_Cast], why: str) -> ModelExecutionError:
        listed = ", ".join(f"{cast.name} to {cast.text}" for cast in casts)
        return ModelExecutionError(
            f"{why}, and a cast of {listed} could change a value",
            node=self.node,
            code="FF3065",
            location=casts[0].target.location,
            help="cast in the model as you mean it, make it a table, or say mode: verify",
        )

    def _impossible(self, why: str) -> ModelExecutionError:
        return ModelExecutionError(
            f"the rows cannot be cast: {why}",
            node=self.node,
            code="FF3065",
            location=self.location,
            help="rename the column in the model, or say mode: verify",
        )


_PASSING = (ErrorKind.CANCELLED, ErrorKind.CONNECTION, ErrorKind.TIMEOUT, ErrorKind.DISK, ErrorKind.MEMORY)
"""Trouble that says nothing of the values."""


def known_word(columns: ColumnTypes, target: Target, casting: Casting) -> str:
    """How the engine calls the type that a contract names.

    Raises
    ------
    ModelExecutionError
        When it knows none.
    """
    assert target.physical is not None
    try:
        return columns.word_for(target.physical)
    except Exception as problem:
        error = problem if isinstance(problem, EngineError) else casting.error(problem)
        if error is None or error.kind in _PASSING:
            raise
        raise ModelExecutionError(
            f"{target.physical!r} is no type of a column here: {error.message}",
            node=casting.node,
            code="FF3066",
            location=target.location,
            help="name a type of this engine, or one for each: physical: {default: ..., <engine>: ...}",
        ) from problem


def _keeps_values(old: pa.DataType, new: pa.DataType) -> bool:
    """Whether a cast can change no value: types that Arrow does not tell apart may differ in their lengths."""
    import pyarrow as pa

    return bool(pa.types.is_null(old)) or (old != new and widens(old, new))


@contextlib.contextmanager
def _shifted(before: int) -> Iterator[None]:
    """Positions of errors count in the query that *before* characters were put in front of."""
    try:
        yield
    except EngineError as error:
        if error.position is not None:
            error.position = error.position - before if error.position >= before else None
        raise


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of words as lines whose columns stand below each other."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
