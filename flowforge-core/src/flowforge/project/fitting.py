"""Settings of one model that do not go together with what it is."""

from __future__ import annotations

from collections.abc import Callable

from flowforge.errors import ModelConfigError, Problems
from flowforge.project.manifest import ModelConfig, NodeKind
from flowforge.values import Location

_OF_TABLES = ("storage", "partition_by", "cluster_by", "indexes")
_OF_RELATIONS = (*_OF_TABLES, "grants", "database", "pre_hook", "post_hook")
_EXCLUDED = {"ephemeral": _OF_RELATIONS, "view": _OF_TABLES}
_WHY = {
    "ephemeral": ("an ephemeral model is no relation", "it becomes a part of those that read it: say it there"),
    "view": ("a view holds no rows", "use materialized='table'"),
}


def refuse_misfits(
    config: ModelConfig, kind: NodeKind, said: str | None, place: Callable[[str], Location], problems: Problems
) -> None:
    """Add what does not go together to *problems*.

    Parameters
    ----------
    said:
        The kind that the model says it is.
    """
    if said is not None and said != kind.value:
        problems.add(
            ModelConfigError(
                f"the file is a {kind.name if kind is NodeKind.SQL else 'Python'} model, and kind='{said}'",
                code="FF1152",
                location=place("kind"),
                help="remove `kind`: the file's name says it; how a model is stored is said by `materialized`",
            )
        )
    if kind is NodeKind.PYTHON and config.materialized == "materialized_view":
        problems.add(
            ModelConfigError(
                "a Python model cannot be a materialized view: it has no query that the database could keep",
                code="FF1151",
                location=place("materialized"),
                help="use 'table'",
            )
        )
    if config.incremental is not None and config.incremental.in_windows:
        for key in ("pre_hook", "post_hook"):
            if getattr(config, key):
                message = (
                    f"'{key}' cannot be had: the model is built window by window, each in a transaction of its own"
                )
                problems.add(
                    ModelConfigError(
                        message, code="FF1151", location=place(key), help="say it in a model that reads this one"
                    )
                )
    for key in _EXCLUDED.get(config.materialized, ()):
        if getattr(config, key):
            why, help_ = _WHY[config.materialized]
            problems.add(
                ModelConfigError(f"'{key}' cannot be had: {why}", code="FF1151", location=place(key), help=help_)
            )
