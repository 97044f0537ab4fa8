"""Input that has to be refused: one case is files, a command, and what the answer must say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

Project = Callable[[Mapping[str, str | bytes]], Path]
Flowforge = Callable[..., Any]

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 11)
)
IDENTIFIED = "version: 1\nsources:\n  - name: crm\n    tables:\n      - {name: users, identifier: users}\n"


@attrs.frozen
class Case:
    """*code* is the first error's, *where* the place that it names, *words* what its text must hold."""

    id: str
    files: Mapping[str, str | bytes]
    code: str
    where: str
    words: tuple[str, ...] = ()
    command: tuple[str, ...] = ("build",)
    exit: int = 1
    seconds: float = 10.0


def model(text: str | bytes) -> dict[str, str | bytes]:
    return {"models/bad.ff.sql": text}


def python(body: str) -> dict[str, str | bytes]:
    return {"models/bad.ff.py": f"from flowforge import model\n\n\n@model\ndef bad():\n    {body}\n"}


YAML = [
    Case("I1-key-twice", {"project.yml": "name: a\nversion: 1\nvars: {x: 1}\nvars: {x: 2}\n"}, "FF1003",
         "project.yml:4:1", ("'vars'", "project.yml:3:1")),
    Case("I1-key-twice-inside", {"project.yml": "name: a\nversion: 1\nvars:\n  x: 1\n  x: 2\n"}, "FF1003",
         "project.yml:5:3", ("'x'",)),
    Case("I1-profile-twice", {"profiles.yml": "dev: {engine: duckdb}\ndev: {engine: duckdb}\n"}, "FF1003",
         "profiles.yml:2:1", ("'dev'",)),
    Case("I2-bomb", {"project.yml": "name: a\nversion: 1\nvars:\n" + BOMB.replace("a", "  a", 0)}, "FF1008",
         "project.yml", (), seconds=2.0),
    Case("I2-bomb-in-sources", {"sources.yml": BOMB}, "FF1008", "sources.yml", (), seconds=2.0),
    Case("I2-deep", {"project.yml": "name: a\nversion: 1\nvars: " + "[" * 5000 + "]" * 5000 + "\n"}, "FF1008",
         "project.yml", ("levels",), seconds=2.0),
    Case("I2-endless-alias", {"project.yml": "name: a\nversion: 1\nvars: &v {again: *v}\n"}, "FF1002",
         "project.yml:3", ()),
    Case("I3-tab", {"project.yml": "name: a\nversion: 1\nvars:\n\tx: 1\n"}, "FF1002", "project.yml:4", ("tab",)),
    Case("I4-latin-1", {"project.yml": "name: caf\xe9\nversion: 1\n".encode("latin-1")}, "FF1002", "project.yml:1",
         ("UTF-8",)),
    Case("I4-latin-1-in-properties", {"models/m.yml": "version: 1\n# caf\xe9\n".encode("latin-1")}, "FF1002",
         "models/m.yml:2", ("UTF-8",)),
    Case("I7-text-for-a-mapping", {"project.yml": "name: a\nversion: 1\nvars: nothing\n"}, "FF1005",
         "project.yml:3:7", ("vars",)),
    Case("I7-list-for-a-project", {"project.yml": "- name\n- version\n"}, "FF1005", "project.yml:1:1"),
    Case("I7-empty-project", {"project.yml": ""}, "FF1005", "project.yml:1", ("mapping",)),
    Case("I7-number-for-a-profile", {"profiles.yml": "dev: 3\n"}, "FF1005", "profiles.yml:1:6"),
    Case("I8-key", {"project.yml": "name: a\nversion: 1\nmodel_dir: m\n"}, "FF1004", "project.yml:3:1",
         ("'model_dir'", "models_dir")),
    Case("I8-key-of-a-setting", {"profiles.yml": "dev:\n  engine: duckdb\n  duckdb:\n    pathh: a.duckdb\n"}, "FF1004",
         "profiles.yml:4:5", ("'pathh'", "'path'")),
    Case("I8-engine", {"profiles.yml": "dev:\n  engine: ducdkb\n"}, "FF4003", "profiles.yml:2:11", ("duckdb",)),
    Case("yaml-tag", {"project.yml": "name: a\nversion: 1\nvars: {x: !!python/object/apply:os.system [id]}\n"},
         "FF1002", "project.yml:3", ("tag",)),
    Case("yaml-two-documents", {"project.yml": "name: a\nversion: 1\n---\nname: b\n"}, "FF1002", "project.yml:3"),
    Case("yaml-nul", {"project.yml": b"name: a\nversion: 1\x00\n"}, "FF1002", "project.yml:2"),
    Case("yaml-unclosed", {"profiles.yml": "dev: {engine: duckdb\n"}, "FF1002", "profiles.yml"),
]  # fmt: skip

