"""What each node says of itself, as a digest: its compiled SQL or the files behind its function, and its settings.

The ids of what it reads are no part of it. Files are read once for each :class:`Definer`, before anything is imported
or loaded from them, so that a file which changes meanwhile is noticed by the next run at the latest.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from flowforge.contract import Dialect, EngineSpec
from flowforge.errors import FlowForgeError, Note
from flowforge.frozen import frozen
from flowforge.graph.dag import Dag
from flowforge.project.closure import Closure, ClosureReader
from flowforge.project.inputs import input_files
from flowforge.project.manifest import CheckDecl, Manifest, Node, NodeKind, PythonBody, SeedBody, SqlBody
from flowforge.project.own_checks import CheckFunction
from flowforge.project.quarantining import quarantine_checks
from flowforge.rendering.engines import FindEngine
from flowforge.run.check_tables import CheckTables
from flowforge.run.compile import Compiled, Compiler
from flowforge.run.consulted import Consulted
from flowforge.run.growing import compile_increment
from flowforge.run.kept_definitions import Kept, KeptDefinitions, Keys
from flowforge.run.own_checks import compile_own_check
from flowforge.run.python_macros import PythonMacros
from flowforge.run.volatile import contents, python_notes, sql_notes
from flowforge.seeds.content import content_hash
from flowforge.state.fingerprint import digest
from flowforge.values import Location, Namespace


@frozen
class Definition:
    """What a node says.

    Parameters
    ----------
    digest:
        Equal for equal definitions; ``None`` when the node cannot be compiled or read, and *error* says why.
    sql:
        The compiled SQL, with secrets masked.
    config:
        The settings that matter to the rows.
    files:
        Digests of the files behind it, by path relative to the project.
    volatile:
        Why the same definition over the same inputs may still give other rows.
    """

    digest: str | None
    sql: str | None = None
    config: Mapping[str, Any] = attrs.field(factory=dict)
    files: Mapping[str, str] = attrs.field(factory=dict)
    volatile: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    error: FlowForgeError | None = None
    compiled: Compiled | None = None
    increment: Compiled | None = None
    """The query of an incremental model's new rows."""
    content: str | None = None
    """The identity of the rows, where the definition alone tells it: they are those of a file."""
    later: Callable[[], Definition] | None = attrs.field(default=None, eq=False, repr=False)
    """Makes the whole of a definition of which only the digest was kept."""

    def whole(self) -> Definition:
        """The same with *sql* and what is compiled, which a definition lacks whose model was not rendered."""
        return self.later() if self.later is not None else self


