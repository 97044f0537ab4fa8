"""How a source stands in SQL: the name of its table, or the call that reads its files.

A compiled query holds a stand-in for files, a quoted name like that of any table, until it is shown or executed: what
is shown names files as the project does, what is executed names them as a whole, and digests know no folder of a
machine.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import attrs

from flowforge.contract import Capability, Dialect, EngineSpec, FileSource
from flowforge.errors import ConfigFileError, UnsupportedError
from flowforge.frozen import frozen
from flowforge.project.manifest import Source
from flowforge.values import Namespace, Relation


@frozen
class StandIn:
    """A name that stands for files.

    Parameters
    ----------
    text:
        The name, quoted.
    shown, executable:
        What it stands for, where people see it and where the engine gets it.
    """

    relation: Relation
    text: str
    shown: str
    executable: str


def files_of(source: Source, root: Path) -> FileSource:
    """The files of *source* in the project folder *root*."""
    assert source.files is not None
    files, local = source.files, FileSource(source.files.location)
    base = "" if local.remote or Path(files.location).is_absolute() else root.as_posix()
    location = files.location
    if not local.remote and not location.endswith("/") and os.path.isdir(root / location):
        location += "/"
    return FileSource(location, base, files.format, files.options)


class SourceTexts:
    """Writes the sources of one project for one engine. Safe from any thread."""

    def __init__(self, root: Path, engine: EngineSpec, dialect: Dialect, namespace: Namespace) -> None:
        self._root = root
        self._engine = engine
        self._dialect = dialect
        self._namespace = namespace
        self._known: dict[str, StandIn] = {}

    def relation(self, source: Source) -> Relation:
        """The table of a source that is in no files."""
        return source.relation.within(self._namespace)

    def stand_in(self, source: Source) -> StandIn:
        """The name that stands for the files of *source*.

        Raises
        ------
        ConfigFileError
            When this engine cannot read them, with the place in ``sources.yml``.
        """
        known = self._known.get(source.id)
        if known is None:
            known = self._known[source.id] = self._made(source)
        return known

    def _made(self, source: Source) -> StandIn:
        assert source.files is not None
        if not self._engine.support(Capability.FILE_SOURCES):
            raise ConfigFileError(
                f"{self._engine.name} cannot read files in place of a table, as the source {source.id!r} wants it",
                code="FF1030",
                location=source.files.written,
                help=f"say where it is on this engine: overrides: {{{self._engine.name}: {{identifier: ...}}}}",
            )
        files = files_of(source, self._root)
        try:
            shown = self._dialect.file_source(attrs.evolve(files, base=""))
            executable = self._dialect.file_source(files)
        except UnsupportedError as error:
            raise ConfigFileError(
                f"the files of the source {source.id!r} cannot be read: {error.message}",
                code="FF1031",
                location=source.files.written,
                help=error.help,
            ) from error
        digest = hashlib.blake2b(shown.encode(errors="surrogatepass"), digest_size=8).hexdigest()
        relation = Relation(f"__ff_source__{source.id}__{digest}")
        return StandIn(relation, self._dialect.render(relation), shown, executable)


def put_in(sql: str, values: Mapping[str, str]) -> str:
    """*sql* with *values* in the place of the texts that are their keys."""
    if not values:
        return sql
    return _any_of(values).sub(lambda match: values[match[0]], sql)


def before_put_in(sql: str, values: Mapping[str, str], offset: int) -> int:
    """The offset in *sql* of the character at *offset* in ``put_in(sql, values)``; inside of a value, its beginning."""
    grown = 0
    for start, old, new in _places(sql, values):
        if offset < start + grown:
            break
        if offset < start + grown + len(new):
            return start
        grown += len(new) - len(old)
    return offset - grown


def _places(sql: str, values: Mapping[str, str]) -> Iterator[tuple[int, str, str]]:
    for match in _any_of(values).finditer(sql) if values else ():
        yield match.start(), match[0], values[match[0]]


def _any_of(texts: Collection[str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True)))
