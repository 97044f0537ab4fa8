"""The parameters of checks that a project brings itself, as classes that YAML is read into like those of built-in ones.

Knows attrs and the contract; the files are read by others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from flowforge.checks.expressions import one_expression
from flowforge.checks.parameters import finite
from flowforge.contract import CheckContext, CheckSpec
from flowforge.frozen import frozen
from flowforge.project.own_checks import SINGULAR

WHERE, COLUMN = "where", "column"


@frozen
class Parameter:
    """One parameter: what may stand there, and what it is when nothing does (``attrs.NOTHING``: it is needed)."""

    name: str
    accepts: Any = Any
    default: Any = attrs.Factory(lambda: attrs.NOTHING)


def params_class(type_: str, parameters: Sequence[Parameter]) -> type:
    """The class that a check's parameters are read into."""
    fields = {one.name: _field(one) for one in parameters}
    made: type = attrs.make_class(f"{type_} parameters", fields, frozen=True, kw_only=True, slots=False)
    return made


def _sound_where(_instance: Any, _attribute: Any, value: Mapping[str, Any]) -> None:
    if isinstance(value.get(WHERE), str):
        one_expression(None, None, value[WHERE])


@frozen(kw_only=True)
class FreeParams:
    """Parameters of a check that nobody but its code knows."""

    column: str | None = None
    values: Mapping[str, Any] = attrs.field(factory=dict, validator=_sound_where)


def _field(parameter: Parameter) -> Any:
    default = parameter.default
    if isinstance(default, list):
        default = attrs.Factory(lambda: tuple(parameter.default))
    elif isinstance(default, dict):
        default = attrs.Factory(lambda: dict(parameter.default))
    validator = one_expression if parameter.name == WHERE else finite
    return attrs.field(
        default=default, validator=validator, alias=parameter.name, metadata={"accepts": parameter.accepts}
    )


def where_parameter() -> Parameter:
    """A condition, which is always optional."""
    return Parameter(WHERE, str | None, None)


def column_parameter(*, needed: bool) -> Parameter:
    """The column under test."""
    return Parameter(COLUMN, str, attrs.NOTHING) if needed else Parameter(COLUMN, str | None, None)


def kind_of_default(default: Any) -> Any:
    """What may stand in the place of a default: values of its kind."""
    if isinstance(default, bool):
        return bool
    if isinstance(default, (int, float)):
        return int | float
    if isinstance(default, str):
        return str
    if isinstance(default, (list, tuple)):
        return tuple[Any, ...]
    if isinstance(default, Mapping):
        return Mapping[str, Any]
    return Any


def values_of(params: Any) -> dict[str, Any]:
    """All parameters but the column, by name."""
    if isinstance(params, FreeParams):
        return dict(params.values)
    return dict(_values(params))


def _values(params: Any) -> Iterator[tuple[str, Any]]:
    for field in attrs.fields(type(params)):
        if field.name != COLUMN:
            yield field.name, getattr(params, field.name)


def _elsewhere(_ctx: CheckContext) -> str:
    raise LookupError("a check of the project is written by the run that asks it")


def own_spec(
    name: str,
    summary: str,
    params: type,
    reads: Sequence[str] = (),
    message: str = "has {count} failing row{s}",
    *,
    key: Sequence[str] = (),
    is_condition: bool = False,
) -> CheckSpec:
    """The declaration of a check of the project. Its SQL is not known before a run."""

    def said(_params: Any, count: int) -> str:
        return message.format(count=count, s="" if count == 1 else "s")

    return CheckSpec(
        name=name,
        summary=summary,
        params=params,
        violation=_elsewhere if is_condition else None,
        query=None if is_condition else _elsewhere,
        message=said,
        reads=(lambda _params: tuple(reads)) if reads else None,
        key=(lambda _params: tuple(key)) if key else None,
    )


@frozen(kw_only=True)
class NoParams:
    """A singular test has none."""


def singular_spec(summary: str, key: Sequence[str] = ()) -> CheckSpec:
    """What all singular tests have in common."""
    return own_spec(SINGULAR, summary, NoParams, message="gives {count} failing row{s}", key=key)
