"""Reads the Markdown pages of the documentation: their headings, links and fenced blocks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

REPOSITORY = Path(__file__).parents[2]


@attrs.frozen
class Block:
    """A fenced block: its language, the rest of its opening line, its text, its line in the page."""

    language: str
    title: str
    text: str
    line: int


@attrs.frozen
class Page:
    """One Markdown file."""

    path: Path
    text: str

    @property
    def blocks(self) -> Iterator[Block]:
        for match in re.finditer(r"^```(\w*) ?([^\n]*)\n(.*?)^```$", self.text, re.MULTILINE | re.DOTALL):
            yield Block(match[1], match[2], match[3], self.text.count("\n", 0, match.start()) + 1)

    @property
    def prose(self) -> str:
        """The page without its fenced blocks and code."""
        return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```$", "", self.text, flags=re.MULTILINE | re.DOTALL))

    @property
    def anchors(self) -> set[str]:
        """What links may name behind a ``#``."""
        headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", self.text, flags=re.M | re.S), re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def read(path: Path) -> Page:
    return Page(path, path.read_text(encoding="utf-8"))


def pages() -> list[Page]:
    """The documentation and the pages at the top of the repository and its distributions."""
    found = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("flowforge-*/*.md")]
    found += [*REPOSITORY.glob("tests/*.md"), *REPOSITORY.glob(".changelog/*.md"), *REPOSITORY.glob("examples/*/*.md")]
    return [read(path) for path in sorted(found)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that asks for a page runs once for each."""
    if "page" in metafunc.fixturenames:
        found = pages()
        metafunc.parametrize("page", found, ids=[str(each.path.relative_to(REPOSITORY)) for each in found])


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def read_page() -> Callable[[Path], Page]:
    """Reads one Markdown file."""
    return read


@pytest.fixture
def tutorial() -> Page:
    return read(REPOSITORY / "docs/tutorial.md")


@pytest.fixture
def python_api() -> Page:
    return read(REPOSITORY / "docs/reference/python-api.md")
