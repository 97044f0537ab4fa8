"""Compiles every SQL model and parses the result, so that mistakes show before anything is connected."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from flowforge.contract import Capability
from flowforge.errors import FlowForgeError, Note, Problems, RenderError
from flowforge.project.manifest import Node, SqlBody
from flowforge.run.check_tables import CheckTables
from flowforge.run.compile import Compiled, Compiler
from flowforge.run.lacking import refuse_what_is_lacking
from flowforge.run.own_checks import compile_own_check
from flowforge.utest.files import load_cases
from flowforge.values import Location

if TYPE_CHECKING:
    from flowforge.api.project import Project


def validate(project: Project, *, syntax: bool = True) -> tuple[Note, ...]:
    """Raise everything that is wrong with the project's templates and, if *syntax*, with the SQL that they become.

    Gives the warnings about SQL that is translated.
    """
    compiler, problems = project.compiler, Problems()
    dialect = compiler.dialect.sqlglot if syntax else None
    notes: dict[Note, None] = {}
    reads_files = project.engine.support(Capability.FILE_SOURCES)  # else only those matter that a model reads
    for source in project.manifest.sources.values() if reads_files else ():
        try:
            compiler.source(source)
        except FlowForgeError as error:
            problems.add(error)
    databases = project.engine.databases(project.profile.settings)
    for node in project.manifest.nodes.values():
        _check_engine(project, compiler, databases, node, problems)
        if node.query is None:
            continue
        try:
            compiled = compiler.compile(node.name)
            notes.update(dict.fromkeys(compiled.notes))
            if dialect is not None:
                check_syntax(compiled, dialect, node.path)
        except FlowForgeError as error:
            problems.add(error)
    _check_checks(project, compiler, dialect, problems)
    load_cases(project.root, project.manifest, problems, specs=lambda: project.plugins.checks)
    problems.raise_if_any()
    return tuple(notes)


def _check_checks(project: Project, compiler: Compiler, dialect: str | None, problems: Problems) -> None:
    """Compile the checks in SQL that the project brings itself, with the parameters of each use."""
    checks = [check for check in project.manifest.checks if check.own is not None]
    if not checks:
        return
    spaces = project.engine.offline(project.profile.settings)[1] if project.engine.offline else None
    tables = CheckTables(
        project.manifest, compiler, compiler.dialect, spaces if spaces is not None else project.executor.namespace
    )
    for check in checks:
        assert check.own is not None
        if not isinstance(check.own.body, SqlBody):
            continue
        try:
            compiled = compile_own_check(check, check.own, tables)
            if dialect is not None:
                check_syntax(compiled, dialect, check.own.path)
        except FlowForgeError as error:
            problems.add(error)


def compile_nodes(project: Project, nodes: Iterable[Node]) -> Mapping[str, Compiled]:
    """The SQL of the SQL models among *nodes*, by name; everything that is wrong is raised."""
    problems, compiled, compiler = Problems(), {}, project.compiler
    databases = project.engine.databases(project.profile.settings)
    for node in nodes:
        _check_engine(project, compiler, databases, node, problems)
        if node.query is not None:
            try:
                compiled[node.name] = compiler.compile_shown(node.name)
            except FlowForgeError as error:
                problems.add(error)
    problems.raise_if_any()
    return compiled


def _check_engine(
    project: Project, compiler: Compiler, databases: Collection[str] | None, node: Node, problems: Problems
) -> None:
    """Compile what a model has run beside its query, and look for what the profile's engine cannot do for it."""
    if node.materialized != "ephemeral":
        refuse_what_is_lacking(node, project.engine, compiler.dialect, databases, problems)
    if node.config.hooks:
        try:
            compiler.compile_hooks(node.name)
        except FlowForgeError as error:
            problems.add(error)


def check_syntax(compiled: Compiled, dialect: str, path: str) -> None:
    """Parse compiled SQL.

    Raises
    ------
    RenderError
        With the line of the model.
    """
    import sqlglot
    from sqlglot.errors import ParseError, TokenError

    try:
        sqlglot.parse(compiled.executable, read=dialect)
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        offset = _offset(compiled.executable, first.get("line"), first.get("col"), first.get("highlight") or "")
        raise RenderError(
            f"this is no {dialect} SQL: {first.get('description') or error}".rstrip("."),
            code="FF1405",
            location=(compiled.locate(offset) if offset is not None else None) or Location(path),
            help="if the engine knows better than this parser, use `flowforge validate --no-syntax`",
        ) from error
    except RecursionError as error:
        raise RenderError(
            "this SQL is nested too deeply to be parsed here",
            code="FF1405",
            location=Location(path),
            help="if the engine takes it, use `flowforge validate --no-syntax`",
        ) from error
    except TokenError as error:
        raise RenderError(
            f"this is no {dialect} SQL: {str(error).splitlines()[0]}", code="FF1405", location=Location(path)
        ) from error


def _offset(sql: str, line: int | None, column: int | None, highlight: str) -> int | None:
    """sqlglot counts lines from 1 and gives the column of the token's end."""
    if line is None or column is None:
        return None
    lines = sql.split("\n")
    if line > len(lines):
        return None
    start = sum(len(one) + 1 for one in lines[: line - 1])
    return max(start, start + column - max(len(highlight), 1))
