"""Enforces contracts: are the columns of new rows those that the contract lists, and how are they cast to be so?

Knows a node's contract and a session. It looks at rows that are staged (or at a view's query), so that what is wrong is
told before anything is replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from flowforge.config.flaws import nearest
from flowforge.config.type_words import same_word
from flowforge.contract import Capability, Dialect, EngineSpec, Session
from flowforge.errors import EngineError, ModelExecutionError
from flowforge.frozen import frozen
from flowforge.materialize.casting import Casting, Target, aligned, known_word
from flowforge.materialize.column_types import ColumnTypes
from flowforge.materialize.steps import Audit
from flowforge.project.contracts import Contract, ContractColumn
from flowforge.project.manifest import Node

OWN = "_ff_"
"""How the names of columns begin that FlowForge adds; no contract has to list them."""

Translate = Callable[[BaseException], EngineError | None]


@frozen
class _Difference:
    """One line of what is told."""

    column: str
    contract: str
    found: str
    place: str


def casting_of(node: Node, engine: EngineSpec, dialect: Dialect, run_id: str, error: Translate) -> Casting | None:
    """How the rows of a node are cast; ``None``: they are not.

    Raises
    ------
    ModelExecutionError
        When the engine does not promise that a cast which makes no sense is an error.
    """
    contract = node.contract
    if contract is None or contract.mode != "cast":
        return None
    support = engine.support(Capability.STRICT_CASTS)
    if not support:
        raise ModelExecutionError(
            f"{engine.name} cannot cast strictly ({support.reason}), so nobody would know what became of the values",
            node=node.name,
            code="FF3065",
            location=contract.location,
            help="say mode: verify, and cast in the model",
        )
    return _casting(node, contract, dialect, run_id, error)


def _casting(node: Node, contract: Contract, dialect: Dialect, run_id: str, error: Translate) -> Casting:
    targets = tuple(
        Target(column.name, column.physical, column.type, column.location)
        for column in contract.columns.values()
        if column.physical is not None or column.type is not None
    )
    return Casting(node.name, targets, contract.location, dialect, run_id, error)


def verification_of(node: Node, dialect: Dialect, error: Translate) -> Audit | None:
    """Looks whether new rows keep the contract; ``None``: none is enforced.

    The audit raises a :class:`ModelExecutionError` that names all differences.
    """
    contract = node.contract
    if contract is None or not contract.enforced:
        return None
    casting = _casting(node, contract, dialect, "", error)

    def verify(session: Session, relation_sql: str) -> None:
        select = f"SELECT * FROM {relation_sql} AS ff__source"
        columns = ColumnTypes(session, dialect, select)
        try:
            names = columns.names
        except EngineError as problem:
            begun = relation_sql.startswith("(\n")
            if problem.position is not None:  # it counts in the query inside
                problem.position = max(problem.position - len("SELECT * FROM (\n"), 0) if begun else None
            raise
        found = [*_types(contract, columns, casting), *_extra(contract, names)]
        found += _nulls(session, dialect, relation_sql, contract, columns)
        if found:
            raise _broken(node, contract, found)

    return verify


def _types(contract: Contract, columns: ColumnTypes, casting: Casting) -> Iterator[_Difference]:
    for column in contract.columns.values():
        name = columns.find(column.name)
        if name is None:
            near = nearest(column.name, columns.names)
            yield _line(column, _promise(column), "missing" + (f"; {near}" if near else ""))
            continue
        word = columns.word_of(name)
        if column.physical is not None:
            target = Target(column.name, column.physical, None, column.location)
            if not same_word(word, known_word(columns, target, casting)):
                yield _line(column, column.physical, word or "of no type")
        if column.type is not None and not columns.is_of(name, column.type):
            yield _line(column, column.type, word or "of no type")


def _promise(column: ContractColumn) -> str:
    return column.wanted or ("any type" if column.nullable else "not null")


def _extra(contract: Contract, names: Sequence[str]) -> Iterator[_Difference]:
    if contract.allow_extra_columns:
        return
    listed = {name.casefold() for name in contract.columns}
    for name in names:
        if name.casefold() not in listed and not name.casefold().startswith(OWN):
            yield _Difference(name, "not listed", "there", "")


def _nulls(
    session: Session, dialect: Dialect, relation_sql: str, contract: Contract, columns: ColumnTypes
) -> Iterator[_Difference]:
    """Columns that hold NULL and should not; one scan for all of them."""
    known = {column.name: columns.find(column.name) for column in contract.columns.values() if not column.nullable}
    looked_at = {name: found for name, found in known.items() if found is not None}
    if not looked_at:
        return
    counts = ", ".join(
        f"COUNT(*) - COUNT({dialect.quote(found)}) AS ff__{place}" for place, found in enumerate(looked_at.values())
    )
    table = session.query(f"SELECT {counts} FROM {relation_sql} AS ff__source").read_all()
    for name, number in zip(looked_at, (int(column[0].as_py()) for column in table.columns), strict=True):
        if number:
            yield _line(contract.columns[name], "not null", f"{number} NULL{'s' if number > 1 else ''}")


def _line(column: ContractColumn, contract: str, found: str) -> _Difference:
    return _Difference(column.name, contract, found, str(column.location))


def _broken(node: Node, contract: Contract, found: Sequence[_Difference]) -> ModelExecutionError:
    order: Mapping[str, int] = {name: place for place, name in enumerate(contract.columns)}
    listed = sorted(found, key=lambda one: order.get(one.column, len(order)))
    rows = [("column", "contract", "found", "")]
    rows += [(one.column, one.contract, one.found, one.place) for one in listed]
    count = f"{len(found)} difference{'s' if len(found) > 1 else ''}"
    return ModelExecutionError(
        f"the new rows of {node.short_name!r} do not keep their contract ({count}), so nothing was replaced",
        node=node.name,
        code="FF3063",
        location=contract.location,
        notes=aligned(rows),
        help="correct the model, or the contract and those who rely on it",
    )
