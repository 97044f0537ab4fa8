"""Turns the files of a project into a :class:`~flowforge.project.manifest.Manifest`; runs and imports none of them.

All problems are collected, so that one report shows them all. What stands on higher floors (seed files, the checks
that plugins declare) is handed in as callables.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from flowforge.config.check_entries import RawCheck
from flowforge.config.flaws import nearest
from flowforge.config.parsed import Parsed
from flowforge.config.project import ProjectConfig
from flowforge.config.properties import ModelProps, Properties, load_properties
from flowforge.config.source_places import Declared
from flowforge.config.sources import SourceDecl, load_sources
from flowforge.errors import CheckConfigError, ConfigFileError, DependencyNotFoundError, FlowForgeError, Note, Problems
from flowforge.project.asked import Answers
from flowforge.project.deltas import DeltaReader
from flowforge.project.files import find_model_files
from flowforge.project.layering import read_settings
from flowforge.project.macros import MacroLibrary, read_macros
from flowforge.project.manifest import (
    CheckDecl,
    CheckTable,
    ColumnInfo,
    Manifest,
    Node,
    NodeKind,
    RefCall,
    Source,
    SourceCall,
    SourceFiles,
    complete,
)
from flowforge.project.names import check_names
from flowforge.project.own_checks import SINGULAR, OwnCheck, OwnChecks
from flowforge.project.python_nodes import python_drafts, python_nodes
from flowforge.project.quarantining import with_checks
from flowforge.project.sql_nodes import read_sql, sql_node
from flowforge.values import Relation

if TYPE_CHECKING:
    from flowforge.project.contracting import Choose


class FoundSeeds(Protocol):
    """What a :class:`SeedFinder` answers with."""

    @property
    def nodes(self) -> tuple[Node, ...]:
        """One for each seed."""

    @property
    def notes(self) -> tuple[Note, ...]:
        """Warnings about other files."""

    @property
    def properties(self) -> tuple[Properties, ...]:
        """What YAML files among the seeds say."""


class NoSeeds:
    """What stands for the seeds of a project that has none."""

    nodes: tuple[Node, ...] = ()
    notes: tuple[Note, ...] = ()
    properties: tuple[Properties, ...] = ()


SeedFinder = Callable[[Problems, tuple[ModelProps, ...], Answers], FoundSeeds]
EngineNames = Callable[[Declared], Collection[str]]
Resolve = Callable[[str], str | None]
CheckBinder = Callable[[RawCheck, Resolve, Mapping[str, OwnCheck]], CheckDecl | None]
CheckFinder = Callable[[Problems, MacroLibrary, Answers], OwnChecks]


def _no_own_checks(problems: Problems, library: MacroLibrary, answers: Answers) -> OwnChecks:
    return OwnChecks()


def load_manifest(
    root: Path,
    config: ProjectConfig,
    problems: Problems,
    *,
    find_seeds: SeedFinder,
    bind_check: CheckBinder,
    find_checks: CheckFinder = _no_own_checks,
    vars: Mapping[str, Any],
    environ: Mapping[str, str] | None = None,
    fits: Callable[[Node], bool] = lambda node: True,
    engine_names: EngineNames = lambda declared: frozenset(),
    choose: Choose = lambda said, locate: said.get("default"),
    parsed: Parsed | None = None,
) -> Manifest:
    """Load a project.

    Parameters
    ----------
    root:
        The project's folder.
    find_seeds:
        Gives a node for every seed file, and warnings about others; gets what YAML files below the models say about
        seeds.
    bind_check:
        Turns a declared check and a function ``table name -> node name`` into a typed one, or into ``None`` when it
        is about other engines; raises what is wrong. Also gets the project's own checks.
    find_checks:
        Reads the checks that the project brings itself.
    vars:
        The project's variables with those of the command line on top.
    environ:
        Variables of the environment that settings may ask for.
    fits:
        Whether a node is one of this engine and environment.
    engine_names:
        All names of this engine; called only with sources that say something for single engines.
    choose:
        Picks among what is said for single engines.
    parsed:
        What was kept of files that have not changed since, and takes what is new.

    Anything wrong goes to *problems*; the manifest then holds what could be understood.
    """
    parsed = parsed or Parsed.nothing(root)
    files = find_model_files(root, config.models_dir, problems)
    properties = [load_properties(root, path, problems, parsed) for path in files.properties]
    described = [entry for file in properties if file is not None for entry in file.models]
    answers = Answers(vars, environ or {})
    settings = read_settings(config, (entry for entry in described if entry.kind == "models"), problems, answers)
    library = read_macros(root, files.macros, files.python_macros, problems, parsed)
    deltas = DeltaReader(root, library)
    nodes: list[Node] = []
    for path in files.sql:
        scan = read_sql(root, path, problems, parsed)
        node = sql_node(scan, path, problems, settings, library, deltas) if scan is not None else None
        if node is not None:
            nodes.append(node)
    for path in files.python:
        drafts = python_drafts(root, path, problems, parsed)
        nodes.extend(python_nodes(drafts, path, problems, settings, deltas, library))
    settings.refuse_strays(nodes, problems)
    seeds = find_seeds(problems, tuple(entry for entry in described if entry.kind == "seeds"), answers)
    nodes.extend(seeds.nodes)
    properties.extend(seeds.properties)

    enabled = [node for node in nodes if node.config.enabled and fits(node)]
    used = {node.short_name for node in enabled}
    disabled = {node.short_name: node.path for node in nodes if node.short_name not in used}
    named = check_names(enabled, problems)
    before = len(problems)
    declared = load_sources(root, problems, parsed)
    understood = len(problems) == before
    sources = {source.id: source for source in _sources(declared, named, engine_names)}
    _describe(named, [entry for entry in properties if entry is not None], disabled, problems)
    linker = _Linker(named, sources, disabled, problems, understood)
    linker.link()
    own = linker.checks(find_checks(problems, library, answers))

    manifest = Manifest(
        project=config.name,
        version=config.version,
        nodes=dict(sorted(named.items())),
        sources=dict(sorted(sources.items())),
        vars=vars,
        macros=library,
        dialect=config.dialect,
        own_checks=own.types,
        notes=(*(note for note in files.notes if _path(note) not in deltas.used), *seeds.notes, *own.notes),
    )
    raw = [check for entry in properties if entry is not None for check in entry.checks]
    raw += [check for entry in declared for check in entry.checks]
    resolve = _resolver(manifest)
    if files.contracts or (root / "contracts.yml").exists():
        from flowforge.project.contracting import read_contracts, with_contracts

        joined = read_contracts(root, files.contracts, manifest, resolve, choose, disabled, problems, parsed)
        manifest = with_contracts(manifest, joined)
        raw += joined.checks
    checks = _checks([*config.checks, *raw], own, manifest, resolve, bind_check, problems)
    return with_checks(manifest, checks, problems)


def _path(note: Note) -> str | None:
    return note.location.path if note.location is not None else None


def _sources(declared: Sequence[SourceDecl], nodes: Mapping[str, Node], engine_names: EngineNames) -> Iterable[Source]:
    by_relation = {node.relation.name: node.name for node in nodes.values() if node.relation.schema is None}
    for entry in declared:
        place = entry.declared.on(engine_names(entry.declared) if entry.declared.has_overrides else ())
        here = place.location is None and place.schema is None and place.database is None
        files = None
        if place.location is not None:
            assert place.written is not None
            files = SourceFiles(place.location, place.format, place.options, place.written)
        yield Source(
            id=entry.id,
            group=entry.group,
            table=entry.table,
            relation=Relation(place.identifier, place.schema, place.database),
            location=entry.location,
            description=entry.description,
            columns={name: ColumnInfo(name, text) for name, text in entry.columns.items()},
            node=by_relation.get(place.identifier) if here else None,
            assume_unchanged=entry.assume_unchanged,
            loaded_at=entry.loaded_at,
            freshness=entry.freshness,
            files=files,
            meta=entry.meta,
            tags=entry.tags,
            group_description=entry.group_description,
            event_time=entry.event_time,
        )


def _describe(
    nodes: Mapping[str, Node], properties: Iterable[Properties], disabled: Mapping[str, str], problems: Problems
) -> None:
    """Attach descriptions from YAML; a description of nothing is an error."""
    short = {node.short_name: name for name, node in nodes.items()}
    described: dict[str, ModelProps] = {}
    for entry in (model for file in properties for model in file.models):
        key = entry.name.removesuffix(".ff")
        if key in disabled:
            continue
        if key not in short:
            problems.add(
                ConfigFileError(
                    f"there is no model or seed {entry.name!r} to describe",
                    code="FF1023",
                    location=entry.location,
                    help=nearest(key, short),
                )
            )
            continue
        if key in described:
            problems.add(
                ConfigFileError(
                    f"{entry.name!r} is described twice",
                    code="FF1024",
                    location=entry.location,
                    notes=[f"the other place is {described[key].location}"],
                )
            )
            continue
        described[key] = entry
        node = nodes[short[key]]
        kind = "seeds" if node.kind is NodeKind.SEED else "models"
        if entry.kind != kind and entry.settings:
            problems.add(
                ConfigFileError(
                    f"{entry.name!r} is one of the {kind}, and its settings stand under `{entry.kind}:`",
                    code="FF1023",
                    location=entry.location,
                    help=f"move the entry under `{kind}:`",
                )
            )
        config = node.config
        tags = tuple(dict.fromkeys((*config.tags, *entry.tags))) if entry.tags else config.tags
        complete(
            node,
            description=entry.description or node.description,
            columns={column.name: ColumnInfo(column.name, column.description) for column in entry.columns},
            config=attrs.evolve(config, tags=tags) if tags != config.tags else config,
        )


class _Linker:
    """Finds what is referred to; what is not there goes to *problems*."""

    def __init__(
        self,
        nodes: Mapping[str, Node],
        sources: Mapping[str, Source],
        disabled: Mapping[str, str],
        problems: Problems,
        all_sources: bool,
    ) -> None:
        self._nodes = nodes
        self._known = {node.short_name: name for name, node in nodes.items()}
        self._sources = sources
        self._disabled = disabled
        self._problems = problems
        self._all_sources = all_sources

    def link(self) -> None:
        """Fill in what each node depends on; report references to nothing."""
        for node in self._nodes.values():
            refs, calls = node.refs, node.sources
            for one in (*node.config.hooks, *((node.delta,) if node.delta else ())):
                refs, calls = (*refs, *one.refs), (*calls, *one.sources)
            parents, reads = self.found(refs, calls)
            complete(node, depends_on=parents, reads=reads)

    def found(self, refs: Iterable[RefCall], calls: Iterable[SourceCall]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of nodes and ids of sources, both sorted."""
        parents: set[str] = set()
        reads: set[str] = set()
        for ref in refs:
            target = self._known.get(ref.name.removesuffix(".ff"))
            if target is None:
                self._problems.add(_missing_ref(ref, self._known, self._sources, self._disabled))
            else:
                parents.add(target)
        for call in calls:
            source = self._sources.get(f"{call.source}.{call.table}")
            if source is None:
                if self._all_sources:
                    self._problems.add(_missing_source(call, self._sources))
                continue
            reads.add(source.id)
            if source.node is not None:
                parents.add(source.node)
        return tuple(sorted(parents)), tuple(sorted(reads))

    def checks(self, own: OwnChecks) -> OwnChecks:
        """The project's own checks with what they read."""

        def linked(check: OwnCheck) -> OwnCheck:
            depends_on, reads = self.found(check.refs, check.sources)
            return attrs.evolve(check, depends_on=depends_on, reads=reads)

        types = {name: linked(check) for name, check in own.types.items()}
        return attrs.evolve(own, types=types, tests=tuple(linked(check) for check in own.tests))


