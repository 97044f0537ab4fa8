"""How an engine's settings class declares its fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs


def setting(
    *,
    default: Any = attrs.NOTHING,
    factory: Callable[[], Any] | None = None,
    env: str | None = None,
    secret: bool = False,
    path: bool = False,
    aliases: tuple[str, ...] = (),
    validator: Callable[[Any, Any, Any], Any] | None = None,
    help: str = "",
    affects_data: bool = False,
) -> Any:
    """Declare one field of an engine's settings class (an ``attrs.frozen`` class with ``kw_only=True``).

    Parameters
    ----------
    default, factory:
        As in ``attrs.field``; without either the profile has to give the value.
    env:
        The ``FF_*`` variable that overrides the profile.
    secret:
        The value never appears in output, logs, errors or artifacts.
    path:
        A relative value is taken from the project folder and may not leave it.
    aliases:
        Other spellings that a profile may use.
    validator:
        As in ``attrs.field``; a ``ValueError`` from it is shown with the place in the profile.
    help:
        One sentence for ``flowforge debug`` and the docs.
    affects_data:
        Another value may give a model other rows, so changing it builds every model again.
    """
    metadata = {
        "env": env,
        "secret": secret,
        "path": path,
        "aliases": aliases,
        "help": help,
        "affects_data": affects_data,
    }
    shown: Any = _masked if secret else True
    if factory is not None:
        return attrs.field(factory=factory, validator=validator, metadata=metadata, repr=shown)
    return attrs.field(default=default, validator=validator, metadata=metadata, repr=shown)


def _masked(value: Any) -> str:
    return repr(value) if value is None else "'***'"
