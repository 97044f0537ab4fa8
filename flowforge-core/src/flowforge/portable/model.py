"""Translates a rendered model, with places in its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowforge.contract import Dialect
from flowforge.errors import Note, Problems, RenderError
from flowforge.frozen import frozen
from flowforge.portable.names import Placeholders
from flowforge.rendering.render import Rendered
from flowforge.rendering.source_map import Locates
from flowforge.values import Location

if TYPE_CHECKING:
    from flowforge.portable.translate import Remark, Translation


@frozen
class TranslatedMap:
    """Maps offsets in translated SQL to places in the model's file."""

    path: str
    rendered: Locates
    translation: Translation

    def locate(self, offset: int) -> Location:
        """The place; its line when no more is certain, and the file alone when not even that is."""
        origin = self.translation.locate(offset)
        if origin is None:
            return Location(self.path)
        where = self.rendered.locate(origin.offset)
        return where if origin.exact else Location(where.path, where.line)


def is_foreign(written_in: str | None, dialect: Dialect) -> bool:
    """Whether SQL in the dialect *written_in* (``None``: the engine's) has to be translated for an engine."""
    return written_in is not None and written_in != dialect.sqlglot


def translated(
    rendered: Rendered, path: str, written_in: str, dialect: Dialect, placeholders: Placeholders
) -> tuple[Rendered, tuple[Note, ...]]:
    """A rendered model in the dialect of an engine, and what there is to warn of. Any thread.

    Parameters
    ----------
    path:
        The model's file.
    placeholders:
        What stands for relations in the rendered SQL.

    Raises
    ------
    RenderError, ProjectErrors
        With the lines of what cannot be translated.
    """
    from flowforge.portable.translate import Untranslatable, translate

    if dialect.sqlglot is None:
        raise RenderError(
            f"the model is written in {written_in}, and nobody can translate it for the engine {dialect.name}",
            code="FF1141",
            location=Location(path),
            help=f"write it in the SQL of {dialect.name} and leave 'dialect' out, or keep it off: config(engines=[...])",
            notes=[f"the plugin of {dialect.name} names no dialect of the translator"],
        )

    def place(remark: Remark) -> Location:
        return Location(path) if remark.offset is None else rendered.source_map.locate(remark.offset)

    try:
        translation = translate(rendered.sql, written_in, dialect, placeholders)
    except Untranslatable as exc:
        problems = Problems()
        for remark in exc.remarks:
            problems.add(RenderError(remark.text, code=remark.code, location=place(remark), help=remark.help))
        problems.raise_if_any()
        raise
    notes = tuple(Note(one.text, one.code, place(one), one.help) for one in translation.warnings)
    return Rendered(translation.sql, TranslatedMap(path, rendered.source_map, translation)), notes
