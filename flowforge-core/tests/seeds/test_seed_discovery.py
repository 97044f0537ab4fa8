"""Which files are seeds, under which names, with which declared types."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from flowforge.config.type_words import arrow_type, normal_word
from flowforge.contract import SeedFormat
from flowforge.errors import Problems, SeedError
from flowforge.project.manifest import NodeKind, SeedBody
from flowforge.seeds.content import content_hash
from flowforge.seeds.discover import SeedFiles, Surrounding, find_seeds
from flowforge.seeds.engine_words import EngineWords
from flowforge.seeds.formats import FORMATS
from flowforge.seeds.load import open_seed


def project(tmp_path: Path, files: dict[str, str]) -> Path:
    root = tmp_path / "project"
    (root / "seeds").mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def find(
    root: Path, formats: tuple[SeedFormat, ...] = FORMATS, around: Surrounding | None = None
) -> tuple[SeedFiles, list[str]]:
    problems = Problems()
    found = find_seeds(root, formats, problems, around=around)
    return found, [f"{error.code} {error.location}" for error in problems]


def types_of(found: SeedFiles) -> dict[str, dict[str, str]]:
    return {node.path: dict(node.body.types) for node in found.nodes if isinstance(node.body, SeedBody)}


def test_seeds_are_found_in_all_folders_by_suffix(tmp_path: Path) -> None:
    root = project(
        tmp_path,
        {
            **dict.fromkeys(
                ["seeds/users.csv", "seeds/raw/Orders.CSV", "seeds/raw/deep/x.y.parquet", "seeds/z.pq"], ""
            ),
            **dict.fromkeys(["seeds/.hidden.csv", "seeds/.git/a.csv", "seeds/README.md", "seeds/.csv", "m.csv"], ""),
        },
    )
    found, problems = find(root)
    assert problems == []
    assert [(node.name, node.path, node.body.suffix) for node in found.nodes if isinstance(node.body, SeedBody)] == [
        ("Orders", "seeds/raw/Orders.CSV", ".csv"),
        ("x.y", "seeds/raw/deep/x.y.parquet", ".parquet"),
        ("users", "seeds/users.csv", ".csv"),
        ("z", "seeds/z.pq", ".pq"),
    ]
    assert {node.kind for node in found.nodes} == {NodeKind.SEED}
    assert {node.materialized for node in found.nodes} == {"seed"}
    assert found.notes == ()


def test_no_folder_is_no_seeds(tmp_path: Path) -> None:
    assert find(tmp_path) == (SeedFiles(), [])


def test_a_name_with_sql_in_it_is_only_a_name(tmp_path: Path) -> None:
    name = 'x"; drop table users; --'
    found, problems = find(project(tmp_path, {f"seeds/{name}.csv": "id\n1\n"}))
    assert problems == []
    assert [node.relation.name for node in found.nodes] == [name]


def test_data_that_nothing_reads_is_noted(tmp_path: Path) -> None:
    files = ["seeds/a.xlsx", "seeds/b.psv", "seeds/c.json", "seeds/d.csv.gz", "seeds/notes.txt"]
    found, problems = find(project(tmp_path, dict.fromkeys(files, "")))
    assert (found.nodes, problems) == ((), [])
    assert [note.location.path for note in found.notes if note.location] == files[:4]
    assert {note.code for note in found.notes} == {"FF2208"}


def test_a_plugin_brings_further_suffixes(tmp_path: Path) -> None:
    format_ = SeedFormat("gz", (".csv.gz", ".gz"), lambda path, types: pa.table({}).to_reader())
    found, _ = find(project(tmp_path, {"seeds/d.csv.gz": "", "seeds/e.csv": ""}), (*FORMATS, format_))
    assert [node.name for node in found.nodes] == ["d", "e"]
    assert found.notes == ()


def test_links_out_of_the_project_are_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_text("id\n1\n")
    root = project(tmp_path, {"seeds/real.csv": "id\n", "data/in.csv": "id\n", "seeds/sub/a.csv": "id\n"})
    (root / "seeds/file.csv").symlink_to(outside / "secret.csv")
    (root / "seeds/folder").symlink_to(outside)
    (root / "seeds/inside.csv").symlink_to(root / "data/in.csv")
    (root / "seeds/loop").symlink_to(root / "seeds")
    found, problems = find(root)
    assert sorted(problems) == ["FF2206 seeds/file.csv", "FF2206 seeds/folder"]
    assert [node.name for node in found.nodes] == ["inside", "real", "a"]
    for path in ("seeds/file.csv", "../outside/secret.csv", str(outside / "secret.csv")):
        with pytest.raises(SeedError) as caught:
            open_seed(root, path, FORMATS[0], {})
        assert caught.value.code == "FF2206"


def test_the_folder_itself_may_not_lead_out(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/a.csv").write_text("id\n")
    root = tmp_path / "project"
    root.mkdir()
    (root / "seeds").symlink_to(tmp_path / "outside")
    found, problems = find(root)
    assert (found.nodes, problems) == ((), ["FF2206 seeds"])


# -- schema.yml ----------------------------------------------------------------------------------------------------


def test_types_are_declared_by_stem_path_or_dots(tmp_path: Path) -> None:
    schema = """
version: 1
columns:
  users: {id: bigint, zip: String}
  raw/orders:
    amount: {type: "numeric( 10 , 2 )"}
  raw.items: {day: date}
