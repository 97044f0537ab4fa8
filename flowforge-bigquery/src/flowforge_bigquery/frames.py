"""BigQuery DataFrames: they stay in the service, and nothing is imported before a Python model asks for one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from flowforge.errors import UnsupportedError
from flowforge_bigquery.settings import FRAME

if TYPE_CHECKING:
    from flowforge_bigquery.service import Service

__all__ = ["FRAME", "read", "select_of"]


def read(service: Service, select: str) -> Any:
    """The rows of *select* as a frame; nothing is computed before somebody asks for rows.

    Raises
    ------
    UnsupportedError
        When the profile does not want them.
    ImportError
        When the library is not installed.
    """
    settings = service.settings
    if not settings.use_bigframes:
        raise UnsupportedError(
            "the profile says use_bigframes: false", help="give the model another frame, such as frame: arrow"
        )
    try:
        import bigframes
    except ImportError as exc:
        raise ImportError(
            "BigQuery DataFrames are not installed: pip install 'flowforge-bigquery[bigframes]'", name="bigframes"
        ) from exc
    client: Any = service.client
    context = bigframes.BigQueryOptions(
        project=settings.project, location=settings.location, credentials=getattr(client, "_credentials", None)
    )
    return bigframes.connect(context).read_gbq_query(select)


def select_of(frame: Any) -> str | None:
    """The query that a frame stands for; ``None``: it is no BigQuery DataFrame."""
    library = sys.modules.get("bigframes.dataframe")  # who has a frame has imported it
    if library is None or not isinstance(frame, library.DataFrame):
        return None
    return str(frame.sql)
