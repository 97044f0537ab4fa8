"""The Python API: load a project, look at it, run it. The command line and every integration stand on it.

Nothing is global: two projects, or one project twice, can be open in one process.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowforge.api.check_selection import select_checks
from flowforge.api.connected import Connected
from flowforge.api.loading import Loader
from flowforge.config.environ import layered_environ
from flowforge.errors import Note
from flowforge.graph.dag import Dag
from flowforge.graph.select import select as select_names
from flowforge.project.manifest import CheckDecl, Manifest, Node, Source

if TYPE_CHECKING:
    import pyarrow as pa

    from flowforge.api.check_history import CheckHistories
    from flowforge.api.comparison import Comparison
    from flowforge.api.retry import Retry
    from flowforge.api.status import ProjectStatus
    from flowforge.contract import EngineSpec
    from flowforge.events import Event
    from flowforge.graph.methods import Method
    from flowforge.plugins import PluginSet
    from flowforge.run.compile import Compiled, Compiler
    from flowforge.run.options import RunOptions
    from flowforge.run.plan import Plan
    from flowforge.run.result import RunResult

Selectors = str | Sequence[str]


class Project(Connected):
    """A loaded project under one profile.

    Use :meth:`load`. The object opens its engine when it first needs it and keeps it open until :meth:`close` (or the
    end of a ``with`` block), so that an in-memory database lives as long as the project. It is safe to use from one
    thread at a time; the work inside is parallel.
    """

    def __init__(
        self,
        root: Path,
        env: str,
        manifest: Manifest,
        dag: Dag,
        *,
        environ: Mapping[str, str],
        engine: str | None,
        plugins: Callable[[], PluginSet],
        vars: Mapping[str, Any] | None = None,
        state: Path | None = None,
    ) -> None:
        super().__init__(root, env, environ=environ, engine=engine, plugins=plugins)
        self.manifest = manifest
        self.dag = dag
        self.given_vars = dict(vars or {})
        self._state = state

    @classmethod
    def load(
        cls,
        path: str | Path = ".",
        *,
        env: str = "dev",
        engine: str | None = None,
        vars: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
        plugins: PluginSet | None = None,
        state: str | Path | None = None,
    ) -> Project:
        """Read a project's files; nothing is connected, imported or run.

        Parameters
        ----------
        path:
            The project's folder.
        env:
            Name of the profile.
        engine:
            Use this engine instead of the profile's.
        vars:
            Variables on top of those of ``project.yml``.
        environ:
            Environment variables; the process's own by default. The project's ``.env`` files are added below them.
        plugins:
            Use these instead of what is installed.
        state:
            A file written by ``flowforge compile --manifest``: what the selectors ``state:...`` compare with, in place
            of the last builds.

        Raises
        ------
        ProjectErrors, ProjectError
            With everything that is wrong with the project.
        """
        root = Path(path).resolve()
        variables = layered_environ(root, env, environ, cwd=Path.cwd())

        @functools.cache
        def plugin_set() -> PluginSet:
            if plugins is not None:
                return plugins
            from flowforge.plugins import load_plugins

            return load_plugins(variables)

        def own_engine() -> EngineSpec:
            from flowforge.config.profiles import load_profile

            plugins = plugin_set()
            return load_profile(
                root, env, variables, engine=engine, engines=plugins.engine, default_engine=plugins.default_engine
            ).engine

        loader = Loader(root, plugin_set, own_engine)
        manifest = loader.load(vars or {}, variables)
        parents = {name: node.depends_on for name, node in manifest.nodes.items()}
        return cls(
            root,
            env,
            manifest,
            Dag.build(parents),
            environ=variables,
            engine=engine,
            plugins=plugin_set,
            vars=vars,
            state=Path(state) if state is not None else None,
        )

    def reloaded(
        self, root: Path | None = None, *, engine: str | None = None, vars: Mapping[str, Any] | None = None
    ) -> Project:
        """The project loaded anew under the same profile, environment and plugins.

        Parameters
        ----------
        root:
            From this folder instead.
        engine, vars:
            Instead of those that were given.
        """
        return Project.load(
            root or self.root,
            env=self.env,
            engine=engine or self.given_engine,
            vars=self.given_vars if vars is None else vars,
            environ=self.environ,
            plugins=self.plugins,
            state=self._state,
        )

    # -- looking --------------------------------------------------------------------------------------------------

    def select(
        self, select: Selectors = (), exclude: Selectors = (), *, changed_since: str | None = None
    ) -> tuple[Node, ...]:
        """The nodes that selectors mean, parents first; all of them without a selector.

        Parameters
        ----------
        changed_since:
            Of these only what differs from this revision of git, and what is built from that.
        """
        names = select_names(
            self.manifest, self.dag, _many(select), _many(exclude), methods=self._methods(select, exclude)
        )
        if changed_since is not None:
            closure = self.compare(since=changed_since).changes.closure
            names = tuple(name for name in names if name in closure)
        return tuple(self.manifest.nodes[name] for name in names)

    def select_sources(self, select: Selectors = (), exclude: Selectors = ()) -> tuple[Source, ...]:
        """The sources that selectors mean, sorted by id; all of them without a selector."""
        from flowforge.graph.sources import select_sources

        return select_sources(
            self.manifest, self.dag, _many(select), _many(exclude), methods=self._methods(select, exclude)
        )

    def compare(self, *, since: str = "HEAD", state: str | Path | None = None) -> Comparison:
        """What is different from an earlier state of the project.

        Parameters
        ----------
        since:
            A revision of git; files that are not committed count as they are now.
        state:
            A file written by ``flowforge compile --manifest`` instead.

        Raises
        ------
        StateError, UsageError
            When git, the file, or the project as it was cannot be used.
        """
        from flowforge.api.comparison import compare_with_commit, compare_with_file

        return compare_with_file(self, Path(state)) if state is not None else compare_with_commit(self, since)

    def write_manifest(self, path: str | Path) -> Path:
        """Write the definitions of all nodes into a file, to compare with later; it holds no secret.

        Parameters
        ----------
        path:
            The file, or an existing folder, in which it is called ``manifest.json``.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ProjectErrors, RenderError
            With everything that does not compile.
        OSError
            When the file cannot be written.
        """
        from flowforge.api.described import describe
        from flowforge.api.manifest_file import write_manifest

        self.compile()
        return write_manifest(Path(path), describe(self))

    def _methods(self, select: Selectors, exclude: Selectors) -> Mapping[str, Method]:
        if not (select or exclude):
            return {}  # nobody asks, and the memory of runs stays closed
        from flowforge.api.history import methods_of

        return methods_of(self, self._state)

    def mermaid(self, select: Selectors = (), exclude: Selectors = ()) -> str:
        """The DAG as the text of a Mermaid flowchart."""
        from flowforge.graph.mermaid import mermaid

        return mermaid(self.manifest, self.dag, [node.name for node in self.select(select, exclude)])

    @property
    def compiler(self) -> Compiler:
        """Compiles models for this project's engine; connects only where the engine cannot do it offline."""
        from flowforge.rendering.engines import find_among
        from flowforge.run.compile import Compiler
        from flowforge.run.python_macros import PythonMacros

        if self._executor is None and self.engine.offline is not None:
            dialect, namespace = self.engine.offline(self.profile.settings)
        else:
            dialect, namespace = self.executor.dialect, self.executor.namespace
        return Compiler(
            self.manifest,
            self.dag,
            engine=self.engine,
            dialect=dialect,
            namespace=namespace,
            environ=self.environ,
            vars=self.manifest.vars,
            macros={macro.name: macro.function for macro in self.plugins.macros.values()},
            function=PythonMacros(self.root),
            find_engine=find_among(self.plugins.engines),
            root=self.root,
        )

    def compile(self, select: Selectors = (), exclude: Selectors = ()) -> Mapping[str, Compiled]:
        """The SQL of the selected SQL models and SQL seeds, by node name; secrets are masked in ``.sql``.

        Raises
        ------
        ProjectErrors, RenderError
            With everything that does not compile.
        """
        from flowforge.api.validation import compile_nodes

        return compile_nodes(self, self.select(select, exclude))

    def validate(self, *, syntax: bool = True) -> tuple[Note, ...]:
        """Compile every SQL model and parse the result, without a connection; the files were checked by loading.

        The answer is warnings about models that are translated from another dialect.

        Parameters
        ----------
        syntax:
            Parse the SQL too, where the engine's dialect is known to the parser.

        Raises
        ------
        ProjectErrors, ProjectError
            With everything that is wrong.
        """
        from flowforge.api.validation import validate

        return validate(self, syntax=syntax)

    def show(self, node: str | None = None, *, inline: str | None = None, limit: int | None = 10) -> pa.Table:
        """The first rows of a node as it would be built now, or of a query.

        Parameters
        ----------
        node:
            Name of a model (its query runs) or seed (its table is read).
        inline:
            A query instead; it may use ``ref`` and ``source``.
        limit:
            How many rows; ``None``: all.
        """
        from flowforge.run.asking import Asker
        from flowforge.run.preview import preview
        from flowforge.run.sessions import Sessions

        with self.session("flowforge/show") as session:
            executor = self.executor
            asker = Asker(executor.session, executor.error, self.redactor.redact, Sessions(), "flowforge/show")
            return preview(self.manifest, self.compiler.asking(asker), executor, session, node, inline, limit)

    # -- doing ----------------------------------------------------------------------------------------------------

    def run(
        self,
        select: Selectors = (),
        exclude: Selectors = (),
        *,
        jobs: int | None = None,
        options: RunOptions | None = None,
        changed_since: str | None = None,
        listener: Callable[[Event], None] | None = None,
    ) -> RunResult:
        """Build the selected models. What goes wrong with a model is in the result, not raised.

        Parameters
        ----------
        jobs:
            Nodes at once; the same as in *options*.
        changed_since:
            As for :meth:`select`.
        listener:
            Called with every event, one at a time, from worker threads.
        """
        return self._execute("run", select, exclude, jobs, options, listener, changed_since)

    def seed(
        self,
        select: Selectors = (),
        exclude: Selectors = (),
        *,
        jobs: int | None = None,
        options: RunOptions | None = None,
        changed_since: str | None = None,
        listener: Callable[[Event], None] | None = None,
    ) -> RunResult:
        """Load the selected seed files into tables."""
        return self._execute("seed", select, exclude, jobs, options, listener, changed_since)

    def build(
        self,
        select: Selectors = (),
        exclude: Selectors = (),
        *,
        jobs: int | None = None,
        options: RunOptions | None = None,
        changed_since: str | None = None,
        listener: Callable[[Event], None] | None = None,
    ) -> RunResult:
        """Load seeds, build models and check their rows before they are published, in the order of the DAG."""
        return self._execute("build", select, exclude, jobs, options, listener, changed_since)

    def plan(
        self,
        select: Selectors = (),
        exclude: Selectors = (),
        *,
        command: str = "run",
        options: RunOptions | None = None,
        changed_since: str | None = None,
    ) -> Plan:
        """What a run would do with each node, and why. It looks into the database and writes nothing.

        Parameters
        ----------
        command:
            ``run``, ``build`` or ``seed``.
        """
        from flowforge.api.asking import names_for, plan

        names = names_for(self, command, _many(select), _many(exclude), changed_since)
        return plan(self, names, options)

    def last_failure(self) -> Retry | None:
        """What is left to do of the last run under this profile; ``None`` when it ended well, or there is none.

        Raises
        ------
        StateError
            When that run still goes on.
        """
        from flowforge.api.retry import find_retry

        return find_retry(self)

    def retry(
        self,
        found: Retry,
        *,
        options: RunOptions | None = None,
        listener: Callable[[Event], None] | None = None,
    ) -> RunResult:
        """Run what :meth:`last_failure` found, with the options of that run unless others are given."""
        from flowforge.api.asking import execute

        return execute(self, found.command, found.names, options or found.options, listener)

    def plan_retry(self, found: Retry, *, options: RunOptions | None = None) -> Plan:
        """What :meth:`retry` would do; writes nothing."""
        from flowforge.api.asking import plan

        return plan(self, found.names, options or found.options)

    def test(
        self,
        select: Selectors = (),
        exclude: Selectors = (),
        *,
        checks: Selectors = (),
        listener: Callable[[Event], None] | None = None,
        options: RunOptions | None = None,
    ) -> RunResult:
        """Check the data that stands in the database.

        A bare selector that names no node but is the tag of checks takes the checks with that tag. What goes wrong with
        a check is in the result, not raised.
        """
        from flowforge.api.checking import check_data

        return check_data(self, self.select_checks(select, exclude, checks=checks), listener, options)

    def select_checks(
        self, select: Selectors = (), exclude: Selectors = (), *, checks: Selectors = ()
    ) -> tuple[CheckDecl, ...]:
        """The checks that ``flowforge test`` would run.

        Parameters
        ----------
        checks:
            Of the selection only those with one of these names or types; wildcards count.

        Raises
        ------
        NothingSelectedError
            When there are checks, but none of them is selected.
        """
        return select_checks(
            self.manifest, self.dag, _many(select), _many(exclude), self._methods(select, exclude), _many(checks)
        )

    def check_history(
        self, select: Selectors = (), exclude: Selectors = (), *, checks: Selectors = (), limit: int = 10
    ) -> CheckHistories:
        """What the selected checks have found in earlier runs under this profile; the database is not asked.

        Parameters
        ----------
        checks:
            As for :meth:`select_checks`.
        limit:
            How many results of each check, the newest ones.
        """
        from flowforge.api.check_history import check_histories

        return check_histories(self, self.select_checks(select, exclude, checks=checks), limit=limit)

    def status(self, select: Selectors = (), exclude: Selectors = ()) -> ProjectStatus:
        """How the selected nodes and sources stand, as far as earlier runs have noted it; the database is not asked.

        Raises
        ------
        NothingSelectedError
            When nothing is selected.
        """
        from flowforge.api.status import project_status

        return project_status(self, _many(select), _many(exclude), self._methods(select, exclude))

    def _execute(
        self,
        command: str,
        select: Selectors,
        exclude: Selectors,
        jobs: int | None,
        options: RunOptions | None,
        listener: Callable[[Event], None] | None,
        changed_since: str | None,
    ) -> RunResult:
        from flowforge.api.asking import execute, names_for

        names = names_for(self, command, _many(select), _many(exclude), changed_since)
        return execute(self, command, names, options, listener, jobs)


def _many(selectors: Selectors) -> Sequence[str]:
    return [selectors] if isinstance(selectors, str) else list(selectors)
