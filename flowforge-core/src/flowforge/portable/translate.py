"""Translates the SQL of one model: the room's front door.

Knows texts and two dialects, and nothing of models or engines. The translator, which takes a fifth of a second to
import, is imported by the first call.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from flowforge.contract import Dialect
from flowforge.frozen import frozen
from flowforge.portable.names import Names, Placeholders, clashes, is_placeholder
from flowforge.portable.positions import Origin, Positions, mark, positions
from flowforge.portable.promises import constructs, promised
from flowforge.portable.refusal import Refused
from flowforge.portable.rules import correct
from flowforge.portable.traits import Pair

if TYPE_CHECKING:
    from sqlglot import exp

SYNTAX, REFUSED, UNSUPPORTED, BEYOND, DOUBT, NAMES = "FF1143", "FF1144", "FF1145", "FF1146", "FF1147", "FF1148"


@frozen
class Remark:
    """Something to say about a query: an error, or a warning, and its offset in the query when it has one."""

    code: str
    text: str
    offset: int | None = None
    help: str | None = None


class Untranslatable(Exception):
    """A query that cannot be said in the other dialect, with all reasons."""

    def __init__(self, remarks: Sequence[Remark]) -> None:
        super().__init__("; ".join(remark.text for remark in remarks))
        self.remarks = tuple(remarks)


@frozen
class Translation:
    """A translated query.

    Parameters
    ----------
    sql:
        The query for the engine.
    warnings:
        What of it may give other rows.
    locate:
        From an offset in *sql* to the place in the query that was translated, where that is certain.
    """

    sql: str
    warnings: tuple[Remark, ...]
    locate: Callable[[int], Origin | None]


def translate(sql: str, source: str, dialect: Dialect, placeholders: Placeholders) -> Translation:
    """Say one query in the dialect of an engine. Any thread.

    Parameters
    ----------
    sql:
        One statement, with placeholders for the relations of the project.
    source:
        What it is written in: the translator's name of a dialect.
    dialect:
        The engine's text rules; the translator has to know it.

    Raises
    ------
    Untranslatable
        When it cannot be parsed, when there are no words for it, or when these would mean something else.
    """
    assert dialect.sqlglot is not None
    pair = Pair(source, dialect.sqlglot)
    try:
        tree = _parsed(sql, pair)
        warnings = _beyond(tree, pair)
        _corrected(tree, pair, dialect, placeholders, warnings)
        bare = _generated(tree, pair)
    except RecursionError as error:
        text = "the query is nested too deeply to be translated"
        help = "divide it into several models"
        raise Untranslatable([Remark(UNSUPPORTED, text, None, help)]) from error

    @functools.cache
    def found() -> Positions | None:
        return _positions(sql, pair, dialect, placeholders, bare)

    def locate(offset: int) -> Origin | None:
        known = found()
        if known is None:
            return None
        for end, longer in placeholders.spans(bare):
            if offset < end + longer:
                offset = min(offset, end - 1)
                break
            offset -= longer
        return known.locate(min(offset, len(bare)))

    return Translation(placeholders.fill(bare), tuple(warnings), locate)


def _parsed(sql: str, pair: Pair) -> exp.Expr:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import ParseError, TokenError

    try:
        trees = sqlglot.parse(sql, read=pair.source)
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        text = str(first.get("description") or error).splitlines()[0].rstrip(".")
        offset = _offset(sql, first.get("line"), first.get("col"), first.get("highlight") or "")
        raise Untranslatable([_no_sql(pair, text, offset)]) from error
    except TokenError as error:
        raise Untranslatable([_no_sql(pair, str(error).splitlines()[0], None)]) from error
    tree = next((one for one in trees if one is not None), None)
    if not isinstance(tree, exp.Query):
        raise Untranslatable([_no_sql(pair, "this is no query that the translator knows", 0)])
    return tree


def _no_sql(pair: Pair, text: str, offset: int | None) -> Remark:
    return Remark(
        SYNTAX,
        f"this is no {pair.source} SQL: {text}",
        offset,
        f"the model says that it is written in {pair.source}; correct it, or its 'dialect'",
    )


def _offset(sql: str, line: int | None, column: int | None, highlight: str) -> int | None:
    """The translator counts lines from 1, and gives the column of a token's end."""
    if line is None or column is None:
        return None
    lines = sql.split("\n")
    if line > len(lines):
        return None
    start = sum(len(one) + 1 for one in lines[: line - 1])
    return max(start, start + column - max(len(highlight), 1))


def _place(node: exp.Expr) -> int | None:
    """Where in the query *node* begins, as far as its parts tell."""
    starts = [one.meta["start"] for one in node.walk() if "start" in one.meta]
    return min(starts, default=None)


