"""Writes a unit test from rows that stand in the database: what a model makes of a few of them is what it expects."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from flowforge.api.unit_stand import UnitTester
from flowforge.config.files import inside
from flowforge.config.flaws import nearest
from flowforge.contract import Session
from flowforge.errors import EngineError, ErrorKind, FlowForgeError, Problems, ProjectError
from flowforge.frozen import frozen
from flowforge.project.manifest import Manifest, Node, NodeKind
from flowforge.run.batches import event_time_of
from flowforge.run.sessions import Sessions
from flowforge.utest.files import FOLDER, UnitCase, load_cases
from flowforge.utest.running import made_by
from flowforge.utest.world import World, asks_the_clock
from flowforge.utest.writing import Given, as_expected, as_given, unit_test, word_of

if TYPE_CHECKING:
    import pyarrow as pa

    from flowforge.api.project import Project

ROWS = 5
CASE = "live rows"


@frozen
class Created:
    """A test that was written.

    Parameters
    ----------
    path:
        Relative to the project.
    inputs:
        How many rows of each input it gives.
    expected:
        How many rows it expects.
    left_out:
        Columns that it does not hold, by input; those of the result under the model's own name.
    """

    path: str
    case: str
    inputs: Mapping[str, int]
    expected: int
    left_out: Mapping[str, tuple[str, ...]]


def create_test(
    project: Project, model: str, *, rows: int = ROWS, path: str | None = None, force: bool = False
) -> Created:
    """Write a unit test for *model* that passes now.

    Of each table that the model reads, the first rows are taken in the order of all their columns. What is expected is
    what the model makes of exactly these rows. The file is there as a whole or not at all.

    Parameters
    ----------
    rows:
        How many rows of each input, at most.
    path:
        The file, in ``tests/unit``; called like the model by default.
    force:
        Write over a file that is there.

    Raises
    ------
    ProjectError
        ``FF3016``, when there is nothing to write, or a file is in the way; ``FF3017``, when the test does not pass.
    EngineError
        When the rows cannot be read.
    """
    node = project.manifest.find(model)
    if node is None or node.kind is NodeKind.SEED:
        known = [one.short_name for one in project.manifest.nodes.values() if one.kind is not NodeKind.SEED]
        raise ProjectError(
            f"there is no model {model!r}" if node is None else f"{model!r} is a seed",
            code="FF3016",
            help=nearest(model, known) or "`flowforge ls` shows what there is",
        )
    target = _target(project.root, path or f"{FOLDER}/{node.short_name}.yml", force)
    with project.session("flowforge/utest") as session:
        inputs = {name: as_given(_rows(project, session, name, rows)) for name in inputs_of(node, project.manifest)}
    about = (
        f"Written by `flowforge utest --create {node.short_name}` from rows of the profile {project.profile.name!r}."
    )
    names = {name: name.removesuffix(".ff") for name in inputs}
    given = {names[name]: one for name, one in inputs.items()}
    now = None
    with UnitTester(project, Sessions()) as tester, _draft(target) as draft:

        def written(expected: Given) -> UnitCase:
            text = unit_test(node.short_name, CASE, given, expected, now=now, about=about)
            _refuse_secrets(text, project, node)
            draft.write_text(text, encoding="utf-8", newline="\n")
            problems = Problems()
            cases = load_cases(
                project.root, project.manifest, problems, paths=[draft.relative_to(project.root).as_posix()]
            )
            problems.raise_if_any()
            return cases[0]

        try:
            case = written(Given((), {}, ()))
            settings = node.config.incremental
            if settings is not None and settings.in_windows:
                now = _newest(node, project.manifest, inputs)
            elif asks_the_clock(World(case, tester.stand.around), tester.stand.around.dialect):
                now = dt.datetime.now(dt.UTC).replace(microsecond=0)
            if now is not None:
                case = written(Given((), {}, ()))
            expected = as_expected(made_by(case, tester.stand).rows)
        except FlowForgeError as error:
            raise _not_made(node, inputs, error) from error
        result = tester.run(written(expected))
        if result.status != "pass":
            raise ProjectError(
                f"{node.short_name!r} gives other rows each time it is asked, so no test of it could pass",
                code="FF3017",
                location=None if result.error is None else result.error.location,
                help="a test can leave such columns out: write it by hand, and expect only what is always the same",
                notes=result.lines[:5],
            )
        os.replace(draft, target)
    left = {
        **{names[name]: tuple(one.left_out) for name, one in inputs.items()},
        node.short_name: tuple(expected.left_out),
    }
    return Created(
        target.relative_to(project.root).as_posix(),
        CASE,
        {name: len(one.rows) for name, one in given.items()},
        len(expected.rows),
        {name: columns for name, columns in left.items() if columns},
    )


def _newest(node: Node, manifest: Manifest, inputs: Mapping[str, Given]) -> dt.datetime:
    """The latest moment in the rows: the window that it is in is the one that is tested."""
    found = []
    for name, given in inputs.items():
        known = manifest.nodes.get(name)
        column = known.config.event_time if known is not None else event_time_of(manifest.sources[name], manifest)
        for place in (index for index, one in enumerate(given.columns) if column and one.lower() == column.lower()):
            found += [_moment(row[place]) for row in given.rows if isinstance(row[place], dt.date)]
    return max(found, default=dt.datetime.now(dt.UTC)).replace(microsecond=0)


def _moment(value: dt.date) -> dt.datetime:
    if not isinstance(value, dt.datetime):
        value = dt.datetime.combine(value, dt.time())
    return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


def inputs_of(node: Node, manifest: Manifest) -> list[str]:
    """What a test of *node* has to give: nodes and sources, through ephemeral models; each once, sorted."""
    found: set[str] = set()
    seen: set[str] = set()
    todo = [node]
    while todo:
        one = todo.pop()
        for name in one.depends_on:
            parent = manifest.nodes[name]
            if parent.materialized != "ephemeral":
                found.add(name)
            elif name not in seen:
                seen.add(name)
                todo.append(parent)
        found.update(name for name in one.reads if manifest.sources[name].node not in one.depends_on)
    return sorted(found)


def _target(root: Path, path: str, force: bool) -> Path:
    given = Path(path)
    with contextlib.suppress(ValueError):
        given = given.resolve().relative_to(root) if given.is_absolute() else given
    try:
        target = inside(root, given.as_posix())
    except ValueError as error:
        raise ProjectError(f"{path!r} {error}", code="FF3016", help=f"name a file in {FOLDER}") from None
    if target.parent != root / FOLDER or target.suffix not in (".yml", ".yaml") or target.name.startswith("."):
        raise ProjectError(
            f"{path!r} is no file that `flowforge utest` would read",
            code="FF3016",
            help=f"name one in {FOLDER}, such as {FOLDER}/orders.yml",
        )
    if target.exists() and not force:
        raise ProjectError(
            f"{target.relative_to(root).as_posix()} is there already",
            code="FF3016",
            help="--force writes over it; --path names another file",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


@contextlib.contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """A file beside *target* that no other command reads, and that is gone at the end."""
    draft = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _rows(project: Project, session: Session, name: str, count: int) -> pa.Table:
    """The first rows of a table, in the order of all columns that have one."""
    compiler, dialect = project.compiler, project.executor.dialect
    node = project.manifest.nodes.get(name)
    if node is not None:
        table = dialect.render(compiler.relation(node))
    else:
        table = compiler.source(project.manifest.sources[name])
    try:
        schema = session.schema_of(f"SELECT * FROM {table}")
        assert schema is not None
        order = ", ".join(dialect.quote(field.name) for field in schema if word_of(field.type) is not None)
        by = f" ORDER BY {order}" if order else ""
        return session.query(f"SELECT * FROM {table} AS ff_rows{by} LIMIT {count}").read_all()
    except Exception as problem:
        error = problem if isinstance(problem, EngineError) else project.executor.error(problem)
        if error is not None and error.kind is ErrorKind.MISSING and node is not None:
            error.help = f"build it first: flowforge build -s {node.short_name}"
        if error is None:
            raise
        raise error from problem.__cause__


def _refuse_secrets(text: str, project: Project, node: Node) -> None:
    if project.redactor.redact(text) != text:
        raise ProjectError(
            f"the rows that {node.short_name!r} reads hold a secret of the profile or the environment",
            code="FF3016",
            help="write the test by hand, with rows that may be read by everybody",
        )


def _not_made(node: Node, inputs: Mapping[str, Given], error: FlowForgeError) -> FlowForgeError:
    """What to say when the model cannot be run on the rows."""
    left = [f"{name.removesuffix('.ff')}.{column}" for name, one in inputs.items() for column in one.left_out]
    if not left:
        return error
    return ProjectError(
        f"{node.short_name!r} cannot be run on its rows: {error.message}",
        code="FF3016",
        location=error.location,
        notes=[f"a unit test cannot hold the columns {', '.join(left)}"],
        help="write the test by hand, and give such rows by a query: sql: select ...",
    )
