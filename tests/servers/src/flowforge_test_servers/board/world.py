"""The project of the crash board: two versions of its files, and what has to stand in the database for each.

The SQL is what DuckDB, PostgreSQL and SQLite have in common. The rows that are expected are written down here, they
are not taken from a run: a run cannot be its own judge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

Row = tuple[object, ...]


@attrs.frozen
class Expected:
    """What should stand under one name.

    Parameters
    ----------
    rows:
        Sorted. For a view: what it shows when everything that it reads is of the same version.
    select:
        The query of a view, with the plain names of what it reads; a view may stand over tables of another version,
        and then it has to show what this query does.
    probe:
        A query that sums a large relation up; *columns* and *rows* are then what it answers.
    part:
        Number of the column by which the table is published in parts, each for itself: a row's part is what this
        column holds up to its first dash.
    """

    kind: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    select: str | None = None
    probe: str | None = None
    part: int | None = None

    def parts(self, rows: tuple[Row, ...]) -> Mapping[str, frozenset[Row]]:
        """*rows* of this relation by the parts in which it is published."""
        assert self.part is not None
        found: dict[str, set[Row]] = {}
        for row in rows:
            found.setdefault(str(row[self.part]).partition("-")[0], set()).add(row)
        return {name: frozenset(some) for name, some in found.items()}


@attrs.frozen
class Version:
    """One state of the project's files, and of the database after it was built."""

    files: Mapping[str, str]
    relations: Mapping[str, Expected]


def _table(columns: str, rows: Sequence[Row]) -> Expected:
    return Expected("table", tuple(columns.split()), tuple(sorted(rows, key=repr)))


def _view(columns: str, rows: Sequence[Row], select: str | None) -> Expected:
    return Expected("view", tuple(columns.split()), tuple(sorted(rows, key=repr)), select)


CHECKS = """\
version: 1
models:
  - name: base
    columns:
      - name: id
        tests: [not_null, unique]
      - name: amount
        tests: [not_null]
  - name: shown
    columns:
      - name: id
        tests: [not_null]
"""

SCORED = """\
import pyarrow as pa

from flowforge import model

FACTOR = {edition}


@model(deps=["total"], frame="arrow")
def scored(total):
    return pa.table({{"n": total["n"], "score": [FACTOR * 100]}})
"""

LENS = """\
import pyarrow as pa

from flowforge import model


@model(deps=["scored"], frame="arrow", materialized="view")
def lens(scored):
    return pa.table({{"edition": [{edition}], "score": scored["score"]}})
"""


def _config(kind: str) -> str:
    return f"{{{{ config(materialized='{kind}') }}}}\n"


def _version(edition: int, amounts: Mapping[int, int], kinds: tuple[str, str], shown: str, wide: str) -> dict[str, str]:
    turned, flipped = kinds
    ref = "{{{{ ref('{}') }}}}".format
    return {
        "project.yml": "name: board\nversion: 1\n",
        "models/checks.yml": CHECKS,
        "seeds/raw.csv": "id,amount\n" + "".join(f"{key},{value}\n" for key, value in amounts.items()),
        "models/base.ff.sql": f"select id, amount, {edition} as edition from {ref('raw')}\n",
        "models/shown.ff.sql": _config("view") + shown.format(base=ref("base")) + "\n",
        "models/total.ff.sql": f"select count(*) as n, max(edition) as edition from {ref('shown')}\n",
        "models/scored.ff.py": SCORED.format(edition=edition),
        "models/lens.ff.py": LENS.format(edition=edition),
        "models/turned.ff.sql": _config(turned) + f"select id, {edition} as edition from {ref('base')}\n",
        "models/flipped.ff.sql": _config(flipped) + f"select id, {edition} as edition from {ref('base')}\n",
        "models/reader.ff.sql": _config("view")
        + f"select count(*) as n, min(edition) as edition from {ref('turned')}\n",
        "models/wide.ff.sql": wide.format(base=ref("base")) + "\n",
        "models/still.ff.sql": f"select distinct id * 0 + {edition} * 7 - {edition * 7 - 7} as seven from {ref('base')}\n",
        "models/below.ff.sql": f"select seven + 1 as eight from {ref('still')}\n",
    }


