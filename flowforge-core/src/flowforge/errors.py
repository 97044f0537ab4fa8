"""Every error class of FlowForge: what went wrong, where, and what to do next.

An error carries data; only ``flowforge.cli.output`` turns it into text for people. Codes are stable;
``codes.toml`` beside this file explains each of them for ``flowforge explain``.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from flowforge.frozen import frozen
from flowforge.values import Location

OK, FAILED, CHECKS_FAILED, NOTHING_SELECTED, USAGE, INTERNAL = 0, 1, 2, 5, 64, 99
INTERRUPTED, TERMINATED = 130, 143


_CONTROLS = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160))}
_CONTROLS_IN_LINES = {code: text for code, text in _CONTROLS.items() if chr(code) not in "\n\t"}


def shown(text: str, *, lines: bool = False) -> str:
    """*text* without control characters, which could forge lines or steer a terminal; *lines* keeps line ends."""
    return text if text.isprintable() else text.translate(_CONTROLS_IN_LINES if lines else _CONTROLS)


class FlowForgeError(Exception):
    """Base of all errors that a user can meet.

    Parameters
    ----------
    message:
        One sentence without a full stop: what is wrong.
    code:
        ``FF`` and four digits; defaults to the class's own code.
    location:
        The place in the user's files that has to change, when there is one.
    help:
        The next step, as an imperative.
    notes:
        Further facts, one line each.
    """

    exit_code: ClassVar[int] = FAILED
    default_code: ClassVar[str] = "FF9901"
    multiline: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        location: Location | None = None,
        help: str | None = None,
        notes: Iterable[str] = (),
    ) -> None:
        message = shown(message, lines=self.multiline)
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.location = location
        self.help = shown(help) if help is not None else None
        self.notes = tuple(shown(note) for note in notes)

    def __str__(self) -> str:
        where = f"{self.location}: " if self.location else ""
        tail = f" ({self.help})" if self.help else ""
        return f"{where}{self.message}{tail}"


# -- the project's files -------------------------------------------------------------------------------------------


class ProjectError(FlowForgeError):
    """Something in the project's files has to change."""

    default_code = "FF1001"


class ConfigFileError(ProjectError):
    """A YAML file cannot be read, or says something that FlowForge does not understand."""

    default_code = "FF1002"


class ModelConfigError(ProjectError):
    """A model's ``config(...)`` or decorator is wrong."""

    default_code = "FF1101"


class ModuleLoadError(ProjectError):
    """A Python model's file cannot be read or imported."""

    default_code = "FF1110"


class DependencyNotFoundError(ProjectError):
    """A ``ref`` or ``source`` names nothing in the project."""

    default_code = "FF1203"


class ModelCycleError(ProjectError):
    """Models depend on each other in a circle."""

    default_code = "FF1204"


class DuplicateNameError(ProjectError):
    """Two files claim one name, or one relation."""

    default_code = "FF1201"


class ProfileError(ProjectError):
    """The profile is missing, incomplete or names an engine that is not installed."""

    default_code = "FF1301"


class RenderError(ProjectError):
    """A template cannot be rendered."""

    default_code = "FF1401"


class ProjectErrors(FlowForgeError):
    """All problems of one step at once; never empty."""

    default_code = "FF1000"
    multiline = True

    def __init__(self, errors: Iterable[FlowForgeError]) -> None:
        self.errors: tuple[FlowForgeError, ...] = tuple(errors)
        super().__init__("\n".join(str(error) for error in self.errors))

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of all problems, in order."""
        return tuple(error.code for error in self.errors)


class Problems:
    """Collects errors so that a user sees all of them in one report. One thread."""

    def __init__(self) -> None:
        self._errors: list[FlowForgeError] = []
        self._said: set[tuple[str, Location | None, str]] = set()

    def add(self, error: FlowForgeError) -> None:
        """Keep *error*, unless the same was said of the same place; :class:`ProjectErrors` are kept one by one."""
        for one in error.errors if isinstance(error, ProjectErrors) else (error,):
            said = (one.code, one.location, one.message)
            if one.location is None or said not in self._said:
                self._said.add(said)
                self._errors.append(one)

    def __len__(self) -> int:
        return len(self._errors)

    def __iter__(self) -> Iterator[FlowForgeError]:
        return iter(self._errors)

    def raise_if_any(self) -> None:
        """Raise what was collected: one error as itself, several as :class:`ProjectErrors`."""
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:

            def order(error: FlowForgeError) -> tuple[str, int, int]:
                where = error.location
                return (where.path, where.line or 0, where.column or 0) if where else ("", 0, 0)

            raise ProjectErrors(sorted(self._errors, key=order))


# -- running -------------------------------------------------------------------------------------------------------


class ErrorKind(enum.Enum):
    """What class of trouble an engine reports; the words decide about retry and hints, never the driver's classes."""

    SYNTAX = "syntax"
    MISSING = "missing"
    DUPLICATE = "duplicate"
    TYPE = "type"
    CONSTRAINT = "constraint"
    DEPENDENT = "dependent"
    PERMISSION = "permission"
    AUTH = "auth"
    CONNECTION = "connection"
    LOCKED = "locked"
    DEADLOCK = "deadlock"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    QUOTA = "quota"
    DISK = "disk"
    MEMORY = "memory"
    UNSUPPORTED = "unsupported"
    OTHER = "other"


