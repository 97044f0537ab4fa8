"""`check_renderer` lets good renderers pass, and says of each bad one what is wrong with it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from flowforge.contract import Catalogue, DocRenderer
from flowforge.testkit import check_renderer, sample_catalogue
from flowforge.testkit.renderers import HOSTILE

Render = Callable[[Catalogue, Path], Sequence[Path]]


def put(path: Path, text: str) -> Path:
    beside = path.with_name(path.name + ".new")
    beside.write_text(text, "utf-8")
    os.replace(beside, path)
    return path


def names(catalogue: Catalogue) -> str:
    return json.dumps([catalogue.project, *(entry.name for entry in catalogue.entries)])


def good(catalogue: Catalogue, folder: Path) -> list[Path]:
    (folder / "deep").mkdir(exist_ok=True)
    return [put(folder / "all.json", names(catalogue)), put(folder / "deep" / "all.txt", names(catalogue))]


def beside(catalogue: Catalogue, folder: Path) -> list[Path]:
    put(folder.parent / "more.json", "[]")
    return good(catalogue, folder)


def by_name(catalogue: Catalogue, folder: Path) -> list[Path]:
    return [put(folder / f"{number}{entry.name}", catalogue.project) for number, entry in enumerate(catalogue.entries)]


def by_slug(catalogue: Catalogue, folder: Path) -> list[Path]:
    plain = [entry for entry in catalogue.entries if entry.name.isalpha() and len(entry.name) < 100]
    return [put(folder / f"{entry.name}.txt", catalogue.project) for entry in plain]


def in_place(catalogue: Catalogue, folder: Path) -> list[Path]:
    (folder / "all.json").write_text(names(catalogue), "utf-8")
    return [folder / "all.json"]


def tidy(catalogue: Catalogue, folder: Path) -> list[Path]:
    for path in folder.glob("*.txt"):
        path.unlink()
    return good(catalogue, folder)


def of_place(catalogue: Catalogue, folder: Path) -> list[Path]:
    return [put(folder / "all.txt", f"{names(catalogue)} in {folder}")]


def chatty(catalogue: Catalogue, folder: Path) -> list[Path]:
    print("done")
    return good(catalogue, folder)


def writes(name: str, text: Callable[[Catalogue], str]) -> Render:
    return lambda catalogue, folder: [put(folder / name, text(catalogue))]


def raw(catalogue: Catalogue) -> str:
    return "\n".join([catalogue.project, *(entry.name for entry in catalogue.entries)])


BAD: dict[str, tuple[Render, str]] = {
    "beside": (beside, "wrote outside of its folder: .*more.json"),
    "by name": (by_name, "the renderer raised "),
    "case of names": (by_slug, r"share a file, on some file systems at least: .*Orders.txt"),
    "in place": (in_place, "'all.json' was written in place"),
    "tidy": (tidy, "removed a file that it did not write"),
    "of its place": (of_place, "other files in another folder"),
    "chatty": (chatty, "printed 'done"),
    "None": (lambda catalogue, folder: None, "returned NoneType, not a sequence"),  # type: ignore[dict-item, return-value]
    "a text": (lambda catalogue, folder: "all.json", "returned str, not a sequence"),  # type: ignore[dict-item, return-value]
    "texts": (lambda catalogue, folder: ["x"], "something that is no Path"),  # type: ignore[dict-item, list-item]
    "nothing": (lambda catalogue, folder: [], "wrote no file"),
    "missing": (lambda catalogue, folder: [folder / "x"], "is no file"),
    "relative": (lambda catalogue, folder: [Path("x")], "is not below the folder"),
    "untold": (lambda catalogue, folder: good(catalogue, folder)[:1], r"not returned: \['all.txt'\]"),
    "the same": (writes("x.txt", lambda catalogue: "x"), "another project gave the same files"),
    "markup": (writes("x.html", raw), "escape texts for HTML"),
    "no JSON": (writes("x.json", raw), "is no JSON"),
    "fields": (writes("x.csv", raw), r"have \[.*\] fields"),
    "formulas": (writes("x.csv", lambda c: f"{c.project}\n=1+1\n"), "a spreadsheet would calculate"),
}


def test_a_good_one_passes(tmp_path: Path) -> None:
    check_renderer(DocRenderer("good", "All of it.", good), tmp_path)


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_one_is_told_what_is_wrong(fault: str, tmp_path: Path) -> None:
    render, said = BAD[fault]
    with pytest.raises(AssertionError, match=said):
        check_renderer(DocRenderer("bad", "Not all of it.", render), tmp_path)


def test_a_summary_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="summary"):
        check_renderer(DocRenderer("good", " ", good), tmp_path)


def test_the_sample_is_in_order_and_bad_enough() -> None:
    entries = sample_catalogue().entries
    ids = [entry.id for entry in entries]
    assert ids == sorted(set(ids))
    assert set(HOSTILE) <= set(ids)
    assert sample_catalogue() == sample_catalogue()
