"""Whatever is edited between two loads: what is loaded with the help of what was kept equals what is loaded from nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from unittest import mock

import attrs
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from flowforge.api import Project
from flowforge.config import parsed as module
from flowforge.config.kept_lines import FOLDER
from flowforge.config.parsed import FILE, Parsed
from flowforge.errors import FlowForgeError, ProjectErrors
from flowforge.project.model_config import SETTINGS

ABOUT = "version: 1\nmodels:\n"
FILES: Mapping[str, tuple[str, ...]] = {
    "project.yml": (
        "name: shop\nversion: '1'\n",
        "name: shop\nversion: '1'\nvars: {place: far, kind: view}\n",
        "name: shop\nversion: '1'\nvars: {place: off, kind: table}\nmodels:\n  sub:\n    +tags: [deep]\n",
        "name: shop\nversion: '1'\nmodels:\n  +materialized: \"{{ var('kind', 'view') }}\"\n  one: {+meta: {a: 1}}\n",
        "name: shop\nversion: '1'\nmodels:\n  nowhere:\n    +tags: [x]\n",
        "name: shop\nversion: '1'\nmodels:\n  +post_hook: \"select 1 from {{ ref('two') }}\"\n",
        "name: shop\nversion: '1'\ntests:\n  - {type: not_null, table: one, column: id}\n",
        "name: shop\nversion: [\n",
        "name: shop\nversion: '1'\ndialect: postgres\n",
    ),
    "sources.yml": (
        "version: 1\nsources:\n  - name: raw\n    tables:\n      - name: orders\n      - name: people\n",
        "version: 1\nsources:\n  - name: raw\n    tables:\n      - {name: orders, description: New, event_time: at}\n",
        "raw:\n  orders: {identifier: s}\n  people: {}\n",
        (
            "version: 1\nsources:\n  - name: raw\n    tables:\n      - name: orders\n        columns:\n"
            "          - name: id\n            tests: [unique, {accepted_values: {values: [1, 2]}}]\n"
        ),
        "version: 1\nsources:\n  - naem: raw\n",
    ),
    "models/one.ff.sql": (
        "select 1 as id\n",
        "select 2 as id\n",
        "{{ config(materialized='view', tags=('a', 'b')) }}\nselect 1 as id\n",
        "{{ config(schema=var('place'), meta={'n': [1, 2.5, none, true, ()]}) }}\nselect 1 as id\n",
        "{{ config(alias=env('ALIAS', 'uno'), owner=var('nobody', ('x',)[0])) }}\nselect 1 as id\n",
        "create view oans as\nselect 1 as id\n",
        "select * from {{ source('raw', 'people') }}\n",
        "{{ config(materialised='view') }}\nselect 1 as id\n",
        "{{ config(materialized='incremental', unique_key='id', pre_hook=\"delete from {{ this }}\") }}\nselect 1 as id\n",
        "{{ config(engines=['duckdb'], env_match={'STAGE': 'live'}) }}\nselect 1 as id\n",
        "",
        "select '\udcff'\n",
        "\ufeffselect 1 as id\r\nfrom {{ ref('two') }}\r\n",
    ),
    "models/two.ff.sql": (
        "select id from {{ ref('one') }}\n",
        "select id from {{ ref('uno') }}\n",
        "select {{ money('id') }} as id from {{ ref('one') }} join {{ source('raw', 'orders') }} using (id)\n",
        "{% if var('deep', false) %}select * from {{ ref('three') }}{% else %}select 1 as id{% endif %}\n",
        "{{ config(materialized='table', description='Zwei') }}\nselect id from {{ ref('one') }} -- {{ env('HOME') }}\n",
        "select {{ python_macro(1) }} as id\n",
        "select {{ id \n",
        "{{ config(deps=['one', 'three']) }}\nselect * from {{ ref(var('which')) }}\n",
    ),
    "models/sub/three.ff.sql": ("select 3 as id\n", "select 4 as id\n", "select * from {{ ref('two') }}\n"),
    "models/sub/four.ff.py": (
        "from flowforge import model\n\n@model(deps=['one'], tags=['py'])\ndef four(one):\n    '''Fourth.'''\n    return one\n",
        "from flowforge import model\n\n@model(deps=['two'], tags={'py'})\ndef four(two):\n    return two\n",
        (
            "from flowforge import model\n\n@model(name='four', deps=['one'], requires={'one': {'id'}})\ndef a(x):\n    return x\n"
            "\n@model(name='five', deps=['four'])\ndef b(x):\n    return x\n"
        ),
        "from flowforge import model\n\n@model\ndef four(:\n    pass\n",
        "print('no model')\n",
    ),
    "models/about.yml": (
        f"{ABOUT}  - name: one\n    description: First\n    columns:\n      - name: id\n        tests: [not_null, unique]\n",
        f"{ABOUT}  - name: one\n    description: Other\n    columns:\n      - name: id\n        tests: [not_null, unique]\n",
        f"{ABOUT}  - name: two\n    tags: [t]\n    config: {{materialized: view, meta: {{a: {{1: x}}}}}}\n",
        (
            f"{ABOUT}  - name: two\n    config: {{+owner: me, on_fail: warn}}\n    checks:\n"
            "      - accepted_values: {column: id, values: [1, 2], severity: warn, tags: [x], where: id > 0}\n"
            "      - {type: relationships, column: id, to: ref('one'), field: id, name: mine}\n"
        ),
        f"{ABOUT}  - &x\n    name: three\n    description: Alias\n  - {{<<: *x, name: two}}\n",
        f"{ABOUT}  - name: six\n",
        f"{ABOUT}  - name: one\n    columns: [{{name: id, test: [unique]}}]\n",
        f"{ABOUT}  - name: one\n    columns: [{{name: id, tests: [uniqe]}}]\n",
        "models: [\n",
        "",
    ),
    "models/more.yml": (
        f"{ABOUT}  - name: four\n",
        f"{ABOUT}  - name: one\n",
        f"{ABOUT}  - name: three\n    meta: {{deep: [1, {{a: b}}]}}\n",
    ),
    "models/one.contracts.yml": (
        "table: one\ncolumns:\n  id: {type: bigint, nullable: false}\nenforce_schema: {mode: verify}\n",
        "table: one\ncolumns:\n  id: {type: integer, unique: true, enum: [1, 2]}\n",
        "table: none\n",
    ),
    "models/macros/money.sql": (
        "{% macro money(x) %}{{ x }} / 100{% endmacro %}\n",
        "{% macro money(x) %}{{ x }} / 101{% endmacro %}\n",
        "{% macro money(x) %}(select max(id) from {{ ref('three') }}){% endmacro %}{% set cents = 100 %}\n",
        "{% macro money(x) %}{{ ref(x) }}{% endmacro %}\n",
        "{% macro money(x) %}\n",
    ),
    "models/macros_py/helpers.py": (
        "def python_macro(x):\n    return x\n",
        "def money(x):\n    return x\n",
        "def python_macro(:\n",
    ),
    "seeds/s.csv": ("id\n1\n", "id\n2\n"),
    "seeds/about.yml": (
        "version: 1\nseeds:\n  - name: s\n    description: Rows\n",
        "version: 1\nseeds:\n  - name: s\n    config: {tags: [rows]}\n    columns: [{name: id, tests: [unique]}]\n",
        "version: 1\nmodels:\n  - name: s\n",
    ),
    "tests/own.ff.sql": (
        "select * from {{ ref('one') }} where id is null\n",
        "{{ config(severity='warn') }} select 1\n",
    ),
}
ALWAYS = ("project.yml", "models/one.ff.sql")
ENVIRONS = ({}, {"ALIAS": "eins"}, {"STAGE": "live"}, {"ALIAS": "zwei", "STAGE": "live"})
VARS = ({}, {"place": "near"}, {"kind": "table"}, {"place": 3})
WRONG = frozenset(
    FILES[path][number]
    for path, numbers in {
        "project.yml": (4, 7),
        "sources.yml": (4,),
        "models/one.ff.sql": (4, 7, 10, 11),
        "models/two.ff.sql": (6,),
        "models/sub/four.ff.py": (3, 4),
        "models/about.yml": (5, 6, 7, 8),
        "models/more.yml": (1,),
        "models/one.contracts.yml": (2,),
        "models/macros/money.sql": (3, 4),
        "models/macros_py/helpers.py": (1, 2),
        "seeds/about.yml": (2,),
        "tests/own.ff.sql": (1,),
    }.items()
    for number in numbers
)
"""What is an error whatever stands beside it; more of them would hide what is compared of projects that are right."""
HOW = ("into it", "into it, and the time is put back", "beside it, then renamed")


class World:
    """A folder with a clock that only tests move: its ticks are long, as those of file systems are."""

    TICK = 10_000_000

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = 10**18
        self._times: dict[int, tuple[int, int]] = {}

    def write(self, path: str, text: str, how: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        tick = self.now // self.TICK * self.TICK + 1
        changed = tick
        if file.exists() and how == HOW[1]:
            changed = self._times[file.stat().st_ino][0]
        target = file.with_name(".beside") if how == HOW[2] else file
        target.write_bytes(text.encode("utf-8", "surrogateescape"))
        os.replace(target, file)
        self._times[file.stat().st_ino] = (changed, tick)

    def clock(self) -> int:
        return self.now

    def signature(self, found: os.stat_result) -> list[int]:
        changed, listed = self._times.get(found.st_ino, (self.now, self.now))
        return [found.st_size, changed, listed, found.st_ino]

    def told(self, environ: Mapping[str, str], vars: Mapping[str, Any]) -> Any:
        """The whole manifest, or all errors, as plain values."""
        try:
            with Project.load(self.root, environ=environ, vars=vars, engine="duckdb") as project:
                return told(project.manifest), [told(node) for node in project.select()]
        except ProjectErrors as error:
            return [flaw(one) for one in error.errors]
        except FlowForgeError as error:
            return [flaw(error)]


def flaw(error: FlowForgeError) -> tuple[Any, ...]:
    return type(error).__name__, error.code, error.message, error.location, error.help, error.notes


def told(value: Any) -> Any:
    """A value with all that is inside of it, compared or not; a function by the answers that it gives."""
    if attrs.has(type(value)):
        fields = {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}
        if "place_of" in fields and fields["place_of"] is not None:
            fields["place_of"] = {key: fields["place_of"](key) for key in sorted(SETTINGS)}
        return type(value).__name__, told(fields)
    if isinstance(value, (dict, MappingProxyType)):
        return [(key, told(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [told(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(repr, value))
    return (type(value).__name__, value) if not callable(value) else getattr(value, "__qualname__", repr(value))


class WarmLoad(RuleBasedStateMachine):
    """A project, and everybody who edits it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ff-warm-"))
        self.world = World(self.folder)
        self._patches = [
            mock.patch.object(module, "_now", new=self.world.clock),
            mock.patch.object(module, "_signature", self.world.signature),
        ]
        for patch in self._patches:
            patch.start()
        for path in FILES:
            self.world.write(path, FILES[path][0], HOW[0])
        self.environ, self.vars = ENVIRONS[0], VARS[0]

    def teardown(self) -> None:
        for patch in self._patches:
            patch.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        """Some edits, and both loads."""
        for _ in range(data.draw(st.integers(1, 3), label="edits")):
            self.edit(data)
        self.world.now += data.draw(st.sampled_from((0, 1, World.TICK, 10 * 10**9)), label="time passes")
        warm = self.world.told(self.environ, self.vars)
        with mock.patch.object(Parsed, "open", Parsed.nothing):
            cold = self.world.told(self.environ, self.vars)
        assert warm == cold

    def edit(self, data: st.DataObject) -> None:
        what = data.draw(st.sampled_from((*(8 * ("write",)), "delete", "copy", "else", "else")), label="edit")
        if what == "write":
            path = data.draw(st.sampled_from(sorted(FILES)), label="path")
            right = data.draw(st.sampled_from((True, True, True, False)), label="right")
            texts = [text for text in FILES[path] if text not in WRONG] if right else FILES[path]
            text = data.draw(st.sampled_from(texts), label="text")
            self.world.write(path, text, data.draw(st.sampled_from(HOW), label="how"))
        elif what == "delete":
            path = data.draw(st.sampled_from([path for path in sorted(FILES) if path not in ALWAYS]), label="path")
            (self.folder / path).unlink(missing_ok=True)
        elif what == "copy":
            name = data.draw(st.sampled_from(("one", "two")), label="model")
            source = self.folder / f"models/{name}.ff.sql"
            target = (
                self.folder / f"models/sub/{data.draw(st.sampled_from(('one', 'two', 'three')), label='to')}.ff.sql"
            )
            target.parent.mkdir(exist_ok=True)
            if source.exists():  # renamed, so that times and number go with it
                os.replace(source, target)
                self.world.write("models/one.ff.sql", FILES["models/one.ff.sql"][0], HOW[0])
        else:
            self.environ = data.draw(st.sampled_from(ENVIRONS), label="environ")
            self.vars = data.draw(st.sampled_from(VARS), label="vars")