class Committed(enum.Enum):
    """Whether the failed step may have changed the database all the same."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class EngineError(FlowForgeError):
    """An engine's own error in the contract's words; made by ``Executor.error``.

    Parameters
    ----------
    kind:
        The class of trouble.
    retryable:
        True when the same step may succeed if it is simply tried again.
    committed:
        Whether the database may have changed.
    position:
        Offset in the text that the session was given (statement or select), counted from 0 in characters; ``None``
        when the engine does not say.
    """

    default_code = "FF2100"
    multiline = True

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind = ErrorKind.OTHER,
        retryable: bool = False,
        committed: Committed = Committed.NO,
        position: int | None = None,
        code: str | None = None,
        location: Location | None = None,
        help: str | None = None,
        notes: Iterable[str] = (),
    ) -> None:
        super().__init__(message, code=code or _ENGINE_CODES[kind], location=location, help=help, notes=notes)
        self.kind = kind
        self.retryable = retryable
        self.committed = committed
        self.position = position


_ENGINE_CODES = {
    kind: f"FF{2100 + index}"
    for index, kind in enumerate([ErrorKind.OTHER, *(kind for kind in ErrorKind if kind is not ErrorKind.OTHER)])
}


class UnsupportedError(EngineError):
    """An engine was asked for something that its capabilities exclude."""

    def __init__(self, message: str, *, help: str | None = None) -> None:
        super().__init__(message, kind=ErrorKind.UNSUPPORTED, help=help)


class ModelExecutionError(FlowForgeError):
    """A model could not be built; ``node`` and ``relation`` say which."""

    default_code = "FF2001"
    multiline = True

    def __init__(self, message: str, *, node: str, relation: str | None = None, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.node = node
        self.relation = relation


class RequiredColumnsError(ModelExecutionError):
    """An input of a Python model lacks columns that ``requires`` names."""

    default_code = "FF2005"


class SeedError(ProjectError):
    """A seed file cannot be read exactly."""

    default_code = "FF2201"


class StreamError(FlowForgeError):
    """A stream cannot be read on from where it was left, or not exactly."""

    default_code = "FF4080"


class StateError(FlowForgeError):
    """What earlier runs left in the database cannot be used."""

    default_code = "FF2301"


class TestFailureError(FlowForgeError):
    """Checks or unit tests failed."""

    __test__ = False  # not a test class, whatever pytest makes of its name
    exit_code = CHECKS_FAILED
    default_code = "FF3001"


class CheckConfigError(ProjectError):
    """A check is declared wrongly."""

    default_code = "FF3002"


class AuditFailedError(TestFailureError):
    """Checks of severity *error* failed on staged rows, so the relation was not replaced."""

    default_code = "FF3003"


class UnitTestFailedError(TestFailureError):
    """Unit tests of a model failed, so it was not built."""

    default_code = "FF3012"


# -- around the run ------------------------------------------------------------------------------------------------


class PluginError(FlowForgeError):
    """A plugin cannot be used."""

    default_code = "FF4001"


class UsageError(FlowForgeError):
    """The command line makes no sense."""

    exit_code = USAGE
    default_code = "FF6401"


class SelectionError(FlowForgeError):
    """A selector names something that the project does not have."""

    exit_code = NOTHING_SELECTED
    default_code = "FF5002"


class NothingSelectedError(FlowForgeError):
    """The selection is valid and empty."""

    exit_code = NOTHING_SELECTED
    default_code = "FF5001"


class InterruptedRunError(FlowForgeError):
    """The run was stopped from outside; ``exit_code`` is 128 plus the signal's number."""

    default_code = "FF2003"

    def __init__(self, message: str, *, signum: int) -> None:
        super().__init__(message)
        self.signum = signum
        self.exit_code = 128 + signum  # type: ignore[misc]


class InternalError(FlowForgeError):
    """A defect of FlowForge itself."""

    exit_code = INTERNAL
    default_code = "FF9901"


@frozen
class Note:
    """A warning that does not stop anything."""

    message: str
    code: str
    location: Location | None = None
    help: str | None = None
