"""Finds what makes a rendered query depend on more than its declared inputs.

Two kinds of findings: functions whose results change by themselves, and relations (tables, files, table functions)
that stand in a place where a query reads and are none of those that are known. The text is cut into tokens and read
once from left to right, with a stack of parentheses; no grammar of any engine is needed. In doubt something counts:
a finding too many costs a build and a warning, one too few leaves old rows standing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from flowforge.frozen import frozen
from flowforge.project.sql_functions import (
    is_call,
    is_moment,
    is_unseeded_sample,
    is_volatile_call,
    is_volatile_constant,
    is_volatile_with,
)
from flowforge.project.sql_scope import DEAD, FROM, OTHER, SELECT, START, Key, Level, Scope
from flowforge.project.sql_tokens import END, NAME, NUMBER, SIGN, STRING, WORD, SqlToken, sql_tokens
from flowforge.project.sql_words import (
    AFTER_SET_OPERATION,
    CONSTANTS,
    DESCRIBING,
    END_OF_FROM,
    FILE_FUNCTIONS,
    NO_ALIAS,
    PURE_CATALOGUES,
    PURE_TABLE_FUNCTIONS,
    SET_OPERATIONS,
)

_OPENING = {"(": ")", "[": "]", "{": "}"}
_CLOSING = frozenset(_OPENING.values())
_FILE = re.compile(r"[/*]|\.(?:csv|tsv|txt|json|jsonl|ndjson|parquet|arrow|xlsx|avro|orc)(?:\.gz|\.zst)?$", re.I)
_PUNCTUATION = frozenset({*_OPENING, *_CLOSING, ","})
_STEERING = (
    END_OF_FROM
    | SET_OPERATIONS
    | CONSTANTS
    | {"from", "join", "straight_join", "apply", "select", "minus", "lateral", "tablesample", "sample", "next"}
)
"""The words that mean something in the middle of a query though they are not called."""
_BEHIND_A_RELATION = NO_ALIAS - {"select", "from", "with", "values", "table"}
_BEFORE_A_BODY = frozenset({"as", "not", "materialized", "using", "key"})


@frozen
class Found:
    """A finding: how to call it, its offset in the SQL, counted from 0, and whether it is files that are read."""

    text: str
    offset: int
    files: bool = False


@frozen
class SqlReads:
    """What a query depends on besides its known inputs, each in the order of the text."""

    volatile: tuple[Found, ...]
    relations: tuple[Found, ...]


def scan_rendered(
    sql: str, known: Collection[tuple[str, ...]], fold: Callable[[str], str], *, items: bool = False
) -> SqlReads:
    """Read one rendered query. Any thread.

    Parameters
    ----------
    sql:
        One statement, without Jinja.
    known:
        The relations that ``ref`` and ``source`` stand for: the parts of their names, folded.
    fold:
        The dialect's: an unquoted name as the engine stores it.
    items:
        The engine takes ``t.items`` beside ``t`` for what is inside of the rows of ``t``. Others take it for a table of
        a schema ``t``.
    """
    return _Scan(sql, frozenset(known), fold, items).run()


class _Scan:
    def __init__(self, sql: str, known: frozenset[tuple[str, ...]], fold: Callable[[str], str], items: bool) -> None:
        self._sql = sql
        self._items = items
        self._scope = Scope(sql, known, fold)
        self._tokens = sql_tokens(sql)
        self._levels = [Level("", reads=True)]
        self._ends: dict[int, int] | None = None
        self._volatile: list[Found] = []
        self._relations: list[Found] = []

    def run(self) -> SqlReads:
        at, tokens, levels = 0, self._tokens, self._levels
        while (token := tokens[at])[0] != END:
            level = levels[-1]
            if level.expects:
                at = self._relation(at, level)
            elif level.clause is not START and _is_idle(token, tokens[at + 1]):
                at += 1
            else:
                at = self._token(at, level)

        def order(found: Found) -> int:
            return found.offset

        return SqlReads(tuple(sorted(self._volatile, key=order)), tuple(sorted(self._relations, key=order)))

    # -- outside of places where a relation is expected --------------------------------------------------------------

    def _token(self, at: int, level: Level) -> int:
        token = self._tokens[at]
        if token.kind == WORD:
            return self._word(at, level)
        if token.kind == SIGN and token.value in _CLOSING:
            return self._close(at)
        if level.clause == START and level.reads and not level.listing and level.fallback == DEAD:
            level.clause, level.expects = FROM, True  # a list of relations in parentheses
            return at
        if token.kind == SIGN and token.value in _OPENING:
            level.leave_start()
            before = self._tokens[at - 1] if at else None
            callee = before.value if before is not None and before.kind in (WORD, NAME) else ""
            self._open(at, callee=callee)
        elif token.kind == SIGN and token.value == ",":
            level.commas += 1
            if level.listing:
                return self._cte(at + 1, level)
            level.leave_start()
            if level.clause == FROM:
                level.expects = level.beside = True
        else:
            level.leave_start()
            if token.kind == STRING and is_moment(self._tokens, at, level.callee):
                self._volatile.append(Found(self._text(token), token.start))
        return at + 1

    def _word(self, at: int, level: Level) -> int:
        word = self._tokens[at].value
        before = self._tokens[at - 1] if at else self._tokens[-1]
        if before.value == "." and before.kind == SIGN:
            if is_call(self._tokens, at):
                self._function(at)
            return at + 1
        if before.kind == WORD and before.value == "as" and word != "select" and level.clause != START:
            return at + 1
        if level.clause == START:
            handled = self._begin(at, level)
            if handled is not None:
                return handled
        elif level.clause == DEAD:
            if word == "select":
                level.clause = SELECT
                return at + 1
            if word in SET_OPERATIONS and level.closing != "]" and self._tokens[at + 1].value != ",":
                level.clause, level.fallback = START, DEAD
                level.reads = False
                return at + 1
        elif self._clause(at, level):
            return at + 1
        self._function(at)
        return at + 1

    def _begin(self, at: int, level: Level) -> int | None:
        """The first word of what may be a query; ``None`` when it is none."""
        word, after = self._tokens[at].value, self._tokens[at + 1]
        if word == "with":
            level.recursive = after.value == "recursive" and self._tokens[at + 2].kind in (WORD, NAME)
            if level.recursive and self._tokens[at + 2].value == "as":
                level.recursive = False
            return self._cte(at + (2 if level.recursive else 1), level)
        if word == "select":
            level.clause, level.listing = SELECT, False
            return at + 1
        if word == "from" and not level.callee.endswith("trim"):
            level.expect(FROM)
            return at + 1
        if word == "values" and after.value == "(":
            level.clause, level.listing = OTHER, False
            return at + 1
        if (word == "table" and _names(after) and after.value != "(") or (
            word in DESCRIBING
            and (level.reads or level.cte or level.listing or level.fallback != DEAD)
            and _names(after)
            and after.value not in _BEHIND_A_RELATION
        ):
            level.expect(OTHER)
            return at + 1
        if level.listing or (level.fallback != DEAD and word in AFTER_SET_OPERATION):
            return at + 1
        if level.reads and level.fallback == DEAD:
            if level.closing == "" and not level.names:
                level.clause = DEAD  # a statement of another kind
                return None
            level.expect(FROM)
            level.beside = False
            return at
        level.clause = level.fallback
        return self._word(at, level) if level.clause not in (DEAD, START) else None

    def _clause(self, at: int, level: Level) -> bool:
        """A word in the middle of a query; True when it is one that steers."""
        word, after = self._tokens[at].value, self._tokens[at + 1]
        before = self._tokens[at - 1]
        if word == "from":
            if before.value == "distinct" and self._tokens[at - 2].value in ("is", "not"):
                return True
            level.expect(FROM)
        elif word in ("join", "straight_join") and _names(after):
            level.expect(FROM)
            level.beside = before.value == "cross"
        elif word == "apply" and before.value in ("cross", "outer"):
            level.expect(FROM)
            level.beside = True
        elif word == "select":
            level.clause = SELECT
        elif word in END_OF_FROM:
            level.clause = OTHER
        elif word in SET_OPERATIONS or (word == "minus" and after.value in ("select", "(", "all", "distinct", "from")):
            if before.value == "*" and after.value == "(" and level.clause == SELECT:
                return True  # select * except (a, b)
            level.fallback, level.clause = level.clause, START
        elif word == "lateral" and after.value == "view":
            level.clause = OTHER
        elif word == "tablesample" or (
            word == "sample" and (before.value == "using" or (after.value == "(" and level.clause == FROM))
        ):
            if is_unseeded_sample(self._tokens, at):
                self._volatile.append(Found(word, self._tokens[at].start))
        elif word == "next" and after.value == "value" and self._tokens[at + 2].value == "for":
            self._volatile.append(Found("next value for", self._tokens[at].start))
        else:
            return False
        return True

    # -- parentheses -------------------------------------------------------------------------------------------------

    def _open(
        self,
        at: int,
        *,
        callee: str = "",
        reads: bool = False,
        aliased: bool = False,
        cte: frozenset[Key] = frozenset(),
    ) -> None:
        closing = _OPENING[self._tokens[at].value]
        clause = START if closing == ")" else DEAD
        self._levels.append(Level(closing, at, reads, aliased, callee, cte, clause))

    def _close(self, at: int) -> int:
        closing = self._tokens[at].value
        if not any(level.closing == closing for level in self._levels[-3:]):
            return at + 1
        while True:
            level = self._levels.pop()
            self._scope.leave(level)
            if level.closing == closing:
                break
        parent = self._levels[-1]
        if level.callee:
            self._called(level, at)
        if level.cte:
            if not parent.recursive:
                self._scope.define(parent, level.cte)
            parent.clause, parent.listing = START, True
            return at + 1
        return self._alias(at + 1, parent) if level.aliased else at + 1

    def _called(self, level: Level, at: int) -> None:
        function = self._tokens[level.first - 1]
        if function.kind != WORD:
            return
        arguments = 0 if at == level.first + 1 else level.commas + 1
        if is_volatile_with(level.callee, arguments):
            self._volatile.append(Found(f"{self._text(function)}()", function.start))

    def _cte(self, at: int, level: Level) -> int:
        """One ``name [(columns)] as (`` of a list; where the text goes on."""
        name = self._tokens[at]
        level.clause, level.listing = START, True
        if name.kind not in (WORD, NAME):
            return at
        keys = self._scope.keys(name)
        behind = at + 1
        if self._tokens[behind].value == "(":
            end = self._matching(behind)
            if self._tokens[end + 1].value in ("as", "using"):
                behind = end + 1
        while self._tokens[behind].kind == WORD and self._tokens[behind].value in _BEFORE_A_BODY:
            behind += 1
            if self._tokens[behind - 1].value == "key" and self._tokens[behind].value == "(":
                behind = self._matching(behind) + 1
        if self._tokens[behind].value != "(" or self._tokens[behind].kind != SIGN:
            return at
        if level.recursive:
            self._scope.define(level, keys)
        self._open(behind, cte=keys)
        return behind + 1

    def _matching(self, at: int) -> int:
        """Where the parenthesis that opens at *at* ends; the last token when it does not."""
        if self._ends is None:
            self._ends = {}
            open_ = []
            for index, token in enumerate(self._tokens):
                if token.kind == SIGN and token.value == "(":
                    open_.append(index)
                elif token.kind == SIGN and token.value == ")" and open_:
                    self._ends[open_.pop()] = index
        return self._ends.get(at, len(self._tokens) - 3)

    # -- relations ---------------------------------------------------------------------------------------------------

    def _relation(self, at: int, level: Level) -> int:
        token, after = self._tokens[at], self._tokens[at + 1]
        if token.kind == SIGN:
            return self._no_name(at, level)
        if token.kind in (STRING, NUMBER):
            level.expects = False
            if token.kind == STRING:
                self._relations.append(Found(self._text(token), token.start, files=True))
                return self._alias(at + 1, level)
            return at + 1
        if token.kind == WORD:
            word = token.value
            if word in ("lateral", "only") and _names(after):
                level.beside = level.beside or word == "lateral"
                return at + 1
            if word == "rows" and after.value == "from" and self._tokens[at + 2].value == "(":
                level.expects = False
                self._open(at + 2, reads=True, aliased=True)
                return at + 3
            if word == "table" and after.value == "(":
                level.expects = False
                self._open(at + 1, reads=True, aliased=True)
                return at + 2
            if word == "table" and _names(after):
                return at + 1
            if word in ("select", "with", "from") or (word == "values" and after.value == "("):
                level.expects, level.clause, level.fallback = False, START, OTHER
                return at
            if word in END_OF_FROM or word in SET_OPERATIONS or word in ("on", "join", "using"):
                level.expects = False
                return at
        return self._named(at, level)

    def _no_name(self, at: int, level: Level) -> int:
        token = self._tokens[at]
        if token.value == ",":
            return at + 1
        level.expects = False
        if token.value == "(":
            self._open(at, reads=True, aliased=True)
            return at + 1
        if token.value in _CLOSING:
            return at
        end = at
        while self._tokens[end + 1].start == self._tokens[end].end and self._tokens[end + 1].value not in (",", ")"):
            if self._tokens[end + 1].kind == END:
                break
            end += 1
        self._relations.append(Found(self._sql[token.start : self._tokens[end].end], token.start))
        return end + 1

    def _named(self, at: int, level: Level) -> int:
        parts = [self._tokens[at]]
        end = at + 1
        while self._tokens[end].value == "." and self._tokens[end].kind == SIGN:
            behind = end + 1 if self._tokens[end + 1].value != "." else end + 2
            if self._tokens[behind].kind not in (WORD, NAME):
                break
            parts.append(self._tokens[behind])
            end = behind + 1
        first, after = parts[0], self._tokens[end]
        text = self._sql[first.start : parts[-1].end]
        if after.value == ":" and after.kind == SIGN and self._tokens[end + 1].value != ":" and len(parts) == 1:
            self._scope.alias(level, first)
            return end + 1
        level.expects = False
        if after.value == "(" and after.kind == SIGN:
            if not self._is_pure(parts):
                files = parts[-1].value in FILE_FUNCTIONS
                self._relations.append(Found(f"{text}()", first.start, files))
            self._open(end, callee=parts[-1].value, aliased=True)
            return end + 1
        if not self._is_known(parts, level):
            self._relations.append(Found(text, first.start, first.kind == NAME and bool(_FILE.search(first.value))))
        self._scope.alias(level, parts[-1])
        return self._alias(end, level)

    @staticmethod
    def _is_pure(parts: list[SqlToken]) -> bool:
        if parts[-1].kind != WORD or parts[-1].value not in PURE_TABLE_FUNCTIONS:
            return False
        return all(part.value in PURE_CATALOGUES for part in parts[:-1])

    def _is_known(self, parts: list[SqlToken], level: Level) -> bool:
        if len(parts) == 1 and self._scope.is_cte(parts[0]):
            return True
        if len(parts) > 1 and self._items and level.beside and self._scope.is_alias(parts[0]):
            return True
        return self._scope.is_known(parts)

    def _alias(self, at: int, level: Level) -> int:
        """Take note of the alias of a relation, if one stands here; where the text goes on."""
        token = self._tokens[at]
        if token.kind == WORD and token.value == "as" and self._tokens[at + 1].kind in (WORD, NAME):
            self._scope.alias(level, self._tokens[at + 1])
            return at + 2
        if token.kind == NAME or (token.kind == WORD and token.value not in NO_ALIAS):
            self._scope.alias(level, token)
            return at + 1
        return at

    def _function(self, at: int) -> None:
        token = self._tokens[at]
        if is_call(self._tokens, at):
            if is_volatile_call(token.value):
                self._volatile.append(Found(f"{self._text(token)}()", token.start))
        elif is_volatile_constant(self._tokens, at):
            self._volatile.append(Found(self._text(token), token.start))

    def _text(self, token: SqlToken) -> str:
        return self._sql[token.start : token.end]


def _is_idle(token: SqlToken, after: SqlToken) -> bool:
    """Whether nothing can follow from *token* in the middle of a query; most of a query's tokens are such."""
    kind, value = token[0], token[1]  # by number, which is faster than by name, for a hundred tokens a model
    if kind == WORD:
        return value not in _STEERING and not (after[1] == "(" and after[0] == SIGN)
    return kind != STRING and not (kind == SIGN and value in _PUNCTUATION)


def _names(token: SqlToken) -> bool:
    """Whether a relation may begin with *token*."""
    if token.kind == SIGN:
        return token.value in "(@$"
    if token.kind == WORD:
        return token.value not in END_OF_FROM and token.value not in SET_OPERATIONS and token.value not in ("on", "as")
    return token.kind in (NAME, STRING)
