"""The measurements behind the page on performance, in small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("performance")
SMALL = [
    "--times",
    "1",
    "--load",
    "10",
    "--run",
    "20",
    "--chain",
    "5",
    "--seed",
    "50",
    "--frame",
    "50",
    "--postgres",
    "--shapes",
    "layered",
    "chain",
]


def test_the_page_has_every_measurement(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *SMALL, "--page", str(page)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    for what in (
        "--help",
        "`ls` of 10 models",
        "a chain of 10",
        "full run, 20 models, chain",
        "checks",
        "second run",
        "CSV seed",
        "Python model of 50 rows",
    ):
        assert f"| {what}" in text or what in text, what
    assert not [line for line in text.splitlines() if "missed" in line and "flowforge --" not in line]  # all too small
    figures = [line.split("|") for line in text.splitlines() if line.startswith("| layered |")]
    assert [row[2].strip() for row in figures] == ["10", "20"]
    assert all(float(row[3]) > 0 for row in figures)
