"""What models were found to be made from, kept in ``.flowforge/definitions.jsonl``: who knows it need not render them.

A record belongs to a key: a digest of everything that compiling a model may look at, which is its file, its settings,
and what it is told about the relations that it reads (:class:`Keys`). Which variables and macros it looks at is known
only when it was rendered, so their names are part of the record, and a digest of what they were (*told*). Equal keys
and equal answers give equal definitions, whoever made them; in any other case the model is rendered.

A model whose template asks further, such as the database or functions of somebody's own, has no record. Records are
lines of :mod:`flowforge.config.kept_lines`, so a file that is damaged, foreign or older is no file.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import logging
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from flowforge.config.exact import Inexact, exact
from flowforge.config.kept_lines import (
    FOLDER,
    as_json,
    digest_of,
    load_lines,
    standing_in,
    write_lines,
)
from flowforge.config.secrets import is_secret_name
from flowforge.contract import Dialect
from flowforge.errors import FlowForgeError, Note
from flowforge.frozen import frozen
from flowforge.project.manifest import Manifest, Node, Source
from flowforge.run.consulted import NOTHING_CONSULTED, Consulted
from flowforge.values import Location, Relation

FILE = "definitions.jsonl"
_TITLE = "definitions"
_DEPENDS_ON = ("jinja2", "markupsafe")

_log = logging.getLogger("flowforge.run")


@frozen
class Kept:
    """What is kept of a definition.

    Parameters
    ----------
    digest:
        As of :class:`flowforge.run.definition.Definition`.
    reasons:
        What makes the model volatile.
    notes:
        Further warnings.
    """

    digest: str
    reasons: tuple[Note, ...] = ()
    notes: tuple[Note, ...] = ()


class KeptDefinitions:
    """The records of one project under one profile. Safe from any thread.

    Parameters
    ----------
    reads, writes:
        Whether records are handed out, and whether new ones are kept.
    """

    def __init__(self, root: Path | None, env: str, *, reads: bool = True, writes: bool = True) -> None:
        self._file = root / FOLDER / FILE if root is not None else None
        self._env = env
        self._reads = reads
        self._writes = writes and root is not None
        self._lock = threading.Lock()
        self._fresh: dict[str, list[Any]] = {}
        self._body, self._entries = self._load() if root is not None else (b"", {})

    @classmethod
    def nothing(cls) -> KeptDefinitions:
        """Nothing is known, and nothing will be kept."""
        return cls(None, "", reads=False, writes=False)

    @property
    def is_open(self) -> bool:
        """Whether there is any use in asking."""
        return self._writes or bool(self._reads and self._entries)

    def find(self, node: str, key: str, keys: Keys | None = None) -> Kept | None:
        """What was kept of *node*, if it would be the same now.

        Parameters
        ----------
        keys:
            Tell what a rendering would be told now; without them, only what looked at nothing is found.
        """
        entry = self._entries.get(self._name(node)) if self._reads else None
        if entry is None or entry[1] != key:
            return None
        _, _, names, answers, digest, reasons, notes = entry
        if names is not None and (keys is None or _told(key, keys, _consulted(names)) != answers):
            return None
        return Kept(digest, tuple([_note(one) for one in reasons]), tuple([_note(one) for one in notes]))

    def keep(
        self,
        node: str,
        key: str,
        definition: Kept,
        consulted: Consulted = NOTHING_CONSULTED,
        keys: Keys | None = None,
    ) -> None:
        """Keep what *node* was found to be made from, looking at *consulted*, as *keys* tell it."""
        if not self._writes or not consulted.complete:
            return
        names = _names(consulted)
        answers = _told(key, keys, consulted) if names is not None and keys is not None else None
        if names is not None and answers is None:
            return
        reasons, notes = (tuple(map(_note_record, found)) for found in (definition.reasons, definition.notes))
        with self._lock:
            name = self._name(node)
            self._fresh[name] = [name, key, names, answers, definition.digest, reasons, notes]

    def save(self, nodes: Collection[str]) -> None:
        """Write what is new beside what was there before; *nodes* are all that the project has."""
        gone = self._entries.keys() - map(self._name, nodes)
        gone = {name for name in gone if name.startswith(self._name(""))}
        if self._file is None or not self._writes or not (self._fresh or gone):
            return

        def lines(found: object) -> Iterator[bytes]:
            for name, line in zip(self._entries, self._body.split(b"\n"), strict=False):
                if name not in self._fresh and name not in gone:
                    yield line
            for record in self._fresh.values():
                yield as_json(record).encode("utf-8", "surrogatepass")

        try:
            write_lines(self._file, _TITLE, _makers(), lines)
        except (OSError, ValueError) as error:
            _log.debug("%s is not written: %s", FILE, error)

    def _name(self, node: str) -> str:
        return f"{self._env}\n{node}"

    def _load(self) -> tuple[bytes, dict[str, list[Any]]]:
        assert self._file is not None
        try:
            return load_lines(self._file, _TITLE, _makers())
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
            _log.debug("%s is not used: %s", FILE, error)
        return b"", {}


class Keys:
    """Tells the keys of one project's models, for one engine. Safe from any thread.

    Parameters
    ----------
    around:
        What else compiling looks at, and what else is part of all definitions: nested lists, mappings, texts, numbers.
    relation, relation_read:
        Where a node is written, and what stands in a query for a source.
    """

    def __init__(
        self,
        manifest: Manifest,
        around: Any,
        *,
        relation: Callable[[Node], Relation],
        relation_read: Callable[[Source], Relation],
        vars: Mapping[str, Any],
        environ: Mapping[str, str],
    ) -> None:
        self._manifest = manifest
        self._relation = relation
        self._relation_read = relation_read
        self._vars = vars
        self._environ = environ
        library = manifest.macros
        places = [
            sorted((name, one.location.path) for name, one in library.macros.items()),
            sorted((name, one.path) for name, one in library.python.items()),
        ]
        self._around = hashlib.blake2b(as_json([around, manifest.dialect, places]).encode("utf-8", "surrogatepass"))
        self._nodes: dict[str, str] = {}
        self._sources: dict[str, str] = {}
        self._files: dict[str, str] = {}

    def of(self, node: Node, more: Any) -> str | None:
        """The key of *node*; ``None`` when it can have none.

        Parameters
        ----------
        more:
            What else its definition is made of: nested lists, mappings, texts, numbers.
        """
        growing = node.config.incremental
        if node.query is None or node.config.hooks or node.delta is not None or (growing and growing.in_windows):
            return None
        try:
            return self._digest(f"{self._facts(node)},{as_json(more)}")
        except FlowForgeError:
            return None  # whoever compiles it says so, with the place

    def of_code(self, node: Node, files: Mapping[str, str], silent: bool) -> str:
        """The key of what the code of a Python model says, from the digests of its *files*."""
        return self._digest(as_json(["code", node.name, node.short_name, sorted(files.items()), silent]))

    def told(self, consulted: Consulted) -> Any:
        """What a rendering that looks at these things is told; raises :class:`~flowforge.config.exact.Inexact`."""
        return [
            [self._variable(name) for name in sorted(consulted.vars)],
            [self._environment(name) for name in sorted(consulted.envs)],
            [self._text(path) for path in sorted(consulted.macros)],
            [self._meant(name) for name in sorted(consulted.refs)],
        ]

    def _variable(self, name: str) -> Any:
        return [exact(self._vars[name])] if name in self._vars else None

    def _environment(self, name: str) -> Any:
        value = self._environ.get(name)
        return value is not None if is_secret_name(name) else value

    def _text(self, path: str) -> str | None:
        known = self._files.get(path)
        if known is None:
            file = self._manifest.macros.files.get(path)
            if file is None:
                return None
            known = self._files[path] = digest_of(file.text).hex()
        return known

    def _meant(self, name: str) -> str | None:
        node = self._manifest.find(name)
        return node.name if node is not None else None

    def _digest(self, text: str) -> str:
        made = self._around.copy()
        made.update(text.encode("utf-8", "surrogatepass"))
        return made.hexdigest()[:32]

    def _facts(self, node: Node) -> str:
        """What is said to the template of *node*, and of itself, but for what it asks by name."""
        config, body = node.config, node.query
        own = self._relation(node)
        said = as_json(
            [
                node.name,
                node.path,
                node.kind.value,
                body and [body.template, body.simple],
                [own.name, own.schema, own.database],
                node.materialized,
                config.dialect,
                config.cache,
                config.incremental is not None,
            ]
        )
        read = ",".join([*map(self._node, node.depends_on), *map(self._source, node.reads)])
        return f"{said},[{read}]"

    def _node(self, name: str) -> str:
        """What stands for a node in the templates of those that read it; of ephemeral ones, everything."""
        if name not in self._nodes:
            stack = [name]
            while stack:  # without recursion, for chains of any depth
                node = self._manifest.nodes[stack[-1]]
                ephemeral = node.materialized == "ephemeral"
                missing = [one for one in node.depends_on if one not in self._nodes] if ephemeral else []
                if missing:
                    stack.extend(missing)
                    continue
                own = self._relation(node)
                facts = self._digest(self._facts(node)) if ephemeral else None
                self._nodes[stack.pop()] = as_json([node.name, own.name, own.schema, own.database, facts])
        return self._nodes[name]

    def _source(self, id_: str) -> str:
        if id_ not in self._sources:
            source = self._manifest.sources.get(id_)
            read = self._relation_read(source) if source is not None else None
            parts = [read.name, read.schema, read.database] if read is not None else None
            self._sources[id_] = as_json([id_, parts, source.node if source is not None else None])
        return self._sources[id_]


def around_dialect(dialect: Dialect) -> Any:
    """What tells the text rules of an engine from others: their code, and what they say."""
    kinds = [kind for kind in type(dialect).__mro__ if kind is not object]
    files = [getattr(sys.modules.get(kind.__module__), "__file__", None) for kind in kinds]
    folders = sorted({str(Path(file).parent) for file in files if file is not None})
    name = "Aa b\"c`d'e"
    said = [_said(rule, name) for rule in (dialect.fold, dialect.quote, dialect.literal)]
    return [
        [f"{kind.__module__}.{kind.__qualname__}" for kind in kinds],
        [dialect.name, dialect.sqlglot, dialect.max_identifier_bytes, *said],
        [_said(dialect.render, Relation(name, name, name)), *(_said(dialect.literal, one) for one in (True, 1, 0.5))],
        [standing_in(folder) for folder in folders if Path(folder).is_dir()],
    ]


def around_translator() -> Any:
    """What tells one version of the translator from others, which matters only where models are in another dialect."""
    return [[path.as_posix(), standing_in(path, ".py")] for path in _folders("sqlglot", below=True)]


def _said(rule: Callable[[Any], str], value: Any) -> str:
    try:
        return str(rule(value))
    except Exception as error:  # noqa: BLE001 - rules of others may refuse what nobody has written yet
        return f"{type(error).__name__}: {error}"


def _told(key: str, keys: Keys, consulted: Consulted) -> str | None:
    try:
        return digest_of([key, keys.told(consulted)]).hex()
    except Inexact:
        return None


def _names(consulted: Consulted) -> list[list[str]] | None:
    found = [sorted(names) for names in (consulted.vars, consulted.envs, consulted.macros, consulted.refs)]
    return found if any(found) else None


def _consulted(names: Iterable[Iterable[str]]) -> Consulted:
    vars_, envs, macros, refs = map(frozenset, names)
    return Consulted(vars_, envs, macros, refs)


def _note_record(note: Note) -> list[Any]:
    where = note.location
    place = None if where is None else [where.path, where.line, where.column, where.length]
    return [note.message, note.code, place, note.help]


def _note(record: list[Any]) -> Note:
    message, code, where, help_ = record
    return Note(message, code, Location(*where) if where is not None else None, help_)


@functools.cache
def _makers() -> bytes:
    """A digest of everything that a record depends on beside its key: this program, and those that it compiles with."""
    here = Path(__file__).parent.parent
    rooms = sorted(one for one in here.iterdir() if one.is_dir())
    compilers = [folder for name in _DEPENDS_ON for folder in _folders(name)]
    return digest_of([sys.version, here.as_posix(), *map(standing_in, [here, *rooms, *compilers])])


def _folders(name: str, *, below: bool = False) -> list[Path]:
    """The folder of a package, which is not imported for that; with *below*, and those right inside of it."""
    spec = importlib.util.find_spec(name)
    found = [Path(place) for place in (spec.submodule_search_locations or [] if spec is not None else [])]
    more = [one for folder in found for one in sorted(folder.iterdir()) if one.is_dir()] if below else []
    return [*found, *more]
