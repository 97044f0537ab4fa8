"""Finds what a SQL model's template refers to and how it is configured, without rendering it.

Most templates hold nothing but literal calls, some of them of macros; those are read here, by the lexer alone. Any
other goes to :mod:`flowforge.project.scan_jinja`, which imports Jinja's parser; nothing is ever compiled or run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flowforge.errors import FlowForgeError, ModelConfigError, ProjectError
from flowforge.frozen import frozen
from flowforge.project.calls import FUNCTIONS, USAGE, bind_ref, bind_source
from flowforge.project.lexer import (
    Create,
    Kind,
    Token,
    blank,
    leading_create,
    lex,
    position,
)
from flowforge.project.literals import Arguments, NotLiteral, parse_arguments
from flowforge.project.manifest import RefCall, SourceCall
from flowforge.project.scanned import Scan
from flowforge.project.single_query import query_problems
from flowforge.values import Location

THIS_FIELDS = ("name", "schema", "database", "relation", "materialized")
"""What a template may read of ``this``."""


class Findings:
    """Collects what is found in one template. One thread."""

    def __init__(self, text: str, path: str) -> None:
        self.text = text
        self.path = path
        self.refs: list[RefCall] = []
        self.sources: list[SourceCall] = []
        self.config: dict[str, Any] | None = None
        self.config_location: Location | None = None
        self.config_locations: dict[str, Location] = {}
        self.deps: list[RefCall] = []
        self.vars: set[str] = set()
        self.envs: set[str] = set()
        self.names: set[str] = set()
        self.dynamic: list[ProjectError] = []
        self.problems: list[FlowForgeError] = []

    def at(self, offset: int, length: int = 1) -> Location:
        """The place in the file."""
        line, column = position(self.text, offset)
        return Location(self.path, line, column, max(length, 1))

    def literal_at(self, offset: int, value: Any) -> Location:
        """The place of the literal *value*; for text inside plain quotes, of the text itself."""
        if isinstance(value, str) and self.text.startswith(value, offset + 1) and self.text[offset] in "'\"":
            return self.at(offset + 1, len(value))
        return self.at(offset)

    def set_config(self, values: dict[str, Any], offset: int, names: Mapping[str, int], deps: Sequence[int]) -> None:
        """Keep the keywords of ``config(...)``.

        Parameters
        ----------
        names:
            Offsets of the keywords.
        deps:
            Offsets of the items of ``deps``.
        """
        where = self.at(offset, len("config"))
        if self.config_location is not None:
            self.problems.append(
                ModelConfigError(
                    "a model calls config() only once",
                    code="FF1122",
                    location=where,
                    help="move all settings into one config() call",
                    notes=(f"the first one is at {self.config_location}",),
                )
            )
            return
        self.config, self.config_location = values, where
        self.config_locations = {name: self.at(at, len(name)) for name, at in names.items()}
        entries = values.get("deps")
        if "deps" not in values:
            return
        if not isinstance(entries, (list, tuple)) or not all(isinstance(entry, str) for entry in entries):
            self.problems.append(
                ModelConfigError(
                    "deps must be a list of model names",
                    code="FF1121",
                    location=self.config_locations.get("deps", where),
                    help="write config(deps=['one_model', 'another_model'])",
                )
            )
            return
        offsets = deps if len(deps) == len(entries) else [offset] * len(entries)
        self.deps = [RefCall(entry, self.literal_at(at, entry)) for entry, at in zip(entries, offsets, strict=True)]

    def bad_call(self, function: str, message: str, offset: int) -> None:
        """A call with arguments that make no sense."""
        where = self.at(offset, len(function))
        self.problems.append(ProjectError(message, code="FF1407", location=where, help=USAGE[function]))

    def dynamic_ref(self, function: str, location: Location) -> None:
        """A name that only rendering can tell."""
        if function == "ref":
            self.dynamic.append(
                ProjectError(
                    "the argument of ref() is computed, so its model cannot be known before the run",
                    code="FF1406",
                    location=location,
                    help="add config(deps=['...']) with the names of all models that it can be",
                )
            )
        else:
            self.problems.append(
                ProjectError(
                    "the arguments of source() are computed, so its table cannot be known before the run",
                    code="FF1406",
                    location=location,
                    help="write group and table as literal texts",
                )
            )

    def finish(self, *, simple: bool, create: Create | None) -> Scan:
        """Everything as a frozen value."""
        if self.config is None or "deps" not in self.config:
            self.problems += self.dynamic

        def order(problem: FlowForgeError) -> tuple[int, int]:
            where = problem.location
            return (where.line or 0, where.column or 0) if where else (0, 0)

        return Scan(
            template=self.text,
            refs=(*self.refs, *self.deps),
            sources=tuple(self.sources),
            config=self.config,
            config_location=self.config_location,
            config_locations=self.config_locations,
            vars=tuple(sorted(self.vars)),
            envs=tuple(sorted(self.envs)),
            simple=simple,
            names=frozenset(self.names),
            problems=tuple(sorted(self.problems, key=order)),
            create=(create.kind, create.name) if create else None,
        )


def normalize(text: str) -> str:
    """*text* with ``\\n`` for every line break and without a byte order mark; lines and columns stay the same."""
    if text.startswith("\ufeff"):
        text = text[1:]
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text


def scan_sql(text: str, path: str, what: str = "model") -> Scan:
    """Read the template of a SQL model.

    Parameters
    ----------
    path:
        The file, relative to the project, for locations.
    what:
        What it is instead, for messages.

    Returns
    -------
    Scan
        Always; what is wrong stands in its ``problems``. No exception is raised for any text.
    """
    text = normalize(text)
    tokens = lex(text)
    create = leading_create(text, tokens)
    if create:
        text = blank(text, create.start, create.end)
        tokens = lex(text)
    found, simple = _read(text, tokens, lambda: Findings(text, path))
    found.problems += query_problems(text, tokens, path, what)
    return found.finish(simple=simple, create=create)


def _read(text: str, tokens: Sequence[Token], findings: Callable[[], Findings]) -> tuple[Findings, bool]:
    """What a template holds, and whether it is simple."""
    found = findings()
    called = _read_calls(found, tokens)
    if called is not None and called <= SIMPLE:
        return found, True
    if called is None or len(text) > _FLAT or max(text) > _LAST:
        from flowforge.project.scan_jinja import read_tree

        found = findings()
        read_tree(found)
    else:
        found.names |= called
    return found, False


class _Elsewhere(Findings):
    """Finds in a text that is a setting: everything is at the setting's place."""

    def __init__(self, text: str, place: Location) -> None:
        super().__init__(text, place.path)
        self._place = place

    def at(self, offset: int, length: int = 1) -> Location:
        """The setting's place."""
        return self._place


