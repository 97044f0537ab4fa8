"""Checks as expectations of unit tests: read like those of models, and asked of the rows that the model makes.

Knows raw and declared checks, and the world of a case; what they find is told like any other difference.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowforge.checks.bind import SpecLookup, bind
from flowforge.checks.builtin import CHECKS
from flowforge.checks.execute import BoundCheck, CheckOutcome, run_checks
from flowforge.config.check_entries import RawCheck, parse_checks
from flowforge.config.yaml import KeyPath, YamlDocument
from flowforge.contract import CheckSpec, Session
from flowforge.errors import CheckConfigError, EngineError, FlowForgeError, Problems
from flowforge.frozen import frozen
from flowforge.project.manifest import CheckDecl, Manifest, Node
from flowforge.run.check_tables import CheckTables
from flowforge.run.own_checks import OwnCheckRunner, Translate
from flowforge.utest.comparing import Difference
from flowforge.values import Location

if TYPE_CHECKING:
    from flowforge.utest.world import Surroundings

SHOWN_ROWS = 5
"""How many failing rows of one check are shown."""
_STEADY = frozenset(spec.name for spec in CHECKS) - {"freshness", "expression"}


def read_expected(
    entries: Sequence[Any],
    doc: YamlDocument,
    at: KeyPath,
    node: Node,
    manifest: Manifest,
    specs: SpecLookup,
    problems: Problems,
) -> tuple[CheckDecl, ...]:
    """The checks of one case, declared for the rows of *node*; what is wrong goes to *problems*, with its place.

    Parameters
    ----------
    at:
        Where the list stands in *doc*.
    specs:
        All installed checks by name; called only for a check that is not one of the core's own.
    """
    found: dict[str, CheckDecl] = {}
    for raw in parse_checks(entries, doc, at, problems=problems, table=node.short_name):
        try:
            check = bind(raw, specs, lambda name: _named(name, manifest), _one_engine, manifest.own_checks)
        except FlowForgeError as error:
            problems.add(error)
            continue
        if check is None:
            continue
        flaw = _flaw(raw, check, found, specs)
        if flaw is not None:
            problems.add(flaw)
        else:
            found[check.id] = check
    return tuple(found.values())


def _named(name: str, manifest: Manifest) -> str | None:
    node = manifest.find(name)
    return node.name if node is not None else None


def _one_engine(said: Mapping[str, Any], locate: Any) -> Any:
    raise CheckConfigError(
        "a unit test says one value here, and not one for each engine",
        code="FF3010",
        location=locate(next(iter(said))),
        help="write the value; a file that is meant for one engine says so: `engine:`",
    )


def _flaw(
    raw: RawCheck, check: CheckDecl, found: Mapping[str, CheckDecl], specs: SpecLookup
) -> CheckConfigError | None:
    for key, said in (
        ("severity", raw.severity != "error"),
        ("on_fail", raw.on_fail is not None),
        ("warn_if", raw.warn_if is not None),
        ("tags", bool(raw.tags)),
    ):
        if said:
            return CheckConfigError(
                f"{key!r} says nothing in a unit test, which passes or fails",
                code="FF3010",
                location=raw.locate_common(key),
                help="remove it",
            )
    if _spec_of(check, specs).weigh is not None:
        return CheckConfigError(
            f"the check {check.type!r} compares with earlier runs, and a unit test has none",
            code="FF3010",
            location=check.location,
            help="expect a number: row_count_between, between",
        )
    if check.id in found:
        return CheckConfigError(
            f"the check {check.id!r} is there twice",
            code="FF3010",
            location=check.location,
            help="remove one of them, or give one a name of its own with `name:`",
        )
    return None


def _spec_of(check: CheckDecl, specs: SpecLookup) -> CheckSpec:
    if check.own is not None:
        return check.own.spec
    return next((spec for spec in CHECKS if spec.name == check.type), None) or specs()[check.type]


def is_steady(checks: Sequence[CheckDecl]) -> bool:
    """Whether what these checks say depends on the rows alone, as far as it is known."""
    return all(
        check.own is None and check.type in _STEADY and getattr(check.params, "where", None) is None for check in checks
    )


@frozen
class Asked:
    """What the checks of one case are asked with.

    Parameters
    ----------
    tables:
        Where the tables of the case stand.
    relation_sql:
        The rows that the model makes.
    """

    session: Session
    around: Surroundings
    tables: CheckTables
    relation_sql: str
    error: Translate
    now: dt.datetime

    def differences(self, case_node: Node, checks: Sequence[CheckDecl], specs: SpecLookup) -> list[Difference]:
        """What the checks find.

        Raises
        ------
        FlowForgeError
            When one of them cannot be asked.
        """
        tables = self.tables.reading({case_node.name: self.relation_sql})
        own = OwnCheckRunner(self.around.root, lambda: self.around.modules, self.error)
        bound = [
            own.bound(check, check.own, tables) if check.own is not None else BoundCheck(check, _spec_of(check, specs))
            for check in checks
        ]

        def table(check: CheckDecl, written: str) -> str:
            return next(tables.find(one.node, one.name) for one in check.reads if one.written == written)

        found = []
        dialect = self.around.dialect
        outcomes = run_checks(self.session, self.error, dialect, self.relation_sql, bound, self.now, table)
        for outcome in outcomes:
            if outcome.status in ("error", "skip"):
                raise self._broken(outcome)
            if outcome.status != "pass":
                found.append(self._difference(outcome))
        return found

    def _broken(self, outcome: CheckOutcome) -> FlowForgeError:
        problem, check = outcome.problem, outcome.check
        if problem is not None and not isinstance(problem, EngineError):
            problem.location = problem.location or check.location
            return problem
        place: Location | None = problem.location if problem is not None else None
        return CheckConfigError(
            f"the check {check.id!r} could not run: {outcome.message}",
            code="FF3004",
            location=place or check.location,
            help="correct the check or the model",
        )

    def _difference(self, outcome: CheckOutcome) -> Difference:
        rows, more = self._rows(outcome)
        said = f"! check {outcome.check.id}: {outcome.message}"
        if outcome.check.description:
            said += f" ({outcome.check.description})"
        return Difference(0, said=said, rows=tuple(rows), more=more)

    def _rows(self, outcome: CheckOutcome) -> tuple[list[Mapping[str, Any]], bool]:
        """Some failing rows, and whether there are others."""
        if outcome.failing is None:
            return [], False
        sql = f"SELECT * FROM (\n{outcome.failing}\n) AS ff_failing LIMIT {SHOWN_ROWS + 1}"
        table = self.session.query(sql).read_all()
        names = [name for name in table.column_names if not name.casefold().startswith("ff__")]
        found = table.select(names).to_pylist()
        return found[:SHOWN_ROWS], len(found) > SHOWN_ROWS
