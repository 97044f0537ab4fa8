"""What a model's rows have to be, computed without a database and without FlowForge: the oracle."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from worlds.nodes import FIRST_YEAR, KV, RAW, SCHEMA, Description, Input, Model, Row, Rows

CONSTANT: tuple[Row, ...] = ((1, 10), (2, 20), (2, None))


class CannotBuildError(Exception):
    """The database would refuse: something that is read is missing, or the model fails by itself."""


@attrs.frozen
class Query:
    """A model's computation with everything in it settled: what the database would keep as a view.

    Parameters
    ----------
    inputs:
        Keys of relations, or queries in place of ephemeral models.
    number:
        The value of what is added.
    seed:
        The rows of a seed's file.
    """

    model: Model
    inputs: tuple[str | Query, ...]
    number: int
    seed: Rows | None = None


@attrs.frozen
class Standing:
    """What stands under a name: rows of a table, or the query of a view; *history*: of a snapshot."""

    kind: str
    rows: Rows | None = None
    query: Query | None = None
    history: bool = False


def query_of(world: Description, model: Model) -> Query:
    """The computation of *model* as the project says it now."""
    if model.language == "seed":
        columns = (KV[0], ("v", world.seed_types.get(model.name, "BIGINT")))
        return Query(model, (), 0, Rows(columns, world.seeds[model.name]))
    return Query(model, tuple(_target(world, one) for one in world.read_input(model)), world.number(model))


def _target(world: Description, one: Input) -> str | Query:
    read = world.read(one)
    if read is not None:
        return query_of(world, read) if read.materialized == "ephemeral" else read.relation
    return f"{SCHEMA}.{RAW if one.kind == 'raw' else one.name}"


def rows_of(relation: str, standing: Mapping[str, Standing]) -> Rows:
    """What reading a relation gives.

    Raises
    ------
    CannotBuildError
        When it, or something below it, does not stand there.
    """
    found = standing.get(relation)
    if found is None:
        raise CannotBuildError(f"{relation} does not stand there")
    if found.query is not None:
        return evaluate(found.query, standing)
    assert found.rows is not None
    return found.rows


def evaluate(query: Query, standing: Mapping[str, Standing]) -> Rows:
    """The rows of a query, given what stands.

    Raises
    ------
    CannotBuildError
        When something that it reads lacks a column or does not stand there, or it fails by itself.
    """
    model = query.model
    if query.seed is not None:
        return query.seed
    inputs = [evaluate(one, standing) if isinstance(one, Query) else rows_of(one, standing) for one in query.inputs]
    if model.fails:
        raise CannotBuildError(f"{model.name} always fails")
    if model.shape == "star":
        (only,) = inputs
        kept = [row for row, (k,) in zip(only.rows, _picked(only, "k"), strict=True) if _passes(model, k)]
        return Rows(only.columns, tuple(kept))
    if model.shape == "const":
        pairs: list[tuple[Any, Any]] = [(k, v) for k, v in CONSTANT]
    else:
        pairs = [(k, v) for one in inputs for k, v in _picked(one, "k", "v")]
    pairs = [(k, v) for k, v in pairs if _passes(model, k)]
    if model.shape == "sum":
        groups: dict[Any, list[Any]] = {}
        for k, v in pairs:
            groups.setdefault(k, []).append(v)
        pairs = [(k, _sum(values)) for k, values in groups.items()]
    pairs = [(k, None if v is None else v * model.mul + query.number) for k, v in pairs]
    if model.time_from is not None:
        return _timed(model.time_from, pairs)
    if model.extra is None:
        return Rows(KV, tuple(pairs))
    place, type_ = model.extra
    seven: Any = {"VARCHAR": "7", "DOUBLE": 7.0}.get(type_, 7)
    put: Callable[[tuple[Any, ...], Any], tuple[Any, ...]] = (
        (lambda row, cell: (cell, *row)) if place == "first" else (lambda row, cell: (*row, cell))
    )
    return Rows(put(KV, ("x", type_)), tuple(put(pair, seven) for pair in pairs))


def _timed(column: str, pairs: list[tuple[Any, Any]]) -> Rows:
    first = dt.datetime(FIRST_YEAR, 1, 1)  # noqa: DTZ001 - a column without a time zone
    if column == "k":
        rows = [(k, v, first.replace(year=FIRST_YEAR + k)) for k, v in pairs]
    else:
        rows = [(k, v, None if v is None else first + dt.timedelta(days=v)) for k, v in pairs]
    return Rows((*KV, ("ts", "TIMESTAMP")), tuple(rows))


def _picked(rows: Rows, *names: str) -> list[Row]:
    try:
        return rows.picked(*names)
    except KeyError as error:
        raise CannotBuildError(f"no column {error}") from error


def _passes(model: Model, k: Any) -> bool:
    return not model.modulus or (k is not None and k % model.modulus != 1)


def _sum(values: list[Any]) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
