"""The query of an incremental model's new rows: its own, rendered for a table that stands, above the watermark."""

from __future__ import annotations

import attrs

from flowforge.errors import ModelConfigError
from flowforge.materialize.columns import OnChange
from flowforge.materialize.increments import Increment, Strategy, is_new
from flowforge.materialize.steps import Writer
from flowforge.project.manifest import Incremental, Node, SqlBody
from flowforge.run.batches import Batch
from flowforge.run.compile import Compiled, Compiler
from flowforge.run.span import example_window
from flowforge.values import Location


def compile_increment(compiler: Compiler, node: Node, whole: Compiled | None) -> Compiled | None:
    """The query of the new rows; for a model that is built in windows, that of a window which is always the same one.

    Parameters
    ----------
    whole:
        The query of all rows; ``None`` for a model in Python.

    Returns
    -------
    Compiled
        ``None`` when the new rows come from Python.

    Raises
    ------
    ModelConfigError
        When nothing says which rows are new, and all of them would be added once more.
    """
    settings = node.config.incremental
    assert settings is not None
    if not compiler.has_query(node, incremental=True):
        return None
    if settings.in_windows:
        return compiler.compile(node.name, incremental=True, batch=Batch(example_window(node)))
    increment = compiler.compile(node.name, incremental=True)
    if whole is None or node.delta is not None:
        return increment
    if increment.unrevealed != whole.unrevealed:
        return increment
    if settings.updated_at:
        return _above_the_watermark(increment, compiler, node, settings)
    if settings.strategy == Strategy.APPEND.value:
        raise _endless(node, "name a column that grows (updated_at='...'), use is_incremental(), or a unique_key")
    return increment


def _above_the_watermark(whole: Compiled, compiler: Compiler, node: Node, settings: Incremental) -> Compiled:
    dialect = compiler.dialect
    strictly = settings.strategy == Strategy.APPEND.value
    condition = is_new(dialect, compiler.relation(node), settings.updated_at, strictly=strictly)
    head, tail = "SELECT * FROM (\n", f"\n) AS ff_rows WHERE {condition}"
    return attrs.evolve(
        whole,
        sql=f"{head}{whole.sql}{tail}",
        executable=f"{head}{whole.executable}{tail}",
        unrevealed=f"{head}{whole.unrevealed}{tail}",
        locate=lambda offset: whole.locate(offset - len(head)) if offset >= len(head) else None,
        locate_unrevealed=lambda offset: whole.locate_unrevealed(offset - len(head)) if offset >= len(head) else None,
    )


def increment_of(node: Node, compiled: Compiled | None, write: Writer | None = None) -> Increment | None:
    """How the rows of *node* are added; *compiled* is the query of the new ones, or *write* writes those of a delta.

    Raises
    ------
    ModelConfigError
        When nothing says which rows are new, and all of them would be added once more.
    """
    settings = node.config.incremental
    if settings is None:
        return None
    _refuse_endless_growth(node)
    return Increment(
        Strategy(settings.strategy),
        compiled.executable if compiled else None,
        settings.unique_key,
        settings.partition_by,
        settings.updated_at,
        OnChange(settings.on_schema_change),
        write=write,
    )


def _refuse_endless_growth(node: Node) -> None:
    """A Python model's rows are all new unless something says otherwise.

    Raises
    ------
    ModelConfigError
        When nothing does.
    """
    settings = node.config.incremental
    sql = isinstance(node.body, SqlBody)
    if (
        settings is None
        or sql
        or node.delta is not None
        or settings.updated_at
        or settings.strategy != Strategy.APPEND.value
    ):
        return
    raise _endless(node, "name a column that grows (updated_at='...'), or a unique_key")


def _endless(node: Node, help: str) -> ModelConfigError:
    return ModelConfigError(
        "nothing says which rows are new, so each run would add all of them again",
        code="FF1131",
        location=Location(node.path),
        help=help,
    )