OLD_AMOUNTS = {1: 10, 2: 20, 3: 30, 4: 40}
NEW_AMOUNTS = {2: 21, 3: 31, 4: 41, 5: 51, 6: 5}
_OLD_SHOWN = "select id, amount, edition from {base} where amount > 15"
_NEW_SHOWN = "select id, amount, edition, amount * 2 as twice from {base} where amount > 15"

OLD = Version(
    _version(
        1,
        OLD_AMOUNTS,
        ("view", "table"),
        _OLD_SHOWN,
        "select id, amount from {base}",
    ),
    {
        "raw": _table("id amount", list(OLD_AMOUNTS.items())),
        "base": _table("id amount edition", [(key, value, 1) for key, value in OLD_AMOUNTS.items()]),
        "shown": _view(
            "id amount edition",
            [(key, value, 1) for key, value in OLD_AMOUNTS.items() if value > 15],
            "select id, amount, edition from base where amount > 15",
        ),
        "total": _table("n edition", [(3, 1)]),
        "scored": _table("n score", [(3, 100)]),
        "lens": _view("edition score", [(1, 100)], None),
        "__ff_py_lens": _table("edition score", [(1, 100)]),
        "turned": _view("id edition", [(key, 1) for key in OLD_AMOUNTS], "select id, 1 as edition from base"),
        "flipped": _table("id edition", [(key, 1) for key in OLD_AMOUNTS]),
        "reader": _view("n edition", [(4, 1)], "select count(*) as n, min(edition) as edition from turned"),
        "wide": _table("id amount", list(OLD_AMOUNTS.items())),
        "still": _table("seven", [(7,)]),
        "below": _table("eight", [(8,)]),
    },
)

NEW = Version(
    _version(
        2,
        NEW_AMOUNTS,
        ("table", "view"),
        _NEW_SHOWN,
        "select 'x' as label, amount * 3 as amount, id from {base}",
    ),
    {
        "raw": _table("id amount", list(NEW_AMOUNTS.items())),
        "base": _table("id amount edition", [(key, value, 2) for key, value in NEW_AMOUNTS.items()]),
        "shown": _view(
            "id amount edition twice",
            [(key, value, 2, value * 2) for key, value in NEW_AMOUNTS.items() if value > 15],
            "select id, amount, edition, amount * 2 as twice from base where amount > 15",
        ),
        "total": _table("n edition", [(4, 2)]),
        "scored": _table("n score", [(4, 200)]),
        "lens": _view("edition score", [(2, 200)], None),
        "__ff_py_lens": _table("edition score", [(2, 200)]),
        "turned": _table("id edition", [(key, 2) for key in NEW_AMOUNTS]),
        "flipped": _view("id edition", [(key, 2) for key in NEW_AMOUNTS], "select id, 2 as edition from base"),
        "reader": _view("n edition", [(5, 2)], "select count(*) as n, min(edition) as edition from turned"),
        "wide": _table("label amount id", [("x", value * 3, key) for key, value in NEW_AMOUNTS.items()]),
        "still": _table("seven", [(7,)]),
        "below": _table("eight", [(8,)]),
    },
)

EMPTY = Version({}, {})

SEEDED = Version(NEW.files, {**OLD.relations, "raw": NEW.relations["raw"]})
"""After ``seed`` over the old version: nothing but the seed is new."""

REFUSED = Version(
    {**NEW.files, "seeds/raw.csv": "id,amount\n1,10\n1,20\n"},
    {**OLD.relations, "raw": _table("id amount", [(1, 10), (1, 20)])},
)
"""New files whose rows fail a check, so that ``build`` has to leave everything below the seed as it was."""
