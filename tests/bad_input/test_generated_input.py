"""Generated input: 2,000 projects and command lines that nobody would write. Each gets an answer, none a defect.

Files are mutated from ones that are valid, so that they get past the first line of a parser. The quick lane takes a
quarter of the cases, always the same ones; the full lane takes all of them, and others each time. ``FF_FUZZ`` multiplies
their number for a longer look.
"""

from __future__ import annotations

import functools
import os
import signal
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import attrs
import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowforge.cli.main import COMMANDS, cli

Call = Callable[..., Any]
Files = Mapping[str, str | bytes]

FACTOR = int(os.environ.get("FF_FUZZ", "1"))
SECONDS = 10


IN_FULL: dict[str, Call] = {}


def cases(count: int, *strategies: st.SearchStrategy[Any]) -> Callable[[Call], Call]:
    """Call a test with *count* generated inputs in the full lane, and with some of them in the quick one."""

    def generated(test: Call, share: int, *, random: bool) -> Call:
        how = settings(
            derandomize=not random,
            max_examples=share * FACTOR,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        )
        return how(given(*strategies)(test))

    def decorate(test: Call) -> Call:
        IN_FULL[test.__name__] = generated(test, count, random=True)
        return generated(test, count // 4, random=FACTOR > 1)

    return decorate


@attrs.frozen
class Judge:
    """Runs command lines on files in a folder of their own, and holds the answers to the common standard."""

    call: Call
    complaints: Callable[..., list[str]]
    write: Callable[[Path, Files], Path]

    def __call__(self, files: Files, *commands: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
        with tempfile.TemporaryDirectory(prefix="ff-") as folder:
            # Some levels down, so that `..` stays in here.
            root = Path(folder) / "one/two/three"
            root.mkdir(parents=True)
            self.write(root, files)
            for command in commands:
                with alarm():
                    outcome = self.call(command, root, environ)
                verbose = any(word.startswith(("-v", "--verb")) for word in command)  # twice shows tracebacks
                found = self.complaints(outcome, seconds=SECONDS, traced=verbose)
                assert not found, (found, command, outcome.text)


class alarm:  # noqa: N801 - it reads like a function
    """Ends what hangs: the alarm's exception is answered like any other, with a complaint."""

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGALRM, self._ring)
        signal.alarm(SECONDS + 5)

    def __exit__(self, *exc: object) -> None:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, self._before)

    @staticmethod
    def _ring(signum: int, frame: FrameType | None) -> None:
        raise TimeoutError("it hangs")


@pytest.fixture(scope="module")
def check(call: Call, judge: Callable[..., list[str]], write: Callable[[Path, Files], Path]) -> Judge:
    return Judge(call, judge, write)


# -- mutations --------------------------------------------------------------------------------------------------------