class TestWarmLoad(WarmLoad.TestCase):  # type: ignore[name-defined, misc]
    """A short walk, for every run of the tests."""

    settings = settings(
        max_examples=6,
        stateful_step_count=12,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.full
class TestLongWarmLoad(WarmLoad.TestCase):  # type: ignore[name-defined, misc]
    """The same for longer."""

    settings = settings(
        max_examples=60,
        stateful_step_count=40,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    monkeypatch.setattr(module, "_now", lambda: made.now)
    monkeypatch.setattr(module, "_signature", made.signature)
    return made


@pytest.mark.parametrize(
    ("path", "number"), [(path, number) for path, texts in FILES.items() for number in range(len(texts))]
)
def test_every_file_is_loaded_warm_as_it_is_cold(world: World, path: str, number: int) -> None:
    for one in FILES:
        world.write(one, FILES[one][2 if one == "models/two.ff.sql" else 0], HOW[0])
    world.write(path, FILES[path][number], HOW[0])
    world.now += 10**10
    first, warm = (world.told({}, {}) for _ in range(2))
    with mock.patch.object(Parsed, "open", Parsed.nothing):
        cold = world.told({}, {})
    assert first == cold
    assert warm == cold


def test_a_warm_load_reads_no_model(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in FILES:
        world.write(path, FILES[path][2 if path == "models/two.ff.sql" else 0], HOW[0])
    world.now += 10**10
    first = world.told({}, {})
    seen: list[str] = []
    real = Parsed.content
    monkeypatch.setattr(Parsed, "content", lambda self, path: (seen.append(path), real(self, path))[1])
    assert world.told({}, {}) == first
    assert [path for path in seen if path.startswith("models/")] == []
    world.write("models/one.ff.sql", FILES["models/one.ff.sql"][1], HOW[0])
    world.told({}, {})
    assert {path for path in seen if path.startswith("models/")} == {"models/one.ff.sql"}


def test_an_error_shows_every_time(world: World) -> None:
    for path in ALWAYS:
        world.write(path, FILES[path][0], HOW[0])
    world.write("models/two.ff.sql", "select {{ id \n", HOW[0])
    world.now += 10**10
    told_of = [world.told({}, {}) for _ in range(3)]
    assert told_of[0] == told_of[1] == told_of[2]
    assert told_of[0][0][1] == "FF1401"
    assert (world.root / FOLDER / FILE).exists()  # of the files that are right
