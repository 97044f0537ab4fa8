"""What a seed format, a documentation renderer and a macro are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from flowforge.contract.version import API_VERSION

if TYPE_CHECKING:
    import pyarrow as pa


@attrs.frozen
class SeedFormat:
    """A file type that ``seeds/`` may hold.

    Parameters
    ----------
    suffixes:
        With the dot, lower case.
    read:
        Called with the path and the declared column types (name to Arrow type); returns a reader over exact rows.
        Raises :class:`~flowforge.errors.SeedError` with line and column for anything it cannot read exactly.
    options:
        An attrs class, when files of this type may be written in several ways. Its fields are settings of such seeds,
        structured strictly; *read* then gets an instance as its third argument. Every field has a default. A seed whose
        settings name a field that its format does not have is refused. Names of settings that all seeds have, such as
        ``schema``, are taken.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[..., pa.RecordBatchReader]
    api: int = API_VERSION
    options: type | None = None


@attrs.frozen
class DocRenderer:
    """A way to write a project's catalogue to files.

    Parameters
    ----------
    render:
        Called with the manifest and the output folder; returns the paths it wrote.
    """

    name: str
    summary: str
    render: Callable[[Any, Path], Sequence[Path]]
    api: int = API_VERSION


@attrs.frozen
class Macro:
    """A function that templates may call; pure, called at render time."""

    name: str
    function: Callable[..., Any]
    api: int = API_VERSION
