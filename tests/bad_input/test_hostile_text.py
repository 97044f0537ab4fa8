"""Text that tries to be more than text: templates that reach out, names that are SQL, links that lead away."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from flowforge import Project as LoadedProject
from flowforge.builtin import flowforge_checks, flowforge_seed_formats
from flowforge.contract import EngineSpec, Executor
from flowforge.errors import DuplicateNameError, ProjectErrors
from flowforge.plugins import PluginInfo, PluginSet
from flowforge.plugins.pluginset import Offers
from flowforge_duckdb.dialect import DuckDBDialect
from flowforge_duckdb.plugin import ENGINE

REPOSITORY = Path(__file__).parents[2]

Project = Callable[[Mapping[str, str | bytes]], Path]
Flowforge = Callable[..., Any]
Read = Callable[[Path, str], list[tuple[Any, ...]]]

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ref.__globals__['__builtins__']['open']('MARK', 'w') }}",
    "{{ self.__init__.__globals__.__builtins__.__import__('os').system('touch MARK') }}",
    "{{ cycler.__init__.__globals__.os.popen('touch MARK').read() }}",
    "{{ ''|attr('__cla' ~ 'ss__') }}",
    "{{ '{0.__class__.__init__.__globals__}'.format(ref) }}",
    "{% import 'os' as os %}{{ os.system('touch MARK') }}",
    "{% include '/etc/passwd' %}",
    "{{ config.__class__.__base__.__subclasses__() }}",
    "{{ namespace.__init__.__globals__['os'].system('touch MARK') }}",
]  # fmt: skip


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[Path]:
    """A file that a payload would make."""
    path = tmp_path / "mark"
    yield path
    assert not path.exists()


@pytest.mark.parametrize("payload", ESCAPES)
def test_a_model_reaches_nothing_but_its_names(
    payload: str, mark: Path, project: Project, flowforge: Flowforge
) -> None:
    text = payload.replace("MARK", str(mark))
    folder = project({"models/bad.ff.sql": f"select\n  {text} as x"})
    for command in ("build", "compile", "validate"):
        outcome = flowforge(folder, command)
        assert outcome.code == 1
        assert set(outcome.codes) <= {"FF1411", "FF1401", "FF1410", "FF1407"}
        assert "models/bad.ff.sql:2" in outcome.text
        assert "root:" not in outcome.text


@pytest.mark.parametrize("payload", ESCAPES)
def test_a_profile_reaches_nothing_but_its_functions(
    payload: str, mark: Path, project: Project, flowforge: Flowforge
) -> None:
    text = payload.replace("MARK", str(mark)).replace("'", "''")
    folder = project({"profiles.yml": f"dev:\n  engine: duckdb\n  duckdb: {{path: '{text}'}}\n"})
    outcome = flowforge(folder, "build")
    assert outcome.code == 1
    assert set(outcome.codes) <= {"FF1304"}
    assert "profiles.yml:3" in outcome.text


@pytest.mark.parametrize("payload", ESCAPES)
def test_values_and_descriptions_are_data(
    payload: str, mark: Path, project: Project, flowforge: Flowforge, read: Read
) -> None:
    text = payload.replace("MARK", str(mark))
    quoted = text.replace("'", "''")
    folder = project(
        {
            "models/fine.ff.sql": "select $x${{ var('given') }}$x$ as a, $x${{ var('written') }}$x$ as b",
            "project.yml": f"name: a\nversion: 1\nvars:\n  written: '{quoted}'\n",
            "models/fine.yml": f"version: 1\nmodels:\n  - {{name: fine, description: '{quoted}', tags: ['{quoted}']}}\n",
        }
    )
    outcome = flowforge(folder, "build", "--vars", f"given='{quoted}'")
    assert outcome.code == 0, outcome.text
    assert read(folder, "from fine") == [(text, text)]


EVIL = ['x"; drop table y; --', "x'; drop table y; --", "x`; drop table y; --", "y; drop table y", 'y" as select 1; --',
        "--", "*", "x\\", "/*"]  # fmt: skip


@pytest.mark.parametrize("name", [name for name in EVIL if "/" not in name])
def test_the_name_of_a_seed_is_no_sql(name: str, project: Project, flowforge: Flowforge, read: Read) -> None:
    folder = project({"models/y.ff.sql": "select 42 as kept", f"seeds/{name}.csv": "a\n1\n2\n"})
    for _ in range(2):
        outcome = flowforge(folder, "build")
        assert outcome.code == 0, outcome.text
    quoted = '"' + name.replace('"', '""') + '"'
    assert read(folder, f"select sum(a)::int from {quoted}") == [(3,)]
    assert read(folder, "from y") == [(42,)]


@pytest.mark.parametrize("name", EVIL)
def test_headers_columns_aliases_and_schemas_are_no_sql(
    name: str, project: Project, flowforge: Flowforge, read: Read
) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    literal = "'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'"
    escaped = name.replace("'", "''")
    folder = project(
        {
            "models/y.ff.sql": "select 42 as kept",
            "models/aliased.ff.sql": f"{{{{ config(alias={literal}, schema={literal}) }}}} select a from {{{{ ref('s') }}}}",
            "models/reader.ff.sql": "select * from {{ ref('aliased') }}",
            "models/python.ff.py": "from flowforge import model\n\n\n@model(deps=['s'])\ndef python(s):\n    return s\n",
            "seeds/s.csv": f"a,{quoted}\n1,2\n",
            "project.yml": "name: a\nversion: 1\ntests:\n"
            f"  - {{type: not_null, table: s, column: '{escaped}'}}\n"
            f"  - {{type: unique, table: python, column: '{escaped}'}}\n",
        }
    )
    outcome = flowforge(folder, "build")
    assert outcome.code == 0, outcome.text
    assert read(folder, f"select {quoted} from python") == [(2,)]
    assert read(folder, "from reader") == [(1,)]
    assert read(folder, "from y") == [(42,)]


@pytest.mark.parametrize("what", ["models/out.ff.sql", "models/out.ff.py", "seeds/out.csv", "models/folder", "seeds/folder",
                                  "seeds/schema.yml", "models/out.yml"])  # fmt: skip
def test_a_link_out_of_the_project_shows_nothing_of_what_is_there(
    what: str, tmp_path: Path, project: Project, flowforge: Flowforge
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("secret.csv", "secret.ff.sql", "secret.ff.py", "secret.yml"):
        (outside / name).write_text("Hunter2,Hunter2\n1,2\n")
    folder = project({"seeds/fine_seed.csv": "a\n1\n"})
    link = folder / what
    target = outside if "." not in link.name else outside / ("secret" + what[what.index(".") :])
    link.symlink_to(target)
    outcome = flowforge(folder, "build")
    assert outcome.code == 1, outcome.text
    assert "Hunter2" not in outcome.text
    assert what in outcome.text


@pytest.mark.parametrize("name", ["models/pipe.ff.sql", "models/pipe.ff.py", "models/pipe.yml", "seeds/pipe.csv",
                                  "seeds/pipe.parquet", "seeds/schema.yml"])  # fmt: skip
def test_a_pipe_is_not_waited_for(name: str, project: Project, flowforge: Flowforge) -> None:
    folder = project({"seeds/s.csv": "a\n1\n"})
    os.mkfifo(folder / name)
    outcome = flowforge(folder, "build")
    assert outcome.codes == ["FF1012"]
    assert f"--> {name}" in outcome.text


def test_a_link_that_goes_nowhere_or_round_is_named(project: Project, flowforge: Flowforge) -> None:
    folder = project({})
    (folder / "models/round").symlink_to(folder / "models")
    (folder / "models/gone.ff.sql").symlink_to(folder / "nowhere")
    outcome = flowforge(folder, "build")
    assert outcome.code in (0, 1)
    assert "models/gone.ff.sql" in outcome.text


class ShortDialect(DuckDBDialect):
    """DuckDB's rules with the limit of a well-known server."""

    max_identifier_bytes: ClassVar[int | None] = 63


