"""Unit tests that are written from live rows: exact, in place of nothing, and they pass at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowforge import Project
from flowforge.api.unit_creation import create_test, inputs_of
from flowforge.api.unit_tests import find_cases, run_cases
from flowforge.errors import FlowForgeError

Make = Callable[..., Project]

ODD = 'it\'s "so"; {{ a }} # é \x07 \u2028 \ufeff 🦶\n- x: [1]'
WIDE = {
    "models/wide.ff.sql": "select i::tinyint as tiny, (i * 1000000007)::hugeint * 1000000007 as huge, i / 7 as ratio,\n"
    "  1e-7 * i as small, 1e300 * i as large, case when i = 2 then 'nan'::double when i = 3 then null else 0.5 end as odd,\n"
    "  (i * 1.10)::decimal(12, 4) as price, i % 2 = 0 as even, date '2024-02-28' + i::integer as day,\n"
    "  timestamp '2024-02-29 23:59:59.123456' + to_hours(i) as at, timestamptz '2024-02-29 23:59:59.5+02' as atz,\n"
    f"  case i when 1 then '{ODD.replace(chr(39), chr(39) * 2).replace('{{', '{').replace('}}', '}')}' when 2 then '' when 3 then null else '007' end as word,\n"
    '  \'yes\' as "yes", i as "two words"\nfrom range(1, 6) t(i)\n',
    "models/read.ff.sql": "{{ config(materialized='view') }}\n"
    "select *, price * 3 as total, [tiny, null] as list, {'a': word, 'b': i} as pair, time '10:00' as hour\n"
    "from {{ ref('wide') }}, range(2) t(i) where odd is null or not isnan(odd)\n",
}


def passes(project: Project, path: str) -> None:
    (result,) = run_cases(project, find_cases(project, path=path))
    assert result.status == "pass", (project.root / path).read_text("utf-8") + "\n".join(result.lines)


def test_values_of_all_kinds_come_back(make: Make) -> None:
    project = make(WIDE)
    project.build()
    with pytest.raises(FlowForgeError, match="cannot be run on its rows") as caught:
        create_test(project, "read", rows=3)  # an input's NaN has no portable literal
    assert caught.value.notes == ("a unit test cannot hold the columns wide.odd",)
    wide = create_test(project, "wide")
    passes(project, wide.path)
    assert wide.expected == 5
    text = (project.root / wide.path).read_text("utf-8")
    assert 'columns: {price: "numeric(38,1)"}' in text
    assert "\x07" not in text
    assert "\ufeff" not in text
    project = make(
        {**WIDE, "models/wide.ff.sql": WIDE["models/wide.ff.sql"].replace("'nan'::double", "0.25")}, name="sound"
    )
    project.build()
    read = create_test(project, "read.ff", rows=3)
    passes(project, read.path)
    assert read.inputs == {"wide": 3}
    assert read.left_out == {"read": ("hour",)}
    assert create_test(project, "read", rows=3, force=True) == read
    again = (project.root / read.path).read_text("utf-8")
    assert "two words" in again
    assert "# without hour: time64[us]" in again
    assert [path.name for path in (project.root / "tests/unit").iterdir() if path.name.startswith(".")] == []


TIME = {
    "seeds/raw.csv": "id,day\n1,2024-01-01\n2,2999-01-01\n",
    "models/past.ff.sql": "select id, current_date - day as age from {{ ref('raw') }} where day < current_date\n",
}


def test_a_model_that_asks_the_clock_has_its_time_written(make: Make) -> None:
    project = make(TIME)
    project.build()
    made = create_test(project, "past")
    text = (project.root / made.path).read_text("utf-8")
    assert "    now: " in text
    passes(project, made.path)
    with pytest.raises(FlowForgeError, match="is there already"):
        create_test(project, "past")


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("select id, random() as r from {{ ref('raw') }}", "other rows each time"),
        ("select id from {{ ref('unbuilt') }}", "does not exist"),
        ("select id from {{ ref('raw') }} where list_contains([1], id) and '{{ env('FF_SECRET_X') }}' <> ''", None),
    ],
)
def test_what_cannot_be_written_leaves_nothing(make: Make, sql: str, says: str | None) -> None:
    files = {"seeds/raw.csv": "id\n1\n", "models/m.ff.sql": sql + "\n", "models/unbuilt.ff.sql": "select 1 as id\n"}
    project = make({**files, ".env": "FF_SECRET_X=hush\n"})
    project.build(["raw"])
    if says is None:
        assert create_test(project, "m").expected == 1
        assert "hush" not in (project.root / "tests/unit/m.yml").read_text("utf-8")
        return
    with pytest.raises(FlowForgeError, match=says):
        create_test(project, "m")
    assert list((project.root / "tests/unit").iterdir()) == []


@pytest.mark.parametrize("path", ["../m.yml", "tests/m.yml", "tests/unit/sub/m.yml", "tests/unit/m.txt", "/tmp/m.yml"])
def test_the_file_stands_where_it_is_found(make: Make, path: str) -> None:
    project = make({"models/m.ff.sql": "select 1 as id\n"})
    with pytest.raises(FlowForgeError) as caught:
        create_test(project, "m", path=path)
    assert caught.value.code == "FF3016"
    assert not (project.root / "tests").exists()


def test_a_secret_is_not_written(make: Make) -> None:
    project = make(
        {
            ".env": "FF_SECRET_X=hush-hush\n",
            "seeds/raw.csv": "id,word\n1,my hush-hush word\n",
            "models/m.ff.sql": "select * from {{ ref('raw') }}\n",
        }
    )
    project.build()
    with pytest.raises(FlowForgeError, match="hold a secret") as caught:
        create_test(project, "m")
    assert "hush-hush" not in str(caught.value)
    assert list((project.root / "tests/unit").iterdir()) == []


def test_the_command(shop: Any) -> None:
    shop("build")
    made = shop("utest", "--create", "c", "--rows", "1")
    assert made.out == "tests/unit/c.yml\n"
    assert "It gives 1 row of b, and expects 1 row." in made.err
    assert shop("utest").err.splitlines()[-1] == "unit tests: 1 passed"
    assert shop("utest", "--create", "c", ok=False).code == 1
    assert shop("utest", "--create", "c", "--force").code == 0
    assert shop("utest", "--create", "raw", ok=False).code == 1
    for wrong in (["--create", "c", "--case", "x"], ["--rows", "3"], ["--force"]):
        assert shop("utest", *wrong, ok=False).code == 64


EXAMPLES = Path(__file__).parents[2] / "examples"
SHOWN = sorted(path.name for path in EXAMPLES.iterdir() if (path / "project.yml").exists())
QUICK = ("checked_invoices",)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.full) for name in SHOWN]
)
def test_models_of_the_examples(name: str, tmp_path: Path) -> None:
    import shutil

    ignored = shutil.ignore_patterns(".flowforge", "*.duckdb*", "__pycache__")
    root = shutil.copytree(EXAMPLES / name, tmp_path / name, ignore=ignored)
    with Project.load(root, env="dev", engine="duckdb", environ={}) as project:
        project.build()
        for node in project.manifest.nodes.values():
            if node.kind.value == "seed" or not _can_run(project, node.name):
                continue
            made = create_test(project, node.short_name, path=f"tests/unit/live_{node.short_name}.yml", rows=7)
            assert set(made.inputs) == {one.removesuffix(".ff") for one in inputs_of(node, project.manifest)}
            passes(project, made.path)


def _can_run(project: Project, name: str) -> bool:
    node = project.manifest.nodes[name]
    return all(
        one in project.manifest.sources or project.manifest.nodes[one].config.enabled is not False
        for one in inputs_of(node, project.manifest)
    )