def _beyond(tree: exp.Expr, pair: Pair) -> list[Remark]:
    """A warning for each kind of part that is beyond what is promised."""
    known = promised(pair)
    if known is None:
        text = f"nobody has tested what {pair.source} SQL gives in {pair.target}, so its rows may be other ones"
        return [Remark(BEYOND, text, None, "compare the tables, or write the model once for each engine")]
    found: dict[str, exp.Expr] = {}
    for name, node in constructs(tree):
        if name not in known:
            found.setdefault(name, node)
    return [
        Remark(
            BEYOND,
            f"{_spelled(name, node)} is beyond what is promised to give the same rows in {pair.target} as in {pair.source}",
            _place(node),
            "compare the tables, or write the model once for each engine: config(engines=[...])",
        )
        for name, node in found.items()
    ]


def _spelled(name: str, node: exp.Expr) -> str:
    """A construct as people write it."""
    from sqlglot import exp

    if isinstance(node, exp.Anonymous):
        return f"{node.name}()"
    if isinstance(node, exp.Func):
        unit = name.rpartition(")")[2]
        return f"{node.sql_name()}(){unit}"
    return name


def _corrected(
    tree: exp.Expr, pair: Pair, dialect: Dialect, placeholders: Placeholders, warnings: list[Remark]
) -> None:
    """Apply the rules, and say all names for the engine; doubts go to *warnings*."""
    from sqlglot import exp

    flaws: list[Remark] = []

    def refused(refusal: Refused, node: exp.Expr) -> None:
        flaws.append(Remark(REFUSED, refusal.text, _place(node), refusal.help))

    doubts = correct(tree, pair, refused)
    warnings.extend(Remark(DOUBT, doubt.text, _place(doubt.node)) for doubt in doubts)
    flaws.extend(_renamed(tree, pair, dialect))
    for text in tree.find_all(exp.Literal):
        if text.is_string:
            text.set("this", placeholders.fill(text.this))
    if flaws:
        raise Untranslatable(sorted(flaws, key=lambda flaw: flaw.offset or 0))


def _renamed(tree: exp.Expr, pair: Pair, dialect: Dialect) -> list[Remark]:
    """Say all names for the engine; the flaws are names that become one."""
    from sqlglot import exp
    from sqlglot.dialects.dialect import Dialect as Grammar

    names = Names(Grammar.get_or_raise(pair.source), dialect, Grammar.get_or_raise(pair.target))
    meanings: dict[str, set[str]] = {}
    for node in list(tree.find_all(exp.Identifier)):
        if is_placeholder(node.this):
            node.set("quoted", False)
            continue
        said = names.say(node)
        meanings.setdefault(names.stored(said), set()).add(names.meaning(node))
        node.set("this", said[0])
        node.set("quoted", said[1])
    return [
        Remark(
            NAMES,
            f"{both} are different names in {pair.source}, and the same one in {pair.target}",
            None,
            "choose names that differ in more than upper and lower case",
        )
        for both in clashes(meanings)
    ]


def _generated(tree: exp.Expr, pair: Pair) -> str:
    from sqlglot.errors import UnsupportedError

    try:
        return _write(tree, pair)
    except UnsupportedError as error:
        text = str(error).splitlines()[0].rstrip(".")
        remark = Remark(
            UNSUPPORTED,
            f"{pair.target} has no words for this: {text}",
            None,
            "find other words, or write the model once for each engine: config(engines=[...])",
        )
        raise Untranslatable([remark]) from error


def _write(tree: exp.Expr, pair: Pair) -> str:
    from sqlglot.errors import ErrorLevel

    # No width, so that marks move no line end.
    written: Any = tree.sql(
        dialect=pair.target, pretty=True, comments=False, unsupported_level=ErrorLevel.RAISE, max_text_width=10**9
    )
    return str(written)


def _positions(sql: str, pair: Pair, dialect: Dialect, placeholders: Placeholders, bare: str) -> Positions | None:
    """Where the parts of *bare* come from. Done only when somebody asks, because it translates once more."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        tree = _parsed(sql, pair)
        _corrected(tree, pair, dialect, placeholders, [])
        for node in list(tree.find_all(exp.Identifier, exp.Literal)):
            if "start" in node.meta:
                node.set("this", f"{node.this}{mark(node.meta['start'])}")
        marked = _write(tree, pair)
        starts = [token.start for token in sqlglot.tokenize(sql, read=pair.source)]
    except (SqlglotError, ValueError, TypeError, AttributeError, LookupError, RecursionError):
        return None  # a generator that reckons with literals cannot do so with marks
    return positions(bare, marked, sql, starts)