def short_names() -> PluginSet:
    """DuckDB as an engine that cuts names after 63 bytes."""

    def load() -> Callable[[Any], Executor]:
        def make(settings: Any) -> Executor:
            executor = ENGINE.load()(settings)
            executor.dialect = ShortDialect()
            return executor

        return make

    spec = EngineSpec(
        name="duckdb",
        summary="short names",
        settings=ENGINE.settings,
        load=load,
        capabilities=ENGINE.capabilities,
        zero_config=True,
    )
    offers = Offers(
        engines={"duckdb": spec},
        checks={check.name: check for check in flowforge_checks()},
        seed_formats={suffix: one for one in flowforge_seed_formats() for suffix in one.suffixes},
    )
    return PluginSet([PluginInfo("short", "short", "1", "active")], offers)


@pytest.mark.parametrize("letter", ["a", "é", "日"])
def test_names_that_an_engine_would_cut_are_refused(letter: str, project: Project) -> None:
    length = 64 // len(letter.encode()) + 1
    one, two = letter * length + "1", letter * length + "2"
    folder = project({f"models/{name}.ff.sql": "select 1 as x" for name in (one, two)})
    with LoadedProject.load(folder, environ={}, plugins=short_names()) as loaded:
        with pytest.raises((DuplicateNameError, ProjectErrors)) as caught:
            loaded.build()
        errors = caught.value.errors if isinstance(caught.value, ProjectErrors) else (caught.value,)
        assert {error.code for error in errors} == {"FF1205"}
        assert {str(error.location) for error in errors} == {f"models/{one}.ff.sql", f"models/{two}.ff.sql"}
        assert "63" in str(caught.value)
        assert any("same" in note for error in errors for note in error.notes)


