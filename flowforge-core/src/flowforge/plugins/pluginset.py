"""The loaded plugins as one value: what they offer, by name, and a way to tell them what happens."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Literal

import attrs
import pluggy

from flowforge.contract import CheckSpec, DocRenderer, EngineSpec, Macro, SeedFormat, StreamSourceSpec
from flowforge.errors import Note, PluginError, ProfileError
from flowforge.events import CheckFinished, Event, NodeFinished, NodeStarted, RunFinished, RunStarted, UnitTestFinished
from flowforge.frozen import frozen
from flowforge.plugins.firstparty import FirstParty
from flowforge.plugins.reason import reason
from flowforge.values import Location

_NOTICE_OF: Mapping[type[Event], str] = MappingProxyType(
    {
        RunStarted: "flowforge_run_started",
        NodeStarted: "flowforge_node_started",
        NodeFinished: "flowforge_node_finished",
        CheckFinished: "flowforge_check_finished",
        UnitTestFinished: "flowforge_unit_test_finished",
        RunFinished: "flowforge_run_finished",
    }
)


@frozen
class PluginInfo:
    """One row of ``flowforge plugins``.

    Parameters
    ----------
    status:
        ``active``: in use; ``failed``: nothing of it is used, *reason* says why; ``disabled``: not imported, because
        the user narrowed the list.
    offers:
        What it brings, in words: ``engine acme (ac)``, ``check not_null``, ``notice run_finished``.
    notes:
        What is odd about it without stopping it; one line each.
    """

    name: str
    distribution: str
    version: str
    status: Literal["active", "failed", "disabled"]
    offers: tuple[str, ...] = ()
    reason: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Plugin and distribution in a few words."""
        owner = f"{self.distribution} {self.version}".strip()
        return f"{self.name} ({owner})" if owner else self.name


@frozen
class Listener:
    """An active plugin's notices."""

    label: str
    package: str
    manager: pluggy.PluginManager
    notices: frozenset[str]


@frozen
class Offers:
    """Everything that active plugins offer and that nobody else claims. Engines by name and alias, seed formats by
    suffix, the rest by name."""

    engines: Mapping[str, EngineSpec] = attrs.field(factory=dict)
    checks: Mapping[str, CheckSpec] = attrs.field(factory=dict)
    seed_formats: Mapping[str, SeedFormat] = attrs.field(factory=dict)
    renderers: Mapping[str, DocRenderer] = attrs.field(factory=dict)
    stream_sources: Mapping[str, StreamSourceSpec] = attrs.field(factory=dict)
    macros: Mapping[str, Macro] = attrs.field(factory=dict)