def _missing_ref(
    ref: RefCall, known: Mapping[str, str], sources: Mapping[str, Source], disabled: Mapping[str, str]
) -> DependencyNotFoundError:
    name = ref.name.removesuffix(".ff")
    if name in disabled:
        return DependencyNotFoundError(
            f"the model {ref.name!r} is disabled", code="FF1206", location=ref.location, notes=[disabled[name]]
        )
    hint = nearest(name, known)
    for source in sources.values():
        if hint is None and name in (source.id, source.table, source.relation.name):
            hint = f"it is a source: write source({source.group!r}, {source.table!r})"
            if ref.location.path.endswith(".py"):
                hint = f"it is a source: let a SQL model read source({source.group!r}, {source.table!r}), and name that"
    return DependencyNotFoundError(
        f"unknown model {ref.name!r}",
        location=ref.location,
        help=hint or "`flowforge ls` shows the names of the project",
    )


def _missing_source(call: SourceCall, sources: Mapping[str, Source]) -> DependencyNotFoundError:
    name = f"{call.source}.{call.table}"
    hint = nearest(name, sources)
    return DependencyNotFoundError(
        f"unknown source {name!r}",
        code="FF1207",
        location=call.location,
        help=hint or f"declare the table {call.table!r} under {call.source!r} in sources.yml",
    )


