"""A run's result for CI systems: which files were asked for, and annotations of GitHub's log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from flowforge.cli.output import Output
from flowforge.events import Status
from flowforge.frozen import frozen
from flowforge.run.result import RunResult

if TYPE_CHECKING:
    from flowforge.api import Project


@frozen
class Reports:
    """The files that a command was asked for."""

    junit: Path | None = None
    results: Path | None = None

    def prepare(self) -> None:
        """See that they can be written, and remove older ones.

        Raises
        ------
        UsageError
            When one cannot be written; before anything ran.
        """
        if self.junit is not None:
            from flowforge.cli.junit import prepare_junit

            prepare_junit(self.junit)
        if self.results is not None:
            from flowforge.cli.results_file import prepare_results

            prepare_results(self.results)

    def write(self, result: RunResult, project: Project, output: Output) -> None:
        """Write what came of a run.

        Raises
        ------
        UsageError
            When a file cannot be written.
        """
        if self.junit is not None:
            from flowforge.cli.junit_cases import report_junit

            report_junit(result, self.junit, output)
        if self.results is not None:
            from flowforge.cli.results_file import write_results

            write_results(self.results, result, facts_of(project), output)


def facts_of(project: Project) -> Mapping[str, str]:
    """What results are of."""
    return {"project": project.manifest.project, "env_name": project.profile.name, "engine": project.engine.name}


def annotate_checks(result: RunResult, output: Output) -> None:
    """Write an annotation for each check that found something, where the log is GitHub's."""
    if output.log_format != "github":
        return
    for check in result.checks:
        kind = {Status.FAIL: "error", Status.ERROR: "error", Status.WARN: "warning", Status.INFO: "notice"}.get(
            check.status
        )
        if kind is not None:
            broken = check.problem is not None and check.problem.location is not None
            place = check.problem.location if broken and check.problem is not None else check.location
            output.annotate(kind, check.message or check.check, place, title=f"check {check.check}")
