"""A configured engine, and the declaration by which a plugin offers one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from flowforge.contract.capabilities import Capability, Support, not_implemented
from flowforge.contract.dialect import Dialect
from flowforge.contract.session import Session
from flowforge.contract.version import API_VERSION
from flowforge.errors import EngineError
from flowforge.frozen import frozen
from flowforge.values import Namespace


class Executor(ABC):
    """One configured engine, shared by all threads of a run."""

    dialect: Dialect
    namespace: Namespace
    """The profile's default database and schema."""

    @abstractmethod
    def session(self, *, label: str, timeout: float | None = None) -> Session:
        """Open a connection.

        Parameters
        ----------
        label:
            What the database should show as the client's name: ``flowforge/<run id>/<node>``.
        timeout:
            Seconds that one statement may take.
        """

    @abstractmethod
    def close(self) -> None:
        """Release everything. Sessions are closed before."""

    @abstractmethod
    def error(self, exc: BaseException) -> EngineError | None:
        """The driver's exception in the contract's words; ``None`` when it is not the driver's."""

    def reap(self, run_ids: Iterable[str]) -> int:
        """Cancel what dead runs left working on the server, and return how many statements that were."""
        return 0


@frozen
class EngineSpec:
    """The declaration of an engine; made without importing its driver.

    Parameters
    ----------
    name, aliases:
        The words that a profile's ``engine:`` may use.
    settings:
        An ``attrs.frozen`` class made with :func:`setting` fields.
    load:
        Imports the driver and returns the function that makes an :class:`Executor` out of settings.
    capabilities:
        One entry for every :class:`Capability`; a missing one counts as not implemented.
    zero_config:
        True when the engine runs without any setting, and so may be taken when a project has no profile.
    frames:
        Kinds of DataFrame that Python models may ask for beyond ``arrow`` and ``pandas``.
    table_options:
        The names of the :class:`TableOptions` that relations can have, each with the words that may stand in it, in
        lower case: privileges in ``grants``, types in ``indexes``, formats in ``format``. A view may have ``grants``.
    databases:
        Called with settings: the names that a model may write as its ``database``; none, when the engine has no such
        thing. ``None``: whatever the server knows.
    offline:
        Called with settings, gives the text rules and the name space that an executor would have, without a driver or
        a connection. Without it, ``compile`` and ``validate`` have to connect.
    stand_in:
        For engines that make a database by connecting to it. Called with settings and an empty folder; gives settings
        for an empty database there when the one that is meant does not exist yet, else ``None``. A command that must
        not write connects to that one.
    scratch:
        Called with settings; gives those of an empty database that nobody else sees, and that is gone when it is closed.
        Unit tests run there. Without it they use temporary tables in the profile's own database.
    abbreviation:
        A few letters for narrow output; the name itself when empty.
    family:
        The engine whose SQL this one speaks, when it is another one; templates can ask for it.
    testkit_settings:
        Settings that the conformance suite starts from, as text; ``{tmp}`` stands for a fresh folder of each test,
        ``{env:NAME}`` for a variable of the environment.
    """

    name: str
    summary: str
    settings: type
    load: Callable[[], Callable[[Any], Executor]]
    capabilities: Mapping[Capability, Support]
    aliases: tuple[str, ...] = ()
    zero_config: bool = False
    frames: tuple[str, ...] = ()
    table_options: Mapping[str, frozenset[str]] = attrs.field(factory=dict)
    databases: Callable[[Any], tuple[str, ...] | None] = lambda settings: ()
    offline: Callable[[Any], tuple[Dialect, Namespace]] | None = None
    stand_in: Callable[[Any, Path], Any | None] | None = None
    scratch: Callable[[Any], Any] | None = None
    abbreviation: str = ""
    family: str = ""
    testkit_settings: Mapping[str, str] = attrs.field(factory=dict)
    api: int = API_VERSION

    def support(self, capability: Capability) -> Support:
        """How far this engine has *capability*."""
        return self.capabilities.get(capability, not_implemented("the plugin does not mention it"))
