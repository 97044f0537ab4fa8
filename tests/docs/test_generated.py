"""The reference pages say what the source says."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def generator(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_docs", repository / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["checks.md", "cli.md", "engines.md", "errors.md", "hooks.md"])
def test_the_page_is_current(name: str, generator: ModuleType, repository: Path) -> None:
    stands = (repository / "docs/reference" / name).read_text(encoding="utf-8")
    assert stands == generator.PAGES[name](), "run: python docs/generate.py"


def test_every_hook_has_a_heading_with_its_arguments(repository: Path) -> None:
    import inspect

    from flowforge import hookspecs

    page = (repository / "docs/reference/hooks.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^### (flowforge_\w+\(.*\))$", page, re.MULTILINE))
    specs = {
        f"{name}({', '.join(inspect.signature(each).parameters)})"
        for name, each in vars(hookspecs).items()
        if name.startswith("flowforge_")
    }
    assert headings == specs
    assert {heading.split("(")[0] for heading in headings} == {*hookspecs.OFFERS, *hookspecs.NOTICES}


def test_every_command_has_a_heading(repository: Path) -> None:
    from flowforge.cli.main import COMMANDS

    page = (repository / "docs/reference/cli.md").read_text(encoding="utf-8")
    assert set(COMMANDS) <= set(re.findall(r"^## flowforge ([\w-]+)", page, re.MULTILINE))


def test_every_exit_code_is_in_the_table(generator: ModuleType) -> None:
    from flowforge import errors

    listed = {int(code) for key in generator.EXIT_CODES for code in key.split(",")}
    names = ("OK", "FAILED", "CHECKS_FAILED", "NOTHING_SELECTED", "USAGE", "INTERNAL", "INTERRUPTED", "TERMINATED")
    assert listed == {getattr(errors, name) for name in names}


def test_every_code_has_a_heading(generator: ModuleType, repository: Path) -> None:
    known = tomllib.loads((repository / "flowforge-core/src/flowforge/codes.toml").read_text(encoding="utf-8"))
    assert re.findall(r"^### (FF\d{4})$", generator.errors_page(), re.MULTILINE) == list(known)
