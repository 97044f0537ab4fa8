"""Writes the distribution of a new engine, which works at once: a stand-in driver is there to be replaced."""

from __future__ import annotations

import keyword
import re
import shutil
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

from flowforge import __version__
from flowforge.errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LONGEST = 30
_DOT = "dot_"  # template files whose name begins so get a real dot: packaging tools drop hidden files
_SUFFIX = ".j2"


def render_engine(name: str, target: Path) -> list[Path]:
    """Write the distribution of an engine into the new folder *target*, and return the paths of its files.

    Parameters
    ----------
    name:
        What a profile will write after ``engine:``; a hyphen counts as an underscore.

    Raises
    ------
    UsageError
        When the folder exists, or the name is none, or belongs to an engine of ours.
    """
    engine = _checked(name)
    if target.exists():
        raise UsageError(f"{str(target)!r} exists", code="FF6411", help="choose another folder with --out")
    import jinja2

    words = _words(engine)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    rendered = {
        target / _place(relative, words): environment.from_string(template.read_text("utf-8")).render(words)
        for relative, template in _templates(files("flowforge.scaffold").joinpath("engine_files"), PurePosixPath())
    }
    try:
        for path, text in rendered.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    except OSError as exc:
        shutil.rmtree(target, ignore_errors=True)  # it was not there before
        raise UsageError(
            f"cannot write to {str(target)!r}: {exc.strerror}", code="FF6411", help="choose another folder with --out"
        ) from exc
    return sorted(rendered)


def _checked(name: str) -> str:
    engine = name.replace("-", "_")
    if not _NAME.fullmatch(engine) or keyword.iskeyword(engine) or len(engine) > _LONGEST:
        raise UsageError(
            f"{name!r} is no name for an engine",
            code="FF6413",
            help=f"use up to {_LONGEST} small letters, digits and _, beginning with a letter, such as my_database",
        )
    from flowforge.plugins.firstparty import FirstParty

    ours = FirstParty.read().package_of(engine)
    if ours is not None:
        raise UsageError(
            f"there is an engine {engine!r} already, in {ours.distribution}",
            code="FF6413",
            help="two plugins with one engine name are both refused; choose another name",
        )
    return engine


def _words(engine: str) -> dict[str, str]:
    """What the templates may say."""
    major, minor = (int(part) for part in __version__.split(".")[:2])
    return {
        "name": engine,
        "upper": engine.upper(),
        "title": "".join(part.capitalize() for part in engine.split("_")),
        "package": f"flowforge_{engine}",
        "distribution": f"flowforge-{engine.replace('_', '-')}",
        "core": f">={major}.{minor},<{major}.{minor + 1}",
    }


def _place(relative: PurePosixPath, words: dict[str, str]) -> PurePosixPath:
    """Where the file of a template goes; ``package`` stands for the folder that is imported."""
    parts = list(relative.parts)
    if parts[0] == "package":
        parts[:1] = ["src", words["package"]]
    return PurePosixPath(*parts)


def _templates(folder: Traversable, prefix: PurePosixPath) -> Iterator[tuple[PurePosixPath, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            yield from _templates(entry, prefix / entry.name)
        elif entry.name.endswith(_SUFFIX):
            name = entry.name.removesuffix(_SUFFIX)
            yield prefix / (f".{name.removeprefix(_DOT)}" if name.startswith(_DOT) else name), entry
