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
    if config.on_fail is not None and config.materialized == "ephemeral":
        _refuse_on_fail("an ephemeral model is no relation, so nothing checks its rows", place, problems)
    elif config.on_fail == "quarantine":
        why = why_not_aside(config)
        if why is not None:
            _refuse_on_fail(why, place, problems)
    for key in _EXCLUDED.get(config.materialized, ()):
        if getattr(config, key):
            why, help_ = _WHY[config.materialized]
            problems.add(
                ModelConfigError(f"'{key}' cannot be had: {why}", code="FF1151", location=place(key), help=help_)
            )


def why_not_aside(config: ModelConfig) -> str | None:
    """Why rows of such a model cannot be put aside; ``None``: they can."""
    growing, snapshot = config.incremental, config.snapshot
    if config.materialized in ("view", "materialized_view"):
        return "a view holds no rows, so none can be put aside: use materialized='table'"
    if config.materialized == "ephemeral":
        return "an ephemeral model is no relation: declare the check for the model that reads it"
    if growing is not None and growing.strategy in ("insert_overwrite", "microbatch"):
        return (
            f"{growing.strategy} replaces rows by parts, and a released row would have to wait until its part is built "
            "again: use the strategy merge or delete+insert"
        )
    if snapshot is not None and snapshot.hard_deletes != "ignore":
        return f"with hard_deletes='{snapshot.hard_deletes}' a row that is put aside would look like a deleted one"
    return None


def _refuse_on_fail(why: str, place: Callable[[str], Location], problems: Problems) -> None:
    message = f"'on_fail' cannot be had: {why}"
    problems.add(
        ModelConfigError(
            message, code="FF1151", location=place("on_fail"), help="say on_fail='stop' or 'warn', or leave it out"
        )
    )
