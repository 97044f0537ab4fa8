"""``sources.yml`` in both forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowforge.config.source_places import Place
from flowforge.config.sources import SourceDecl, load_sources
from flowforge.errors import FlowForgeError, Problems


def read(root: Path, text: str) -> tuple[tuple[SourceDecl, ...], list[FlowForgeError]]:
    (root / "sources.yml").write_text(text)
    problems = Problems()
    return load_sources(root, problems), list(problems)


def good(root: Path, text: str) -> tuple[SourceDecl, ...]:
    found, problems = read(root, text)
    assert not problems
    return found


def flaws(root: Path, text: str) -> list[FlowForgeError]:
    return read(root, text)[1]


FULL = """\
version: 1
sources:
  - name: crm
    schema: raw
    database: lake
    description: The CRM
    tables:
      - name: users
        identifier: seed_users
        description: People
        columns:
          - {name: id, description: The key}
          - name: email
      - {name: orders, schema: other}
  - name: web
    tables: [{name: users}]
"""


def test_the_versioned_form(tmp_path: Path) -> None:
    users, orders, web = good(tmp_path, FULL)
    assert users.id == "crm.users"
    assert users.declared.on() == Place("seed_users", "raw", "lake")
    assert users.description == "People"
    assert users.columns == {"id": "The key", "email": None}
    assert str(users.location) == "sources.yml:8:15"
    assert orders.declared.on() == Place("orders", "other", "lake")
    assert (web.id, web.declared.on()) == ("web.users", Place("users"))


def test_the_bare_form(tmp_path: Path) -> None:
    found = good(tmp_path, "crm:\n  users: {identifier: seed_users}\n  orders:\nweb: {hits: {schema: logs}}\nnone:\n")
    assert [(entry.id, entry.declared.on()) for entry in found] == [
        ("crm.users", Place("seed_users")),
        ("crm.orders", Place("orders")),
        ("web.hits", Place("hits", "logs")),
    ]
    assert [str(entry.location) for entry in found] == ["sources.yml:2:3", "sources.yml:3:3", "sources.yml:4:7"]


@pytest.mark.parametrize("text", ["", "version: 2\n", "version: 1\nsources:\n", "sources: []\n", "{}"])
def test_files_without_sources(tmp_path: Path, text: str) -> None:
    assert good(tmp_path, text) == ()


def test_no_file(tmp_path: Path) -> None:
    problems = Problems()
    assert load_sources(tmp_path, problems) == ()
    assert not len(problems)


@pytest.mark.parametrize(
    ("text", "code", "line", "words"),
    [
        ("version: 3\nsources: []", "FF1005", 1, "one of 1, 2"),
        ("sources: {crm: {}}", "FF1005", 1, "a list"),
        ("sources:\n  - name: a", "FF1006", 2, "'tables'"),
        ("sources:\n  - tables: []", "FF1006", 2, "'name'"),
        ("sources:\n  - name: a\n    tables: [{identifier: x}]", "FF1006", 3, "'name'"),
        ("sources:\n  - name: a\n    tables: [x]", "FF1005", 3, "a mapping"),
        ("sources:\n  - name: a\n    shema: x\n    tables: []", "FF1004", 3, "'shema'"),
        ("sources:\n  - name: a\n    tables: [{name: t, identifer: x}]", "FF1004", 3, "'identifer'"),
        ("sources:\n  - name: a\n    tables: [{name: t}, {name: t}]", "FF1009", 3, "'a.t'"),
        ("sources:\n  - {name: a, tables: []}\n  - {name: a, tables: []}", "FF1009", 3, "'a'"),
        ("sources:\n  - name: a\n    tables: [{name: t, columns: [{name: c}, {name: c}]}]", "FF1009", 3, "'c'"),
        ("sources:\n  - name: a\n    tables: [{name: t, identifier: ''}]", "FF1005", 3, "'identifier'"),
        ("sources:\n  - name: a\n    tables: [{name: t, identifier: 5}]", "FF1005", 3, "'identifier'"),
        ("sources:\n  - name: a\n    overrides: {x: 1}\n    tables: []", "FF1005", 3, "'x'"),
        ("sources:\n  - name: a\n    overrides: {x: {name: y}}\n    tables: []", "FF1004", 3, "'name'"),
        ("sources:\n  - name: a\n    quoting: {schema: true}\n    tables: []", "FF1007", 3, "'quoting'"),
        ("sources:\n  - name: a\n    loader: x\n    tables: []", "FF1007", 3, "'loader'"),
        ("sources:\n  - name: a\n    catalog: x\n    database: y\n    tables: []", "FF1004", 4, "mean the same"),
        ("sources:\n  - name: a\n    tables: [{name: t, project: x, catalog: y}]", "FF1004", 3, "mean the same"),
        ("sources:\n  - name: a\n    tables: [{name: t, dataset: x, schema: y}]", "FF1004", 3, "mean the same"),
        ("sources:\n  - name: a\n    tables: [{name: t, tests: [unique], checks: []}]", "FF1004", 3, "mean the same"),
        ("sources:\n  - name: a\n    tables: [{name: t, location: x.csv, schema: y}]", "FF1028", 3, "'schema'"),
        ("sources:\n  - name: a\n    location: x.csv\n    schema: y\n    tables: []", "FF1028", 4, "'schema'"),
        ("sources:\n  - name: a\n    tables: [{name: t, format: csv}]", "FF1028", 3, "'format' says nothing"),
        ("sources:\n  - name: a\n    options: {a: 1}\n    tables: [{name: t}]", "FF1028", 3, "'options' says nothing"),
        (
            "sources: [{name: a, location: x.csv, tables:\n [{name: t, overrides: {e: {identifier: y, format: z}}}]}]",
            "FF1028",
            2,
            "'format' says nothing",
        ),
        ("sources:\n  - name: a\n    overrides: {'*': {}, any: {}}\n    tables: []", "FF1028", 3, "the same as '*'"),
        ("sources:\n  - name: a\n    tables: [{name: t, location: ../x.csv}]", "FF1005", 3, "out of the project"),
        ("sources:\n  - name: a\n    tables: [{name: t, location: a/../../x}]", "FF1005", 3, "out of the project"),
        ("sources:\n  - name: a\n    tables: [{name: t, location: ''}]", "FF1005", 3, "'location'"),
        (
            "sources:\n  - name: a\n    location: '{name}.csv'\n    tables: [{name: '../x'}]",
            "FF1028",
            3,
            "out of the project",
        ),
        ("version: 1\ncrm: {users: {}}", "FF1004", 2, "'crm'"),
        ("crm: [users]", "FF1005", 1, "a mapping"),
        ("crm:\n  users: seed_users", "FF1005", 2, "a mapping"),
        ("crm:\n  users: {identifer: a}", "FF1004", 2, "'identifer'"),
        ("crm:\n  '': {}", "FF1005", 2, "empty"),
        ("crm: {users: {}}\ncrm: {orders: {}}", "FF1003", 2, "'crm'"),
        ("[a]", "FF1005", 1, "mapping"),
        ("5", "FF1005", 1, "mapping"),
    ],
)
def test_what_is_wrong_has_a_code_and_a_line(tmp_path: Path, text: str, code: str, line: int, words: str) -> None:
    (error,) = flaws(tmp_path, text)
    assert error.code == code
    assert words in error.message
    assert error.location is not None
    assert (error.location.path, error.location.line) == ("sources.yml", line)


def test_two_spellings_of_one_id_are_found(tmp_path: Path) -> None:
    (error,) = flaws(tmp_path, "sources: [{name: a.b, tables: [{name: c}]}, {name: a, tables: [{name: b.c}]}]")
    assert "'a.b.c'" in error.message


def test_awkward_names_are_kept_as_they_are(tmp_path: Path) -> None:
    (entry,) = good(tmp_path, "sources: [{name: a, tables: [{name: t, identifier: 'x\"; drop table y; --'}]}]")
    assert entry.declared.on().identifier == 'x"; drop table y; --'


CHANGES = """\
version: 1
sources:
  - name: g
    {group}
    tables:
      - name: t
        {table}
      - name: u
