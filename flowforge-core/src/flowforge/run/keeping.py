"""Which rows of a node are put aside by which checks, said in the words of the room that publishes.

Knows declarations, specs and where tables stand. What a check finds is told to the auditor of a build.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from flowforge.errors import AuditFailedError, EngineError, ErrorKind, FlowForgeError, ModelExecutionError
from flowforge.frozen import frozen
from flowforge.materialize.quarantine import Judged, Quarantine, Rule, quarantine_relation
from flowforge.project.manifest import CheckDecl, Node
from flowforge.project.quarantining import cannot_keep_back, quarantine_checks
from flowforge.run.check_tables import CheckTables
from flowforge.run.ledger import Ledger
from flowforge.run.row_conditions import RowConditions
from flowforge.state.decisions import log_table
from flowforge.values import RelationKind

Found = Callable[[Sequence[CheckDecl], Mapping[str, int]], None]
"""Told how many rows each check puts aside."""
_NOT_OF_CHECKS = (ErrorKind.CONNECTION, ErrorKind.AUTH, ErrorKind.CANCELLED, ErrorKind.TIMEOUT)


@frozen
class Keeper:
    """Makes the quarantines of a run's nodes. Safe from any thread.

    Parameters
    ----------
    found:
        Called on a worker's thread while the node's rows are parted.
    """

    checks: Mapping[str, tuple[CheckDecl, ...]]
    conditions: RowConditions
    error: Callable[[BaseException], EngineError | None]
    redact: Callable[[str], str]
    found: Found = lambda checks, counts: None

    @classmethod
    def of(
        cls,
        checks: Iterable[CheckDecl],
        conditions: RowConditions,
        error: Callable[[BaseException], EngineError | None],
        redact: Callable[[str], str],
        found: Found = lambda checks, counts: None,
    ) -> Keeper:
        """With the checks of a project; most of them put no rows aside."""
        return cls(quarantine_checks(checks), conditions, error, redact, found)

    @property
    def tables(self) -> CheckTables:
        """Where tables stand."""
        return self.conditions.tables

    def quarantine_of(self, node: Node, ledger: Ledger) -> Quarantine | None:
        """Where failing rows of *node* go; ``None``: nothing puts rows of it aside, and nothing did."""
        checks = self.checks.get(node.name, ())
        model = self.tables.compiler.relation(node)
        table = quarantine_relation(self.tables.dialect, model)
        if not checks and (cannot_keep_back(node) is not None or ledger.kind_at(table) is not RelationKind.TABLE):
            return None
        return Quarantine(
            table,
            log_table(self.tables.namespace),
            ledger.key(node),
            node.name,
            tuple(Rule(check.id, self._condition(node, check)) for check in checks),
            lambda counts, rows: self._told(node, checks, counts, rows),
            lambda problem: self._broken(node, checks, problem),
        )

    def _condition(self, node: Node, check: CheckDecl) -> Callable[[Judged], str]:
        def condition(judged: Judged) -> str:
            try:
                return self.conditions.of(check, judged.session, judged.sql, judged.columns)
            except Exception as problem:
                error = self._broken(node, [check], problem)
                if error is None:
                    raise
                raise error from problem

        return condition

    def _told(self, node: Node, checks: Sequence[CheckDecl], counts: Mapping[str, int], rows: int) -> None:
        self.found(checks, counts)
        too_many = [check for check in checks if check.error_if and check.error_if.holds(counts[check.id], rows)]
        if too_many:
            raise AuditFailedError(
                f"too many of the new rows of {node.short_name!r} would be put aside, so nothing was replaced",
                location=too_many[0].location,
                notes=[
                    f"{check.id}: {counts[check.id]} of {rows} rows, and 'error_if' is '{check.error_if}'"
                    for check in too_many
                ],
                help="correct the model or its inputs, or allow for more in 'error_if'",
            )

    def _broken(self, node: Node, checks: Sequence[CheckDecl], problem: Exception) -> Exception | None:
        error = problem if isinstance(problem, EngineError) else self.error(problem)
        if error is None and isinstance(problem, FlowForgeError):
            return None  # it says itself what is wrong, and where
        if error is not None and error.kind in _NOT_OF_CHECKS:
            return None
        message = error.message if error is not None else f"{type(problem).__name__}: {problem}"
        names = ", ".join(repr(check.id) for check in checks)
        return ModelExecutionError(
            f"the new rows cannot be judged by {names}: {self.redact(message)}",
            node=node.name,
            code="FF3004",
            location=error.location if error is not None and error.location is not None else checks[0].location,
            notes=error.notes if error is not None else (),
            help="the rows were not published; correct the check or the model",
        )
