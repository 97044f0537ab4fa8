"""Plain data into attrs classes: strict, with every flaw at its place.

The only converter of FlowForge: project files, profiles, check parameters and the keywords of decorators all pass
through here. cattrs finds the function for a type; the functions are ours, because each of them has to say *where* and
*what instead*, and to go on after the first flaw. Knows attrs classes and plain data, and nothing of any file.

The fields' metadata that it understands stands in :mod:`flowforge.config.attrs_classes`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from flowforge.config.converters import converter
from flowforge.config.flaws import StructureError, nearest
from flowforge.errors import ConfigFileError, FlowForgeError, Problems
from flowforge.values import Location

if TYPE_CHECKING:
    from flowforge.config.yaml import KeyPath, YamlDocument

__all__ = ["nearest", "read", "structure", "structure_plain"]

T = TypeVar("T")


def structure(
    doc: YamlDocument,
    cls: type[T],
    *,
    problems: Problems,
    at: KeyPath = (),
    error: type[FlowForgeError] = ConfigFileError,
) -> T | None:
    """Make an instance of *cls* out of a document (or of the part at *at*).

    Every flaw is added to *problems* with its place in the file; the answer is then ``None``.
    """
    return structure_plain(
        doc.at(at),
        cls,
        problems=problems,
        locate=lambda path, on_key: doc.locate((*at, *path), key=on_key),
        error=error,
    )


def structure_plain(
    data: Any,
    cls: type[T],
    *,
    problems: Problems,
    locate: Callable[[KeyPath, bool], Location | None],
    error: type[FlowForgeError] = ConfigFileError,
) -> T | None:
    """Make an instance of *cls* out of plain data that may come from anywhere, such as a decorator's keywords.

    Parameters
    ----------
    locate:
        Called with a key path and whether the key itself is meant, for each flaw; answers with its place.
    error:
        The class of the errors that are added to *problems*. A :class:`ConfigFileError` carries the code of the flaw,
        any other class its own.
    """
    try:
        return read(data, cls)
    except StructureError as exc:
        for flaw in exc.flaws:
            code = flaw.code if error is ConfigFileError else None
            problems.add(error(flaw.text, code=code, location=locate(flaw.path, flaw.on_key), help=flaw.help))
        return None


def read(data: Any, type_: type[T]) -> T:
    """Structure *data*.

    Raises
    ------
    StructureError
        With all flaws.
    TypeError
        When a class has a field of a type that cannot come from a file: a mistake in the class.
    """
    result: T = converter().get_structure_hook(type_)(data, type_)
    return result
