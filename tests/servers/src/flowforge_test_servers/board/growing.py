"""Tables that grow, before and after new rows came in; no run from nothing would make the same ones."""

from __future__ import annotations

from collections.abc import Sequence

from flowforge_test_servers.board.world import Expected, Row, Version


def _rows(columns: str, *rows: Row) -> Expected:
    return Expected("table", tuple(columns.split()), tuple(sorted(rows, key=repr)))


def _model(settings: str, columns: str = "id, amount, day") -> str:
    return f"{{{{ config(materialized='incremental', {settings}) }}}}\nselect {columns} from {{{{ ref('raw') }}}}\n"


def _files(rows: Sequence[Row], widened: str) -> dict[str, str]:
    return {
        "project.yml": "name: board\nversion: 1\n",
        "seeds/raw.csv": "id,amount,day\n" + "".join(",".join(map(str, row)) + "\n" for row in rows),
        "models/checks.yml": "models: [{name: merged, columns: [{name: id, checks: [not_null, unique]}]}]\n",
        "models/merged.ff.sql": _model("unique_key='id', updated_at='day'"),
        "models/appended.ff.sql": _model("updated_at='day'"),
        "models/overwritten.ff.sql": _model("incremental_strategy='insert_overwrite', partition_by='day'"),
        "models/widened.ff.sql": _model(
            "incremental_strategy='delete+insert', unique_key='id', updated_at='day',"
            " on_schema_change='append_new_columns'",
            widened,
        ),
        "models/below.ff.sql": "select count(*) as n, max(day) as newest from {{ ref('merged') }}\n",
    }


_OLD: tuple[Row, ...] = ((1, 10, 1), (2, 20, 1), (3, 30, 2))
_NEW: tuple[Row, ...] = ((1, 11, 1), (3, 31, 2), (4, 40, 3))
_COLUMNS = "id amount day"

BEFORE = Version(
    _files(_OLD, "id, amount, day"),
    {
        "raw": _rows(_COLUMNS, *_OLD),
        "merged": _rows(_COLUMNS, *_OLD),
        "appended": _rows(_COLUMNS, *_OLD),
        "overwritten": _rows(_COLUMNS, *_OLD),
        "widened": _rows(_COLUMNS, *_OLD),
        "below": _rows("n newest", (3, 2)),
    },
)
AFTER = Version(
    _files(_NEW, "day, id, amount, id * 2 as twice"),
    {
        "raw": _rows(_COLUMNS, *_NEW),
        "merged": _rows(_COLUMNS, (1, 10, 1), (2, 20, 1), (3, 31, 2), (4, 40, 3)),
        "appended": _rows(_COLUMNS, *_OLD, (4, 40, 3)),
        "overwritten": _rows(_COLUMNS, *_NEW),
        "widened": _rows("id amount day twice", (1, 10, 1, None), (2, 20, 1, None), (3, 31, 2, 6), (4, 40, 3, 8)),
        "below": _rows("n newest", (4, 3)),
    },
)

HOOK = "delete from {{ this }} where 1 = 0"
"""Changes nothing, so that rows can be told from those that it was not run on."""


def _hooked(version: Version) -> Version:
    """The same project, with something that is run before and after each of its models."""
    hooks = f'models:\n  +pre_hook: "select 1 as one"\n  +post_hook: "{HOOK}"\n'
    return Version({**version.files, "project.yml": version.files["project.yml"] + hooks}, version.relations)


HOOKED_BEFORE, HOOKED_AFTER = _hooked(BEFORE), _hooked(AFTER)