MODELS = [
    Case("I10-latin-1", model("select 'caf\xe9' as x".encode("latin-1")), "FF1105", "models/bad.ff.sql:1:12",
         ("UTF-8",)),
    Case("I10-latin-1-python", {"models/bad.ff.py": b"# caf\xe9\n"}, "FF1105", "models/bad.ff.py:1", ("UTF-8",)),
    Case("I11-empty", model(""), "FF1106", "models/bad.ff.sql", ("empty",)),
    Case("I11-space", model(" \n\t\n"), "FF1106", "models/bad.ff.sql", ("empty",)),
    Case("I11-comment", model("-- later\n"), "FF1123", "models/bad.ff.sql"),
    Case("I11-python", {"models/bad.ff.py": ""}, "FF1112", "models/bad.ff.py"),
    Case("I11-python-without-model", {"models/bad.ff.py": "x = 1\n"}, "FF1112", "models/bad.ff.py"),
    Case("python-syntax", {"models/bad.ff.py": "def f(:\n    pass\n"}, "FF1111", "models/bad.ff.py:1:7"),
    Case("python-nul", {"models/bad.ff.py": b"x = 1\x00\n"}, "FF1105", "models/bad.ff.py:1"),
    Case("python-nested", {"models/bad.ff.py": "x = " + "(" * 5000 + ")" * 5000 + "\n"}, "FF1111", "models/bad.ff.py"),
    Case("python-long-sum", {"models/bad.ff.py": "x = " + "+".join("1" * 20_000) + "\n"}, "FF1111",
         "models/bad.ff.py"),
    Case("config-key", model("{{ config(materialised='view') }} select 1 as x"), "FF1101", "models/bad.ff.sql:1:11",
         ("'materialised'", "materialized")),
    Case("config-computed", model("{{ config(tags=[1 + 1]) }} select 1 as x"), "FF1121", "models/bad.ff.sql:1"),
    Case("I36-two-statements", model("select 1 as x;\ndrop table victim;\n"), "FF1125", "models/bad.ff.sql:2:1"),
    Case("I36-by-a-variable", {**model("select {{ var('x') }} as x"),
         "project.yml": 'name: a\nversion: 1\nvars: {x: "1; drop table victim; select 2"}\n'}, "FF1125",
         "models/bad.ff.sql:1"),
    Case("I36-by-an-inline-query", {}, "FF1125", "", command=("show", "--inline", "select 1; drop table victim")),
    Case("I36-other-statement", model("drop table victim"), "FF1124", "models/bad.ff.sql:1:1"),
    Case("I36-attach", model("attach 'other.duckdb'"), "FF1124", "models/bad.ff.sql:1:1"),
    Case("I37-quote", model("select 1 as x,\n  'open as y\n"), "FF2101", "models/bad.ff.sql:2:3", ("unterminated",)),
    Case("I37-parenthesis", model("select (1 as x\n"), "FF2101", "models/bad.ff.sql:1"),
    Case("I37-column", model("select\n  nme\nfrom (select 1 as name)"), "FF2102", "models/bad.ff.sql:2:3", ("nme",)),
    Case("jinja-unclosed", model("select {{ ref('fine' from x"), "FF1401", "models/bad.ff.sql:1"),
    Case("jinja-undefined", model("select\n {{ nothing.at_all }} as x"), "FF1410", "models/bad.ff.sql:2",
         ("nothing",)),
    Case("jinja-include", model("{% include 'profiles.yml' %} select 1 as x"), "FF1411", "models/bad.ff.sql:1"),
    Case("I33-loop", model("select {% for i in range(10 ** 12) %}1 +{% endfor %} 1 as x"), "FF1412",
         "models/bad.ff.sql:1", seconds=2.0),
    Case("I33-nested-loop", model(
        "select {% for i in range(9999) %}{% for j in range(9999) %}{% for k in range(9999) %}1 +"
        "{% endfor %}{% endfor %}{% endfor %} 1 as x"), "FF1412", "models/bad.ff.sql:1", seconds=2.0),
    Case("I34-macro", model("{% macro m() %}{{ m() }}{% endmacro %}select {{ m() }} as x"), "FF1412",
         "models/bad.ff.sql:1", seconds=2.0),
    Case("I35-text", model("select '{{ 'x' * 10 ** 10 }}' as x"), "FF1412", "models/bad.ff.sql:1", seconds=2.0),
    Case("I35-power", model("select {{ 9 ** (9 ** 9) }} as x"), "FF1412", "models/bad.ff.sql:1", seconds=2.0),
    Case("I35-pad", model("select '{{ '%1000000000d' % 1 }}' as x"), "FF1412", "models/bad.ff.sql:1", seconds=2.0),
    Case("I35-format", model("select '{{ '{:>9999999999}'.format(1) }}' as x"), "FF1412", "models/bad.ff.sql:1",
         seconds=2.0),
    Case("I35-doubling", model(
        "{% set ns = namespace(x='xxxxxxxxxx') %}{% for i in range(90) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}"
        "select {{ ns.x | length }} as x"), "FF1412", "models/bad.ff.sql:1", seconds=2.0),
]  # fmt: skip

