"""What a project of the tested world consists of, as values. Knows nothing of FlowForge, files or databases."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import attrs

Row = tuple[object, ...]

FIRST_YEAR = 2021
"""Of the windows; a key is the number of years since then."""

SCHEMA = "main"
EXTRA = "main_extra"
"""Where models with ``schema: extra`` are written."""


@attrs.frozen
class Rows:
    """The content of a relation: names and types of columns in their order, and rows in any order."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...] = attrs.field(converter=lambda rows: tuple(sorted(rows, key=repr)))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(name for name, _ in self.columns)

    def picked(self, *names: str) -> list[Row]:
        """These columns of all rows; ``KeyError`` when there is no such column."""
        known = {name: place for place, name in enumerate(self.names)}
        places = [known[name] for name in names]
        return [tuple(row[place] for place in places) for row in self.rows]


KV = (("k", "BIGINT"), ("v", "BIGINT"))


@attrs.frozen(order=True)
class Input:
    """Something that a model reads.

    Parameters
    ----------
    kind:
        ``ref`` (a model, by key), ``seed`` (by name), ``seed-source`` (a seed, read by ``source()``), ``source`` (a
        declared table of others), ``raw`` (a table of others, named without any declaration).
    """

    kind: str
    name: str | int


@attrs.frozen
class Model:
    """A model: what it computes (*shape* to *extra*), and how it says so.

    Parameters
    ----------
    key:
        Stays for the model's life. Models read only models with smaller keys, so there is no circle.
    shape:
        ``const``, ``plain`` (union of the inputs), ``sum`` (by key), ``star`` (all columns of the first input),
        ``either`` (a variable says which input).
    mul, add, add_from:
        ``v * mul + add``, and where the number *add* stands: ``literal``, ``var``, ``env``, ``loop``, ``macro``,
        ``helper``, ``file`` (one that a Python model says it reads).
    modulus:
        Keep rows with ``k % modulus <> 1``; 0: keep all.
    extra:
        A third column: ``(first|last, type)``.
    spelling, comment:
        The same said in other words.
    helpers:
        Modules that a Python model imports; the first one holds the number.
    volatile, cache, fails:
        It uses a function whose result nobody knows before; what it says about that; it always fails.
    strategy, watermark, on_change:
        How its table grows, when it is incremental: the key and the partition are always ``k``.
    own_filter:
        The model asks ``is_incremental()`` itself which rows are above the watermark.
    lookback:
        How many windows are built once more, when it is built in windows.
    """

    key: int
    name: str
    language: str = "sql"
    materialized: str = "table"
    alias: str | None = None
    schema: bool = False
    tags: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()
    shape: str = "const"
    mul: int = 1
    add: int = 0
    add_from: str = "literal"
    modulus: int = 0
    extra: tuple[str, str] | None = None
    spelling: int = 0
    comment: int = 0
    helpers: tuple[str, ...] = ()
    volatile: bool = False
    cache: bool | None = None
    fails: bool = False
    strategy: str = "merge"
    watermark: str = ""
    on_change: str = "ignore"
    own_filter: bool = False
    lookback: int = 0

    @property
    def relation(self) -> str:
        """The key of the relation that it is written to, folded as the engine folds names."""
        return f"{EXTRA if self.schema else SCHEMA}.{self.alias or self.name}".lower()

    @property
    def knowable(self) -> bool:
        """Whether equal inputs mean equal rows, as far as the model tells."""
        return self.cache if self.cache is not None else not self.volatile

    @property
    def holds_rows(self) -> bool:
        """Whether rows are stored for it; a view over a Python model's rows has a table behind it."""
        return self.materialized in ("table", "incremental", "snapshot") or (
            self.materialized == "view" and self.language == "python"
        )

    @property
    def in_windows(self) -> bool:
        """Whether its table is built window by window."""
        return self.materialized == "incremental" and self.strategy == "microbatch"

    @property
    def asks(self) -> bool:
        """Whether it asks ``is_incremental()``."""
        return self.materialized == "incremental" and self.own_filter and bool(self.watermark)

    @property
    def time_from(self) -> str | None:
        """The column that its column ``ts`` is made from: years of a window, days of a history; ``None``: it has none."""
        if self.in_windows:
            return "k"
        return "v" if self.timed else None

    @property
    def timed(self) -> bool:
        """Whether it is a snapshot that goes by a time, not by comparing columns; always the same for one key."""
        return self.materialized == "snapshot" and self.key % 2 == 0

    @property
    def kind(self) -> str:
        """What it becomes in the database."""
        return "view" if self.materialized == "view" else "table"


@attrs.frozen
class Helper:
    """A module that Python models import: its number, and another module whose number is added to its own."""

    name: str
    number: int
    other: str | None = None