class Definer:
    """Finds the definitions of one project's nodes, each once. Safe from any thread.

    Parameters
    ----------
    compiler:
        With a name space that is empty, definitions do not depend on the profile's schemas.
    around:
        What else the rows depend on: the engine and those of its settings that matter.
    judge:
        Look for what makes nodes volatile; who only compares definitions need not wait for that.
    kept, keys:
        What earlier processes found, and what it belongs to.
    """

    def __init__(
        self,
        root: Path,
        compiler: Compiler,
        nodes: Mapping[str, Node],
        around: Any = None,
        *,
        judge: bool = True,
        kept: KeptDefinitions | None = None,
        keys: Keys | None = None,
    ) -> None:
        self._kept = kept
        self._keys = keys
        self._root = root
        self._compiler = compiler
        self._nodes = nodes
        self._around = around
        self._judge = judge
        self._closures = ClosureReader(root)
        self._rules = quarantine_checks(compiler.manifest.checks)
        self._lock = threading.Lock()
        self._known: dict[str, Definition] = {}

    def of(self, name: str) -> Definition:
        """The definition of the node called *name*; an error in it is part of the answer."""
        with self._lock:
            known = self._known.get(name)
        if known is None:
            node = self._nodes[name]
            make: Callable[[Node], Definition] = {
                NodeKind.SQL: self._query,
                NodeKind.PYTHON: self._python,
                NodeKind.SEED: self._seed if node.query is None else self._query,
            }[node.kind]
            try:
                known = make(node)
            except FlowForgeError as error:
                known = Definition(None, error=error)
            with self._lock:
                known = self._known.setdefault(name, known)
        return known

    def save(self) -> None:
        """Keep what was found for later processes."""
        if self._kept is not None:
            self._kept.save(self._nodes)

    def _settings(self, node: Node) -> dict[str, Any]:
        relation = self._compiler.dialect.render(self._compiler.relation(node))
        settings: dict[str, Any] = {"materialized": node.materialized, "relation": relation}
        if node.config.incremental is not None:
            settings.update(attrs.asdict(node.config.incremental))
        if isinstance(node.body, SeedBody) and node.body.loaded_columns:
            settings["loaded_columns"] = True
        if node.config.snapshot is not None:
            settings.update(attrs.asdict(node.config.snapshot))
        if node.contract is not None and node.contract.enforced:
            settings["contract"] = node.contract.short
        rules = self._rules.get(node.name)
        if rules:
            settings["quarantine"] = {check.id: self._rule(check) for check in rules}
        options = node.config.table_options
        settings.update({name: plain(getattr(options, name)) for name in options.named})
        # As they come back from the memory of builds, which is what they are compared with.
        known: dict[str, Any] = plain(settings)
        return known

    def _rule(self, check: CheckDecl) -> list[Any]:
        """What a check says that puts rows aside; a project's own one with its text, or the files behind it."""
        said: list[Any] = [check.type, attrs.asdict(check.params)]
        own = check.own
        if own is None:
            return said
        if isinstance(own.body, CheckFunction):
            return [*said, list(own.key), own.body.function, self._closures.closure(own.path).digest]
        compiler = self._compiler
        tables = CheckTables(compiler.manifest, compiler, compiler.dialect, compiler.namespace)
        return [*said, own.returns, list(own.key), compile_own_check(check, own, tables).unrevealed]

    def _hooks(self, node: Node) -> list[Any]:
        """What the hooks of a node say; whether they are worth a build of their own is not asked."""
        if not node.config.hooks:
            return []
        growing = (False, True) if node.config.incremental is not None else (False,)
        return [
            [key, one.unrevealed, one.hook.transaction]
            for incremental in growing
            for key, found in self._compiler.compile_hooks(node.name, incremental=incremental).items()
            for one in found
        ]

    def _query(self, node: Node) -> Definition:
        """The definition of a node whose rows come from a query; it is rendered when nobody knows what comes of it."""
        config = self._settings(node)
        files, unmatched = self._declared(node)
        kept, keys = self._kept, self._keys
        key = keys.of(node, [config, files, bool(unmatched)]) if kept is not None and keys is not None else None
        if kept is None or keys is None or key is None:
            return self._rendered(node, config, files, unmatched)[0]
        found = kept.find(node.name, key, keys)
        if found is None:
            made, found, consulted = self._rendered(node, config, files, unmatched)
            if self._judge:
                kept.keep(node.name, key, found, consulted, keys)
            return made

        def later() -> Definition:
            try:
                return self._rendered(node, config, files, unmatched)[0]
            except FlowForgeError as error:
                return Definition(None, error=error)

        return Definition(
            digest=found.digest,
            config=config,
            files=files,
            volatile=_reasons(node, found.reasons),
            notes=(*unmatched, *found.reasons, *found.notes),
            later=later,
        )

    def _rendered(
        self, node: Node, config: Mapping[str, Any], files: dict[str, str], unmatched: tuple[Note, ...]
    ) -> tuple[Definition, Kept, Consulted]:
        """The definition of a node whose rows come from a query, what to keep of it, and what it depends on."""
        compiled = self._compiler.compile(node.name)
        increment = None
        if node.config.incremental is not None:
            increment = compile_increment(self._compiler, node, compiled)
        reasons: tuple[Note, ...] = ()
        if self._judge and node.config.cache is None:
            declared = bool(files) and not unmatched
            promised = {one.path for one in self._inlined(node) if one.config.cache}
            dialect = self._compiler.dialect
            reasons = sql_notes(increment or compiled, dialect, files_declared=declared, promised=promised)
        more = [*([increment.unrevealed] if increment is not None else []), *self._hooks(node)]
        delta, delta_notes = self._delta(node)
        files, reasons, more = {**files, **delta}, (*reasons, *delta_notes), [*more, *delta]
        notes = tuple(dict.fromkeys((*compiled.notes, *(increment.notes if increment else ()))))
        kept = Kept(digest([self._around, compiled.unrevealed, config, files, *more]), reasons, notes)
        definition = Definition(
            digest=kept.digest,
            sql=compiled.sql,
            config=config,
            files=files,
            volatile=_reasons(node, reasons),
            notes=(*unmatched, *reasons, *notes),
            compiled=compiled,
            increment=increment,
        )
        return definition, kept, compiled.consulted.with_all([increment.consulted] if increment is not None else [])

    def _delta(self, node: Node) -> tuple[dict[str, str], tuple[Note, ...]]:
        """The files behind a delta in Python, and what makes it volatile."""
        if node.delta is None or isinstance(node.delta.body, SqlBody):
            return {}, ()
        closure = self._closures.closure(node.delta.path)
        judged = self._judge and node.config.cache is None
        texts = contents(self._root, closure.reached) if judged else {}
        notes = python_notes(node, texts, files_declared=bool(node.config.inputs)) if judged else ()
        return {**dict(closure.files), f"{node.delta.path} (imports)": closure.digest}, notes

    def _inlined(self, node: Node) -> list[Node]:
        """The ephemeral models whose text is part of *node*."""
        found: dict[str, Node] = {}
        todo = list(node.depends_on)
        while todo:
            name = todo.pop()
            if name not in found and self._nodes[name].materialized == "ephemeral":
                found[name] = self._nodes[name]
                todo.extend(found[name].depends_on)
        return list(found.values())

    def _python(self, node: Node) -> Definition:
        body = node.body
        assert isinstance(body, PythonBody)
        closure = self._closures.closure(node.path)
        frame = node.config.frame
        config = {
            **self._settings(node),
            "frame": frame,
            "frames_by": version_of_frames(frame),
            "function": body.function,
        }
        ephemeral = [
            self._compiler.compile(name).unrevealed
            for name in node.depends_on
            if self._nodes[name].materialized == "ephemeral"
        ]
        declared, unmatched = self._declared(node)
        delta, delta_notes = self._delta(node)
        files = {**dict(closure.files), **delta, **declared}
        increment = None
        if node.config.incremental is not None:
            increment = compile_increment(self._compiler, node, None)
            ephemeral += [increment.unrevealed] if increment is not None else []
            if node.config.incremental.in_windows:
                config["event_times"] = self._event_times(node)
        notes: tuple[Note, ...] = ()
        if self._judge and node.config.cache is None:
            notes = self._python_notes(node, closure, silent=bool(declared) and not unmatched)
        return Definition(
            digest=digest([self._around, closure.digest, config, ephemeral, files, *self._hooks(node)]),
            config=config,
            files=files,
            volatile=_reasons(node, (*notes, *delta_notes)),
            notes=(*unmatched, *notes, *delta_notes),
            increment=increment,
        )

    def _python_notes(self, node: Node, closure: Closure, *, silent: bool) -> tuple[Note, ...]:
        """What makes a Python model volatile; its files are read closely only when nobody knows that of these."""
        found, digests = None, dict(closure.files)
        files = {path: digests[path] for path in closure.reached}
        key = self._keys.of_code(node, files, silent) if self._keys is not None else ""
        if self._kept is not None:
            found = self._kept.find(node.name, key)
        if found is not None:
            return found.reasons
        texts = contents(self._root, files)
        notes = python_notes(node, texts, files_declared=silent)
        # What changed since the closure was read would be kept under the name of what it was.
        same = all(hashlib.blake2b(text, digest_size=16).hexdigest() == files[path] for path, text in texts.items())
        if self._kept is not None and same:
            self._kept.keep(node.name, key, Kept("", notes))
        return notes

    def _event_times(self, node: Node) -> dict[str, str]:
        """The columns by which inputs are filtered."""
        found = {name: self._nodes[name].config.event_time for name in node.depends_on}
        return {name: column for name, column in found.items() if column is not None}

    def _seed(self, node: Node) -> Definition:
        body = node.body
        assert isinstance(body, SeedBody)
        config = {**self._settings(node), "types": dict(body.types), **_written(body.options)}
        files = {node.path: _hash(self._root / node.path)}
        known = digest([self._around, config, files])
        return Definition(
            digest=known,
            config=config,
            files=files,
            volatile=_reasons(node, ()),
            content=None if body.loaded_columns else known,  # when it was loaded is one of its values
        )

    def _declared(self, node: Node) -> tuple[dict[str, str], tuple[Note, ...]]:
        """The files that a model says it reads, and a warning about each pattern that fits none."""
        found = input_files(self._root, node.config.inputs)
        notes = tuple(
            Note(
                f"the pattern {pattern!r} of its inputs fits no file",
                "FF2324",
                Location(node.path),
                "correct the pattern; until it fits, the model is built in every run if it reads files",
            )
            for pattern in found.unmatched
        )
        return {path: _hash(self._root / path) for path in found.files}, notes


