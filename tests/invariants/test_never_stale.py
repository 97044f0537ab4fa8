"""Random edits, random runs: what is skipped is right, and what has not changed is not built again."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from worlds.meaning import Standing
from worlds.nodes import (
    ENVS,
    HELPERS,
    KV,
    OUTSIDE,
    RAW,
    SCHEMA,
    SEEDS,
    SOURCES,
    TAGS,
    VARS,
    Helper,
    Input,
    Model,
    Rows,
)
from worlds.twin import Order
from worlds.workspace import Command, Workspace

FULL = os.environ.get("FF_INVARIANTS", "quick") == "full"
KEYS = range(8)

small = st.integers(0, 4)
pairs = st.tuples(small, st.one_of(st.none(), st.integers(-9, 9)))
seed_rows = st.lists(pairs, max_size=3).map(lambda rows: ((0, 1), *rows))
outside_rows = st.lists(pairs, max_size=4).map(tuple)
types = st.sampled_from(["BIGINT", "INTEGER", "VARCHAR", "DOUBLE"])
extras = st.one_of(st.none(), st.tuples(st.sampled_from(["first", "last"]), types))


def values(rows: tuple[tuple[Any, ...], ...]) -> str:
    """Rows as the text after VALUES."""
    return ", ".join("(" + ", ".join("NULL" if cell is None else str(cell) for cell in row) + ")" for row in rows)


class NeverStale(RuleBasedStateMachine):
    """A project, its database, and everybody who changes them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ff-invariants-"))
        self.space = Workspace(self.folder / "project")
        self.space.root.mkdir()
        self.world = self.space.world

    def teardown(self) -> None:
        self.space.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- the beginning

    @initialize(data=st.data(), count=st.integers(2, 5))
    def begin(self, data: st.DataObject, count: int) -> None:
        with self.space.explained():
            for name in SEEDS:
                self.world.seeds[name] = data.draw(seed_rows)
            for name in HELPERS:
                self.world.helpers[name] = Helper(name, 1)
            self.world.vars = dict.fromkeys(VARS, 0)
            self.world.env = dict.fromkeys(ENVS, 1)
            for name in OUTSIDE:
                self._create_outside(name, data.draw(outside_rows))
            for key in data.draw(st.lists(st.sampled_from(KEYS), min_size=count, max_size=count, unique=True)):
                self._add(data, key)
            self.space.write("begin")

    def _create_outside(self, name: str, rows: tuple[tuple[Any, ...], ...]) -> None:
        statements = [f"create or replace table {name} (k bigint, v bigint)"]
        statements += [f"insert into {name} values {values(rows)}"] if rows else []
        self.space.outside(f"create {name}", f"{SCHEMA}.{name}", Standing("table", Rows(KV, rows)), *statements)

    # -- editing models

    def _inputs(self, data: st.DataObject, key: int, language: str) -> tuple[Input, ...]:
        choices = [Input("ref", other) for other in self.world.models if other < key] * 2
        choices += [Input("seed", name) for name in SEEDS]
        if language == "sql":
            choices += [Input("source", name) for name in SOURCES]
            choices += [Input("seed-source", SEEDS[0]), Input("raw", RAW)]
        return tuple(data.draw(st.lists(st.sampled_from(choices), min_size=1, max_size=2, unique=True), label="inputs"))

    def _add(self, data: st.DataObject, key: int) -> None:
        language = data.draw(st.sampled_from(["sql", "sql", "python"]))
        model = Model(
            key,
            f"m{key}",
            language,
            materialized=data.draw(st.sampled_from(["table", "view", "ephemeral"][: 2 if language == "python" else 3])),
            inputs=self._inputs(data, key, language),
            shape=data.draw(st.sampled_from(["plain", "sum"])),
            add=data.draw(small),
        )
        self.world.models[key] = model

    def _model(self, data: st.DataObject, fits: Callable[[Model], bool] = lambda model: True) -> Model | None:
        found = [model for model in self.world.in_order() if fits(model)]
        return data.draw(st.sampled_from(found), label="model") if found else None

    def _change(self, what: str, model: Model | None, **changes: Any) -> None:
        """Change a model, unless the result would be no project."""
        if model is None:
            return
        changed = attrs.evolve(model, **changes)
        if self.world.taken(changed.relation, but=model.key) or changed == model:
            return
        self.world.models[model.key] = changed
        self.space.write(f"{what} of {model.name}")

    @rule(data=st.data(), key=st.sampled_from(KEYS))
    def add_model(self, data: st.DataObject, key: int) -> None:
        with self.space.explained():
            if key not in self.world.models:
                self._add(data, key)
                self.space.write("a new model")

    @rule(data=st.data())
    def remove_model(self, data: st.DataObject) -> None:
        with self.space.explained():
            model = self._model(data, lambda one: not self.world.readers(one.key))
            if model is not None and len(self.world.models) > 2:
                del self.world.models[model.key]
                self.space.write(f"remove {model.name}")

    @rule(data=st.data(), form=st.sampled_from(["m", "M", "n"]))
    def rename_model(self, data: st.DataObject, form: str) -> None:
        with self.space.explained():
            model = self._model(data)
            if model is not None:
                self._change("name", model, name=f"{form}{model.key}")

    @rule(data=st.data())
    def edit_result(self, data: st.DataObject) -> None:
        with self.space.explained():
            model = self._model(data)
            field, strategy = data.draw(
                st.sampled_from(
                    [
                        ("mul", st.integers(1, 2)),
                        ("add", small),
                        ("modulus", st.sampled_from([0, 2, 3])),
                        ("extra", extras),
                    ]
                )
            )
            self._change(field, model, **{field: data.draw(strategy)})

    @rule(data=st.data())
    def edit_shape(self, data: st.DataObject) -> None:
        with self.space.explained():
            model = self._model(data)
            if model is not None:
                shapes = ["const", "plain", "sum"] + (["star", "either"] if model.language == "sql" else [])
                shape = data.draw(st.sampled_from(shapes))
                self._change(
                    "shape",
                    model,
                    shape=shape,
                    inputs=() if shape == "const" else self._inputs(data, model.key, model.language),
                )

    @rule(data=st.data())
    def edit_inputs(self, data: st.DataObject) -> None:
        with self.space.explained():
            model = self._model(data, lambda one: one.shape != "const")
            if model is not None:
                self._change("inputs", model, inputs=self._inputs(data, model.key, model.language))

    @rule(data=st.data(), spelling=st.integers(0, 2), comment=st.integers(0, 4))
    def edit_words_only(self, data: st.DataObject, spelling: int, comment: int) -> None:
        with self.space.explained():
            self._change("words", self._model(data), spelling=spelling, comment=comment)

    @rule(data=st.data())
    def edit_where_the_number_stands(self, data: st.DataObject) -> None:
        with self.space.explained():
            model = self._model(data)
            if model is not None:
                where = ["literal", "helper"] if model.language == "python" else ["literal", "var", "env", "loop"]
                helpers: tuple[str, ...] = ()
                if model.language == "python":
                    helpers = tuple(data.draw(st.lists(st.sampled_from(HELPERS), unique=True, max_size=2)))
                self._change("number", model, add_from=data.draw(st.sampled_from(where)), helpers=helpers)

    @rule(data=st.data())
    def edit_config(self, data: st.DataObject) -> None:
        with self.space.explained():
            model = self._model(data)
            if model is None:
                return
            field = data.draw(st.sampled_from(["materialized", "materialized", "alias", "schema", "tags"]))
            if field == "materialized":
                forms = ["table", "view"] + (["ephemeral"] if model.language == "sql" else [])
                form = data.draw(st.sampled_from(forms))
                shared = form != "table" and model.alias == "shared"
                fails = model.fails and (form == "table" or (model.language == "python" and form == "view"))
                alias = None if shared else model.alias
                self._change("materialized", model, materialized=form, alias=alias, fails=fails)
            elif field == "alias":
                names = [None, f"a{model.key}"] + (["shared"] if model.materialized == "table" else [])
                self._change("alias", model, alias=data.draw(st.sampled_from(names)))
            elif field == "schema":
                self._change("schema", model, schema=not model.schema)
            else:
                self._change("tags", model, tags=tuple(data.draw(st.lists(st.sampled_from(TAGS), unique=True))))

    @rule(data=st.data())
    def edit_language(self, data: st.DataObject) -> None:
        """The same rows by other means."""
        with self.space.explained():
            model = self._model(
                data,
                lambda one: (
                    one.materialized != "ephemeral"
                    and one.shape in ("const", "plain", "sum")
                    and all(read.kind in ("ref", "seed") for read in one.inputs)
                ),
            )
            if model is not None:
                other = "sql" if model.language == "python" else "python"
                fails = model.fails and model.materialized == "table"
                self._change("language", model, language=other, add_from="literal", helpers=(), fails=fails)

    @rule(data=st.data(), volatile=st.booleans())
    def edit_volatile(self, data: st.DataObject, volatile: bool) -> None:
        with self.space.explained():
            self._change("volatile", self._model(data), volatile=volatile)

    @rule(data=st.data(), fails=st.booleans())
    def edit_fails(self, data: st.DataObject, fails: bool) -> None:
        with self.space.explained():
            model = self._model(data, lambda one: one.holds_rows and (one.fails or one.shape != "star"))
            self._change("failing", model, fails=fails)

    # -- editing what models stand on

    @rule(name=st.sampled_from(SEEDS), rows=seed_rows)
    def edit_seed(self, name: str, rows: tuple[tuple[int, int | None], ...]) -> None:
        with self.space.explained():
            self.world.seeds[name] = rows
            self.space.write(f"seed {name}")

    @rule(name=st.sampled_from(SEEDS))
    def reorder_seed(self, name: str) -> None:
        with self.space.explained():
            first, *others = self.world.seeds[name]
            self.world.seeds[name] = (first, *reversed(others))
            self.space.write(f"seed {name} in another order")

    @rule(name=st.sampled_from(VARS), value=small)
    def edit_var(self, name: str, value: int) -> None:
        with self.space.explained():
            self.world.vars[name] = value
            self.space.write(f"variable {name}")

    @rule(name=st.sampled_from(ENVS), value=small)
    def edit_env(self, name: str, value: int) -> None:
        with self.space.explained():
            self.world.env[name] = value
            self.space.close()
            self.space.write(f"environment {name}={value}")

    @rule(data=st.data(), name=st.sampled_from(HELPERS), number=small)
    def edit_helper(self, data: st.DataObject, name: str, number: int) -> None:
        with self.space.explained():
            later = HELPERS[HELPERS.index(name) + 1 :] if name != "kit" else ()
            other = data.draw(st.sampled_from([None, *later]))
            self.world.helpers[name] = Helper(name, number, other)
            self.space.write(f"helper {name}")

    # -- others work in the database

    def _standing_rows(self, name: str) -> Rows | None:
        standing = self.space.twin.standing.get(f"{SCHEMA}.{name}")
        return standing.rows if standing is not None else None

    @rule(name=st.sampled_from(OUTSIDE), rows=outside_rows, how=st.sampled_from(["all", "insert", "delete", "update"]))
    def change_source(self, name: str, rows: tuple[tuple[Any, ...], ...], how: str) -> None:
        with self.space.explained():
            before = self._standing_rows(name)
            if before is None or before.columns != KV or how == "all":
                self._create_outside(name, rows)
                return
            relation, old = f"{SCHEMA}.{name}", before.rows
            if how == "insert" and rows:
                now = Rows(KV, (*old, *rows))
                statement = f"insert into {name} values {values(rows)}"
            elif how == "delete":
                now = Rows(KV, tuple(row for row in old if row[0] != 1))
                statement = f"delete from {name} where k = 1"
            else:
                now = Rows(KV, tuple((k, v + 1 if isinstance(v, int) and k == 0 else v) for k, v in old))
                statement = f"update {name} set v = v + 1 where k = 0"
            self.space.outside(f"{how} in {name}", relation, Standing("table", now), statement)

    @rule(name=st.sampled_from(OUTSIDE))
    def rewrite_source(self, name: str) -> None:
        """The same rows once more, in another order."""
        with self.space.explained():
            before = self._standing_rows(name)
            if before is not None:
                self.space.outside(
                    f"the same rows in {name}",
                    f"{SCHEMA}.{name}",
                    Standing("table", before),
                    f"create or replace table {name} as from {name} order by all desc",
                )

    @rule(name=st.sampled_from(OUTSIDE))
    def widen_source(self, name: str) -> None:
        with self.space.explained():
            before = self._standing_rows(name)
            if before is not None and before.columns == KV:
                rows = Rows((*KV, ("w", "VARCHAR")), tuple((*row, "w") for row in before.rows))
                self.space.outside(
                    f"a new column in {name}",
                    f"{SCHEMA}.{name}",
                    Standing("table", rows),
                    f"alter table {name} add column w varchar default 'w'",
                )

    @rule(name=st.sampled_from(OUTSIDE))
    def drop_source(self, name: str) -> None:
        with self.space.explained():
            if self._standing_rows(name) is not None:
                self.space.outside(f"drop {name}", f"{SCHEMA}.{name}", None, f"drop table {name}")

    def _own(self, data: st.DataObject) -> tuple[str, Standing] | None:
        outside = {f"{SCHEMA}.{name}" for name in OUTSIDE}
        known = self.space.twin.standing
        found = sorted(known.keys() - outside)
        if not found:
            return None
        relation = data.draw(st.sampled_from(found), label="relation")
        return relation, known[relation]

    def _is_backed(self, relation: str) -> bool:
        """Views over rows of Python models are left alone: they have a table behind them."""
        noted = self.space.twin.notes.get(relation)
        standing = self.space.twin.standing[relation]
        return noted is not None and standing.kind == "view" and standing.query is None

    @rule(data=st.data())
    def drop_own(self, data: st.DataObject) -> None:
        with self.space.explained():
            own = self._own(data)
            if own is not None:
                relation, standing = own
                self.space.outside(f"drop {relation}", relation, None, f"drop {standing.kind} {relation}")

    @rule(data=st.data())
    def replace_own_by_another_kind(self, data: st.DataObject) -> None:
        with self.space.explained():
            own = self._own(data)
            if own is None:
                return
            relation, standing = own
            kind = "view" if standing.kind == "table" else "table"
            rows = Rows(KV, ((3, 33),))
            self.space.outside(
                f"{relation} becomes a {kind}",
                relation,
                Standing(kind, rows),
                f"drop {standing.kind} {relation}",
                f"create {kind} {relation} as select 3::bigint as k, 33::bigint as v",
            )

    @rule(data=st.data(), drop=st.booleans())
    def alter_own(self, data: st.DataObject, drop: bool) -> None:
        with self.space.explained():
            own = self._own(data)
            if own is None or own[1].rows is None or own[1].kind != "table":
                return
            relation, rows = own[0], own[1].rows
            if "w" in rows.names:
                return
            if drop and "v" in rows.names:
                place = rows.names.index("v")
                columns = tuple(column for column in rows.columns if column[0] != "v")
                now = Rows(columns, tuple(row[:place] + row[place + 1 :] for row in rows.rows))
                statement = f"alter table {relation} drop column v"
            else:
                now = Rows((*rows.columns, ("w", "INTEGER")), tuple((*row, None) for row in rows.rows))
                statement = f"alter table {relation} add column w integer"
            self.space.outside(f"alter {relation}", relation, Standing("table", now), statement)

    # -- the project's own folder

    @rule()
    def forget_local_state(self) -> None:
        with self.space.explained():
            self.space.forget_local_state()

    @rule()
    def save_local_state(self) -> None:
        with self.space.explained():
            self.space.save_local_state(self.folder / "aside")

    @precondition(lambda self: (self.folder / "aside").exists())
    @rule()
    def restore_local_state(self) -> None:
        with self.space.explained():
            self.space.restore_local_state(self.folder / "aside")

    # -- running

    def _selection(self, data: st.DataObject) -> tuple[str, ...]:
        names = [model.name for model in self.world.nodes()]
        name = st.sampled_from(names)
        tags = sorted({tag for model in self.world.in_order() for tag in model.tags})
        one = st.one_of(
            name,
            name.map(lambda text: f"+{text}"),
            name.map(lambda text: f"{text}+"),
            name.map(lambda text: f"+{text}+"),
            *([st.sampled_from(tags).map(lambda tag: f"tag:{tag}")] if tags else []),
        )
        return tuple(data.draw(st.lists(one, min_size=1, max_size=3, unique=True), label="selection"))

    def _run(self, data: st.DataObject, select: tuple[str, ...], order: Order) -> None:
        command = Command(
            name=data.draw(st.sampled_from(["build", "build", "build", "run", "seed"])),
            select=select,
            order=order,
            jobs=data.draw(st.sampled_from([1, 1, 3])),
            keep_going=data.draw(st.booleans()),
            plan_first=data.draw(st.booleans()),
        )
        self.space.execute(command, fresh=data.draw(st.booleans(), label="fresh"))

    @rule(data=st.data())
    def run_all(self, data: st.DataObject) -> None:
        with self.space.explained():
            self._run(data, (), Order())

    @rule(data=st.data())
    def run_all_again(self, data: st.DataObject) -> None:
        """Twice in a row: the second time nothing is left to do, but for what is volatile."""
        with self.space.explained():
            self._run(data, (), Order())
            self._run(data, (), Order())

    @rule(data=st.data())
    def run_some(self, data: st.DataObject) -> None:
        with self.space.explained():
            self._run(data, self._selection(data), Order())

    @rule(data=st.data(), mode=st.sampled_from(["off", "rw", "ro", "wo"]))
    def run_in_any_way(self, data: st.DataObject, mode: str) -> None:
        with self.space.explained():
            names = [model.name for model in self.world.nodes() if model.materialized != "ephemeral"]
            order = Order(
                mode=mode,
                forced=frozenset(data.draw(st.lists(st.sampled_from(names), max_size=2), label="forced")),
                full_refresh=data.draw(st.sampled_from([False, False, False, True]), label="full refresh"),
                assume_unchanged=data.draw(st.booleans(), label="assume unchanged"),
            )
            select = data.draw(st.sampled_from([(), self._selection(data)]))
            self._run(data, select, order)


TestNeverStale = NeverStale.TestCase
TestNeverStale.settings = settings(
    max_examples=400 if FULL else 30,
    stateful_step_count=60 if FULL else 30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    report_multiple_bugs=False,
)