def _resolver(manifest: Manifest) -> Callable[[str], str | None]:
    """Finds the node that a table's name means."""
    by_name: dict[str, str] = {}
    for node in manifest.nodes.values():
        by_name.setdefault(node.relation.name, node.name)
    for node in manifest.nodes.values():
        by_name[node.short_name] = node.name
    for source in manifest.sources.values():
        if source.node is not None:
            by_name.setdefault(source.relation.name, source.node)
            by_name.setdefault(source.id, source.node)

    def resolve(table: str) -> str | None:
        return by_name.get(table.removesuffix(".ff"))

    return resolve


def _checks(
    raw: Iterable[RawCheck],
    own: OwnChecks,
    manifest: Manifest,
    resolve: Callable[[str], str | None],
    bind_check: CheckBinder,
    problems: Problems,
) -> tuple[CheckDecl, ...]:
    bound: dict[str, CheckDecl] = {}
    for entry in raw:
        try:
            check = bind_check(entry, resolve, own.types)
            if check is None:
                continue
            source_of = manifest.source_called(check.table) if check.node is None else None
            if source_of is not None:
                check = attrs.evolve(check, source=source_of.id)
        except FlowForgeError as error:
            problems.add(error)
            continue
        for table in check.reads:
            if "source(" in table.written and table.name not in manifest.sources:
                problems.add(
                    CheckConfigError(
                        f"the source {table.name!r} is not declared",
                        location=check.location,
                        help=nearest(table.name, manifest.sources) or "declare it in sources.yml",
                    )
                )
        _keep(check, bound, problems)
    for test in own.tests:
        _keep(_singular(test, problems), bound, problems)
    return tuple(bound.values())