@attrs.frozen
class Macro:
    """The macro that SQL models call: its number stands ``here``, in a ``var``, in ``env``, or in an ``other`` macro."""

    where: str = "here"
    number: int = 1


HELPERS = ("lib_a", "lib_b", "kit")
"""``kit`` is a package; a helper may import those that come after it."""
VARS = ("p0", "p1")
ENVS = ("WORLD_E0",)
TAGS = ("red", "blue")
SEEDS = ("seed_0", "seed_1")
SOURCES = ("src_0", "src_1")
RAW = "raw_0"
OUTSIDE = (*SOURCES, RAW)
"""Tables that nobody in the project writes."""
SPARE_NAMES = ("one", "two")
"""Names that any model may have for a while."""


@attrs.define
class Description:
    """The project as it is now."""

    models: dict[int, Model] = attrs.field(factory=dict)
    seeds: dict[str, tuple[tuple[int, int | None], ...]] = attrs.field(factory=dict)
    seed_types: dict[str, str] = attrs.field(factory=dict)
    """The declared type of a seed's column ``v``, where there is one."""
    assumed: set[str] = attrs.field(factory=set)
    """Sources that are declared to stay as they are."""
    helpers: dict[str, Helper] = attrs.field(factory=dict)
    vars: dict[str, int] = attrs.field(factory=dict)
    env: dict[str, int] = attrs.field(factory=dict)
    macro: Macro = Macro()
    threads: int = 2
    """A setting of the profile that changes no rows."""
    file_number: int = 1
    now: dt.datetime = dt.datetime(2022, 7, 1, tzinfo=dt.UTC)
    """What the clock shows."""

    def in_order(self) -> Iterator[Model]:
        """All models, inputs first."""
        for key in sorted(self.models):
            yield self.models[key]

    def seed(self, name: str) -> Model:
        """A seed as a node like others."""
        return Model(key=-1, name=name, language="seed", shape="seed")

    def nodes(self) -> Iterator[Model]:
        """All seeds and models, inputs first."""
        for name in sorted(self.seeds):
            yield self.seed(name)
        yield from self.in_order()

    def read(self, one: Input) -> Model | None:
        """The node behind an input; ``None`` for the tables of others."""
        if one.kind == "ref":
            return self.models[int(one.name)]
        return self.seed(str(one.name)) if one.kind in ("seed", "seed-source") else None

    def readers(self, key: int) -> list[Model]:
        """The models that read the model *key* directly."""
        return [model for model in self.in_order() if Input("ref", key) in model.inputs]

    def taken(self, relation: str, but: int | None = None) -> bool:
        """Whether something of the world, apart from the model *but*, has this relation."""
        fixed = [f"{SCHEMA}.{name}" for name in (*SEEDS, *OUTSIDE)]
        return relation in fixed or any(
            model.relation == relation or model.name.lower() == relation.partition(".")[2]
            for model in self.models.values()
            if model.key != but
        )

    def named(self, name: str, but: int | None = None) -> bool:
        """Whether a model, apart from the model *but*, is called *name*, or something is written there."""
        return self.taken(f"{SCHEMA}.{name.lower()}", but) or any(
            model.name.lower() == name.lower() for model in self.models.values() if model.key != but
        )

    def reads(self, model: Model) -> tuple[Model, ...]:
        """The nodes that *model* names as its inputs."""
        return tuple(read for read in map(self.read, model.inputs) if read is not None)

    def helper_number(self, name: str) -> int:
        """What ``VALUE`` of a helper is."""
        helper = self.helpers[name]
        return helper.number + (self.helper_number(helper.other) if helper.other else 0)

    def helper_closure(self, names: tuple[str, ...]) -> tuple[Helper, ...]:
        """These helpers and all that they import."""
        found: dict[str, Helper] = {}
        stack = list(names)
        while stack:
            helper = self.helpers[stack.pop()]
            if helper.name not in found:
                found[helper.name] = helper
                stack.extend([helper.other] if helper.other else [])
        return tuple(found[name] for name in sorted(found))

    def number(self, model: Model) -> int:
        """The number that *model* adds, wherever it stands."""
        if model.add_from == "var":
            return self.vars["p1"]
        if model.add_from == "env":
            return self.env["WORLD_E0"]
        if model.add_from == "macro":
            return {"var": self.vars["p1"], "env": self.env["WORLD_E0"]}.get(self.macro.where, self.macro.number)
        if model.add_from == "loop":
            return sum(range(model.add + 1))
        if model.add_from == "helper" and model.helpers:
            return self.helper_number(model.helpers[0])
        if model.add_from == "file":
            return self.file_number
        return model.add

    def read_input(self, model: Model) -> tuple[Input, ...]:
        """The inputs whose rows *model* really uses now."""
        if model.shape == "either":
            return (model.inputs[self.vars["p0"] % len(model.inputs)],)
        return model.inputs[:1] if model.shape == "star" else model.inputs
