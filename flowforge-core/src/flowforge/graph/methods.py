"""What a selector's parts may ask of a node: its name, tag, path, kind, sources, settings.

Each method gets the manifest, the key after its dot and the value after its colon, and answers with names of nodes.
A value without wildcards that stands nowhere in the project is an error, since it is nearly always a slip; a pattern
may fit nothing.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import translate
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

import attrs

from flowforge.errors import SelectionError, UsageError
from flowforge.project.manifest import Manifest, ModelConfig, Node, NodeKind

Method = Callable[[Manifest, str, str], frozenset[str]]

_MATERIALIZATIONS = ("ephemeral", "incremental", "materialized_view", "seed", "snapshot", "table", "view")
_TYPES = ("model", "seed", "snapshot", "source")


_BATCH, _STREAMING = "batch", "streaming"


def meaning_all(value: str) -> bool:
    """Whether a bare word means all that are made by runs: ``batch``, unless something is called so."""
    return value == _BATCH


def has_wildcard(value: str) -> bool:
    """Whether *value* is a pattern."""
    return any(char in value for char in "*?[")


def by_name(manifest: Manifest, key: str, value: str) -> frozenset[str]:
    """A node's name with or without ``.ff``, or its relation's name; a value with a slash is a path.

    Where nothing is called so, ``batch`` means all that runs make, which is everything, and ``streaming`` all that
    streams make, which is nothing.
    """
    _no_key("name", key)
    if "/" in value:
        return by_path(manifest, key, value)
    if has_wildcard(value):
        fits = _pattern(value)
        return frozenset(
            node.name
            for node in manifest.nodes.values()
            if fits(node.name) or fits(node.short_name) or fits(node.relation.name)
        )
    node = manifest.find(value)
    if node is not None:
        return frozenset((node.name,))
    if value in (_BATCH, _STREAMING):
        return frozenset(manifest.nodes if meaning_all(value) else ())
    help_: str | None
    if value in manifest.sources:
        help_ = f"{value} is a source; source:{value} takes the models that read it"
    elif any(value in node.config.tags for node in manifest.nodes.values()):
        help_ = f"{value} is a tag: tag:{value}"
    elif folder := _folder_called(manifest, value):
        help_ = f"{folder} is a folder: path:{folder}"
    else:
        help_ = _suggest(value, {node.short_name for node in manifest.nodes.values()}, "`flowforge ls` lists all nodes")
    raise SelectionError(f"no node is called {value!r}", help=help_)


def _folder_called(manifest: Manifest, value: str) -> str | None:
    folders = (str(folder) for node in manifest.nodes.values() for folder in PurePosixPath(node.path).parents)
    return next((folder for folder in folders if folder.rsplit("/", 1)[-1] == value), None)


def by_tag(manifest: Manifest, key: str, value: str) -> frozenset[str]:
    """One of a node's tags."""
    _no_key("tag", key)
    return _fitting(manifest, "has the tag", value, lambda node: node.config.tags)


def by_path(manifest: Manifest, key: str, value: str) -> frozenset[str]:
    """A node's file, or one of the folders around it, relative to the project."""
    _no_key("path", key)
    wanted = str(PurePosixPath(value))
    if "**/" in wanted:  # `a/**/b` means `a/b` as well
        deep, flat = (frozenset(_fitting(manifest, "", each, _paths)) for each in (wanted, wanted.replace("**/", "")))
        return deep | flat
    return _fitting(manifest, "stands under the path", wanted, _paths)


def by_kind(manifest: Manifest, key: str, value: str) -> frozenset[str]:
    """``sql``, ``python`` or ``seed``."""
    _no_key("kind", key)
    known = tuple(kind.value for kind in NodeKind)
    return _fitting(manifest, "is of the kind", value, lambda node: (node.kind.value,), known=known)


def by_type(manifest: Manifest, key: str, value: str) -> frozenset[str]:
    """``model``, ``snapshot`` (models too) or ``seed``; ``source`` is understood and fits no node, since sources are not built."""
    _no_key("type", key)

    def types(node: Node) -> tuple[str, ...]:
        if node.kind is NodeKind.SEED:
            return ("seed",)
        return ("model",) if node.config.snapshot is None else ("model", "snapshot")

    return _fitting(manifest, "is of the type", value, types, known=_TYPES)


def by_materialization(manifest: Manifest, key: str, value: str) -> frozenset[str]:
    """How a node is stored."""
    _no_key("materialized", key)
    return _fitting(manifest, "is materialized as", value, lambda node: (node.materialized,), known=_MATERIALIZATIONS)


def by_source(manifest: Manifest, key: str, value: str) -> frozenset[str]:
    """The nodes that read a source's table (``crm.users``), or any table of a group (``crm``)."""
    _no_key("source", key)
    known = {word for source in manifest.sources.values() for word in (source.id, source.group)}

    def read(node: Node) -> Iterable[str]:
        for id_ in node.reads:
            source = manifest.sources.get(id_)
            yield from (id_, source.group) if source else (id_,)

    return _fitting(manifest, "reads the source", value, read, known=known, fixed=False)


def by_owner(manifest: Manifest, key: str, value: str) -> frozenset[str]:
    """Who looks after a model."""
    _no_key("owner", key)
    return _fitting(manifest, "has the owner", value, lambda node: _words(node.config.owner))


