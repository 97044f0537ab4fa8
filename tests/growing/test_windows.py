"""Tables are built window by window as the reference says: late rows, holes, failures, retries, drops, full refreshes."""

from __future__ import annotations

import collections
import datetime as dt
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from windows_reference import Row, Shelf

from flowforge import Project
from flowforge.contract import LoadMode
from flowforge.events import Status
from flowforge.plugins import PluginSet, load_plugins
from flowforge.project.windows import Window
from flowforge.run.options import RunOptions

BEGIN = dt.date(2024, 2, 26)
NUMBERS = itertools.count()
SQL = """\
{{{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='ts', begin='2024-02-26',
            batch_size='day', lookback={lookback}) }}}}
select id, {checked} as v, ts from {{{{ source('o', 'happened') }}}}
"""
CHECKED = {
    # A negative value breaks the query of its window on each engine.
    "duckdb": "case when v < 0 then cast('broken' || v as bigint) else v end",
    "postgres": "case when v < 0 then cast('broken' || v as bigint) else v end",
}
PYTHON = """\
from flowforge import model


@model(deps=['given'], frame='arrow', materialized='incremental', incremental_strategy='microbatch', event_time='ts',
       begin='2024-02-26', batch_size='day', lookback={lookback})
def shelf(given):
    if any(value < 0 for value in given['v'].to_pylist()):
        raise ValueError('broken')
    return given
"""


@attrs.frozen
class Act:
    """One thing that happens: *what* is a run, a run of named days, a retry, a full refresh or a drop."""

    what: str
    hours: int
    rows: tuple[Row, ...]
    span: tuple[int, int]


moments = st.tuples(st.integers(-1, 4), st.sampled_from([0, 12 * 60, 24 * 60 - 1])).map(
    lambda at: dt.datetime(2024, 2, 26, tzinfo=dt.UTC) + dt.timedelta(days=at[0], minutes=at[1])
)
happened = st.tuples(st.integers(1, 4), st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 9, -1]), moments)
acts = st.builds(
    Act,
    st.sampled_from(["run", "run", "run", "run", "named", "retry", "full", "drop"]),
    st.sampled_from([0, 1, 5, 24, 24, 30, 48]),
    st.lists(happened, max_size=8).map(tuple),
    st.tuples(st.integers(0, 8), st.integers(1, 3)),
)


@pytest.fixture(scope="module")
def plugins() -> PluginSet:
    return load_plugins({})


FULL = [pytest.param(name, marks=pytest.mark.full) for name in ("postgres", "cloning-python")]


@pytest.fixture(params=["duckdb", "duckdb-python", "plain-python", *FULL])
def stage(request: pytest.FixtureRequest, tmp_path: Path, plugins: PluginSet) -> Stage:
    """Makes projects on one engine, with a model in one language."""
    engine, _, python = request.param.partition("-")
    if engine == "postgres":
        dsn = request.getfixturevalue("postgres_dsn")
        profile = f"dev:\n  engine: postgres\n  postgres: {{dsn: '{dsn}'}}\n"
    else:
        profile = f"dev:\n  engine: {engine}\n  {engine}: {{path: board.db}}\n"
    return Stage(tmp_path, engine, bool(python), profile, plugins)


@attrs.frozen
class Stage:
    """Where histories are played."""

    root: Path
    engine: str
    python: bool
    profile: str
    plugins: PluginSet

    def project(self, lookback: int) -> Project:
        """A project of its own, whose table nobody else has."""
        number = next(NUMBERS)
        root = self.root / f"p{number}"
        name = f"shelf{number}"
        files = {
            "project.yml": "name: demo\nversion: 1\n",
            "profiles.yml": self.profile,
            "sources.yml": f"version: 1\nsources: [{{name: o, tables: [{{name: happened, identifier: in{number}, event_time: ts}}]}}]\n",
        }
        if self.python:
            files["models/given.ff.sql"] = (
                "{{ config(materialized='ephemeral', event_time='ts') }} select * from {{ source('o', 'happened') }}"
            )
            text = PYTHON.format(lookback=lookback).replace("@model(", f"@model(alias='{name}', ")
            files["models/shelf.ff.py"] = text
        else:
            text = SQL.format(lookback=lookback, checked=CHECKED[self.engine])
            files["models/shelf.ff.sql"] = text.replace("config(", f"config(alias='{name}', ")
        for path, content in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(content, "utf-8")
        project = Project.load(root, environ={}, plugins=self.plugins)
        project.executor  # noqa: B018 - opens the engine now
        return project


