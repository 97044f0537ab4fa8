"""What people do to a project and its database: one method for each kind of change, with its details drawn."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from typing import Any

import attrs
from hypothesis import strategies as st
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
    SPARE_NAMES,
    TAGS,
    VARS,
    Helper,
    Input,
    Macro,
    Model,
    Rows,
)
from worlds.workspace import Workspace

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


STRATEGIES = ("merge", "append", "delete+insert", "insert_overwrite")


@attrs.frozen
class Habits:
    """What people do more often than something else."""

    forms: tuple[str, ...] = ("table", "view", "table", "incremental", "incremental", "snapshot")
    shapes: tuple[str, ...] = ("plain", "sum")
    strategies: tuple[str, ...] = ("microbatch", *STRATEGIES, *STRATEGIES)
    reading_others: int = 4
    rows: st.SearchStrategy[Any] = outside_rows


GROWING = Habits(
    forms=("incremental", "incremental", "incremental", "snapshot", "snapshot"),
    shapes=("sum", "sum", "sum", "plain"),  # with keys that are not doubled
    strategies=(*["microbatch"] * 4, *STRATEGIES),
    reading_others=12,
    rows=st.lists(st.tuples(small, st.integers(-9, 9)), min_size=1, max_size=4).map(tuple),
)
"""Models whose rows depend on all the runs before, of inputs that seldom make them fail."""
_ON_CHANGE = ("ignore", "ignore", "append_new_columns", "sync_all_columns", "fail")


def _possible(model: Model) -> Model:
    """*model* with a way to grow that is no mistake by itself, or as a snapshot with columns that stay."""
    if model.materialized == "snapshot":
        return attrs.evolve(model, shape="plain" if model.shape == "star" else model.shape, extra=None, alias=None)
    if model.language == "python":
        model = attrs.evolve(model, own_filter=False)  # it gets its inputs whole
    if model.in_windows:
        if model.language == "python":
            model = attrs.evolve(model, strategy="merge")  # it would have to choose the rows of the window by itself
        else:
            shape = "plain" if model.shape == "star" else model.shape
            model = attrs.evolve(model, shape=shape, extra=None, watermark="", on_change="ignore")
    if model.strategy == "append" and not model.watermark:
        model = attrs.evolve(model, watermark="k")
    if model.strategy == "insert_overwrite" and model.watermark == "v":
        model = attrs.evolve(model, watermark="k")  # with another one it would replace partitions by parts of them
    if model.shape == "star" and model.on_change == "sync_all_columns":
        model = attrs.evolve(model, on_change="append_new_columns")  # not every text of a source is a number
    return model


class Edits:
    """Changes a workspace; what makes no sense in the present world is left undone.

    Parameters
    ----------
    habits:
        What is drawn more often.
    """

    def __init__(self, space: Workspace, habits: Habits) -> None:
        self.space = space
        self.world = space.world
        self.habits = habits

    def create_outside(self, name: str, rows: tuple[tuple[Any, ...], ...]) -> None:
        statements = [f"create or replace table {name} (k bigint, v bigint)"]
        statements += [f"insert into {name} values {values(rows)}"] if rows else []
        self.space.outside(f"create {name}", f"{SCHEMA}.{name}", Standing("table", Rows(KV, rows)), *statements)

    # -- editing models

    def _inputs(self, data: st.DataObject, key: int, language: str) -> tuple[Input, ...]:
        choices = [Input("ref", other) for other in self.world.models if other < key] * 4
        choices += [Input("seed", name) for name in SEEDS]
        if language == "sql":
            choices += [Input("source", name) for name in SOURCES] * self.habits.reading_others
            choices += [Input("seed-source", SEEDS[0]), Input("raw", RAW)]
        return tuple(data.draw(st.lists(st.sampled_from(choices), min_size=1, max_size=2, unique=True), label="inputs"))

    def add(self, data: st.DataObject, key: int) -> None:
        language = data.draw(st.sampled_from(["sql", "sql", "python"]))
        model = Model(
            key,
            f"m{key}",
            language,
            materialized=data.draw(st.sampled_from([*self.habits.forms, *["ephemeral"] * (language == "sql")])),
            inputs=self._inputs(data, key, language),
            shape=data.draw(st.sampled_from(self.habits.shapes)),
            add=data.draw(small),
        )
        if model.materialized == "incremental":
            model = attrs.evolve(model, **self._growth(data))
        model = _possible(model)
        self.world.models[key] = attrs.evolve(model, **self._number(data, language))

    def _growth(self, data: st.DataObject) -> dict[str, Any]:
        """How a table grows."""
        return {
            "strategy": data.draw(st.sampled_from(self.habits.strategies)),
            "watermark": data.draw(st.sampled_from(["", "v", "k"]), label="watermark"),
            "on_change": data.draw(st.sampled_from(_ON_CHANGE), label="on change"),
            "own_filter": data.draw(st.booleans(), label="asks by itself"),
            "lookback": data.draw(st.integers(0, 1), label="lookback"),
        }

    def _number(self, data: st.DataObject, language: str) -> dict[str, Any]:
        """Where a model's number stands."""
        where = (
            ["helper", "helper", "file", "literal"]
            if language == "python"
            else ["var", "env", "macro", "loop", "literal"]
        )
        helpers: tuple[str, ...] = ()
        if language == "python":
            helpers = tuple(data.draw(st.lists(st.sampled_from(HELPERS), unique=True, min_size=1, max_size=2)))
        return {"add_from": data.draw(st.sampled_from(where), label="number from"), "helpers": helpers}

    def _used(self, data: st.DataObject, names: Sequence[str], used: Collection[str]) -> str:
        """One of *names*, mostly one that a model uses."""
        found = [name for name in names if name in used]
        return data.draw(st.sampled_from(found * 4 + list(names)), label="name")

    def _inputs_of_all(self) -> set[str]:
        return {str(one.name) for model in self.world.in_order() for one in model.inputs}

    def _model(self, data: st.DataObject, fits: Callable[[Model], bool] = lambda model: True) -> Model | None:
        found = {model.name: model for model in self.world.in_order() if fits(model)}
        return found[data.draw(st.sampled_from(list(found)), label="model")] if found else None

    def _change(self, what: str, model: Model | None, **changes: Any) -> None:
        """Change a model, unless the result would be no project."""
        if model is None:
            return
        changed = attrs.evolve(model, **changes)
        if changed.shape == "star":
            changed = attrs.evolve(changed, inputs=changed.inputs[:1])
        changed = _possible(changed)
        if changed.cache and Input("raw", RAW) in changed.inputs:
            changed = attrs.evolve(changed, cache=None)  # it would promise what it cannot know
        if self.world.taken(changed.relation, but=model.key) or changed == model:
            return
        self.world.models[model.key] = changed
        self.space.write(f"{what} of {model.name}")

    def add_model(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(KEYS), label="key")
        if key not in self.world.models:
            self.add(data, key)
            self.space.write("a new model")

    def remove_model(self, data: st.DataObject) -> None:
        model = self._model(data, lambda one: not self.world.readers(one.key))
        if model is not None and len(self.world.models) > 2:
            del self.world.models[model.key]
            self.space.write(f"remove {model.name}")

    def rename_model(self, data: st.DataObject) -> None:
        model = self._model(data, lambda one: one.materialized != "snapshot")
        if model is not None:
            names = [f"m{model.key}", f"M{model.key}", *SPARE_NAMES]
            name = data.draw(st.sampled_from(names), label="new name")
            if not self.world.named(name, but=model.key):
                self._change("name", model, name=name)

    def edit_result(self, data: st.DataObject) -> None:
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

    def edit_shape(self, data: st.DataObject) -> None:
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

    def edit_inputs(self, data: st.DataObject) -> None:
        model = self._model(data, lambda one: one.shape != "const")
        if model is not None:
            self._change("inputs", model, inputs=self._inputs(data, model.key, model.language))

    def edit_words_only(self, data: st.DataObject) -> None:
        spelling = data.draw(st.integers(0, 2), label="spelling")
        comment = data.draw(st.integers(0, 4), label="comment")
        self._change("words", self._model(data), spelling=spelling, comment=comment)

    def edit_where_the_number_stands(self, data: st.DataObject) -> None:
        model = self._model(data)
        if model is not None:
            self._change("number", model, **self._number(data, model.language))

    def edit_config(self, data: st.DataObject) -> None:
        model = self._model(data, lambda one: one.materialized != "snapshot")  # it would only be refused, for ever
        if model is None:
            return
        field = data.draw(st.sampled_from(["materialized", "materialized", "alias", "schema", "tags"]))
        if field == "materialized":
            forms = ["table", "view", "incremental"] + (["ephemeral"] if model.language == "sql" else [])
            form = data.draw(st.sampled_from(forms))
            stored = form in ("table", "incremental")
            shared = not stored and model.alias == "shared"
            fails = model.fails and (stored or (model.language == "python" and form == "view"))
            alias = None if shared else model.alias
            self._change("materialized", model, materialized=form, alias=alias, fails=fails)
        elif field == "alias":
            names = [None, f"a{model.key}"] + (["shared"] if model.materialized in ("table", "incremental") else [])
            self._change("alias", model, alias=data.draw(st.sampled_from(names)))
        elif field == "schema":
            self._change("schema", model, schema=not model.schema)
        else:
            self._change("tags", model, tags=tuple(data.draw(st.lists(st.sampled_from(TAGS), unique=True))))

    def edit_growth(self, data: st.DataObject) -> None:
        model = self._model(data, lambda one: one.materialized == "incremental")
        if model is not None:
            field = data.draw(
                st.sampled_from(["strategy", "strategy", "watermark", "on_change", "own_filter", "lookback"])
            )
            self._change("growth", model, **{field: self._growth(data)[field]})

    def edit_language(self, data: st.DataObject) -> None:
        """The same rows by other means."""
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
            fails = model.fails and model.materialized in ("table", "incremental", "snapshot")
            self._change("language", model, language=other, add_from="literal", helpers=(), fails=fails)

    def edit_volatile(self, data: st.DataObject) -> None:
        volatile = data.draw(st.sampled_from([False, False, True]), label="volatile")
        cache = data.draw(st.sampled_from([None, None, True, False]), label="cache")
        self._change("volatile", self._model(data), volatile=volatile, cache=cache)

    def edit_fails(self, data: st.DataObject) -> None:
        fails = data.draw(st.sampled_from([False, False, True]), label="fails")
        self._change("failing", self._model(data, lambda one: one.holds_rows and one.fails is not fails), fails=fails)

    # -- editing what models stand on

    def edit_seed(self, data: st.DataObject) -> None:
        name = self._used(data, SEEDS, self._inputs_of_all())
        rows = data.draw(seed_rows, label="rows")
        self.world.seeds[name] = rows
        self.space.write(f"seed {name}")

    def reorder_seed(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(SEEDS), label="name")
        first, *others = self.world.seeds[name]
        self.world.seeds[name] = (first, *reversed(others))
        self.space.write(f"seed {name} in another order")

    def double_seed(self, data: st.DataObject) -> None:
        name = self._used(data, SEEDS, self._inputs_of_all())
        row = data.draw(st.sampled_from(self.world.seeds[name]), label="row")
        self.world.seeds[name] += (row,)
        self.space.write(f"a row of seed {name} stands there twice")

    def edit_seed_type(self, data: st.DataObject) -> None:
        name = self._used(data, SEEDS, self._inputs_of_all())
        if self.world.seed_types.pop(name, None) is None:
            self.world.seed_types[name] = data.draw(st.sampled_from(["INTEGER", "BIGINT"]), label="type")
        self.space.write(f"type of {name}")

    def edit_var(self, data: st.DataObject) -> None:
        shapes = {model.shape for model in self.world.in_order()}
        name = self._used(data, VARS, {"p1", *(["p0"] if "either" in shapes else [])})
        value = data.draw(small, label="value")
        self.world.vars[name] = value
        self.space.write(f"variable {name}")

    def edit_env(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(ENVS), label="name")
        value = data.draw(small, label="value")
        self.world.env[name] = value
        self.space.close()
        self.space.write(f"environment {name}={value}")

    def edit_macro(self, data: st.DataObject) -> None:
        where = data.draw(st.sampled_from(["here", "var", "env", "other"]), label="where")
        self.world.macro = Macro(where, data.draw(small, label="number"))
        self.space.write("the macro that models call")

    def edit_profile(self, data: st.DataObject) -> None:
        """A setting that changes no rows."""
        self.world.threads = data.draw(st.integers(1, 2), label="threads")
        self.space.write("the profile")

    def edit_helper(self, data: st.DataObject) -> None:
        used = tuple(name for model in self.world.in_order() for name in model.helpers)
        name = self._used(data, HELPERS, {helper.name for helper in self.world.helper_closure(used)})
        number = data.draw(small, label="number")
        later = HELPERS[HELPERS.index(name) + 1 :] if name != "kit" else ()
        other = data.draw(st.sampled_from([None, *later]))
        self.world.helpers[name] = Helper(name, number, other)
        self.space.write(f"helper {name}")

    def edit_file(self, data: st.DataObject) -> None:
        self.world.file_number = data.draw(small, label="number")
        self.space.write("a file that models read")

    def assume(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(SOURCES), label="name")
        self.world.assumed ^= {name}
        self.space.write(f"assumptions about {name}")

    # -- others work in the database

    def _standing_rows(self, name: str) -> Rows | None:
        standing = self.space.twin.standing.get(f"{SCHEMA}.{name}")
        return standing.rows if standing is not None else None

    def change_source(self, data: st.DataObject) -> None:
        name = self._used(data, OUTSIDE, self._inputs_of_all())
        rows = data.draw(self.habits.rows, label="rows")
        how = data.draw(st.sampled_from(["again", "insert", "again", "all", "delete", "update"]), label="how")
        before = self._standing_rows(name)
        if before is None or before.columns != KV or how == "all":
            self.create_outside(name, rows)
            return
        relation, old = f"{SCHEMA}.{name}", before.rows
        if how == "insert" and rows:
            now = Rows(KV, (*old, *rows))
            statement = f"insert into {name} values {values(rows)}"
        elif how == "again" and old:
            now = Rows(KV, (*old, old[0]))
            statement = f"insert into {name} values {values(old[:1])}"
        elif how == "delete":
            now = Rows(KV, tuple(row for row in old if row[0] != 1))
            statement = f"delete from {name} where k = 1"
        else:
            now = Rows(KV, tuple((k, v + 1 if isinstance(v, int) and k == 0 else v) for k, v in old))
            statement = f"update {name} set v = v + 1 where k = 0"
        self.space.outside(f"{how} in {name}", relation, Standing("table", now), statement)

    def rewrite_source(self, data: st.DataObject) -> None:
        """The same rows once more, in another order."""
        name = data.draw(st.sampled_from(OUTSIDE), label="name")
        before = self._standing_rows(name)
        if before is not None:
            self.space.outside(
                f"the same rows in {name}",
                f"{SCHEMA}.{name}",
                Standing("table", before),
                f"create or replace table {name} as from {name} order by all desc",
            )

    def widen_source(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(OUTSIDE), label="name")
        before = self._standing_rows(name)
        if before is not None and before.columns == KV:
            rows = Rows((*KV, ("w", "VARCHAR")), tuple((*row, "w") for row in before.rows))
            self.space.outside(
                f"a new column in {name}",
                f"{SCHEMA}.{name}",
                Standing("table", rows),
                f"alter table {name} add column w varchar default 'w'",
            )

    def drop_source(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(OUTSIDE), label="name")
        if self._standing_rows(name) is not None:
            self.space.outside(f"drop {name}", f"{SCHEMA}.{name}", None, f"drop table {name}")

    def _own(self, data: st.DataObject) -> tuple[str, Standing] | None:
        outside = {f"{SCHEMA}.{name}" for name in OUTSIDE}
        known = self.space.twin.standing
        found = sorted(known.keys() - outside)
        if not found:
            return None
        current = [model.relation for model in self.world.nodes() if model.relation in found]
        relation = data.draw(st.sampled_from(current * 4 + found), label="relation")
        return relation, known[relation]

    def drop_own(self, data: st.DataObject) -> None:
        own = self._own(data)
        if own is not None:
            relation, standing = own
            self.space.outside(f"drop {relation}", relation, None, f"drop {standing.kind} {relation}")

    def replace_own_by_another_kind(self, data: st.DataObject) -> None:
        own = self._own(data)
        if own is None:
            return
        relation, standing = own
        kind = "view" if standing.kind == "table" else "table"
        rows = Rows(KV, ((3, 33),))
        if standing.rows == rows or standing.history:
            return  # the first kind again, with other rows: nobody can tell, and nobody promises to
        self.space.outside(
            f"{relation} becomes a {kind}",
            relation,
            Standing(kind, rows),
            f"drop {standing.kind} {relation}",
            f"create {kind} {relation} as select 3::bigint as k, 33::bigint as v",
        )

    def alter_own(self, data: st.DataObject) -> None:
        drop = data.draw(st.booleans(), label="drop")
        own = self._own(data)
        if own is None or own[1].rows is None or own[1].kind != "table" or own[1].history:
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

    def time_passes(self, data: st.DataObject) -> None:
        """Windows begin, and others end."""
        months = data.draw(st.sampled_from([1, 6, 12, 12]), label="months")
        self.world.now += dt.timedelta(days=30 * months)
        self.space.journal.step(f"{months} months pass")

    # -- the project's own folder

    def touch_local_state(self, data: st.DataObject) -> None:
        """Remove ``.flowforge/``, or put an old copy of it back."""
        aside = self.space.root.parent / "aside"
        what = data.draw(st.sampled_from(["forget", "save", "save", "restore", "restore"]), label="what")
        if what == "forget":
            self.space.forget_local_state()
        elif what == "save":
            self.space.save_local_state(aside)
        elif aside.exists():
            self.space.restore_local_state(aside)


OF_MODELS = (
    "edit_words_only",
    "edit_config",
    "edit_result",
    "edit_words_only",
    "edit_where_the_number_stands",
    "edit_config",
    "edit_result",
    "edit_inputs",
    "edit_shape",
    "edit_growth",
    "edit_growth",
    "edit_language",
    "add_model",
    "add_model",
    "remove_model",
    "rename_model",
    "edit_volatile",
    "edit_fails",
)
BELOW = (
    *("edit_seed", "edit_seed", "double_seed", "reorder_seed", "edit_seed_type"),
    *("edit_var", "edit_env", "edit_macro", "edit_helper", "edit_helper", "edit_file", "edit_profile"),
)
BY_OTHERS = (
    *("change_source", "change_source", "change_source", "rewrite_source", "widen_source", "drop_source", "assume"),
    *("drop_own", "replace_own_by_another_kind", "alter_own", "alter_own"),
)
GROWTH = ("edit_result", "edit_growth", "edit_inputs", "add_model", *(["time_passes"] * 3), "drop_own", "alter_own")
OF_THE_FOLDER = ("touch_local_state", "time_passes", "time_passes")
"""More often what people do more often."""
