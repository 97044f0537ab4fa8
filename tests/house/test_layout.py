"""Rules about what stands in the repository's files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

NO_TEXT = {".parquet", ".png", ".ico", ".woff2", ".gz"}


def lines_of(paths: list[Path]) -> Iterator[tuple[Path, int, str]]:
    for path in paths:
        if path.suffix not in NO_TEXT:
            for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
                yield path, number, line


def found(pattern: str, paths: list[Path], root: Path) -> list[str]:
    expression = re.compile(pattern)
    return [
        f"{path.relative_to(root)}:{number}: {line.strip()[:120]}"
        for path, number, line in lines_of(paths)
        if expression.search(line)
    ]


def test_every_module_says_what_it_is_for(module: Path) -> None:
    text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    assert text, f"{module} has no docstring"


def test_every_module_with_annotations_postpones_them(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    annotated = (ast.FunctionDef, ast.AsyncFunctionDef, ast.AnnAssign)
    if any(isinstance(node, annotated) for node in ast.walk(ast.parse(text))):
        assert "from __future__ import annotations" in text


def test_no_module_is_a_drawer_for_everything(module: Path) -> None:
    assert module.stem not in {"util", "utils", "helper", "helpers", "misc", "common_utils"}


def test_nothing_is_left_unfinished(module: Path) -> None:
    words = "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "NotImplemented" + "Error"])
    text = module.read_text(encoding="utf-8")
    assert not re.findall(rf"\b({words})\b", text)


def test_no_exception_is_swallowed(module: Path) -> None:
    """`except Exception: pass` hides the defect that comes next."""
    for handler in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(handler, ast.ExceptHandler) and len(handler.body) == 1 and isinstance(handler.body[0], ast.Pass):
            names = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)} if handler.type else {""}
            assert not names & {"", "Exception", "BaseException"}, f"{module}:{handler.lineno}"


def test_the_core_names_no_engine(repository: Path) -> None:
    """Data files may: one says which distribution to install for an engine, two what words mean in SQL dialects."""
    core = repository / "flowforge-core/src/flowforge"
    register = core / "engine_packages.toml"
    dialects = [core / "portable" / "traits.toml", core / "portable" / "promises.toml"]
    products = "duckdb|postgres(ql)?|psycopg2?|big_?query|(py)?spark|databricks|snowflake|snowpark|redshift|trino"
    files = [path for path in core.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    pattern = rf"(?i)(?<![a-z])({products})(?![a-z])"
    assert found(pattern, [register], repository)
    assert not found(pattern, [path for path in files if path not in (register, *dialects)], repository)


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(r"/(home|Users)/(?!me\b)\w|/root/\w", id="somebody's home folder"),
        pytest.param(r"(?<![\w.])/(work|mnt|opt)/\w", id="a folder of one machine"),
        pytest.param(r"(?i)\b(files\.)?python" + r"hosted\.org|\bpyp" + r"i\.org", id="a package index"),
        pytest.param(r"(?i)registry\.npm" + r"js|deb\." + r"debian|npm" + r"js\.(com|org)", id="a registry"),
        pytest.param(r"(?i)farm-" + r"studio|\bissue" + r" #?\d", id="where the work was planned"),
    ],
)
def test_files_name_no_machine_and_no_host(pattern: str, tracked: list[Path], repository: Path) -> None:
    mine = Path(__file__)
    assert not found(pattern, [path for path in tracked if path != mine], repository)


def test_text_files_are_clean(tracked: list[Path], repository: Path) -> None:
    """Unix line ends, and a newline at the end; seeds may be as ugly as they like."""
    bad = []
    for path in tracked:
        if path.suffix in {".py", ".toml", ".md", ".yml", ".yaml", ".sql"}:
            data = path.read_bytes()
            if b"\r" in data or (data and not data.endswith(b"\n")):
                bad.append(str(path.relative_to(repository)))
    assert not bad


def test_names_of_test_files_are_unique(tracked: list[Path]) -> None:
    """Tests are imported by file, and two of one name in one report confuse the reader."""
    seen: dict[str, Path] = {}
    for path in tracked:
        if re.fullmatch(r"test_\w+\.py", path.name):
            assert path.name not in seen, f"{path} and {seen[path.name]}"
            seen[path.name] = path


def test_folders_of_tests_are_no_packages(tracked: list[Path], repository: Path) -> None:
    parts = [path.relative_to(repository) for path in tracked if path.name == "__init__.py"]
    assert not [
        path for path in parts if "tests" in path.parts and "src" not in path.parts and "plugins" not in path.parts
    ]