def scan_statement(text: str, place: Location, *, computed: bool = False) -> Scan:
    """Read the template of a statement that is a setting, such as a hook; it may be any statement.

    Parameters
    ----------
    place:
        Where the setting stands.
    computed:
        Names may be computed: it is said elsewhere what they can be.
    """
    text = normalize(text)
    found, simple = _read(text, lex(text), lambda: _Elsewhere(text, place))
    if computed:
        found.dynamic.clear()
    return found.finish(simple=simple, create=None)


# -- templates of literal calls ---------------------------------------------------------------------------------------

_REF = re.compile(r"\{\{[-+]?\s*ref\s*\(\s*('[^'\\]*+'|\"[^\"\\]*+\")\s*\)\s*-?\}\}")
_CALL = re.compile(r"\{\{[-+]?\s*([A-Za-z_][A-Za-z0-9_]*+)\s*\(")
_THIS = re.compile(rf"\{{\{{[-+]?\s*this\s*(?:\.\s*({'|'.join(THIS_FIELDS)})\s*)?-?\}}\}}")
_END = re.compile(r"\s*-?\}\}")
_NO_NAMES = frozenset(
    {"and", "else", "if", "in", "is", "not", "or", "true", "false", "none", "True", "False", "None", "this"}
)
"""What cannot be called."""
SIMPLE = FUNCTIONS | {"this"}
"""What simple templates call; anything else is a macro, or a name that rendering has to find."""
_FLAT, _LAST = 200_000, "\U000ff7ff"
"""Longer templates, and those with characters that FlowForge keeps for itself, are left to Jinja's parser."""


