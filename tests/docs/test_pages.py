"""What stands in the pages holds together: links lead somewhere, code can be read, nothing is orphaned."""

from __future__ import annotations

import ast
import itertools
import re
import tomllib
from pathlib import Path

from ruamel.yaml import YAML


def links(page) -> list[tuple[str, str]]:
    """Targets of links to files of this repository, as (path, anchor)."""
    found = re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", page.prose)
    return [(target + "#").split("#")[:2] for target in found if "://" not in target]


def test_links_lead_somewhere(page, repository: Path, read_page) -> None:
    for target, anchor in links(page):
        path = (page.path.parent / target).resolve() if target else page.path
        assert path.exists(), target
        assert path.is_relative_to(repository), target
        assert not anchor or anchor in read_page(path).anchors, f"{target}#{anchor}"


def test_every_page_can_be_reached_from_the_index(repository: Path, read_page) -> None:
    docs = repository / "docs"
    reached, waiting = set(), [docs / "index.md"]
    while waiting:
        path = waiting.pop()
        if path not in reached and path.suffix == ".md":
            reached.add(path)
            waiting += [(path.parent / target).resolve() for target, _ in links(read_page(path)) if target]
    assert not set(docs.glob("**/*.md")) - reached


def test_code_can_be_read(page) -> None:
    """Whoever copies a block gets something that at least parses."""
    for block in page.blocks:
        if block.language == "python":
            ast.parse(block.text)
        elif block.language in {"yaml", "yml"}:
            assert YAML(typ="safe", pure=True).load(block.text) is not None
        elif block.language == "toml":
            tomllib.loads(block.text)


def test_a_page_has_one_title_and_no_skipped_level(page) -> None:
    levels = [len(each) for each in re.findall(r"^(#+) ", page.prose, re.MULTILINE)]
    assert levels[:1] == [1]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_commands_in_the_pages_exist(page) -> None:
    from flowforge.cli.main import COMMANDS

    shell = "\n".join(block.text for block in page.blocks if block.language in {"bash", "console", "sh", ""})
    typed = re.findall(r"(?:^|^\$ |&& )flowforge ([a-z]+)", shell, re.MULTILINE)
    assert not {*typed, *re.findall(r"`flowforge ([a-z]+)", page.text)} - set(COMMANDS)


def test_codes_in_the_pages_exist(page) -> None:
    from importlib import resources

    known = tomllib.loads(resources.files("flowforge").joinpath("codes.toml").read_text(encoding="utf-8"))
    assert not set(re.findall(r"\bFF\d{4}\b", page.text)) - set(known)


def test_the_readme_gives_the_two_commands(repository: Path, read_page) -> None:
    commands = [line for block in read_page(repository / "README.md").blocks for line in block.text.splitlines()]
    install = "pip install ./flowforge-core ./flowforge-duckdb && flowforge build examples/nycflights"
    assert f"python3 -m venv .venv && . .venv/bin/activate && {install}" in commands
    assert "pip install nox && nox" in commands


def test_ci_runs_the_test_command_of_the_readme(repository: Path) -> None:
    lines = (repository / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert lines[-2:] == ["pip install --quiet nox", "nox"]
