"""The same mistake has the same code, the same file and the same line on every engine, and harms the same nodes.

All mistakes stand in one project, which is built once on each engine with ``--keep-going``. Where an engine differs,
the difference is written down here with its reason; a difference that goes away makes a test fail too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

RAW = "{{ ref('raw') }}"

SAME = {
    # name: (SQL, code, line)
    "missing_column": (f"select\n    id,\n    ghost\nfrom {RAW}\n", "FF2102", 3),
    "missing_column_of_alias": (f"select\n    a.ghost\nfrom {RAW} as a\n", "FF2102", 2),
    "missing_column_of_view": (
        f"{{{{ config(materialized='view') }}}}\n\nselect\n    ghost\nfrom {RAW}\n",
        "FF2102",
        4,
    ),
    "missing_column_behind_fox": (f"select\n    '🦊🦊' as fox, ghost\nfrom {RAW}\n", "FF2102", 2),
    "missing_column_in_ephemeral": ("select id from {{ ref('eph') }}\n", "FF2102", 5),
    "missing_table": ("select id\nfrom nowhere\n", "FF2102", 2),
    "missing_function": (f"select\n    id,\n    frobnicate(id) as x\nfrom {RAW}\n", "FF2102", 3),
    "missing_type": (f"select\n    cast(id as frob) as x\nfrom {RAW}\n", "FF2102", 2),
    "syntax": (f"select id\nfrom {RAW}\nwhere where id = 1\n", "FF2101", 3),
    "unfinished": (f"select id\nfrom {RAW}\nwhere id in (1, 2\n", "FF2101", 3),
    "ambiguous": (f"select\n    id\nfrom {RAW} as a\ncross join {RAW} as b\n", "FF2101", 2),
    "ungrouped": (f"select\n    id,\n    count(*) as n\nfrom {RAW}\n", "FF2101", 2),
    "window_in_where": (f"select id\nfrom {RAW}\nwhere row_number() over (order by id) = 1\n", "FF2101", 3),
    "operator": (f"select\n    id,\n    word + id as x\nfrom {RAW}\n", "FF2104", 3),
    "comparison": (f"select\n    id\nfrom {RAW}\nwhere word = 1\n", "FF2104", 4),
    "mixed_kinds": (f"select\n    id,\n    coalesce(id, word) as x\nfrom {RAW}\n", "FF2104", 3),
    "cast_of_literal": (f"select\n    id,\n    cast('x' as integer) as x\nfrom {RAW}\n", "FF2104", 3),
    "no_such_day": (f"select\n    id,\n    cast('2023-02-30' as date) as x\nfrom {RAW}\n", "FF2104", 3),
    "division": (f"select\n    id,\n    mod(id, id - id) as x\nfrom {RAW}\n", "FF2104", None),
    "overflow": (f"select\n    id,\n    cast(9223372036854775807 as bigint) + id as x\nfrom {RAW}\n", "FF2104", None),
    "several_rows": (f"select\n    id,\n    (select word from {RAW}) as x\nfrom {RAW}\n", "FF2105", None),
}

VALUES = "PostgreSQL tells the place of what it refuses while it reads the text, and none for values of rows"

DIFFERENT = {
    # name: (SQL, on DuckDB, on PostgreSQL, why)
    "cast": (f"select\n    cast(word as integer) as x\nfrom {RAW}\n", ("FF2104", 2), ("FF2104", None), VALUES),
    "range": (f"select\n    cast(id + 40000 as smallint) as x\nfrom {RAW}\n", ("FF2104", 2), ("FF2104", None), VALUES),
    "set_width": (
        f"select id from {RAW}\nunion all\nselect id, word from {RAW}\n",
        ("FF2101", None),
        ("FF2101", 3),
        "DuckDB tells no place here",
    ),
    "function_of_other_types": (
        f"select\n    sum(word) as x\nfrom {RAW}\n",
        ("FF2104", 2),
        ("FF2102", 2),
        "PostgreSQL knows a function by its name and its types, so this one does not exist",
    ),
    "mixed_literal": (
        f"select\n    id,\n    coalesce(id, 'none') as x\nfrom {RAW}\n",
        None,
        ("FF2104", 3),
        "DuckDB converts the text only for rows that need it",
    ),
    "slash": (
        f"select\n    id,\n    id / (id - id) as x\nfrom {RAW}\n",
        None,
        ("FF2104", None),
        "DuckDB's slash gives a float, and a float divided by zero is infinite",
    ),
    "same_name_twice": (
        f"select\n    id,\n    word as id\nfrom {RAW}\n",
        None,
        ("FF2103", None),
        "DuckDB gives the second column another name",
    ),
}

PYTHON = """\
import pyarrow as pa

from flowforge import model


@model(name="{name}", deps=["raw"], requires={requires}, frame="arrow")
def build(raw: pa.Table) -> pa.Table:
    return raw.select(["ghost"])
"""

CHECKED = """\
models:
  - name: fine
    columns:
      - name: word
        tests: [unique]
  - name: ghost_is_checked
    columns:
      - name: ghost
        tests: [not_null]