"""


@pytest.mark.parametrize(
    ("group", "table", "first", "second"),
    [
        ("schema: s", "schema: s", (False, None), (False, None)),
        ("assume_unchanged: true", "schema: s", (True, None), (True, None)),
        ("assume_unchanged: true", "assume_unchanged: false", (False, None), (True, None)),
        ("schema: s", "assume_unchanged: true", (True, None), (False, None)),
        ("{append_only: true, loaded_at_field: at}", "schema: s", (False, "at"), (False, "at")),
        ("{append_only: true, loaded_at: at}", "loaded_at: other", (False, "other"), (False, "at")),
        ("{append_only: true, loaded_at: at}", "append_only: false", (False, None), (False, "at")),
        ("loaded_at_field: at", "append_only: true", (False, "at"), (False, None)),
    ],
)
def test_how_tables_change(
    tmp_path: Path, group: str, table: str, first: tuple[bool, str | None], second: tuple[bool, str | None]
) -> None:
    group = group.strip("{}").replace(", ", "\n    ")
    found = good(tmp_path, CHANGES.format(group=group, table=table))
    assert [(entry.assume_unchanged, entry.loaded_at) for entry in found] == [first, second]


def test_how_tables_change_in_the_bare_form(tmp_path: Path) -> None:
    text = "g:\n  t: {append_only: true, loaded_at_field: at}\n  u: {assume_unchanged: true}\n"
    assert [(entry.assume_unchanged, entry.loaded_at) for entry in good(tmp_path, text)] == [
        (False, "at"),
        (True, None),
    ]


@pytest.mark.parametrize(
    ("group", "table", "place"),
    [
        ("schema: s", "loaded_at_field: at", "sources.yml:7:9"),
        ("loaded_at: at", "schema: s", "sources.yml:4:5"),
        ("schema: s", "append_only: true", "sources.yml:7:9"),
        ("schema: s", "{append_only: false, loaded_at: at}", "sources.yml:8:9"),
        ("assume_unchanged: maybe", "schema: s", "sources.yml:4:23"),
        ("append_only: true", "loaded_at: at", "sources.yml:4:5"),
    ],
)
def test_keys_that_would_say_nothing(tmp_path: Path, group: str, table: str, place: str) -> None:
    (flaw,) = flaws(tmp_path, CHANGES.format(group=group, table=table.strip("{}").replace(", ", "\n        ")))
    assert str(flaw.location) == place
    assert bool(flaw.help) is (flaw.code == "FF1006")


PLACES = """\
version: 1
sources:
  - name: lake
    schema: raw
    catalog: main
    options: {header: true, sep: ";"}
    overrides:
      any: {dataset: everywhere}
      spark: {location: "s3://lake/{name}/", format: parquet, options: {mergeSchema: true}}
    tables:
      - name: users
        identifier: people
      - name: events
        location: data/events.csv
        options: {sep: "|"}
        overrides:
          duck: {location: data/all/, format: parquet}
          pg: {project: other, identifier: ev}
          spark: {schema: silver}
