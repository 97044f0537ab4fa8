"""A folder with the world's project and its database; runs FlowForge in it and lets the twin judge every run."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import duckdb
from worlds.histories import UNSEEN, pruned
from worlds.journal import Journal
from worlds.meaning import CannotBuildError, Standing, rows_of
from worlds.nodes import EXTRA, SCHEMA, Description, Rows
from worlds.selecting import ancestors, fits, parents, selected
from worlds.twin import Order, Outcome, Twin, WrongError
from worlds.writing import DATABASE, files

from flowforge import Project
from flowforge.api.histories import run_snapshots
from flowforge.api.preparation import definer_of
from flowforge.crash import EXIT_CODE
from flowforge.errors import NothingSelectedError
from flowforge.plugins import PluginSet, load_plugins
from flowforge.run.options import RunOptions
from flowforge.run.plan import Action, Plan
from flowforge.run.result import RunResult
from flowforge.run.scheduler import FailPolicy
from flowforge.state.policy import CacheMode

OPEN_PROJECTS = 2
AT = """
import datetime, functools, sys
import flowforge.run.options as options
options.RunOptions = functools.partial(options.RunOptions, now=datetime.datetime.fromisoformat(sys.argv[1]))
from flowforge.cli.main import main
sys.argv[1:] = sys.argv[2:]
main()
"""
"""The command line at another time than now."""


@functools.cache
def _installed() -> PluginSet:
    """What is installed; looking for it in every run would take a tenth of the time."""
    return load_plugins({})


@attrs.frozen
class Command:
    """One call of the Python API."""

    name: str = "build"
    select: tuple[str, ...] = ()
    order: Order = attrs.field(factory=Order)
    jobs: int = 1
    keep_going: bool = False
    plan_first: bool = False
    keep_last: int | None = None

    @property
    def words(self) -> list[str]:
        """The same as a command line."""
        names = ["snapshot", "run"] if self.name == "snapshot" else [self.name]
        words = [*names, *(f"--select={one}" for one in self.select), f"--cache={self.order.mode}"]
        words += [f"--rebuild={name}" for name in sorted(self.order.forced)]
        words += ["--prune", f"--keep-last={self.keep_last}"] if self.keep_last is not None else []
        words += ["--full-refresh"] * self.order.full_refresh + ["--assume-unchanged"] * self.order.assume_unchanged
        return [*words, f"--jobs={self.jobs}", *["--keep-going"] * self.keep_going]

    def __str__(self) -> str:
        return " ".join(["flowforge", *self.words])


class Workspace:
    """Files, database, open projects and the twin, kept in step with each other.

    Parameters
    ----------
    root:
        An empty folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.world = Description()
        self.twin = Twin()
        self.journal = Journal()
        self._written: dict[str, str] = {}
        self._open: list[Project] = []

    @property
    def database(self) -> Path:
        """The database file."""
        return self.root / DATABASE

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Lets what goes wrong inside carry the story that led to it."""
        try:
            yield
        except Exception as error:
            error.add_note(self.journal.script())
            raise

    # -- files

    def write(self, title: str) -> None:
        """Bring the files in line with the description."""
        wanted = files(self.world)
        self.journal.step(title)
        if wanted == self._written:
            return
        self.close()
        for path in self._written.keys() - wanted.keys():
            (self.root / path).unlink()
            self.journal.detail(f"rm {path}")
        for path, text in wanted.items():
            if self._written.get(path) != text:
                file = self.root / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, "utf-8")
                self.journal.detail(f"--- {path}", text)
        self._written = wanted

    def forget_local_state(self) -> None:
        """Remove ``.flowforge/``."""
        self.journal.step("rm -r .flowforge")
        self.close()
        shutil.rmtree(self.root / ".flowforge", ignore_errors=True)

    def save_local_state(self, aside: Path) -> None:
        """Copy ``.flowforge/`` aside."""
        self.journal.step("cp -r .flowforge aside")
        self.close()
        shutil.rmtree(aside, ignore_errors=True)
        if (self.root / ".flowforge").exists():
            shutil.copytree(self.root / ".flowforge", aside)

    def restore_local_state(self, aside: Path) -> None:
        """Put an old copy of ``.flowforge/`` back."""
        self.journal.step("cp -r aside .flowforge")
        self.close()
        shutil.rmtree(self.root / ".flowforge", ignore_errors=True)
        if aside.exists():
            shutil.copytree(aside, self.root / ".flowforge")

    # -- the database

    def sql(self, *statements: str) -> None:
        """What somebody else does in the database."""
        connection = duckdb.connect(str(self.database))
        try:
            for statement in statements:
                connection.execute(statement)
        finally:
            connection.close()

    def outside(self, title: str, relation: str, standing: Standing | None, *statements: str) -> None:
        """Somebody else changes a relation."""
        self.journal.step(title, *statements)
        self.sql(*statements)
        self.twin.put(relation, standing)

    def actual(self) -> dict[str, tuple[str, Rows | None]]:
        """Everything that stands in the database, FlowForge's own tables left out."""
        connection = duckdb.connect(str(self.database))
        try:
            found: dict[str, tuple[str, Rows | None]] = {}
            listed = connection.execute(
                "select table_schema, table_name, table_type from information_schema.tables order by all"
            ).fetchall()
            for schema, name, kind in listed:
                if schema not in (SCHEMA, EXTRA) or name.startswith(("_ff_", "__ff_py_")):
                    continue
                rows = None
                with contextlib.suppress(duckdb.Error):  # a view over what is no longer there
                    read = connection.sql(f'select * from "{schema}"."{name}"')
                    types = zip(read.columns, map(str, read.types), strict=True)
                    columns = tuple(column for column in types if column[0] not in UNSEEN)
                    names = ", ".join(f'"{column}"' for column, _ in columns)
                    shown = connection.sql(f'select {names} from "{schema}"."{name}"')
                    rows = Rows(columns, tuple(shown.fetchall()))
                found[f"{schema}.{name}".lower()] = ("view" if kind == "VIEW" else "table", rows)
            return found
        finally:
            connection.close()

    def compare(self) -> None:
        """Every relation must hold what the twin says, and there must be no others."""
        wanted: dict[str, tuple[str, Rows | None]] = {}
        for relation, standing in self.twin.standing.items():
            try:
                wanted[relation] = (standing.kind, rows_of(relation, self.twin.standing))
            except CannotBuildError:
                wanted[relation] = (standing.kind, None)
        found = self.actual()
        wrong = [
            f"{relation}: {found.get(relation)}\n  instead of {wanted.get(relation)}"
            for relation in sorted(found.keys() | wanted.keys())
            if found.get(relation) != wanted.get(relation)
        ]
        if wrong:
            raise WrongError("the database holds something else than it should:\n" + "\n".join(wrong))
        noted = self.noted_windows()
        for relation, known in self.twin.windows.items():
            if relation in found and found[relation][0] == "table" and noted.get(relation) != known.built:
                raise WrongError(f"{relation}: {noted.get(relation)} is noted, but {known.built} was built")

    def noted_windows(self) -> dict[str, dict[int, dt.datetime]]:
        """When each window was built, as FlowForge noted it of the tables that stand, by relation."""
        connection = duckdb.connect(str(self.database))
        try:
            listed = connection.execute("select table_name from information_schema.tables").fetchall()
            if not {("_ff_meta",), ("_ff_windows",)} <= set(listed):
                return {}
            rows = connection.execute(
                "select m.relation, year(w.window_start), w.built_at from _ff_windows w join _ff_meta m"
                " on m.relation = w.relation and starts_with(m.data_id, w.generation || '.') order by all"
            ).fetchall()
        finally:
            connection.close()
        found: dict[str, dict[int, dt.datetime]] = {}
        for key, year, built_at in rows:
            relation = key if "." in key else f"{SCHEMA}.{key}"
            found.setdefault(relation, {})[year] = built_at.replace(tzinfo=dt.UTC)
        return found

    def tick(self) -> None:
        """No two runs begin at the same time."""
        self.world.now += dt.timedelta(minutes=1)

    def can_prune(self, keep: int) -> bool:
        """Whether it is clear which versions of all histories would go."""
        histories = [one.rows for one in self.twin.standing.values() if one.history and one.rows is not None]
        return all(pruned(rows, keep) is not None for rows in histories)

    # -- running

    def project(self, *, fresh: bool = False) -> Project:
        """A loaded project; the files have not changed since any open one was loaded."""
        if fresh or not self._open:
            if len(self._open) >= OPEN_PROJECTS:
                self._open.pop(0).close()
            environ = {name: str(value) for name, value in self.world.env.items()}
            self._open.append(Project.load(self.root, environ=environ, plugins=_installed()))
        return self._open[-1]

    def close(self) -> None:
        """Close all projects."""
        for project in self._open:
            project.close()
        self._open.clear()

    def execute(self, command: Command, *, fresh: bool = False) -> RunResult | None:
        """Run, follow, compare; ``None`` when nothing was selected.

        Raises
        ------
        WrongError
            When something is stale, needlessly built, or different from what the plan said.
        """
        self.tick()
        self.journal.step(f"{command}  # at {self.world.now:%Y-%m-%d %H:%M}")
        project = self.project(fresh=fresh)
        full = {name.removesuffix(".ff"): name for name in project.manifest.nodes}
        order = command.order
        options = RunOptions(
            jobs=command.jobs,
            policy=FailPolicy.KEEP_GOING if command.keep_going else FailPolicy.FINISH_RUNNING,
            cache=CacheMode(order.mode),
            rebuild=tuple(full[name] for name in sorted(order.forced)),
            full_refresh=order.full_refresh,
            assume_unchanged=order.assume_unchanged,
            keep_last=command.keep_last,
            now=self.world.now,
        )
        wanted = self.wanted(command)
        try:
            plan = self._plan(project, command, options) if command.plan_first else None
            snapshots = functools.partial(run_snapshots, project)
            calls = {"build": project.build, "run": project.run, "seed": project.seed, "snapshot": snapshots}
            result = calls[command.name](command.select, options=options)
        except NothingSelectedError:
            self.journal.detail("nothing selected")
            if wanted:
                raise WrongError(f"{sorted(wanted)} were selected, but it says that nothing was") from None
            return None
        outcomes = {
            node.node.removesuffix(".ff"): Outcome(
                node.status.value,
                node.kept,
                "; ".join(filter(None, [node.error and node.error.message])),
                node.pruned or 0,
            )
            for node in result.nodes
        }
        for line in self.twin.run(self.world, order, outcomes, command.keep_last):
            self.journal.detail(line)
        if outcomes.keys() != wanted:
            raise WrongError(f"{sorted(wanted)} were selected, but {sorted(outcomes)} ran")
        if plan is not None:
            self._agree(plan, outcomes)
        self._check_skipped(command, outcomes)
        if fresh:
            self._check_definitions(project)
        failed = {name for name, outcome in outcomes.items() if outcome.status == "error"}
        if bool(failed) == result.ok:
            raise WrongError(f"failed: {sorted(failed)}, but the result says {'good' if result.ok else 'bad'}")
        self.compare()
        return result

    def kill(self, command: Command, point: str) -> None:
        """Run in a process of its own that dies when it comes to *point*; learn what it left.

        Parameters
        ----------
        point:
            As in the variable ``FF_CRASH_AT``. A run that does not come there goes to its end.

        Raises
        ------
        WrongError
            When a relation is neither the old one nor the new one.
        """
        self.tick()
        self.journal.step(f"FF_CRASH_AT={point} {command}  # at {self.world.now:%Y-%m-%d %H:%M}")
        self.close()
        variables = {name: str(value) for name, value in self.world.env.items()}
        ended = subprocess.run(
            [sys.executable, "-c", AT, self.world.now.isoformat(), *command.words, "--allow-empty"],
            cwd=self.root,
            env={**os.environ, **variables, "FF_CRASH_AT": point},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.journal.detail(f"exit code {ended.returncode}")
        if ended.returncode not in (0, 1, EXIT_CODE):
            raise WrongError(f"the exit code is {ended.returncode}\n{ended.stdout}\n{ended.stderr}")
        for relation in self.twin.absorb(self.world, self.wanted(command), self.actual(), self.noted_windows()):
            self.outside("nobody knows which of two views that is", relation, None, f"drop view {relation}")
        self.compare()

    def wanted(self, command: Command) -> set[str]:
        """Names of the nodes that *command* is about."""
        chosen = selected(self.world, command.select)
        return {model.name for model in self.world.nodes() if model.name in chosen and fits(command.name, model)}

    def _check_skipped(self, command: Command, outcomes: dict[str, Outcome]) -> None:
        """With ``--keep-going`` only what stands on a failure is left out; and nothing is, where nothing failed."""
        above = parents(self.world)
        failed = {name for name, outcome in outcomes.items() if outcome.status == "error"}
        for name, outcome in outcomes.items():
            reason = ancestors(name, above) & failed if command.keep_going else failed
            if outcome.status == "skipped" and not reason:
                raise WrongError(f"{name} was left out, but nothing failed that could be the reason")
            if outcome.status != "skipped" and ancestors(name, above) & failed:
                raise WrongError(f"{name} was {outcome.status}, though something failed that it stands on")

    def _check_definitions(self, project: Project) -> None:
        """What is known of models from earlier runs has to be what is found when all is rendered."""
        known, found = (definer_of(project, mode) for mode in (CacheMode.RO, CacheMode.OFF))
        for name in project.manifest.nodes:
            one, other = known.of(name), found.of(name)
            for part in ("digest", "config", "files", "volatile", "notes", "content"):
                if getattr(one, part) != getattr(other, part):
                    raise WrongError(f"{name}: its {part} is {getattr(other, part)}, not {getattr(one, part)}")

    def _plan(self, project: Project, command: Command, options: RunOptions) -> Plan:
        before = self.database.read_bytes() if self.database.exists() else b""
        plan = project.plan(command.select, command=command.name, options=options)
        after = self.database.read_bytes() if self.database.exists() else b""
        if before != after:
            raise WrongError("a plan wrote to the database")
        return plan

    def _agree(self, plan: Plan, outcomes: dict[str, Outcome]) -> None:
        steps = {name.removesuffix(".ff"): step for name, step in plan.steps.items()}
        if steps.keys() != outcomes.keys():
            raise WrongError(f"planned {sorted(steps)}, but {sorted(outcomes)} ran")
        above = parents(self.world)
        for name, step in steps.items():
            status = outcomes[name].status
            if step.action is Action.MAYBE and not any(
                other in steps and steps[other].action is not Action.SKIP for other in ancestors(name, above)
            ):
                raise WrongError(f"{name}: nothing that it stands on is built, and still the plan says maybe")
            if status == "skipped":
                continue
            allowed = {Action.BUILD: {"success", "error"}, Action.SKIP: {"cached"}}.get(step.action)
            if allowed is not None and status not in allowed:
                raise WrongError(f"{name}: planned {step.action.value} ({step.reason}), but it was {status}")
