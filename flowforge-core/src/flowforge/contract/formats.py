"""What a seed format, a documentation renderer and a macro are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowforge.contract.catalogue import Catalogue
from flowforge.contract.version import API_VERSION
from flowforge.frozen import frozen

if TYPE_CHECKING:
    import pyarrow as pa


@frozen
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


@frozen
class DocRenderer:
    """A way to write a project's catalogue to files. No command of this version calls one; that for documentation will.

    Parameters
    ----------
    render:
        Called with the catalogue and a folder that exists; returns the files that stand for it now, each once.

    *render* is called in the main thread, once for each time the documentation is made, while nobody else writes into
    the folder. :func:`flowforge.testkit.check_renderer` tries what has to hold:

    - It writes inside the folder, into files and folders below it, and nowhere else. Names are texts of a project: as a
      part of a path, each is ``..``, ``a/b``, far too long, or equal to another one but for its case, sooner or later.
    - Every file is replaced at once (written beside, then ``os.replace``), so that whoever is killed leaves the old file
      or the new one. What stood there before may be there.
    - Equal catalogues give equal files, byte by byte, in whatever folder and at whatever time.
    - It removes nothing. Files that an earlier call returned and this one does not are the caller's to remove.
    - It prints nothing, and leaves the catalogue as it is. Texts are escaped by the rules of the file's format.
    - What it cannot do, it raises; an ``OSError`` may fly out as it is. The caller names the renderer and the folder.
    """

    name: str
    summary: str
    render: Callable[[Catalogue, Path], Sequence[Path]]
    api: int = API_VERSION


@frozen
class Macro:
    """A function that templates may call; pure, called at render time."""

    name: str
    function: Callable[..., Any]
    api: int = API_VERSION
