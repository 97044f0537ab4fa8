"""The page about checks of one's own shows the files of an example, which another test runs."""

from __future__ import annotations

from pathlib import Path


def test_what_the_page_shows_is_what_the_example_does(repository: Path, read_page) -> None:
    files = [path for path in (repository / "examples/own_checks").rglob("*") if path.suffix in {".sql", ".py", ".yml"}]
    texts = {path.read_text(encoding="utf-8").strip() for path in files if ".flowforge" not in path.parts}
    blocks = [
        block.text.strip()
        for block in read_page(repository / "docs/how-to/write-your-own-checks.md").blocks
        if block.language in {"sql", "python", "yaml"}
    ]
    assert len(blocks) == 5
    assert set(blocks) <= texts
