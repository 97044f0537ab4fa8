"""Portable functions in a model that is translated: their arguments are, and what they write for the engine stays."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flowforge.contract import Dialect
from flowforge.errors import Note, UnsupportedError
from flowforge.portable.model import translated
from flowforge.portable.names import Placeholders
from flowforge.rendering.arguments import expression
from flowforge.rendering.portable import literal_filter, portable_functions
from flowforge.rendering.render import Rendered
from flowforge.rendering.source_map import SourceMap

if TYPE_CHECKING:
    import pyarrow as pa

_SELECT = re.compile(r"SELECT\s+")


class _Standard(Dialect):
    """Words for types that every translator knows."""

    name = "standard SQL"

    def type_name(self, type_: pa.DataType) -> str:
        raise UnsupportedError("this is no engine")


def translating_functions(
    dialect: Dialect, written_in: str, path: str, placeholders: Placeholders, notes: list[Note]
) -> tuple[dict[str, Callable[..., Any]], dict[str, Callable[..., Any]]]:
    """The portable functions and filters of a model in the dialect *written_in*, for the engine of *dialect*.

    What they write stands as a placeholder, as a column would, until the model is translated.

    Parameters
    ----------
    notes:
        Gets the warnings about arguments.
    """

    def say(sql: str) -> str:
        query = Rendered(f"SELECT {sql}", SourceMap(path, sql))
        said, warnings = translated(query, path, written_in, dialect, placeholders)
        notes.extend(warnings)
        return expression(_SELECT.sub("", said.sql, count=1))

    functions = portable_functions(dialect, say, placeholders.put)
    functions["ff_type"] = portable_functions(_Standard())["ff_type"]
    return functions, {"sql_literal": literal_filter(dialect, placeholders.put)}