"""
    files = dict.fromkeys(["seeds/users.csv", "seeds/raw/orders.csv", "seeds/raw/items.csv"], "")
    found, problems = find(project(tmp_path, {**files, "seeds/schema.yml": schema}))
    assert problems == []
    assert types_of(found) == {
        "seeds/raw/items.csv": {"day": "date"},
        "seeds/raw/orders.csv": {"amount": "numeric(10,2)"},
        "seeds/users.csv": {"id": "bigint", "zip": "string"},
    }
    assert found.notes == ()


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ("columns: {user: {id: bigint}}", "FF2207 seeds/schema.yml:1:11"),
        ("columns:\n  users:\n    id: money", "FF2207 seeds/schema.yml:3:9"),
        ("columns:\n  users:\n    id: numeric(39,2)", "FF2207 seeds/schema.yml:3:9"),
        ("columns:\n  users:\n    id: numeric(2,3)", "FF2207 seeds/schema.yml:3:9"),
        ("columns:\n  users:\n    id: 5", "FF1005 seeds/schema.yml:3:9"),
        ("columns:\n  users:\n    id: {type: bigint, engines: {x: INT9}}", "FF2207 seeds/schema.yml:3:37"),
        ("columns:\n  users:\n    id: {type: bigint, engines: {duckbd: text}}", "FF4003 seeds/schema.yml:3:34"),
        ("columns:\n  users:\n    id: bigint\n    ID: bigint", "FF2207 seeds/schema.yml:4:5"),
        ("columns:\n  users:\n    id: {typ: bigint}", "FF1004 seeds/schema.yml:3:10"),
        ("columns:\n  users: {}\n  raw/users: {}\nx: 1", "FF1004 seeds/schema.yml:4:1"),
        ("columns:\n  users: {}\n  more: {}", "FF2207 seeds/schema.yml:3:3"),
        ("targets: {user: {schema: raw}}", "FF2207 seeds/schema.yml:1:11"),
        ("targets: {users: {schem: raw}}", "FF1004 seeds/schema.yml:1:19"),
        ("targets: {users: {table: ''}}", "FF1005 seeds/schema.yml:1:26"),
        ("targets: {users: {schema_by_engine: {duckbd: raw}}}", "FF4003 seeds/schema.yml:1:38"),
        ("dtypes: {users: {id: int65}}", "FF2207 seeds/schema.yml:1:22"),
        ("dtypes: {users: {id: 'datetime64[ns, Asia/Tokyo]'}}", "FF2207 seeds/schema.yml:1:22"),
        ("dtypes: {users: {id: int64}}\ncolumns: {users: {ID: text}}", "FF2207 seeds/schema.yml:2:23"),
        ("seeds: [{name: users, config: {sheme: x}}]", "FF1004 seeds/schema.yml:1:32"),
        ("columns: [users]", "FF1005 seeds/schema.yml:1:10"),
        ("columns: {users: {id: bigint}", "FF1002 seeds/schema.yml"),
        ("version: 3", "FF1005 seeds/schema.yml:1:10"),
    ],
)
def test_what_schema_yml_gets_wrong_is_reported_with_its_place(tmp_path: Path, schema: str, problem: str) -> None:
    engines = EngineWords(lambda: ("duckdb",), lambda: ("duckdb", "postgres"))
    found, problems = find(
        project(tmp_path, {"seeds/users.csv": "", "seeds/schema.yml": schema}), around=Surrounding(engines=engines)
    )
    assert problem in [one if problem.count(":") else one.split(":")[0] for one in problems]
    assert [node.name for node in found.nodes] == ["users"]


def test_one_seed_under_two_names_is_refused(tmp_path: Path) -> None:
    schema = "columns:\n  users: {id: bigint}\n  raw/users: {id: string}\n"
    _, problems = find(project(tmp_path, {"seeds/raw/users.csv": "", "seeds/schema.yml": schema}))
    assert problems == ["FF2207 seeds/schema.yml:3:3"]


def test_an_empty_schema_yml_is_fine(tmp_path: Path) -> None:
    _, problems = find(project(tmp_path, {"seeds/users.csv": "", "seeds/schema.yml": "# nothing yet\n"}))
    assert problems == []


def test_every_word_has_a_type() -> None:
    assert arrow_type("INTEGER") == pa.int32()
    assert arrow_type("numeric") == pa.decimal128(38, 9)
    assert arrow_type("numeric(7)") == pa.decimal128(7, 0)
    assert normal_word(" Numeric (7 , 2) ") == "numeric(7,2)"
    with pytest.raises(ValueError, match="unknown column type 'strin'; did you mean 'string'"):
        arrow_type("strin")


# -- opening -------------------------------------------------------------------------------------------------------


def test_the_content_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"x" * 3_000_000)
    assert content_hash(file) == hashlib.blake2b(b"x" * 3_000_000, digest_size=20).hexdigest()


def test_what_another_reader_raises_becomes_a_seed_error(tmp_path: Path) -> None:
    (tmp_path / "a.odd").write_text("")

    def fails(path: Path, types: object) -> pa.RecordBatchReader:
        raise KeyError("sheet 1")

    def fails_later(path: Path, types: object) -> pa.RecordBatchReader:
        schema = pa.schema([("a", pa.int64())])

        def rows() -> Iterator[pa.RecordBatch]:
            yield pa.record_batch({"a": pa.array([1], pa.int64())})
            raise RuntimeError("page 2 is torn\nmore")

        return pa.RecordBatchReader.from_batches(schema, rows())

    with pytest.raises(SeedError, match="the format 'odd' cannot read this seed: 'sheet 1'") as caught:
        open_seed(tmp_path, "a.odd", SeedFormat("odd", (".odd",), fails), {})
    assert str(caught.value.location) == "a.odd"
    reader = open_seed(tmp_path, "a.odd", SeedFormat("odd", (".odd",), fails_later), {})
    with pytest.raises(SeedError, match=r"page 2 is torn$"):
        reader.read_all()
