"""What an engine can and cannot do, in words."""

from __future__ import annotations

import enum

from flowforge.frozen import frozen


class Capability(enum.Enum):
    """Something that an engine may or may not be able to do.

    The conformance suite tests every claim, both ways.
    """

    TRANSACTIONAL_DDL = "transactional_ddl"
    """CREATE, DROP and RENAME are part of a transaction, and a rollback undoes them."""
    ATOMIC_REPLACE = "atomic_replace"
    """``Session.replace`` is one atomic step even outside of a transaction. Without ``TRANSACTIONAL_DDL`` it is needed."""
    MERGE = "merge"
    """``Session.merge`` updates and inserts by key in one step."""
    ZERO_COPY_CLONE = "zero_copy_clone"
    """``Session.clone`` makes a table that shares its rows with another one. Without ``TRANSACTIONAL_DDL``, a table that grows
    is changed and audited as such a copy, which then takes its place; otherwise all of its rows are written anew."""
    CANCEL = "cancel"
    """``Session.cancel`` called from another thread stops the running statement on the engine."""
    TIMEOUT = "timeout"
    """A session's ``timeout`` stops a statement that takes longer."""
    LOCKS = "locks"
    """``Session.lock`` keeps runs apart that would write the same thing."""
    SOURCE_STATE = "source_state"
    """``Session.source_state`` gives a token that changes whenever a relation's data may have changed."""
    CONTENT_HASH = "content_hash"
    """``Session.content_hash`` tells, at about the speed of a scan, whether two relations hold the same rows."""
    FILE_SOURCES = "file_sources"
    """``Dialect.file_source`` reads files in place of a table, and ``Session.source_files`` tells which."""
    ESTIMATE = "estimate"
    """The engine can tell what a query will cost before it runs."""
    COMMENTS = "comments"
    """Comments on relations and columns are stored and can be read back."""
    VIEWS = "views"
    """Views can be created and replaced."""
    MATERIALIZED_VIEWS = "materialized_views"
    """The engine keeps materialized views."""
    SCHEMAS = "schemas"
    """Relations live in schemas that can be created."""
    PARALLEL_SESSIONS = "parallel_sessions"
    """Several sessions may work at the same time; without it a run uses one."""
    ERROR_POSITION = "error_position"
    """Errors in a statement tell their position in its text."""
    STRICT_CASTS = "strict_casts"
    """A cast of a text that is no number is an error, rather than NULL or 0."""
    NESTED_TYPES = "nested_types"
    """Arrow lists and structs survive a load and a query."""
    EXACT_DECIMALS = "exact_decimals"
    """Arrow decimals keep their scale and their digits."""
    TIME_ZONES = "time_zones"
    """Timestamps with a time zone are told apart from those without one."""


class SupportLevel(enum.Enum):
    """Four different words, because they mean four different things to a user."""

    FULL = "full"
    PARTIAL = "partial"
    NOT_IMPLEMENTED = "not implemented"
    UNSUPPORTED = "unsupported"


@frozen
class Support:
    """How far an engine has a capability; anything but full support says why."""

    level: SupportLevel
    reason: str = ""

    def __attrs_post_init__(self) -> None:
        if self.level is not SupportLevel.FULL and not self.reason:
            raise ValueError(f"{self.level.value} needs a reason")

    def __bool__(self) -> bool:
        return self.level in (SupportLevel.FULL, SupportLevel.PARTIAL)


FULL = Support(SupportLevel.FULL)


def partial(reason: str) -> Support:
    """Works, with the limit that *reason* names."""
    return Support(SupportLevel.PARTIAL, reason)


def not_implemented(reason: str) -> Support:
    """The product can do it, this plugin does not do it yet."""
    return Support(SupportLevel.NOT_IMPLEMENTED, reason)


def unsupported(reason: str) -> Support:
    """The product cannot do it."""
    return Support(SupportLevel.UNSUPPORTED, reason)