def fill(project: Project, rows: Sequence[Row]) -> None:
    """Let the source hold *rows*."""
    import pyarrow as pa

    schema = pa.schema([("id", pa.int64()), ("v", pa.int64()), ("ts", pa.timestamp("us"))])
    plain = [(id_, value, moment.replace(tzinfo=None)) for id_, value, moment in rows]
    table = pa.table([list(column) for column in zip(*plain, strict=True)] or [[], [], []], schema=schema)
    source = project.manifest.sources["o.happened"].relation.within(project.executor.namespace)
    with project.executor.session(label="flowforge/test") as session, session.transaction():
        kind = session.kind_of(source)
        if kind is not None:
            session.drop(source, kind)
        session.load(source, table.to_reader(), LoadMode.CREATE)


def content(project: Project) -> collections.Counter[Any]:
    relation = project.compiler.relation(project.manifest.nodes["shelf.ff"])
    with project.executor.session(label="flowforge/test") as session:
        found = session.query(f"SELECT * FROM {project.executor.dialect.render(relation)}").read_all().to_pylist()
    return collections.Counter((row["id"], row["v"], row["ts"].replace(tzinfo=dt.UTC)) for row in found)


def stands(project: Project) -> bool:
    relation = project.compiler.relation(project.manifest.nodes["shelf.ff"])
    with project.executor.session(label="flowforge/test") as session:
        return session.kind_of(relation) is not None


def drop(project: Project) -> None:
    relation = project.compiler.relation(project.manifest.nodes["shelf.ff"])
    with project.executor.session(label="flowforge/test") as session:
        kind = session.kind_of(relation)
        if kind is not None:
            session.drop(relation, kind)


def days_of(windows: Sequence[Window]) -> list[dt.date]:
    return [window.start.date() for window in windows]


def play(project: Project, lookback: int, history: Sequence[Act]) -> None:
    shelf = Shelf(BEGIN, lookback)
    now = dt.datetime(2024, 2, 26, 6, tzinfo=dt.UTC)
    failed: list[dt.date] = []
    for act in history:
        now += dt.timedelta(hours=act.hours)
        fill(project, act.rows)
        options = RunOptions(now=now)
        if act.what == "drop":
            drop(project)
            shelf = Shelf(BEGIN, lookback)
        due = shelf.due(now)
        anew = False
        if act.what == "full":
            options, anew = attrs.evolve(options, full_refresh=True), shelf.stands
            due = shelf.days(now)
        elif act.what == "named":
            first, count = act.span
            start = dt.datetime(2024, 2, 25, 18, tzinfo=dt.UTC) + dt.timedelta(days=first)
            end = start + dt.timedelta(days=count)
            options = attrs.evolve(options, event_time_start=start, event_time_end=end)
            due = [day for day in shelf.days(now) if start.date() <= day <= end.date()]
            if not due and not shelf.stands:
                continue
        elif act.what == "retry":
            if not failed:
                continue
            due = failed
            windows = tuple(
                Window(start, start + dt.timedelta(days=1))
                for start in (dt.datetime.combine(day, dt.time(), dt.UTC) for day in failed)
            )
            options = attrs.evolve(options, windows={"shelf.ff": windows})
        result = project.run(options=options)
        (node,) = [one for one in result.nodes if one.node == "shelf.ff"]
        if node.status is Status.CACHED:
            before = shelf.content
            built = dict(shelf.built)
            assert set(due) <= set(built), "skipped a window that was never built"
            assert not shelf.build(due, act.rows, now), "skipped what fails"
            assert shelf.content == before, "skipped what changes rows"
            shelf.built = built
        elif anew:
            assert shelf.replace(act.rows, now) == (node.error is None), node.error
            failed = []
        else:
            failed = shelf.build(due, act.rows, now)
            assert bool(failed) == (node.error is not None), node.error
            if due:
                assert node.windows is not None
                assert days_of(node.windows.failed) == failed
                assert days_of(node.windows.done) == [day for day in due if day not in failed]
        assert stands(project) == shelf.stands
        if shelf.stands:
            assert content(project) == shelf.content, act


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lookback=st.integers(0, 2), history=st.lists(acts, min_size=2, max_size=5))
def test_every_history_is_that_of_the_reference(stage: Stage, lookback: int, history: list[Act]) -> None:
    project = stage.project(lookback)
    try:
        play(project, lookback, history)
    finally:
        project.close()


@pytest.mark.full
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lookback=st.integers(0, 3), history=st.lists(acts, min_size=2, max_size=8))
def test_long_histories_are_those_of_the_reference(stage: Stage, lookback: int, history: list[Act]) -> None:
    project = stage.project(lookback)
    try:
        play(project, lookback, history)
    finally:
        project.close()
