"""How old the newest row of a source may be, as ``sources.yml`` says it in either spelling."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import attrs

from flowforge.config.names import is_name
from flowforge.frozen import frozen

_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}


@frozen
class FreshnessRule:
    """Seconds after which the newest row of a source is too old.

    Parameters
    ----------
    column:
        The column that says when a row was loaded; ``None``: the time of the newest file says it.
    warn_after, error_after:
        ``None``: not told, or no error.
    """

    column: str | None
    warn_after: float | None = None
    error_after: float | None = None


def _positive(instance: object, attribute: attrs.Attribute[Any], value: int | None) -> None:
    if value is not None and value < 1:
        raise ValueError("has to be 1 or more")


@frozen(kw_only=True)
class _Span:
    """``{count: 12, period: hour}``."""

    count: int = attrs.field(validator=_positive)
    period: Literal["minute", "hour", "day"]

    @property
    def seconds(self) -> float:
        return float(self.count * _SECONDS[self.period])


@frozen(kw_only=True)
class FreshnessBlock:
    """The block ``freshness:`` of a group or table."""

    later_keys: ClassVar = ("filter",)

    loaded_at_field: str | None = attrs.field(default=None, validator=is_name)
    warn_after: _Span | None = None
    error_after: _Span | None = None
    warn_after_minutes: int | None = attrs.field(default=None, validator=_positive)
    error_after_minutes: int | None = attrs.field(
        default=None, validator=_positive, metadata={"aliases": ("max_delay_minutes",)}
    )

    def __attrs_post_init__(self) -> None:
        for span, minutes, name in (
            (self.warn_after, self.warn_after_minutes, "warn_after"),
            (self.error_after, self.error_after_minutes, "error_after"),
        ):
            if span is not None and minutes is not None:
                raise ValueError(f"'{name}' and '{name}_minutes' mean the same")

    @property
    def warn_seconds(self) -> float | None:
        """Seconds until a warning."""
        return _seconds(self.warn_after, self.warn_after_minutes)

    @property
    def error_seconds(self) -> float | None:
        """Seconds until an error."""
        return _seconds(self.error_after, self.error_after_minutes)


def _seconds(span: _Span | None, minutes: int | None) -> float | None:
    return span.seconds if span is not None else None if minutes is None else minutes * 60.0


def merge(
    group: FreshnessBlock | None, table: FreshnessBlock | None, column: str | None, *, files: bool = False
) -> FreshnessRule | None:
    """The rule of one table; what it does not say itself is taken from its group.

    Parameters
    ----------
    column:
        What stands as ``loaded_at_field`` beside the block.
    files:
        Its rows are in files, whose times may say it instead.

    Raises
    ------
    ValueError
        With a message for users, when it makes no sense.
    """
    blocks = [block for block in (table, group) if block is not None]
    if not blocks:
        return None
    warn = next((block.warn_seconds for block in blocks if block.warn_seconds is not None), None)
    error = next((block.error_seconds for block in blocks if block.error_seconds is not None), None)
    name = next((block.loaded_at_field for block in blocks if block.loaded_at_field), None) or column
    if warn is None and error is None:
        raise ValueError("says nothing without 'warn_after' or 'error_after'")
    if warn is not None and error is not None and warn > error:
        raise ValueError("warns after it has become an error: 'warn_after' is longer than 'error_after'")
    if name is None and not files:
        raise ValueError("needs 'loaded_at_field', the column that says when a row was loaded")
    return FreshnessRule(name, warn, error)