TOKENS = [b"", b"\n", b"\t", b"  ", b"\r\n", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xc3", "é🦆\u2028\u0085".encode(), b"'", b'"', b"`",
          b":", b": ", b"- ", b"{", b"}", b"[", b"]", b"{{", b"}}", b"{%", b"%}", b"{#", b"#}", b"--", b"/*", b"*/", b";", b",",
          b"&a ", b"*a", b"!!python/name:os.system ", b"!!binary ", b"<<: ", b"? ", b"|", b">", b"---\n", b"...\n", b"%YAML 9.9\n",
          b"null", b"~", b"true", b"NO", b"0x1F", b"1e999", b".nan", b"-.inf", b"0o17", b"2024-02-30", b"99999999999999999999999",
          b"1" * 5000, b"x" * 300, b"[" * 60, b"{" * 60, b"((((((((", b"))))))))", b"ref('a')", b"ref(", b"source('crm', 'users')",
          b"config(", b"var('x')", b"env('HOME')", b"this", b"{% raw %}", b"{% endraw %}", b"{% if x %}", b"{% for i in range(9) %}",
          b"{% endfor %}", b"{% macro m() %}", b"{% set x = 1 %}", b"| join(',')", b"__class__", b"lambda x: x", b"@model", b"def f(",
          b"import os", b"async ", b"\\", b"\\u12", b"\\N{DASH}", b"f'{", b"$$", b"U&'\\0041'", b"E'\\n'", b"../", b"/dev/null",
          b"select", b"union all", b"with a as (", b"create table a as", b"not_null", b"severity: warn", b"tests:\n", b"version: 3"]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, corpus: tuple[bytes, ...]) -> bytes:
    """One of *corpus*, with a few things gone, doubled, moved or put in; now and then something else altogether."""
    data = draw(st.sampled_from(corpus))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from([0, 1, 1, 2, 5, 20, 200])))
        kind = draw(st.integers(0, 6))
        if kind == 0:
            data = data[:start] + data[end:]
        elif kind <= 3:
            data = data[:start] + draw(st.sampled_from(TOKENS)) + data[end:]
        elif kind == 4:
            data = data[:start] + data[start:end] * draw(st.sampled_from([2, 3, 50])) + data[end:]
        elif kind == 5:
            data = data[:start] + draw(st.binary(max_size=6)) + data[end:]
        else:
            other = draw(st.sampled_from(corpus))
            cut = draw(st.integers(0, len(other)))
            data = data[:start] + other[cut : cut + 40] + data[end:]
    return data


def corpus(*texts: str) -> tuple[bytes, ...]:
    return tuple(text.encode() for text in texts)


MEMORY = "dev:\n  engine: duckdb\n  duckdb: {path: ':memory:'}\n"
PROJECTS = corpus(
    "name: demo\nversion: 1\nvars:\n  start: 2024-01-01\n  list: [1, 2.5, x]\n  deep: {a: {b: null}}\n",
    "name: demo\nversion: '1.0'\nmodels_dir: models\ntests:\n"
    "  - {type: not_null, table: a, column: x}\n  - {type: unique, table: a, column: x, severity: warn, tags: [t]}\n",
    "# comment\nname: &n demo\nversion: 2\nvars: {again: *n}\ntests:\n"
    "  - type: row_count_between\n    table: a\n    min: 1\n    max: 5\n  - {type: greater_equal, table: a, column: x, threshold: 0}\n",
    "name: demo\nversion: 1\ntests:\n"
    "  - {type: freshness, table: a, column: x, max_delay_minutes: 10}\n  - {type: non_negative_sum, table: a, column: x}\n",
)
PROFILES = corpus(
    MEMORY,
    "default:\n  engine: duckdb\n  duckdb:\n    path: \"{{ env('DB', ':memory:') }}\"\n    threads: 2\n    memory_limit: 1GB\n",
    "profiles:\n  dev: {engine: duckdb, duckdb: {schema: main, path: ':memory:'}, postgres: {dsn: x}}\n",
    "{% if env('CI', '') %}\ndev: {engine: duckdb}\n{% else %}\ndev: {engine: duckdb, duckdb: {path: ':memory:'}}\n{% endif %}\n",
)
SOURCES = corpus(
    "crm:\n  users: {identifier: users}\n  orders: {identifier: orders, schema: raw}\n",
    "version: 1\nsources:\n  - name: crm\n    schema: raw\n    description: text\n    tables:\n"
    "      - name: users\n        identifier: t\n        columns:\n          - {name: id, description: x}\n",
    "version: 2\nsources:\n  - {name: crm, tables: [{name: users}]}\n",
    "version: 1\nsources:\n  - name: crm\n    tags: [raw]\n    overrides: {any: {dataset: a}, duckdb: {catalog: b}}\n"
    "    tables:\n      - name: users\n        location: 'data/{name}.csv'\n        format: csv\n"
    "        options: {sep: ';', types: {id: BIGINT}, names: [id], skip: 1}\n        overrides: {duckdb: {location: x/}}\n"
    "        checks: [{row_count_between: {min_rows: 1}}]\n        columns: [{name: id, tests: [unique]}]\n",
)
PROPERTIES = corpus(
    "version: 1\nmodels:\n  - name: a\n    description: text\n    tags: [x]\n    columns:\n      - name: x\n        tests:\n"
    "          - not_null\n          - unique: {severity: warn}\n          - {type: greater_equal, threshold: 1}\n",
    "version: 2\nmodels:\n  - {name: a, columns: [{name: x, tests: [not_null]}]}\n  - {name: b}\n",
)
SEED_TYPES = corpus(
    "columns:\n  s:\n    a: integer\n    b: {type: string}\n", "version: 1\ncolumns: {s: {a: timestamptz}}\n"
)
VARIABLES = corpus("A=1\nexport B='two words'\nFF_SECRET_X=\"a\\nb\" # comment\nC=\n", "FF_DUCKDB_PATH=:memory:\n")
SQL = corpus(
    "{{ config(materialized='view', tags=['x', 'y'], meta={'a': [1, none]}) }}\nselect x from {{ ref('a') }} -- {{ ref('b') }}\n",
    "{% set names = ['a', 'b'] %}select {% for n in names %}{{ loop.index }} as {{ n }}{{ ', ' if not loop.last }}{% endfor %}",
    "create or replace table made as\nwith t as (select 1 as x, 'it''s; ok' as y) select * from t /* {% if %} */;",
    "select '{{ var('x', 'd') }}' as v, {{ env('NUMBER', '1') }} as n {% if is_incremental() %}where 1 = 0{% endif %}",
    "{% macro m(a, b=2) %}{{ a }} + {{ b }}{% endmacro %}select {{ m(1) }} as x, $tag$ {{ 'in' | upper }} $tag$ as y",
    "select {{ [1, 2, 3] | sum }} as s, {{ 'a,b'.split(',') | join('+') | replace('a', '1') | replace('b', '2') }} as j",
    "{% raw %}select '{{ not }}' as x{% endraw %}",
    "{%- call(x) ref('a') -%}{%- endcall -%}select * from {{ this }}",
)
PYTHON = corpus(
    "from flowforge import model\n\n@model(deps=['a'], tags=['x'], requires={'a': ['x']}, materialized='view')\ndef b(a):\n    return a\n",
    "import flowforge as ff\n\n@ff.model(name='c', deps=('a', 'b.ff'), meta={'k': [1, -2.5, None]}, frame='arrow')\n"
    "def c(a, b):\n    '''text'''\n    return a\n\n@ff.model(name='d')\ndef d(): ...\n",
    "from flowforge import *\nfrom flowforge import model as m\nX = ['a']\n@m(deps=X)\ndef e(*frames, **kw): return frames[0]\n",
)
CSV = corpus(
    'id,name,amount\n1,one,0.5\n2,"two, too",1e3\n3,,-0\n',
    "a;b\n1;2\n",
    "a,b,c,d,e\n2024-02-29,true,00123,9223372036854775808,NaN\n2024-02-29T10:00:00Z,false,7,1,inf\n,,,,\n",
    'a,"b ""q"""\r\n"multi\r\nline",é\r\n"",\r\n',
    "a\n" + "1\n" * 500 + "x\n",
)


@cases(150, mutated(PROJECTS))
def test_project_files(check: Judge, data: bytes) -> None:
    check(
        {"project.yml": data, "models/a.ff.sql": "select 1 as x", "profiles.yml": MEMORY},
        ["validate"],
        ["ls", "--checks"],
    )


@cases(150, mutated(PROFILES))
def test_profiles(check: Judge, data: bytes) -> None:
    check({"profiles.yml": data}, ["debug"], environ={"DB": "x"})


@cases(130, mutated(SOURCES), mutated(PROPERTIES))
def test_sources_and_properties(check: Judge, sources: bytes, properties: bytes) -> None:
    files = {"sources.yml": sources, "models/m.yml": properties, "profiles.yml": MEMORY}
    check({**files, "models/a.ff.sql": "select 1 as x", "models/b.ff.sql": "select 1 as x"}, ["validate"])


@cases(80, mutated(SEED_TYPES), mutated(VARIABLES))
def test_types_of_seeds_and_variables(check: Judge, types: bytes, variables: bytes) -> None:
    files = {"seeds/schema.yml": types, "seeds/s.csv": "a,b\n1,2\n", ".env": variables, "profiles.yml": MEMORY}
    check(files, ["seed"])


@cases(450, mutated(SQL))
def test_sql_models(check: Judge, data: bytes) -> None:
    files = {"models/m.ff.sql": data, "models/a.ff.sql": "select 1 as x", "profiles.yml": MEMORY}
    check(files, ["validate"], ["build"])


@cases(250, mutated(PYTHON))
def test_python_models_are_read(check: Judge, data: bytes) -> None:
    check(
        {"models/m.ff.py": data, "models/a.ff.sql": "select 1 as x", "profiles.yml": MEMORY}, ["ls", "--format", "json"]
    )


@cases(300, mutated(CSV))
def test_seeds(check: Judge, data: bytes) -> None:
    check({"seeds/s.csv": data, "profiles.yml": MEMORY}, ["build"])


names = st.text(st.characters(exclude_characters="/\x00", exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 200
)


@cases(120, st.lists(st.tuples(names, st.sampled_from(["m.ff.sql", ".ff.sql", ".ff.py", ".sql", ".yml", ""])), min_size=1, max_size=4),
       st.lists(st.tuples(names, st.sampled_from([".csv", ".CSV", ".parquet", ".yml", ""])), max_size=2))  # fmt: skip
def test_file_names(check: Judge, models: list[tuple[str, str]], seeds: list[tuple[str, str]]) -> None:
    files: dict[str, str | bytes] = {"profiles.yml": MEMORY}
    files |= {f"models/{name}{suffix}": "select 1 as x" for name, suffix in models}
    files |= {f"seeds/{name}{suffix}": "a\n1\n" for name, suffix in seeds}
    check(files, ["build", "--keep-going"], ["ls"], ["dag"])


@functools.cache
def options() -> tuple[str, ...]:
    """Every option of every command."""
    context = click.Context(cli)
    commands = [cli, *(cli.get_command(context, name) for name in COMMANDS)]
    found = {option for command in commands if command for param in command.params for option in param.opts}
    return tuple(sorted(option for option in found if option.startswith("-")))


VALUES = ["", ".", "..", "a", "b", "+a", "a+", "1+a+1", "@a", "*", "tag:x", "path:models", "state:modified", "kind:sql", "nope:x",
          "config.tags:x", "source:crm", "a,b", "a b", "dev", "prod", "../..", "0", "-1", "1", "1e9", "nan", "inf", "99999999999999999999",
          "auto", "text", "json", "paths", "csv", "github", "always", "duckdb", "postgres", "x=1", "x=[1", "x", "=1", "x=&a [*a]",
          "select 1", "select", "select {{ ref('a') }}", "select 1; select 2", "FF1001", "ff9999", "new", "out.mmd", "out/x", "models",
          "project.yml", "models/a.ff.sql", "gone/gone", "~", "\udcff", "é", "--", "-", "a" * 300, "\n", "\x1b[31m"]  # fmt: skip


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    garbage = st.text(st.characters(exclude_characters="/\x00", exclude_categories=["Cs"]), max_size=12)
    words = st.one_of(st.sampled_from(options()), st.sampled_from(VALUES), st.sampled_from(VALUES), garbage)
    before = draw(st.lists(words, max_size=1)) if draw(st.integers(0, 9)) == 0 else []
    command = draw(st.sampled_from(sorted(COMMANDS))) if draw(st.integers(0, 19)) else draw(garbage)
    return [*before, command, *draw(st.lists(words, max_size=5))]


@cases(370, command_lines())
def test_command_lines(check: Judge, line: list[str]) -> None:
    files = {
        "models/a.ff.sql": "{{ config(tags=['x']) }} select 1 as x",
        "models/b.ff.sql": "select * from {{ ref('a') }}",
        "sources.yml": "crm: {users: {identifier: a}}\n",
        "seeds/s.csv": "a\n1\n",
        "profiles.yml": MEMORY,
    }
    check(files, line)


@pytest.mark.full
@pytest.mark.parametrize("name", list(IN_FULL))
def test_all_of_them(check: Judge, name: str) -> None:
    IN_FULL[name](check=check)
