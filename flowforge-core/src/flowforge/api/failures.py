"""Storing the failing rows of checks, when a command asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from flowforge.contract import Session
from flowforge.errors import Note
from flowforge.run.check_tables import CheckTables
from flowforge.run.failures import FailureStore

if TYPE_CHECKING:
    from flowforge.api.project import Project
    from flowforge.run.compile import Compiler
    from flowforge.run.options import RunOptions


def failure_store(
    project: Project, compiler: Compiler, run_id: str, options: RunOptions, note: Callable[[Note], None]
) -> FailureStore | None:
    """Stores failing rows; ``None``: nobody asks for it."""
    if not options.store_failures:
        return None
    executor = project.executor
    tables = CheckTables(project.manifest, compiler, executor.dialect, executor.namespace)
    return FailureStore(tables, run_id, executor.error, project.redactor.redact, note)


def flush(project: Project, run_id: str, failures: FailureStore | None) -> None:
    """Store what was kept of failing rows until the nodes had ended."""

    def opened() -> Iterator[Session]:
        with project.session(f"flowforge/{run_id}/failures") as session:
            yield session

    if failures is not None:
        failures.flush(opened)