class PluginSet:
    """What :func:`~flowforge.plugins.load_plugins` found.

    The mappings are read-only and safe from any thread. :meth:`notify` is for one thread at a time.

    Parameters
    ----------
    infos:
        One row for each plugin, the core's own first, then by name.
    missing:
        Why an engine is not among the offers although a plugin brings it, by the engine's name or alias.
    notes:
        What was odd about the set as a whole.
    trace:
        Called with one line for each hook call; ``None`` traces nothing.
    """

    def __init__(
        self,
        infos: Iterable[PluginInfo],
        offers: Offers,
        *,
        listeners: Iterable[Listener] = (),
        missing: Mapping[str, PluginError] | None = None,
        notes: Iterable[Note] = (),
        trace: Callable[[str], None] | None = None,
    ) -> None:
        self.infos: tuple[PluginInfo, ...] = tuple(infos)
        self.engines: Mapping[str, EngineSpec] = MappingProxyType(dict(offers.engines))
        self.checks: Mapping[str, CheckSpec] = MappingProxyType(dict(offers.checks))
        self.seed_formats: Mapping[str, SeedFormat] = MappingProxyType(dict(offers.seed_formats))
        self.renderers: Mapping[str, DocRenderer] = MappingProxyType(dict(offers.renderers))
        self.stream_sources: Mapping[str, StreamSourceSpec] = MappingProxyType(dict(offers.stream_sources))
        self.macros: Mapping[str, Macro] = MappingProxyType(dict(offers.macros))
        self._listeners = tuple(listeners)
        self._missing = dict(missing or {})
        self._notes: dict[tuple[str, str], Note] = {("", str(index)): note for index, note in enumerate(notes)}
        self._trace = trace

    @property
    def notes(self) -> tuple[Note, ...]:
        """Warnings about the plugins so far; a hook that raised is named once, however often it did."""
        return tuple(self._notes.values())

    @property
    def failed(self) -> tuple[PluginInfo, ...]:
        """The plugins that cannot be used."""
        return tuple(info for info in self.infos if info.status == "failed")

    # -- engines

    @property
    def engine_words(self) -> frozenset[str]:
        """Names and aliases of all engines that are installed, and of our own that are not."""
        return frozenset((*self.engines, *FirstParty.read().words))

    def engine(self, name: str, *, location: Location | None = None) -> EngineSpec:
        """The engine that a profile calls *name*.

        Parameters
        ----------
        location:
            Where the profile says so; goes into the error.

        Raises
        ------
        PluginError
            When a plugin would bring the engine but failed, is disabled, or shares the name with another plugin.
        ProfileError
            When no installed plugin has it. For our own engines the help says what to install.
        """
        if name in self.engines:
            return self.engines[name]
        if name in self._missing:
            known = self._missing[name]
            raise PluginError(known.message, code=known.code, location=location, help=known.help, notes=known.notes)
        first_party = FirstParty.read()
        package = first_party.package_of(name)
        for info in self.infos:
            if info.status != "active" and (
                info.name == name or (package and info.distribution == package.distribution)
            ):
                raise unusable_engine(name, info, location)
        if package:
            version = installed_version(package.distribution)
            if version is not None:
                raise ProfileError(
                    f"the engine {name!r} is not in {package.distribution} {version}, which is installed",
                    code="FF4011",
                    location=location,
                    help=f"pip install --upgrade {package.distribution}, or use another engine until it is there",
                )
            raise ProfileError(
                f"the engine {name!r} is not installed",
                code="FF4002",
                location=location,
                help=f"pip install {package.distribution}",
            )
        known_words = sorted({*self.engines, *first_party.words})
        close = difflib.get_close_matches(name, known_words, n=1)
        installed = ", ".join(sorted({spec.name for spec in self.engines.values()})) or "none"
        raise ProfileError(
            f"unknown engine {name!r}",
            code="FF4003",
            location=location,
            help=f"did you mean {close[0]!r}?" if close else f"installed engines: {installed}",
            notes=self._failures(),
        )

    def default_engine(self) -> EngineSpec:
        """The engine for a project without a profile: the only installed one that runs without settings.

        Raises
        ------
        PluginError
            When there is none, or more than one.
        """
        candidates = {spec.name: spec for spec in self.engines.values() if spec.zero_config}
        if len(candidates) == 1:
            return next(iter(candidates.values()))
        if candidates:
            raise PluginError(
                f"several installed engines run without a profile: {', '.join(sorted(candidates))}",
                code="FF4006",
                help="say which one you mean: write `engine:` into profiles.yml, or use --engine",
            )
        packages = FirstParty.read().zero_config
        names = " or ".join(f"{package.engine!r}" for package in packages)
        raise PluginError(
            "no engine is installed that runs without a profile",
            code="FF4005",
            help=f"pip install {' '.join(package.distribution for package in packages)} (the engine {names}), "
            "or write a profiles.yml",
            notes=self._failures(),
        )

    def _failures(self) -> list[str]:
        return [f"the plugin {info.label} failed: {info.reason}" for info in self.failed]

    # -- notices

    @property
    def notices(self) -> Callable[[Event], None] | None:
        """:meth:`notify`; ``None`` when no plugin listens, so that no thread need carry events to nobody."""
        return self.notify if any(listener.notices for listener in self._listeners) else None

    def notify(self, event: Event) -> None:
        """Tell every plugin that listens what happened, one after another, in the caller's thread.

        An exception of a plugin becomes an entry of :attr:`notes` and goes no further; only an interrupt from the
        keyboard does.
        """
        hook = _NOTICE_OF[type(event)]
        for listener in self._listeners:
            if hook not in listener.notices:
                continue
            started = time.perf_counter()
            outcome = "done"
            try:
                getattr(listener.manager.hook, hook)(event=event)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - a listener may not end the run it listens to
                outcome = reason(error, listener.package)
                message = f"the plugin {listener.label} raised in {hook}: {outcome}"
                self._notes.setdefault((listener.label, hook), Note(message, "FF4007", help="update the plugin"))
            if self._trace is not None:
                self._trace(f"{listener.label}: {hook}: {outcome}, {_milliseconds(started)}")


def installed_version(distribution: str) -> str | None:
    """The version of an installed distribution, ``None`` when it is not installed."""
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _milliseconds(started: float) -> str:
    return f"{(time.perf_counter() - started) * 1000:.1f} ms"


def unusable_engine(name: str, info: PluginInfo, location: Location | None = None) -> PluginError:
    """The error for an engine whose plugin is there and not in use."""
    if info.status == "disabled":
        return PluginError(
            f"the engine {name!r} is switched off",
            code="FF4004",
            location=location,
            help=f"add {info.name} to FLOWFORGE_PLUGINS, or unset that variable",
            notes=[f"the plugin {info.label}: {info.reason}"],
        )
    return PluginError(
        f"the engine {name!r} cannot be used, because its plugin failed",
        code="FF4001",
        location=location,
        help="update the plugin; `flowforge plugins` shows all of them",
        notes=[f"the plugin {info.label}: {info.reason}"],
    )


def contested_engine(words: Iterable[str], labels: Iterable[str]) -> PluginError:
    """The error for an engine that several plugins claim."""
    named = " and ".join(repr(word) for word in words)
    return PluginError(
        f"the engine {named} is offered by more than one plugin, so none of them is used",
        code="FF4008",
        help="uninstall all but one of them, or name the one to keep in FLOWFORGE_PLUGINS",
        notes=[f"offered by {label}" for label in labels],
    )
