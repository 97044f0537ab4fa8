"""Histories before and after rows changed, and pruned; no run from nothing would make the same ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowforge_test_servers.board.world import Expected, Row, Version

_CURRENT = "case when _ff_is_current then 1 else 0 end as current"
_PROBES = {
    "dated": f"select id, amount, day, _ff_valid_from, _ff_valid_to, {_CURRENT} from dated",
    "compared": f"select id, amount, {_CURRENT} from compared",
    "marked": f"select id, amount, {_CURRENT}, case when _ff_is_deleted then 1 else 0 end as deleted from marked",
    "widened": f"select id, day, {_CURRENT} from widened",
}
_COLUMNS = {
    "dated": "id amount day _ff_valid_from _ff_valid_to current",
    "compared": "id amount current",
    "marked": "id amount current deleted",
    "widened": "id day current",
}


def _history(name: str, *rows: Row) -> Expected:
    return Expected("table", tuple(_COLUMNS[name].split()), tuple(sorted(rows, key=repr)), probe=_PROBES[name])


def _table(columns: str, *rows: Row) -> Expected:
    return Expected("table", tuple(columns.split()), tuple(sorted(rows, key=repr)))


def _model(settings: str, columns: str = "id, amount") -> str:
    return f"{{{{ config(materialized='snapshot', unique_key='id', {settings}) }}}}\nselect {columns} from {{{{ ref('raw') }}}}\n"


def _version(rows: Sequence[Row], widened: str, relations: Mapping[str, Expected]) -> Version:
    return Version(
        {
            "project.yml": "name: board\nversion: 1\n",
            "seeds/raw.csv": "id,amount,day\n" + "".join(",".join(map(str, row)) + "\n" for row in rows),
            "models/checks.yml": "models: [{name: dated, columns: [{name: id, checks: [not_null]}]}]\n",
            "models/dated.ff.sql": _model("strategy='timestamp', updated_at='day'", "id, amount, day"),
            "models/compared.ff.sql": _model("strategy='check', check_cols='all', hard_deletes='invalidate'"),
            "models/marked.ff.sql": _model("strategy='check', check_cols='amount', hard_deletes='new_record'"),
            "models/widened.ff.sql": _model("strategy='timestamp', updated_at='day'", widened),
            "models/below.ff.sql": "select count(*) as n, max(_ff_valid_from) as newest from {{ ref('dated') }}\n",
        },
        {"raw": _table("id amount day", *rows), **relations},
    )


_OLD: tuple[Row, ...] = ((1, 10, 1), (2, 20, 1), (3, 30, 2))
_NEW: tuple[Row, ...] = ((1, 11, 3), (2, 21, 1), (4, 40, 4))

BEFORE = _version(
    _OLD,
    "day, id",
    {
        "dated": _history("dated", *((*row, row[2], None, 1) for row in _OLD)),
        "compared": _history("compared", *((*row[:2], 1) for row in _OLD)),
        "marked": _history("marked", *((*row[:2], 1, 0) for row in _OLD)),
        "widened": _history("widened", *((row[0], row[2], 1) for row in _OLD)),
        "below": _table("n newest", (3, 2)),
    },
)
AFTER = _version(
    _NEW,
    "id, id * 2 as twice, day",
    {
        "dated": _history(
            "dated",
            (1, 10, 1, 1, 3, 0),
            (1, 11, 3, 3, None, 1),
            (2, 20, 1, 1, None, 1),
            (3, 30, 2, 2, None, 1),
            (4, 40, 4, 4, None, 1),
        ),
        "compared": _history("compared", (1, 10, 0), (1, 11, 1), (2, 20, 0), (2, 21, 1), (3, 30, 0), (4, 40, 1)),
        "marked": _history(
            "marked",
            (1, 10, 0, 0),
            (1, 11, 1, 0),
            (2, 20, 0, 0),
            (2, 21, 1, 0),
            (3, 30, 0, 0),
            (3, 30, 1, 1),
            (4, 40, 1, 0),
        ),
        "widened": _history("widened", (1, 1, 0), (1, 3, 1), (2, 1, 1), (3, 2, 1), (4, 4, 1)),
        "below": _table("n newest", (5, 4)),
    },
)
PRUNED = Version(
    AFTER.files,
    {
        **AFTER.relations,
        "dated": _history(
            "dated", (1, 11, 3, 3, None, 1), (2, 20, 1, 1, None, 1), (3, 30, 2, 2, None, 1), (4, 40, 4, 4, None, 1)
        ),
        "compared": _history("compared", (1, 11, 1), (2, 21, 1), (3, 30, 0), (4, 40, 1)),
        "marked": _history("marked", (1, 11, 1, 0), (2, 21, 1, 0), (3, 30, 1, 1), (4, 40, 1, 0)),
        "widened": _history("widened", (1, 3, 1), (2, 1, 1), (3, 2, 1), (4, 4, 1)),
    },
)