"""

FILES = {
    "project.yml": "name: wrong\nversion: '1'\n",
    "seeds/raw.csv": "id,word\n1,abc\n2,abc\n",
    "seeds/narrow.csv": "id,word\n1,abc\n3000000000,def\n",
    "seeds/schema.yml": "columns:\n  narrow:\n    id: integer\n",
    "models/eph.ff.sql": f"{{{{ config(materialized='ephemeral') }}}}\n\nselect\n    id,\n    ghost\nfrom {RAW}\n",
    "models/child.ff.sql": "select id from {{ ref('missing_column') }}\n",
    "models/fine.ff.sql": f"select id, word from {RAW}\n",
    "models/ghost_is_checked.ff.sql": f"select id, word from {RAW}\n",
    "models/checks.yml": CHECKED,
    "models/wants_ghost.ff.py": PYTHON.format(name="wants_ghost", requires='{"raw": {"ghost"}}'),
    "models/raises.ff.py": PYTHON.format(name="raises", requires='{"raw": {"id"}}'),
    **{f"models/{name}.ff.sql": case[0] for name, case in {**SAME, **DIFFERENT}.items()},
}


@attrs.frozen
class Mistakes:
    """How the project of mistakes ended on one engine: the command, and its errors by file."""

    ended: Any
    errors: dict[str, list[dict[str, Any]]]

    def place(self, path: str) -> tuple[str, int | None] | None:
        """Code and line of the one error in a file; ``None`` when there is none."""
        found = self.errors.get(path, [])
        assert len(found) <= 1, found
        return (found[0]["code"], found[0]["line"]) if found else None


@pytest.fixture(scope="module")
def mistakes(new_pair: Callable[..., Any], run_both: Callable[..., Any]) -> tuple[Mistakes, Mistakes]:
    """DuckDB's and PostgreSQL's."""
    pair = []
    for ended in run_both(new_pair(None, FILES), "build", "--keep-going"):
        errors: dict[str, list[dict[str, Any]]] = {}
        for one in ended.of("error"):
            errors.setdefault(one["path"], []).append(one)
        pair.append(Mistakes(ended, errors))
    return pair[0], pair[1]


def path_of(name: str) -> str:
    """Where the mistake stands: an ephemeral model's is in its own file."""
    return "models/eph.ff.sql" if name == "missing_column_in_ephemeral" else f"models/{name}.ff.sql"


@pytest.mark.parametrize("name", SAME)
def test_the_same_code_and_line(name: str, mistakes: Any) -> None:
    _, code, line = SAME[name]
    assert [one.place(path_of(name)) for one in mistakes] == [(code, line)] * 2


@pytest.mark.parametrize("name", [name for name, case in SAME.items() if case[1] == "FF2102"])
def test_a_name_that_is_not_there_is_pointed_at(name: str, mistakes: Any) -> None:
    path = path_of(name)
    columns = [one.errors[path][0]["column"] for one in mistakes]
    written = FILES[path].splitlines()[SAME[name][2] - 1]
    (word,) = [word for word in ("a.ghost", "ghost", "nowhere", "frobnicate", "frob") if word in written][:1]
    assert columns == [written.index(word) + 1] * 2


@pytest.mark.parametrize("name", DIFFERENT)
def test_the_declared_differences(name: str, mistakes: Any) -> None:
    _, duckdb, postgres, why = DIFFERENT[name]
    assert duckdb != postgres
    assert why
    assert tuple(one.place(path_of(name)) for one in mistakes) == (duckdb, postgres)


def test_what_is_not_sql_is_reported_in_the_same_words(mistakes: Any) -> None:
    keys = ("code", "message", "path", "line", "column", "help", "notes")
    paths = ("seeds/narrow.csv", "models/wants_ghost.ff.py", "models/raises.ff.py")
    ours, theirs = ([{key: one.errors[path][0][key] for key in keys} for path in paths] for one in mistakes)
    assert ours == theirs
    assert [(one["code"], one["line"]) for one in ours] == [("FF2205", 3), ("FF2005", 7), ("FF2004", 8)]


def test_checks_fail_in_the_same_words_and_at_the_same_line(mistakes: Any) -> None:
    for one in mistakes:
        failed, broken = sorted(one.errors["models/checks.yml"], key=lambda error: error["code"])
        assert (failed["code"], failed["line"], failed["column"]) == ("FF3003", 5, 17)
        assert failed["notes"] == ["unique: fine.word has 1 duplicate"]
        assert (broken["code"], broken["line"], broken["column"]) == ("FF3004", 9, 17)
        assert "ghost" in broken["message"]


def test_the_same_nodes_fail_and_the_same_are_skipped(mistakes: Any) -> None:
    ours, theirs = (dict(one.ended.statuses) for one in mistakes)
    for name, case in DIFFERENT.items():
        assert (ours.pop(name), theirs.pop(name)) == tuple("error" if place else "success" for place in case[1:3])
    assert ours == theirs
    assert {name for name, status in ours.items() if status == "success"} == {"raw"}
    assert {name for name, status in ours.items() if status == "skipped"} == {"child"}
    assert {name for name, status in ours.items() if status == "fail"} == {"fine"}
    assert [one.ended.code for one in mistakes] == [1, 1]