NAMES = [
    Case("I25-twice", {"models/a/fine.ff.sql": "select 2 as two"}, "FF1201", "models/fine.ff.sql",
         ("models/a/fine.ff.sql",)),
    Case("I26-case", {"models/Fine.ff.sql": "select 2 as two"}, "FF1202", "models/", ("fine.ff.sql", "Fine.ff.sql")),
    Case("I26-case-beyond-ascii", {"models/stra\xdfe.ff.sql": "select 1 as x", "models/STRASSE.ff.sql": "select 1 as x"},
         "FF1202", "models/", ("STRASSE.ff.sql", "stra\xdfe.ff.sql")),
    Case("I27b-python", python("return 1") | {"models/bad.ff.sql": "select 1 as x"}, "FF1201", "models/bad.ff.",
         ("bad.ff.py", "bad.ff.sql")),
    Case("I27b-alias", model("{{ config(alias='fine') }} select 1 as x"), "FF1202", "models/", ("fine.ff.sql", "bad.ff.sql")),
    Case("I27b-seed", {"seeds/fine.csv": "a\n1\n"}, "FF1201", "", ("seeds/fine.csv", "models/fine.ff.sql")),
    Case("I27b-created-name", model("create table fine as select 1 as x"), "FF1202", "models/",
         ("fine.ff.sql", "bad.ff.sql")),
    Case("I27b-meta-table", model("{{ config(alias='_ff_meta') }} select 1 as x"), "FF1208", "models/bad.ff.sql",
         ("_ff_meta",)),
    Case("I27b-staging", model("{{ config(alias='FF__x') }} select 1 as x"), "FF1208", "models/bad.ff.sql"),
    Case("I27b-seed-as-meta-table", {"seeds/_ff_meta.csv": "a\n1\n"}, "FF1208", "seeds/_ff_meta.csv"),
    Case("I30-cycle", {f"models/{a}.ff.sql": f"select * from {{{{ ref('{b}') }}}}" for a, b in ("ab", "bc", "ca")},
         "FF1204", "models/a.ff.sql:1", ("a.ff -> b.ff -> c.ff -> a.ff",)),
    Case("I31-self", model("select * from {{ ref('bad') }}"), "FF1204", "models/bad.ff.sql:1", ("bad.ff -> bad.ff",)),
    Case("I31-python-cycle", {"models/bad.ff.py": "from flowforge import model\n\n@model(deps=['bad'])\ndef bad(x):\n    return x\n"},
         "FF1204", "models/bad.ff.py:3", ("bad.ff -> bad.ff",)),
    Case("I32-missing", model("select *\nfrom {{ ref('finee') }}"), "FF1203", "models/bad.ff.sql:2:14",
         ("'finee'", "did you mean 'fine'")),
    Case("I32-source", model("select * from {{ source('crm', 'user') }}") | {"sources.yml": IDENTIFIED}, "FF1207",
         "models/bad.ff.sql:1", ("users",)),
    Case("I32-computed", model("select * from {{ ref('fi' ~ 'ne') }}"), "FF1406", "models/bad.ff.sql:1", ("deps",)),
    Case("selector", {}, "FF5002", "", ("fine",), command=("run", "-s", "finee"), exit=5),
    Case("selector-grammar", {}, "FF6402", "", command=("run", "-s", "1++fine"), exit=64),
]  # fmt: skip


def seed(content: str | bytes) -> dict[str, str | bytes]:
    return {"seeds/bad.csv": content}


def typed(type_: str, content: str) -> dict[str, str | bytes]:
    return {"seeds/bad.csv": content, "seeds/schema.yml": f"columns: {{bad: {{a: {type_}}}}}\n"}