def _keep(check: CheckDecl, bound: dict[str, CheckDecl], problems: Problems) -> None:
    if check.id not in bound:
        bound[check.id] = check
        return
    problems.add(
        ConfigFileError(
            f"the check {check.id!r} is declared twice",
            code="FF1025",
            location=check.location,
            notes=[f"the other place is {bound[check.id].location}"],
            help="remove one of them, or give one a name of its own with `name:`",
        )
    )


def _singular(test: OwnCheck, problems: Problems) -> CheckDecl:
    """The declaration of a test that stands for itself: it reads what its template says.

    One that puts rows aside belongs to the model whose rows they are.
    """
    tuning = test.tuning
    assert tuning is not None
    reads = [CheckTable(name, name.removesuffix(".ff"), name) for name in test.depends_on]
    reads += [CheckTable(name, name) for name in test.reads]
    keeps = tuning.rows_of is not None
    found = next((one for one in reads if tuning.rows_of in (one.name, one.node)), None) if keeps else None
    if keeps and found is None:
        problems.add(
            CheckConfigError(
                f"the test does not read {tuning.rows_of!r}",
                code="FF3068",
                location=test.location,
                help=nearest(str(tuning.rows_of), [one.name for one in reads]) or "name the model whose rows it gives",
            )
        )
    return CheckDecl(
        id=test.name,
        type=SINGULAR,
        table=found.name if found is not None else ", ".join(table.name for table in reads),
        node=found.node if found is not None else None,
        on_fail="stop" if keeps and found is None else tuning.on_fail or {"error": "stop"}.get(tuning.severity, "warn"),
        judges_rows=found is not None,
        is_silent=False,
        params=test.spec.params(),
        location=test.location,
        severity=tuning.severity,
        tags=tuning.tags,
        description=tuning.description,
        warn_if=tuning.warn_if,
        error_if=tuning.error_if,
        reads=tuple(reads),
        own=test,
    )