def by_engine(manifest: Manifest, key: str, value: str) -> frozenset[str]:
    """The models that are limited to an engine by ``engines``."""
    _no_key("engine", key)
    return _fitting(manifest, "is limited to the engine", value, lambda node: node.config.engines)


def by_group(manifest: Manifest, key: str, value: str) -> frozenset[str]:
    """The group that a model belongs to."""
    _no_key("group", key)
    return _fitting(manifest, "belongs to the group", value, lambda node: _words(node.config.group))


def by_fqn(manifest: Manifest, key: str, value: str) -> frozenset[str]:
    """Folders below the first one and the name, with dots: ``staging.crm.users``, or only the first words of it."""
    _no_key("fqn", key)
    project = manifest.project

    def paths(node: Node) -> Iterator[str]:
        folders = PurePosixPath(node.path).parts[1:-1]
        for name in (node.name, node.short_name):
            steps = (*folders, name)
            for end in range(1, len(steps) + 1):
                yield ".".join(steps[:end])
                yield ".".join((node.package or project, *steps[:end]))
        yield node.package or project
        yield node.short_name

    return _fitting(manifest, "has the path", value, paths)


def by_package(manifest: Manifest, key: str, value: str) -> frozenset[str]:
    """The package that a node comes from; ``this`` and the project's own name mean the project itself."""
    _no_key("package", key)
    return _fitting(
        manifest,
        "comes from the package",
        value,
        lambda node: (node.package,) if node.package else ("this", manifest.project),
        known={"this", manifest.project},
        fixed=False,
    )


def by_config(manifest: Manifest, key: str, value: str) -> frozenset[str]:
    """Any setting of a model; ``config.meta.team:core`` looks into ``meta``, lists fit by each of their entries."""
    if not key:
        raise UsageError(f"config: needs a setting, in config:{value}", code="FF6402", help="write config.KEY:VALUE")
    name, *inside = key.split(".")
    settings = [field.name for field in attrs.fields(ModelConfig)]
    if name not in settings:
        raise UsageError(
            f"unknown setting {name!r} in config.{key}:{value}",
            code="FF6404",
            help=_suggest(name, settings, f"settings: {', '.join(settings)}"),
        )
    if name == "materialized" and not inside:
        return by_materialization(manifest, "", value)
    return _fitting(manifest, f"has config.{key}", value, lambda node: _words(_lookup(node.config, name, inside)))


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "config": by_config,
        "engine": by_engine,
        "fqn": by_fqn,
        "group": by_group,
        "kind": by_kind,
        "materialized": by_materialization,
        "name": by_name,
        "owner": by_owner,
        "package": by_package,
        "path": by_path,
        "resource_type": by_type,
        "source": by_source,
        "tag": by_tag,
        "type": by_type,
    }
)
"""The methods that need nothing but a manifest. Add to them with ``{**METHODS, "state": ...}``."""


def _fitting(
    manifest: Manifest,
    what: str,
    value: str,
    words_of: Callable[[Node], Iterable[str]],
    *,
    known: Iterable[str] = (),
    fixed: bool = True,
) -> frozenset[str]:
    """The nodes that have a word which fits *value*.

    Parameters
    ----------
    known:
        Words that may fit no node without being an error.
    fixed:
        With *known*: there can be no other words, so an unknown one is a wrong command line.
    """
    fits = fitting(value)
    words = {node.name: tuple(words_of(node)) for node in manifest.nodes.values()}
    found = frozenset(name for name, own in words.items() if any(fits(word) for word in own))
    if found or has_wildcard(value) or value in known:
        return found
    known = tuple(known)
    if known and fixed:
        raise UsageError(
            f"no node {what} {value!r}", code="FF6404", help=_suggest(value, known, f"one of {', '.join(known)}")
        )
    everything = sorted({word for own in words.values() for word in own}.union(known))
    some = f"known here: {', '.join(everything[:8])}{' ...' if len(everything) > 8 else ''}"
    raise SelectionError(f"no node {what} {value!r}", help=_suggest(value, everything, some if everything else None))


def fitting(value: str) -> Callable[[str], bool]:
    """Tells which words *value* means: those that fit it as a pattern, or the one that it is."""
    return _pattern(value) if has_wildcard(value) else value.__eq__


def _pattern(value: str) -> Callable[[str], bool]:
    # Not fnmatch itself: it follows the operating system's idea of letter case.
    compiled = re.compile(translate(value))
    return lambda word: compiled.match(word) is not None


def _suggest(value: str, words: Iterable[str], otherwise: str | None) -> str | None:
    close = difflib.get_close_matches(value, sorted(words), n=1)
    return f"did you mean {close[0]!r}?" if close else otherwise


def _no_key(method: str, key: str) -> None:
    if key:
        raise UsageError(f"{method}: takes no setting, but got {key!r}", code="FF6402", help=f"write {method}:VALUE")


def _paths(node: Node) -> Iterator[str]:
    """The node's file and the folders around it, up to the project's own."""
    path = node.path
    yield path
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
    yield "."


def _lookup(config: ModelConfig, name: str, inside: Iterable[str]) -> Any:
    value: Any = getattr(config, name)
    for key in inside:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _words(value: Any) -> tuple[str, ...]:
    """A setting's value as the words that a user would write for it."""
    if value is None or isinstance(value, Mapping):
        return ()
    if isinstance(value, bool):
        return (str(value).lower(),)
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(word for entry in value for word in _words(entry))
    return (str(value),)