SEEDS = [
    Case("I12-no-bytes", seed(b""), "FF2204", "seeds/bad.csv", ("empty",)),
    Case("I12-only-lines", seed("\n\n\n"), "FF2204", "seeds/bad.csv"),
    Case("I12-only-a-mark", seed(b"\xef\xbb\xbf"), "FF2204", "seeds/bad.csv"),
    Case("I14-too-long", seed("a,b\n1,2\n3,4,5\n"), "FF2203", "seeds/bad.csv:3", ("3", "2")),
    Case("I14-too-short", seed("a,b\n1,2\n3\n"), "FF2203", "seeds/bad.csv:3"),
    Case("I14-too-short-at-last", seed("a,b\n" + "1,2\n" * 50_000 + "3\n"), "FF2203", "seeds/bad.csv:50002"),
    Case("I15-doubled", seed("a,b,a\n1,2,3\n"), "FF2204", "seeds/bad.csv:1", ("'a'",)),
    Case("I15-doubled-but-for-case", seed("id,ID\n1,2\n"), "FF2204", "seeds/bad.csv:1", ("ID",)),
    Case("I15-nameless", seed("a,,c\n1,2,3\n"), "FF2204", "seeds/bad.csv:1"),
    Case("I20-open-quote", seed('a,b\n1,"open\n2,3\n'), "FF2203", "seeds/bad.csv:2"),
    Case("I23-latin-1", seed("a\ncaf\xe9\n".encode("latin-1")), "FF2202", "seeds/bad.csv:2", ("byte",)),
    Case("I23-latin-1-can-be-declared", seed("a\ncaf\xe9\n".encode("latin-1")), "FF2202", "seeds/bad.csv:2",
         ("encoding: windows-1252",)),
    Case("I12-json-no-bytes", {"seeds/bad.jsonl": b""}, "FF2204", "seeds/bad.jsonl"),
    Case("I14-json-cut-off", {"seeds/bad.jsonl": '{"a": 1}\n{"a": '}, "FF2211", "seeds/bad.jsonl:2:6"),
    Case("I15-json-doubled", {"seeds/bad.jsonl": '{"a": 1, "a": 2}\n'}, "FF2211", "seeds/bad.jsonl:1", ("'a'",)),
    Case("I15-json-mixed", {"seeds/bad.jsonl": '{"a": 1}\n{"a": "1"}\n'}, "FF2212", "seeds/bad.jsonl:2"),
    Case("sql-seed-with-a-ref", {"seeds/bad.sql": "select * from {{ ref('fine') }}"}, "FF2210", "seeds/bad.sql:1"),
    Case("I23-utf-16", seed("a,b\n1,2\n".encode("utf-16")), "FF2202", "seeds/bad.csv", ("UTF-16",)),
    Case("I23-nul", seed(b"a,b\n1,\x00\n"), "FF2202", "seeds/bad.csv:2"),
    Case("I16-too-large-for-its-type", typed("bigint", f"a\n1\n{2**63}\n"), "FF2205", "seeds/bad.csv:3", (str(2**63),)),
    Case("I16-text-for-a-number", typed("integer", "a\n1\ntwo\n"), "FF2205", "seeds/bad.csv:3", ("two",)),
    Case("I17-no-such-type", typed("intt", "a\n1\n"), "FF2207", "seeds/schema.yml:1", ("integer",)),
    Case("seed-schema-of-no-seed", {"seeds/schema.yml": "columns: {users: {a: string}}\n"}, "FF2207",
         "seeds/schema.yml:1", ("users",)),
    Case("seed-schema-of-no-column", {"seeds/bad.csv": "a\n1\n", "seeds/schema.yml": "columns: {bad: {b: string}}\n"},
         "FF2205", "seeds/", ("'b'",)),
    Case("seed-parquet", {"seeds/bad.parquet": b"PAR1 but not really PAR1"}, "FF2201", "seeds/bad.parquet"),
    Case("seed-empty-parquet", {"seeds/bad.parquet": b""}, "FF2201", "seeds/bad.parquet"),
]  # fmt: skip


def checks(text: str) -> dict[str, str | bytes]:
    return {
        "models/fine.ff.yml": f"version: 1\nmodels:\n  - name: fine\n    columns:\n      - name: one\n        tests:\n          - {text}\n"
    }


def listed(text: str) -> dict[str, str | bytes]:
    return {"project.yml": f"name: a\nversion: 1\ntests:\n  - {text}\n"}


