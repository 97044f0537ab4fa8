"""Renders the hooks of a model, and refuses what would break the transaction that they are part of."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from flowforge.errors import FlowForgeError, RenderError
from flowforge.frozen import frozen
from flowforge.materialize.hooks import Hooks, Statement
from flowforge.project.hooks import HOOKS, Hook
from flowforge.project.lexer import leading_keyword, statements
from flowforge.project.manifest import Node
from flowforge.rendering.secret import mask, reveal
from flowforge.values import Location

_CONTROL = frozenset(["abort", "begin", "commit", "end", "release", "rollback", "savepoint", "start"])

_PREPARE = re.compile(r"prepare\s+transaction\b", re.IGNORECASE)


@frozen
class Draft:
    """A rendered hook, and what it refers to that is no relation: ephemeral models, and sources that are files."""

    sql: str
    ephemeral: tuple[str, ...]
    files: bool


RenderHook = Callable[[Hook], Draft]


@frozen
class CompiledHook:
    """A rendered hook.

    Parameters
    ----------
    sql:
        What people may see: secrets are masked.
    executable:
        What the engine gets.
    unrevealed:
        With a placeholder for each secret; for digests, never to be shown.
    """

    hook: Hook
    sql: str
    executable: str
    unrevealed: str

    @property
    def location(self) -> Location:
        """Where it is written."""
        return self.hook.location


def compile_hooks(node: Node, render: RenderHook, secrets: Mapping[str, str]) -> Mapping[str, tuple[CompiledHook, ...]]:
    """The hooks of *node* by key, without those of which nothing is left.

    Raises
    ------
    RenderError
        At the place of the hook.
    """
    found = {}
    for key in HOOKS:
        rendered = ((hook, _render(hook, render)) for hook in getattr(node.config, key))
        found[key] = tuple(CompiledHook(hook, mask(sql), reveal(sql, secrets), sql) for hook, sql in rendered if sql)
    return found


def _render(hook: Hook, render: RenderHook) -> str:
    try:
        draft = render(hook)
    except FlowForgeError as error:
        if error.location is None or error.location.path == hook.location.path:
            error.location = hook.location
        raise
    sql = draft.sql
    spans = statements(sql)
    if not spans:
        return ""
    if len(spans) > 1:
        raise _wrong(hook, "is one statement, and a second one begins in it", "make it a list of hooks")
    keyword, at = leading_keyword(sql)
    if keyword in _CONTROL or _PREPARE.match(sql, at):
        raise _wrong(
            hook,
            f"cannot be {keyword.upper()}: FlowForge begins and ends the transaction",
            "remove it; `transaction: false` takes a hook out of the transaction",
        )
    if draft.files:
        raise _wrong(hook, "reads a source that is a file, and no relation", "read it in a model, and refer to that")
    if draft.ephemeral:
        name = draft.ephemeral[0].removesuffix(".ff")
        raise _wrong(
            hook, f"refers to {name!r}, which is ephemeral and no relation", f"make {name!r} a view or a table"
        )
    return sql


def _wrong(hook: Hook, what: str, help: str) -> RenderError:
    return RenderError(f"the {hook.when} {what}", code="FF1150", location=hook.location, help=help)


def hooks_of(compiled: Mapping[str, tuple[CompiledHook, ...]], begun: Callable[[CompiledHook | None], None]) -> Hooks:
    """What the publishing protocol has to run.

    Parameters
    ----------
    begun:
        Called with each hook before it runs, and with ``None`` when it is over.
    """

    def statement(one: CompiledHook) -> Statement:
        return Statement(one.executable, one.hook.transaction, lambda: begun(one), lambda: begun(None))

    before, after = (tuple(map(statement, compiled[key])) for key in HOOKS)
    return Hooks(before, after)