@pytest.mark.parametrize("letter", ["a", "é", "日"])
def test_names_that_just_fit_keep_their_rows_apart(letter: str, project: Project, read: Read) -> None:
    stem = letter * (62 // len(letter.encode()))
    names = [stem + "1", stem + "2"]
    folder = project(
        {
            **{f"models/{name}.ff.sql": f"select {index} as x" for index, name in enumerate(names)},
            **{f"models/p{index}.ff.py": "from flowforge import model\n\n\n"
               f"@model(deps=['{name}'], alias='{'p' * 61}{index}', materialized='view')\ndef f(frame):\n    return frame\n"
               for index, name in enumerate(names)},
        }
    )  # fmt: skip
    with LoadedProject.load(folder, environ={}, plugins=short_names()) as loaded:
        outcome = loaded.build()
        codes = [error.code for error in outcome.errors]
    if codes:
        assert set(codes) == {"FF1205"}
    for index, name in enumerate(names):
        assert read(folder, f'from "{name}"') == [(index,)]


def test_what_we_distribute_builds_from_text_alone() -> None:
    files = sorted(REPOSITORY.glob("flowforge-*/pyproject.toml"))
    assert len(files) == 7
    for file in files:
        settings = tomllib.loads(file.read_text("utf-8"))
        assert settings["build-system"]["requires"] == ["hatchling"], file
        assert settings["build-system"]["build-backend"] == "hatchling.build", file
        assert "backend-path" not in settings["build-system"], file
        assert not settings["project"].get("dynamic"), file
        hatch = settings.get("tool", {}).get("hatch", {})
        assert "hooks" not in repr(hatch.get("build", {})), file
        assert "hooks" not in hatch.get("metadata", {}), file
        sources = [path for path in file.parent.rglob("*") if path.suffix in {".c", ".pyx", ".rs", ".so", ".cpp"}]
        assert sources == [], file
        assert not (file.parent / "setup.py").exists()
        assert not (file.parent / "hatch_build.py").exists()
        for requirement in settings["project"].get("dependencies", []):
            assert not re.search(r"@|://", requirement), requirement