CHECKS = [
    Case("I42-column-with-sql", listed('{type: not_null, table: fine, column: "one; drop table fine"}'), "FF3004",
         "project.yml:4", ("one; drop table fine",)),
    Case("I42-table-with-sql", listed('{type: not_null, table: "fine; drop table fine", column: one}'), "", "",
         ("fine; drop table fine does not exist", "project.yml:4")),
    Case("I42-column-with-a-quote", listed("{type: not_null, table: fine, column: 'one\"'}"), "FF3004",
         "project.yml:4", ('one"',)),
    Case("I42-wrong-type", listed("{type: row_count_between, table: fine, min: many}"), "FF3002",
         "project.yml:4", ("min",)),
    Case("I42-no-such-check", listed("{type: not_nul, table: fine, column: one}"), "FF3005", "project.yml:4",
         ("not_null",)),
    Case("I42-no-such-parameter", listed("{type: not_null, table: fine, column: one, colunm: x}"), "FF3002",
         "project.yml:4", ("colunm",)),
    Case("I42-contradiction", listed("{type: row_count_between, table: fine, min: 5, max: 1}"), "FF3002",
         "project.yml:4"),
    Case("I42-list-for-a-column", listed("{type: not_null, table: fine, column: [one, two]}"), "FF1005",
         "project.yml:4"),
    Case("I42-wrong-severity", listed("{type: not_null, table: fine, column: one, severity: fatal}"), "FF1005",
         "project.yml:4", ("severity",)),
    Case("properties-of-no-model", {"models/m.yml": "version: 1\nmodels:\n  - name: fien\n"}, "FF1023",
         "models/m.yml:3", ("fine",)),
    Case("I43-identifier", {"sources.yml": "crm:\n  users: {identifier: 'users\"; drop table fine; --'}\n",
         **model("select * from {{ source('crm', 'users') }}")}, "FF2102", "models/bad.ff.sql:1", ("drop table fine",)),
    Case("I43-no-such-schema", {"sources.yml": "crm:\n  users: {identifier: users, schema: nowhere}\n",
         **model("select * from {{ source('crm', 'users') }}")}, "FF2102", "models/bad.ff.sql:1", ("nowhere",)),
    Case("I43-mistyped-key", {"sources.yml": "crm:\n  users: {identifer: users}\n"}, "FF1004", "sources.yml:2",
         ("identifier",)),
    Case("I43-no-text", {"sources.yml": "crm:\n  users: {identifier: [users]}\n"}, "FF1005", "sources.yml:2"),
]  # fmt: skip

PATHS = [
    Case("I44-database", {"profiles.yml": "dev:\n  engine: duckdb\n  duckdb: {path: ../../x.duckdb}\n"}, "FF1307",
         "profiles.yml:3", ("outside the project",)),
    Case("I44-models", {"project.yml": "name: a\nversion: 1\nmodels_dir: ../..\n"}, "FF1005", "project.yml:3",
         ("outside the project",)),
    Case("I44-absolute-models", {"project.yml": "name: a\nversion: 1\nmodels_dir: /etc\n"}, "FF1005", "project.yml:3",
         ("relative to the project",)),
    Case("no-models-folder", {"project.yml": "name: a\nversion: 1\nmodels_dir: modells\n"}, "FF1022", "project.yml", ("modells",)),
    Case("no-such-profile", {}, "FF1302", "profiles.yml", ("'prod'", "dev"), command=("build", "--env", "prod")),
    Case("nested-too-deeply", {"models/m.ff.sql": "select " + "{'a': " * 3000 + "1" + "}" * 3000}, "FF1405", "models/m.ff.sql",
         ("nested too deeply", "--no-syntax"), command=("validate",), seconds=60.0),
    Case("vars-without-value", {}, "FF6426", "", ("NAME=VALUE",), command=("build", "--vars", "x"), exit=64),
    Case("vars-no-yaml", {}, "FF6426", "--vars:1:5", ("'x' cannot be read",), command=("build", "--vars", "x=[1"), exit=64),
]  # fmt: skip


@pytest.mark.parametrize("case", [*YAML, *MODELS, *NAMES, *SEEDS, *CHECKS, *PATHS], ids=lambda case: case.id)
def test_bad_input_is_refused_with_its_place(case: Case, project: Project, flowforge: Flowforge) -> None:
    outcome = flowforge(project(case.files), *case.command, seconds=case.seconds)
    assert outcome.code == case.exit, outcome.text
    if case.code:
        assert outcome.codes[:1] == [case.code], outcome.text
    assert f"--> {case.where}" in outcome.text or not case.where, outcome.text
    for word in case.words:
        assert word in outcome.text, outcome.text
