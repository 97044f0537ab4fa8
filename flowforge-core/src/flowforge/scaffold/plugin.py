"""Writes the distribution of a new plugin, which works at once: what it does is there to be replaced."""

from __future__ import annotations

import enum
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


class PluginKind(enum.Enum):
    """What a new plugin offers, in the words of ``plugins new --kind``."""

    ENGINE = "engine"
    CHECK = "check"
    SEED_FORMAT = "seed-format"
    DOC_RENDERER = "doc-renderer"
    STREAM_SOURCE = "stream-source"

    @property
    def folder(self) -> str:
        """Where its templates are."""
        return f"{self.value.replace('-', '_')}_files"

    @property
    def words(self) -> str:
        """It, in a sentence."""
        return f"{'an' if self is PluginKind.ENGINE else 'a'} {self.value.replace('-', ' ')}"


def render_plugin(kind: PluginKind, name: str, target: Path) -> list[Path]:
    """Write a distribution into the new folder *target*, and return the paths of its files.

    Parameters
    ----------
    name:
        What a profile will write after ``engine:``, or a project for a check or a stream, or what files of seeds will end
        in; a hyphen counts as an underscore.

    Raises
    ------
    UsageError
        When the folder exists, or the name is none, or belongs to one of ours.
    """
    plugin = _checked(kind, name)
    if target.exists():
        raise UsageError(f"{str(target)!r} exists", code="FF6411", help="choose another folder with --out")
    import jinja2

    words = _words(plugin)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    rendered = {
        target / _place(relative, words): environment.from_string(template.read_text("utf-8")).render(words)
        for relative, template in _templates(files("flowforge.scaffold").joinpath(kind.folder), PurePosixPath())
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


def _checked(kind: PluginKind, name: str) -> str:
    plugin = name.replace("-", "_")
    if not _NAME.fullmatch(plugin) or keyword.iskeyword(plugin) or len(plugin) > _LONGEST:
        raise UsageError(
            f"{name!r} is no name for {kind.words}",
            code="FF6413",
            help=f"use up to {_LONGEST} small letters, digits and _, beginning with a letter, such as my_database",
        )
    owner = _owner(kind, plugin)
    if owner is not None:
        raise UsageError(
            f"there is {kind.words} {plugin!r} already, in {owner}",
            code="FF6413",
            help=f"two plugins that offer one name for {kind.words} are both refused; choose another name",
        )
    return plugin


def _owner(kind: PluginKind, name: str) -> str | None:
    """The distribution that has the name already: of engines, all of ours that could be installed."""
    if kind is PluginKind.ENGINE:
        from flowforge.plugins.firstparty import FirstParty

        ours = FirstParty.read().package_of(name)
        return None if ours is None else ours.distribution
    from flowforge.plugins import load_plugins

    plugins = load_plugins({})
    taken = {
        PluginKind.CHECK: plugins.checks,
        PluginKind.SEED_FORMAT: [suffix.removeprefix(".") for suffix in plugins.seed_formats],
        PluginKind.DOC_RENDERER: plugins.renderers,
        PluginKind.STREAM_SOURCE: plugins.stream_sources,
    }[kind]
    return "what is installed" if name in taken else None


def _words(plugin: str) -> dict[str, str]:
    """What the templates may say."""
    major, minor = (int(part) for part in __version__.split(".")[:2])
    return {
        "name": plugin,
        "upper": plugin.upper(),
        "title": "".join(part.capitalize() for part in plugin.split("_")),
        "package": f"flowforge_{plugin}",
        "distribution": f"flowforge-{plugin.replace('_', '-')}",
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