@frozen
class SimpleCall:
    """A Jinja expression that is one literal call: *function* is its name (maybe a macro's), or ``this``.

    *offset* is where the function's name stands. The field of ``this`` is the only positional argument then.
    """

    function: str
    arguments: Arguments
    offset: int


_NO_ARGUMENTS = Arguments((), {}, 0)


def literal_call(text: str, token: Token) -> SimpleCall | None:
    """Read an expression as one call with literal arguments; ``None`` when it is something else."""
    call = _CALL.match(text, token.start)
    if call is None or call[1] in _NO_NAMES:
        this = _THIS.fullmatch(text, token.start, token.end)
        if this is None:
            return None
        offset = text.index("this", token.start)
        if this[1] is None:
            return SimpleCall("this", _NO_ARGUMENTS, offset)
        return SimpleCall("this", parse_arguments(f"'{this[1]}')", 0), offset)
    try:
        arguments = parse_arguments(text, call.end())
    except NotLiteral:
        return None
    if not _END.fullmatch(text, arguments.end, token.end):
        return None
    return SimpleCall(call[1], arguments, call.start(1))


def _read_calls(found: Findings, tokens: Sequence[Token]) -> set[str] | None:
    """Read all expressions. The names of what they call; ``None`` when one of the tokens needs Jinja."""
    text = found.text
    called: set[str] = set()
    for token in tokens:
        if token.kind is Kind.EXPRESSION:
            plain = _REF.fullmatch(text, token.start, token.end)
            if plain:
                name = plain[1][1:-1]
                found.refs.append(RefCall(name, found.at(plain.start(1) + 1, len(name))))
                called.add("ref")
                continue
            call = literal_call(text, token) if token.closed else None
            if call is None:
                return None
            called.add(call.function)
            _READERS.get(call.function, _read_nothing)(found, call)
        elif (
            token.kind is Kind.STATEMENT
            or token.kind is Kind.RAW
            or (token.kind is Kind.JINJA_COMMENT and not token.closed)
        ):
            return None
    return called


def _read_ref(found: Findings, call: SimpleCall) -> None:
    try:
        chosen = bind_ref(call.arguments.positional, call.arguments.keywords)
    except ValueError as exc:
        found.bad_call("ref", str(exc), call.offset)
        return
    if not all(isinstance(value, str) for value in (*call.arguments.args, *call.arguments.kwargs.values())):
        found.bad_call("ref", "ref() takes names as text", call.offset)
        return
    found.refs.append(RefCall(chosen.value, found.literal_at(chosen.offset, chosen.value)))


def _read_source(found: Findings, call: SimpleCall) -> None:
    try:
        group, table = bind_source(call.arguments.positional, call.arguments.keywords)
    except ValueError as exc:
        found.bad_call("source", str(exc), call.offset)
        return
    if not isinstance(group.value, str) or not isinstance(table.value, str):
        found.bad_call("source", "source() takes names as text", call.offset)
        return
    found.sources.append(SourceCall(group.value, table.value, found.literal_at(table.offset, table.value)))


def _read_config(found: Findings, call: SimpleCall) -> None:
    if call.arguments.positional:
        found.bad_call("config", "config() takes keywords only", call.offset)
        return
    deps = call.arguments.keywords.get("deps")
    names = {name: argument.name_offset for name, argument in call.arguments.keywords.items()}
    found.set_config(call.arguments.kwargs, call.offset, names, deps.items if deps else ())


def _read_var(found: Findings, call: SimpleCall) -> None:
    _read_name(call, found.vars)


def _read_env(found: Findings, call: SimpleCall) -> None:
    _read_name(call, found.envs)


def _read_name(call: SimpleCall, names: set[str]) -> None:
    first = call.arguments.positional[:1] or tuple(filter(None, [call.arguments.keywords.get("name")]))
    if first and isinstance(first[0].value, str):
        names.add(first[0].value)


def _read_nothing(found: Findings, call: SimpleCall) -> None:
    """Most functions say nothing at load time."""


_READERS: Mapping[str, Callable[[Findings, SimpleCall], None]] = {
    "ref": _read_ref,
    "source": _read_source,
    "config": _read_config,
    "var": _read_var,
    "env": _read_env,
}