"""


@pytest.mark.parametrize(
    ("table", "engine", "expected"),
    [
        ("users", (), ("people", "raw", "main", None, None)),
        ("users", ("pg",), ("people", "everywhere", "main", None, None)),
        ("users", ("spark",), ("users", None, None, "s3://lake/users/", "parquet")),
        ("events", (), ("events", None, None, "data/events.csv", None)),
        ("events", ("duck",), ("events", None, None, "data/all/", "parquet")),
        ("events", ("other",), ("events", "everywhere", None, None, None)),
        ("events", ("postgres", "pg"), ("ev", "everywhere", "other", None, None)),
        ("events", ("spark",), ("events", "silver", None, None, "parquet")),
    ],
)
def test_the_nearest_word_about_the_place_wins(
    tmp_path: Path, table: str, engine: tuple[str, ...], expected: tuple[str | None, ...]
) -> None:
    entries = {entry.table: entry.declared.on(engine) for entry in good(tmp_path, PLACES)}
    place = entries[table]
    assert (place.identifier, place.schema, place.database, place.location, place.format) == expected


def test_options_are_joined_by_their_names(tmp_path: Path) -> None:
    users, events = (entry.declared for entry in good(tmp_path, PLACES))
    assert events.on().options == {"header": True, "sep": "|"}
    assert users.on(("spark",)).options == {"header": True, "sep": ";", "mergeSchema": True}
    assert str(events.on().written) == "sources.yml:14:9"


def test_two_names_of_one_engine_clash(tmp_path: Path) -> None:
    (entry,) = good(tmp_path, "g: {t: {overrides: {postgres: {schema: a}, pg: {schema: b}}}}")
    (flaw,) = entry.declared.clashes(("postgres", "pg"))
    assert flaw.code == "FF1028"
    assert "'pg' is the same engine as 'postgres'" in flaw.message
    assert not list(entry.declared.clashes(("duckdb",)))


def test_words_for_people_and_selectors(tmp_path: Path) -> None:
    text = """\
version: 1
sources:
  - name: crm
    description: All of it
    tags: [daily, pii]
    meta: {owner: ada, level: 1}
    tables:
      - name: users
        tags: pii
        meta: {level: 2}
        data_tests: [{row_count_between: {min_rows: 1}}]
        columns:
          - {name: id, tests: [unique, not_null]}
"""
    (users,) = good(tmp_path, text)
    assert (users.group_description, users.tags) == ("All of it", ("daily", "pii"))
    assert users.meta == {"owner": "ada", "level": 2}
    assert [(check.type, check.table, check.column) for check in users.checks] == [
        ("row_count_between", "crm.users", None),
        ("unique", "crm.users", "id"),
        ("not_null", "crm.users", "id"),
    ]
    assert str(users.checks[1].location).startswith("sources.yml:13:")