def _written(options: Any) -> dict[str, Any]:
    """How a seed's file is written, where it is not written as usual."""
    if options is None:
        return {}
    said = attrs.asdict(options, filter=lambda field, value: value != field.default)
    return {
        "options": {
            name: value if isinstance(value, bool | int | str | None) else repr(value) for name, value in said.items()
        }
    }


def plain(value: Any) -> Any:
    """A setting as nested lists, mappings and scalars, whatever it was made of."""
    if attrs.has(type(value)):
        return plain(attrs.asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def _hash(path: Path) -> str:
    """The digest of a file's content; one that cannot be read has none, and the build will say why."""
    try:
        return content_hash(path)
    except OSError as error:
        return hashlib.blake2b(f"unreadable: {error.errno}".encode(), digest_size=16).hexdigest()


@functools.cache
def version_of_frames(frame: str) -> str:
    """The version of the library that makes the frames which a Python model gets."""
    import importlib.metadata

    for distribution in (frame, "pyarrow"):
        try:
            return f"{distribution} {importlib.metadata.version(distribution)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""


def _reasons(node: Node, notes: Collection[Note]) -> tuple[str, ...]:
    if node.config.cache is False:
        return ("says cache=False",)
    return tuple(note.message for note in notes)


def definitions(
    manifest: Manifest,
    dag: Dag,
    root: Path,
    *,
    engine: EngineSpec,
    dialect: Dialect,
    environ: Mapping[str, str],
    vars: Mapping[str, Any],
    macros: Mapping[str, Callable[..., Any]] | None = None,
    names: Iterable[str] | None = None,
    find_engine: FindEngine | None = None,
) -> Mapping[str, Definition]:
    """The definitions of nodes (all, without *names*), to be compared: wherever they are written, volatile or not."""
    compiler = Compiler(
        manifest,
        dag,
        engine=engine,
        dialect=dialect,
        namespace=Namespace(),
        environ=environ,
        vars=vars,
        macros=macros,
        function=PythonMacros(root),
        find_engine=find_engine,
        root=root,
    )
    definer = Definer(root, compiler, manifest.nodes, judge=False)
    return {name: definer.of(name) for name in (manifest.nodes if names is None else names)}
