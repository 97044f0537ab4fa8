"""Which files of a project a Python model's code can reach."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowforge.project.closure import ClosureReader, python_closure

MODEL = "models/m.ff.py"
FILES = {
    "models/near.py": "V = 1\n",
    "models/other.ff.py": "V = 2\n",
    "models/sub/s.py": "V = 3\n",
    "models/pkg/__init__.py": "from .inner import V\n",
    "models/pkg/inner.py": "from .deep.end import V\n",
    "models/pkg/deep/__init__.py": "",
    "models/pkg/deep/end.py": "V = 4\n",
    "models/pkg/unused.py": "V = 5\n",
    "lib/__init__.py": "",
    "lib/rates.py": "V = 6\n",
    "top.py": "V = 7\n",
    "a/one.py": "from .two import V\n",
    "a/two.py": "from . import one\nV = 8\n",
    "scripts/tool.py": "import top\n",
}


def write(root: Path, path: str, text: str | bytes) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode() if isinstance(text, str) else text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, text in FILES.items():
        write(tmp_path, path, text)
    return tmp_path


def reached(root: Path, text: str | bytes, model: str = MODEL) -> set[str]:
    write(root, model, text)
    closure = python_closure(root, model)
    assert not closure.dynamic
    assert [path for path, _ in closure.files] == sorted(closure.reached)
    return set(closure.reached) - {model}


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("x = 1", set()),
        ("from .near import V", {"models/near.py"}),
        ("from . import near", {"models/near.py"}),
        ("from . import near as n, missing", {"models/near.py"}),
        ("def f():\n    from .near import V", {"models/near.py"}),
        ("import typing\nif typing.TYPE_CHECKING:\n    from .near import V", {"models/near.py"}),
        ("try:\n    from .fast import V\nexcept ImportError:\n    from .near import V", {"models/near.py"}),
        ("from .sub.s import V", {"models/sub/s.py"}),
        ("from .sub import s", {"models/sub/s.py"}),
        ("from .sub import *", {"models/sub/s.py"}),
        ("from .other__ff import V", {"models/other.ff.py"}),
        (
            "from .pkg import V",
            {"models/pkg/__init__.py", "models/pkg/inner.py", "models/pkg/deep/__init__.py", "models/pkg/deep/end.py"},
        ),
        ("from ..top import V", {"top.py"}),
        ("from .. import top", {"top.py"}),
        ("from ..lib.rates import V", {"lib/__init__.py", "lib/rates.py"}),
        ("from ...top import V", set()),
        ("import lib.rates", {"lib/__init__.py", "lib/rates.py"}),
        ("from lib import rates", {"lib/__init__.py", "lib/rates.py"}),
        ("import models.near as n", {"models/near.py"}),
        ("from ..a.one import V", {"a/one.py", "a/two.py"}),
        ("from importlib import import_module as im\nim('lib.rates')", {"lib/__init__.py", "lib/rates.py"}),
        ("import importlib as il\nil.import_module('.near', __package__)", {"models/near.py"}),
        ("import importlib\nimportlib.import_module('..top', package=__package__)", {"top.py"}),
        ("__import__('top')", {"top.py"}),
        ("# from .near import V\n'''from .near import V'''", set()),
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'\nfrom .near import V", {"models/near.py"}),
    ],
)
def test_what_an_import_reaches(root: Path, text: str | bytes, files: set[str]) -> None:
    assert reached(root, text) == files


def test_folders_whose_names_are_no_identifiers(root: Path) -> None:
    write(root, "my-models/near.py", "V = 1\n")
    assert reached(root, "from .near import V", "my-models/m.ff.py") == {"my-models/near.py"}


def test_the_packages_around_a_model_run_with_it(root: Path) -> None:
    write(root, "models/__init__.py", "from .near import V\n")
    assert reached(root, "x = 1", "models/pkg/deep/m.ff.py") >= {
        "models/__init__.py",
        "models/near.py",
        "models/pkg/__init__.py",
        "models/pkg/inner.py",
        "models/pkg/deep/__init__.py",
    }


def test_a_part_of_a_package_that_somebody_else_has_imported(root: Path) -> None:
    assert "lib/rates.py" in reached(root, "from .. import lib\ndef f():\n    return lib.rates.V")
    write(root, "models/hub.py", "from .. import lib\n")
    assert "lib/rates.py" in reached(root, "from .hub import lib\ndef f():\n    return lib.rates.V")


def test_folders_of_the_project_on_the_path(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, "src/mine/__init__.py", "from .part import V\n")
    write(root, "src/mine/part.py", "V = 1\n")
    assert reached(root, "import mine") == set()
    monkeypatch.setattr(sys, "path", [*sys.path, str(root / "src")])
    assert reached(root, "import mine") == {"src/mine/__init__.py", "src/mine/part.py"}
    assert python_closure(root, MODEL).imports == ()


def test_installed_packages_inside_of_the_project_are_no_files_of_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = "venv/lib/python3/site-packages"
    write(root, f"{place}/thing/__init__.py", "")
    monkeypatch.setattr(sys, "path", [*sys.path, str(root / place)])
    assert reached(root, "import thing") == set()
    ((name, version),) = python_closure(root, MODEL).imports
    assert name == "thing"
    assert version


@pytest.mark.parametrize(
    "text",
    [
        "import importlib\nimportlib.import_module(name)",
        "import importlib\nload = importlib.import_module\nload('lib.rates')",
        "import importlib\ngetattr(importlib, 'import_module')('x')",
        "import importlib\nimportlib.import_module('.near', somewhere)",
        "from importlib import import_module\nimport_module(f'lib.{x}')",
        "from importlib import util",
        "import importlib.util",
        "import importlib as il\nil.machinery",
        "__import__(name)",
        "__import__('near', globals(), locals(), [], 1)",
        "exec('import top')",
        "def f():\n    return eval('1')",
        "import builtins\nbuiltins.exec('1')",
        "import sys\nsys.path.insert(0, 'lib')",
        "from sys import path\npath.append('lib')",
        "import sys as s\ns.modules['x']",
        "import runpy",
        "from pkgutil import walk_packages",
        "__path__ = ['elsewhere']",
        "from .loader import x",
        "def broken(:",
        "x = '\x00'",
    ],
)
def test_code_that_may_import_anything_takes_all_files(root: Path, text: str) -> None:
    write(root, "models/loader.py", "import importlib\nx = importlib.import_module(__name__ + '.y')\n")
    write(root, "env/pyvenv.cfg", "")
    write(root, "env/lib/x.py", "")
    write(root, ".hidden/x.py", "")
    write(root, MODEL, text)
    closure = python_closure(root, MODEL)
    assert closure.dynamic
    assert {path for path, _ in closure.files} == {*FILES, MODEL, "models/loader.py"}
    assert "scripts/tool.py" not in closure.reached


@pytest.mark.parametrize(
    "text",
    [
        "df.eval('a + b')",
        "import re\nre.compile('x')",
        "import sys\nprint('x', file=sys.stderr)",
        "import importlib.metadata\nimportlib.metadata.version('x')",
        "from importlib.resources import files",
        "import os.path\nos.path.join('a')",
        "model.exec()",
    ],
)
def test_code_that_only_looks_like_it(root: Path, text: str) -> None:
    reached(root, text)


def test_versions_of_what_comes_from_outside(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    write(root, MODEL, "import os, json, attrs, pytest\nfrom no_such_thing.x import y\nimport flowforge\nimport lib\n")
    imports = dict(python_closure(root, MODEL).imports)
    assert set(imports) == {"attrs", "pytest", "no_such_thing"}
    assert imports["no_such_thing"] == ""
    assert imports["pytest"] == f"pytest {pytest.__version__}"


def test_modules_of_no_distribution_count_by_their_content(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path_factory.mktemp("shared")
    write(shared, "common_things/__init__.py", "")
    monkeypatch.setattr(sys, "path", [*sys.path, str(shared)])
    write(root, MODEL, "import common_things\n")
    digests = set()
    for text in ("V = 1\n", "V = 2\n", "V = 1\n"):
        write(shared, "common_things/values.py", text)
        digests.add(python_closure(root, MODEL).digest)
    assert len(digests) == 2


def test_a_digest_follows_the_files_that_are_reached_and_no_others(root: Path) -> None:
    write(root, MODEL, "from .near import V\nimport attrs\n")
    before = python_closure(root, MODEL)
    write(root, "models/pkg/unused.py", "V = 0\n")
    assert python_closure(root, MODEL) == before
    write(root, "models/near.py", "V = 100\n")
    assert python_closure(root, MODEL).digest != before.digest
    write(root, "models/near.py", FILES["models/near.py"])
    assert python_closure(root, MODEL).digest == before.digest


def test_a_module_that_appears_changes_the_digest(root: Path) -> None:
    write(root, MODEL, "try:\n    from .fast import V\nexcept ImportError:\n    V = 0\n")
    before = python_closure(root, MODEL).digest
    write(root, "models/fast.py", "V = 1\n")
    assert python_closure(root, MODEL).digest != before


def test_a_compiled_module_counts_and_hides_its_imports(root: Path) -> None:
    write(root, "models/fast.so", b"\x7fELF")
    write(root, MODEL, "from .fast import V\n")
    closure = python_closure(root, MODEL)
    assert "models/fast.so" in closure.reached
    assert closure.dynamic


def test_one_reader_reads_each_file_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, MODEL, "from .near import V\n")
    write(root, "models/n.ff.py", "from .near import V\n")
    opened: list[str] = []
    read = Path.read_bytes

    def counted(self: Path) -> bytes:
        opened.append(self.name)
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", counted)
    reader = ClosureReader(root)
    reader.closure(MODEL)
    reader.closure("models/n.ff.py")
    reader.closure(MODEL)
    assert sorted(opened) == ["m.ff.py", "n.ff.py", "near.py"]


def test_a_missing_file_is_no_error(root: Path) -> None:
    assert python_closure(root, "models/gone.ff.py").dynamic


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=4), min_size=1))
def test_reachability_is_transitive_in_any_graph(
    tmp_path_factory: pytest.TempPathFactory, graph: dict[str, list[str]]
) -> None:
    root = tmp_path_factory.mktemp("graph")
    for name, targets in graph.items():
        write(root, f"models/{name}.py", "".join(f"from .{target} import V\n" for target in targets))
    start = min(graph)
    expected, todo = set(), [start]
    while todo:
        name = todo.pop()
        if name in graph and name not in expected:
            expected.add(name)
            todo.extend(graph[name])
    closure = python_closure(root, f"models/{start}.py")
    assert set(closure.reached) == {f"models/{name}.py" for name in expected}
