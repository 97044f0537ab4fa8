"""The decorators that mark functions of ``.ff.py`` files as models and as checks.

FlowForge reads them from the syntax tree; at run time they leave the function as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, overload

F = TypeVar("F", bound=Callable[..., Any])

PARAMS_MODEL = "__flowforge_params_model__"
"""The attribute under which a check's function keeps the class of its parameters."""


@overload
def model(name: F, /) -> F: ...
@overload
def model(
    name: str | None = None,
    deps: Iterable[str] | None = None,
    require: Mapping[str, Iterable[str]] | Iterable[str] | None = None,
    requires: Mapping[str, Iterable[str]] | Iterable[str] | None = None,
    *,
    materialized: str | None = None,
    tags: Iterable[str] | str | None = None,
    meta: Mapping[str, Any] | None = None,
    description: str | None = None,
    owner: str | None = None,
    alias: str | None = None,
    schema: str | None = None,
    enabled: bool = True,
    frame: str = "pandas",
    timeout: float | str | None = None,
    cache: bool | None = None,
    inputs: Iterable[str] | str = (),
    engines: Iterable[str] | str = (),
    env_match: Mapping[str, str] | None = None,
    incremental: bool | Mapping[str, Any] | None = None,
    incremental_strategy: str | None = None,
    unique_key: Iterable[str] | str = (),
    updated_at: Iterable[str] | str = (),
    partition_by: Iterable[str] | str = (),
    on_schema_change: str | None = None,
    on_fail: str | None = None,
) -> Callable[[F], F]: ...
def model(name: Any = None, *args: Any, **keywords: Any) -> Any:
    """Mark a function as a model. All arguments must be literals, because they are read without running the file.

    Parameters
    ----------
    name:
        Name of the model; the file's stem (``orders.ff`` for ``orders.ff.py``) when it is left out.
    deps:
        Models and seeds that the function reads. One parameter and one dependency: it gets that frame. As many
        parameters as dependencies: it gets them in this order. One parameter and several dependencies: it gets a
        dict of frames by relation name.
    requires:
        Columns that an input must have: ``{"users": {"id", "email"}}``, or just the columns for a single input.
        ``require`` is another spelling.
    materialized:
        ``table`` (default), ``view`` or ``incremental``.
    frame:
        ``pandas`` (default), ``arrow``, or a kind that the engine brings.
    timeout:
        How long a statement of the model may take: seconds, or a text such as ``"90s"``, ``"5m"``, ``"1.5h"``.
    cache:
        ``False`` builds the model in every run. ``True`` says that what it reads besides its inputs (the clock, chance,
        the environment, files, the network) does not matter.
    inputs:
        Files of the project that the function reads, as patterns relative to the project's folder
        (``"data/*.csv"``); when their content changes, the model is out of date.
    engines:
        Names of the engines on which the model is part of the project; all of them when it is left out.
    env_match:
        Variables of the environment, and the values that they must have.
    incremental, incremental_strategy, unique_key, updated_at, partition_by, on_schema_change:
        How new rows are added to those that the table has. The function returns the new rows, or all of them when
        *updated_at* names columns that grow.
    on_fail:
        What becomes of new rows that fail those checks of the model which say nothing themselves: ``stop`` (nothing is
        replaced), ``warn``, or ``quarantine`` (these rows are put aside, the others published).
    """
    if callable(name):
        return name

    def keep(function: F) -> F:
        return function

    return keep


def engine_model(
    *, only: Iterable[str] | str | None = None, env_match: Mapping[str, str] | None = None, **keywords: Any
) -> Callable[[F], F]:
    """Mark a function as a model of some engines or environments only; all else is as with :func:`model`.

    Models of one name may stand beside each other as long as only one of them fits.

    Parameters
    ----------
    only:
        Names of engines.
    env_match:
        Variables of the environment, and the values that they must have: ``{"FF_ENGINE_VARIANT": "large"}``.
    """

    def keep(function: F) -> F:
        return function

    return keep


@overload
def dq_test(name: F, /) -> F: ...
@overload
def dq_test(
    name: str | None = None,
    *,
    overwrite: bool = False,
    params_model: type | None = None,
    key: str | Sequence[str] | None = None,
) -> Callable[[F], F]: ...
def dq_test(
    name: Any = None,
    *,
    overwrite: bool = False,
    params_model: type | None = None,
    key: str | Sequence[str] | None = None,
) -> Any:
    """Mark a function of a file ``tests/**/*.ff.py`` as a check: ``(executor, table, column, params)``.

    It returns ``(ok, message, example_sql)``: whether all is well, and if not, why, and a statement that shows it.

    Parameters
    ----------
    name:
        What stands under ``type:`` in YAML; the function's name when it is left out.
    overwrite:
        Take the place of another check with this name, also of a built-in one.
    params_model:
        An attrs class, or a subclass of :class:`DQParamsBase`, whose fields are the check's parameters.
    key:
        The statement that is returned gives the failing rows of the table, which can then be put aside and stored: ``"*"``
        whole ones, or the columns by which they are found.
    """
    if callable(name):
        return name

    def keep(function: F) -> F:
        setattr(function, PARAMS_MODEL, params_model)
        return function

    return keep


class DQParamsBase:
    """A base for the parameters of checks in Python: annotated fields, by keyword only, that nobody changes.

    A subclass is an attrs class; its fields can be read as attributes and as items.
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        import attrs

        super().__init_subclass__(**keywords)
        if "__attrs_attrs__" not in cls.__dict__:
            attrs.define(cls, frozen=True, kw_only=True, slots=False, auto_attribs=True)

    def __getitem__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(self, name):
            raise KeyError(name)
        return getattr(self, name)

    def get(self, name: str, default: Any = None) -> Any:
        """A field, or *default* when there is none."""
        return self[name] if not name.startswith("_") and hasattr(self, name) else default
