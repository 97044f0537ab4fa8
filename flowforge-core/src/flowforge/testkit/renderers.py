"""Tries what the contract says of renderers, with a catalogue whose texts are as bad as a project may make them."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from flowforge.contract import Catalogue, CatalogueCheck, CatalogueColumn, CatalogueEntry, DocRenderer
from flowforge.values import Relation

MARKUP = "<img src=x onerror=alert(1)>"
HOSTILE = (
    "..", "../escape", "/etc/passwd", "a/b", "a\\b", "a_b", "orders", "Orders", "CON", ".hidden", "-rf", " spaces ",
    "trailing.", "two\nlines", "tab\there", "pipe|pipe", "comma, \"quoted\" and 'single'", MARKUP, "</script>", "&amp;",
    "=1+1", "`code`", "[x](javascript:alert(1))", "{{ ref('x') }}", "{% raw %}", "%s%n", "$HOME", "#", "nul", "Zo\u00eb", "Zoe\u0308",
    "\u8868", "\U0001f986", "\u202egnp.exe", "x" * 300,
)  # fmt: skip
"""Names that a project may have, as a whole or in parts; two of them differ by their Unicode form only."""

_ROOMS = ("one", "Zwei Räume")
_CHECKED = {".html": "HTML", ".htm": "HTML", ".svg": "SVG", ".md": "Markdown", ".markdown": "Markdown"}
_TEXTS = {*_CHECKED, ".txt", ".csv", ".json", ".xml", ".rst"}


def sample_catalogue(*, project: str = "sample") -> Catalogue:
    """A catalogue with an ordinary project in it, and an entry for each of :data:`HOSTILE`."""
    users = CatalogueEntry(
        id="users.ff",
        name="users",
        kind="sql",
        path="models/users.ff.sql",
        materialized="table",
        relation=Relation("users", "main"),
        description="One row for each user.\n\nFrom the *shop*.",
        owner="ann@example.com",
        tags=("nightly", "pii"),
        columns=(
            CatalogueColumn(name="id", type="int64", nullable=False, description="Given by the shop."),
            CatalogueColumn(name="email"),
        ),
        depends_on=("source:raw.users",),
        checks=(CatalogueCheck(id="not_null_users_id", type="not_null", column="id"),),
        meta={"team": {"name": "shop", "levels": [1, 2.5, None, True]}},
    )
    raw = CatalogueEntry(
        id="source:raw.users",
        name="users",
        kind="source",
        path="sources.yml",
        relation=Relation("users", "raw"),
        used_by=("users.ff",),
    )
    bare = CatalogueEntry(id="bare.ff", name="bare", kind="python", path="models/bare.ff.py", materialized="ephemeral")
    later = CatalogueEntry(id="later", name="later", kind="of a later version", path="models/later")
    entries = sorted([users, raw, bare, later, *map(_hostile, HOSTILE)], key=lambda entry: entry.id)
    return Catalogue(project=project, version="1.0", engine="none", entries=tuple(entries))


def _hostile(name: str) -> CatalogueEntry:
    """An entry that says *name* wherever a project could."""
    return CatalogueEntry(
        id=name,
        name=name,
        kind="sql",
        path=f"models/{name}.sql",
        materialized="view",
        relation=Relation(name, name, name),
        description=name,
        owner=name,
        group=name,
        tags=(name,),
        columns=(CatalogueColumn(name=name, type=name, nullable=True, description=name),),
        depends_on=("users.ff",),
        checks=(CatalogueCheck(id=f"unique_{name}", type="unique", column=name, severity="warn", description=name),),
        meta={name: name},
    )


def check_renderer(renderer: DocRenderer, folder: Path) -> None:
    """Try a renderer on :func:`sample_catalogue`, on one without entries, and on what has changed in between.

    Parameters
    ----------
    folder:
        An empty folder for the files of this, such as pytest's ``tmp_path``.

    Raises
    ------
    AssertionError
        For the first thing that is wrong, with a sentence on it.
    """
    _say(bool(renderer.summary.strip()), "the renderer has no summary")
    catalogue, same = sample_catalogue(), sample_catalogue()
    rooms = [folder / name / "docs" for name in _ROOMS]
    for room in rooms:
        room.mkdir(parents=True)
    (rooms[0] / "of somebody else.txt").write_text("stays", "utf-8")
    first, second = (_rendered(renderer, catalogue, room) for room in rooms)
    _say(catalogue == same, "the renderer changed the catalogue")
    _say(bool(first), "the renderer wrote no file for a catalogue with entries")
    differing = sorted({*first, *second} - {name for name in first if first[name] == second.get(name)})
    _say(not differing, f"the same catalogue gave other files in another folder: {differing}")
    for name, content in first.items():
        _check_content(name, content)
    _check_again(renderer, attrs.evolve(catalogue, project="another"), rooms[0], first)
    _rendered(renderer, attrs.evolve(catalogue, entries=()), rooms[1])
    others = sorted(path.name for path in folder.iterdir() if path.name not in _ROOMS)
    others += [f"{room.parent.name}/{path.name}" for room in rooms for path in room.parent.iterdir() if path != room]
    _say(not others, f"the renderer wrote outside of its folder: {others}")
    kept = (rooms[0] / "of somebody else.txt").is_file()
    _say(kept, "the renderer removed a file that it did not write; what is out of date is the caller's to remove")


def _rendered(renderer: DocRenderer, catalogue: Catalogue, folder: Path) -> Mapping[str, bytes]:
    """What the renderer wrote, by path below the folder."""
    before = _files(folder)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            returned: object = renderer.render(catalogue, folder)
        except Exception as error:
            raise AssertionError(f"the renderer raised {type(error).__name__}: {error}") from error
    _say(not printed.getvalue(), f"the renderer printed {printed.getvalue()[:80]!r}")
    if not isinstance(returned, Sequence) or isinstance(returned, str | bytes):
        raise AssertionError(f"render returned {type(returned).__name__}, not a sequence of paths")
    paths = [path for path in returned if isinstance(path, Path)]
    _say(len(paths) == len(returned), f"render returned something that is no Path: {list(returned)[:3]}")
    names = []
    for path in paths:
        inside = path.is_absolute() and folder.resolve() in path.resolve().parents
        _say(inside, f"{str(path)!r} was returned, and is not below the folder {str(folder)!r}")
        _say(path.is_file(), f"{str(path)!r} was returned, and is no file")
        names.append(path.relative_to(folder).as_posix() if folder in path.parents else path.name)
    folded = [unicodedata.normalize("NFC", name).casefold() for name in names]
    twice = sorted({name for name, other in zip(names, folded, strict=True) if folded.count(other) > 1})
    _say(not twice, f"two entries share a file, on some file systems at least: {twice}")
    untold = sorted(_files(folder) - before - {path.resolve() for path in paths})
    _say(not untold, f"files were written and not returned: {[path.name for path in untold]}")
    return {name: path.read_bytes() for name, path in zip(names, paths, strict=True)}


def _check_again(renderer: DocRenderer, other: Catalogue, folder: Path, before: Mapping[str, bytes]) -> None:
    """Files of another catalogue take the place of these as wholes, so none of them is the same file with other bytes."""
    stood = {name: (folder / name).stat().st_ino for name in before}
    after = _rendered(renderer, other, folder)
    for name in sorted(after.keys() & before.keys()):
        in_place = after[name] != before[name] and (folder / name).stat().st_ino == stood[name]
        _say(not in_place, f"{name!r} was written in place: write beside it, then os.replace")
    _say(after != before, "another project gave the same files: nothing in them tells its name")


def _check_content(name: str, content: bytes) -> None:
    """What can be told of a file by its suffix."""
    suffix = Path(name).suffix.lower()
    if suffix not in _TEXTS:
        return
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise AssertionError(f"{name!r} is not UTF-8") from None
    if suffix in _CHECKED:
        _say(MARKUP not in text, f"{name!r} has markup of a name as it is: escape texts for {_CHECKED[suffix]}")
    if suffix == ".json":
        try:
            json.loads(text)
        except ValueError as error:
            raise AssertionError(f"{name!r} is no JSON: {error}") from None
    if suffix == ".csv":
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        widths = sorted({len(row) for row in rows})
        _say(len(widths) <= 1, f"rows of {name!r} have {widths} fields: quote what holds a comma or a line end")
        formulas = sorted({cell for row in rows for cell in row if cell.startswith("=")})
        _say(not formulas, f"a spreadsheet would calculate fields of {name!r}: {formulas[:3]}")


def _files(folder: Path) -> set[Path]:
    return {path.resolve() for path in folder.rglob("*") if path.is_file()}


def _say(holds: bool, otherwise: str) -> None:
    """``assert``, with a sentence, and also under ``python -O``."""
    if not holds:
        raise AssertionError(otherwise)
