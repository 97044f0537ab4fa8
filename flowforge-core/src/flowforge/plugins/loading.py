"""Loads plugins one by one, so that none can harm another: each is imported, checked and asked behind its own wall.

Every plugin gets a plugin manager of its own. There is no shared one that a bad plugin could poison, and a notice
that raises cannot keep the next plugin from hearing it.
"""

from __future__ import annotations

import contextlib
import difflib
import inspect
import io
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import pluggy

from flowforge import hookspecs
from flowforge.contract import EngineSpec
from flowforge.errors import Note, PluginError
from flowforge.plugins import entrypoints
from flowforge.plugins.entrypoints import PluginEntry
from flowforge.plugins.offers import ENGINES, KINDS, OfferError, OfferKind
from flowforge.plugins.pluginset import Listener, Offers, PluginInfo, PluginSet, contested_engine, unusable_engine
from flowforge.plugins.reason import one_line, place_of, reason

_CORE = PluginEntry("core", "flowforge.builtin", "flowforge-core")
_PRINTED = "printed "


def load_plugins(
    environ: Mapping[str, str] = os.environ, entry_points: Iterable[PluginEntry] | None = None
) -> PluginSet:
    """Find, check and ask all plugins. Main thread; imports the plugins' entry modules and no driver.

    A plugin that cannot be used becomes a row with a reason; nothing that a plugin does raises here, except an
    interrupt from the keyboard. Calling it twice gives two independent sets.

    Parameters
    ----------
    environ:
        ``FLOWFORGE_PLUGINS=a,b`` keeps only the plugins (or distributions) of these names and the core's own;
        ``FLOWFORGE_TRACE_PLUGINS=1`` writes imports and hook calls to stderr.
    entry_points:
        What to load; by default every entry point of the group ``flowforge`` that is installed.
    """
    if entry_points is None:
        entry_points = entrypoints.scan(entrypoints.PLUGINS)
        if not any(_is_core(entry) for entry in entry_points):
            entry_points = (_CORE, *entry_points)  # run from a source tree that is not installed
    entries = sorted(entry_points, key=lambda entry: (not _is_core(entry), entry.name, entry.distribution))
    trace = _trace if environ.get("FLOWFORGE_TRACE_PLUGINS", "").strip() not in ("", "0") else None
    chosen = {_key(name) for name in environ.get("FLOWFORGE_PLUGINS", "").split(",") if name.strip()}
    drafts = []
    for entry in entries:
        draft = _Draft(entry)
        if chosen and not _is_core(entry) and not chosen & _keys(entry):
            draft.disabled = True
        else:
            _examine(draft, trace)
        drafts.append(draft)
    return _assemble(drafts, _unknown(chosen, entries), trace)


@attrs.define
class _Draft:
    """A plugin while it is being examined."""

    entry: PluginEntry
    disabled: bool = False
    reason: str | None = None
    notes: list[str] = attrs.field(factory=list)
    manager: pluggy.PluginManager | None = None
    hooks: frozenset[str] = frozenset()
    offers: dict[OfferKind, tuple[Any, ...]] = attrs.field(factory=dict)
    claimed: list[str] = attrs.field(factory=list)
    """Engine names that a plugin gave before it failed, for better errors."""

    @property
    def active(self) -> bool:
        return not self.disabled and self.reason is None

    @property
    def notices(self) -> list[str]:
        return [hook for hook in hookspecs.NOTICES if hook in self.hooks]

    def label(self) -> str:
        return self.info().label

    def info(self) -> PluginInfo:
        entry = self.entry
        row = PluginInfo(entry.name, entry.distribution, entry.version, "active", notes=tuple(self.notes))
        if self.disabled:
            return attrs.evolve(row, status="disabled", reason="not named in FLOWFORGE_PLUGINS")
        if self.reason is not None:
            notes = tuple(note for note in self.notes if note not in self.reason)
            return attrs.evolve(row, status="failed", reason=self.reason, notes=notes)
        offers = [kind.describe(offer) for kind in KINDS for offer in self.offers.get(kind, ())]
        return attrs.evolve(
            row, offers=(*offers, *(f"notice {hook.removeprefix('flowforge_')}" for hook in self.notices))
        )


# -- one plugin -----------------------------------------------------------------------------------------------------


def _examine(draft: _Draft, trace: Callable[[str], None] | None) -> None:
    entry = draft.entry
    if entry.fault is not None:
        draft.reason = entry.fault
        return
    started = time.perf_counter()
    try:
        with _quiet(draft, "at import"):
            plugin = entry.load()
            if inspect.isclass(plugin):
                plugin = plugin()
            draft.manager, draft.hooks = _registered(plugin, entry)
        _say(trace, entry, f"import {entry.value}", started)
        _ask(draft, draft.manager, trace)
    except KeyboardInterrupt:
        raise
    except OfferError as error:
        draft.reason = one_line(error)
    except BaseException as error:  # noqa: BLE001 - even SystemExit: a plugin does not end the program
        draft.reason = reason(error, entry.package)
    if draft.reason is not None:
        _say(trace, entry, f"failed: {draft.reason}", started)


def _registered(plugin: object, entry: PluginEntry) -> tuple[pluggy.PluginManager, frozenset[str]]:
    manager = pluggy.PluginManager(hookspecs.NAMESPACE)
    manager.register(plugin, entry.name)
    hooks: set[str] = set()
    # Looked at before the specifications are there: our words name the slip and its line, pluggy's are for developers
    # of pluggy applications. What this does not catch, add_hookspecs and check_pending below do.
    for caller in manager.get_hookcallers(plugin) or ():
        for implementation in caller.get_hookimpls():
            _inspect_hook(caller.name, implementation)
            hooks.add(caller.name)
    manager.add_hookspecs(hookspecs)
    manager.check_pending()
    if not hooks:
        raise OfferError(f"nothing in {entry.value} is a function marked with @hookimpl")
    return manager, frozenset(hooks)


def _inspect_hook(name: str, implementation: pluggy.HookImpl) -> None:
    function = implementation.function
    where = f" ({place_of(function)})" if place_of(function) else ""
    if name not in (*hookspecs.OFFERS, *hookspecs.NOTICES):
        if implementation.optionalhook:
            return
        raise OfferError(f"unknown hook {name}{_suggestion(name)}{where}")
    if implementation.wrapper or implementation.hookwrapper:
        raise OfferError(f"{name} is a hook wrapper; plugins do not wrap each other{where}")
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise OfferError(f"{name} is a coroutine or generator; hooks are plain functions{where}")
    expected = ("event",) if name in hookspecs.NOTICES else ()
    if set(implementation.argnames) - set(expected):
        raise OfferError(
            f"wrong signature {name}({', '.join(implementation.argnames)}), it must be {name}({', '.join(expected)})"
            + where
        )


def _suggestion(name: str) -> str:
    # Compared without the prefix that all hooks share, which would make any two of them look alike.
    hooks = {hook.removeprefix("flowforge_"): hook for hook in (*hookspecs.OFFERS, *hookspecs.NOTICES)}
    close = difflib.get_close_matches(name.removeprefix("flowforge_"), hooks, n=1)
    return f", did you mean {hooks[close[0]]}?" if close else ""


def _ask(draft: _Draft, manager: pluggy.PluginManager, trace: Callable[[str], None] | None) -> None:
    for kind in KINDS:
        if kind.hook not in draft.hooks:
            continue
        started = time.perf_counter()
        caller: pluggy.HookCaller = getattr(manager.hook, kind.hook)
        with _quiet(draft, f"in {kind.hook}"):
            answers = caller()
        if kind is ENGINES:
            draft.claimed = list(_engine_words(answers))
        if len(answers) < len(caller.get_hookimpls()):  # pluggy leaves an answer of None out
            raise OfferError(f"{kind.hook} returned None, not a list or tuple of {kind.type.__name__}")
        draft.offers[kind] = kind.validated(answers)
        _say(trace, draft.entry, f"{kind.hook}: {len(draft.offers[kind])} offered", started)


def _engine_words(answers: Sequence[object]) -> Iterator[str]:
    for answer in answers:
        for offer in answer if isinstance(answer, list | tuple) else ():
            if isinstance(offer, EngineSpec):
                # Not validated yet: the types of the fields are only promises.
                aliases: Any = offer.aliases
                words: Any = (offer.name, *(aliases if isinstance(aliases, tuple) else ()))
                yield from (word for word in words if isinstance(word, str))


@contextlib.contextmanager
def _quiet(draft: _Draft, when: str) -> Iterator[None]:
    """Keep what a plugin prints away from stdout, which belongs to the command's answer, and note it."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            yield
    finally:
        text = one_line(printed.getvalue())
        if text:
            draft.notes.append(f"{_PRINTED}{when}: {text}")


# -- all of them ----------------------------------------------------------------------------------------------------


def _assemble(drafts: Sequence[_Draft], notes: Iterable[Note], trace: Callable[[str], None] | None) -> PluginSet:
    missing = _refuse_contested_engines(drafts)
    taken = {kind: _first_come(kind, drafts) for kind in KINDS}
    for draft in drafts:
        if draft.active and draft.notes and not draft.notices and not any(draft.offers.values()):
            draft.reason = "; ".join(note for note in draft.notes if not note.startswith(_PRINTED)) or None
    infos = [draft.info() for draft in drafts]
    for draft, info in zip(drafts, infos, strict=True):
        if info.status == "failed":
            for word in draft.claimed:
                missing.setdefault(word, unusable_engine(word, info))
    listeners = [
        Listener(draft.label(), draft.entry.package, draft.manager, frozenset(draft.notices))
        for draft in drafts
        if draft.active and draft.manager is not None and draft.notices
    ]
    return PluginSet(
        infos,
        Offers(*(taken[kind] for kind in KINDS)),
        listeners=listeners,
        missing=missing,
        notes=(*_failures(infos), *notes),
        trace=trace,
    )


def _failures(infos: Iterable[PluginInfo]) -> Iterator[Note]:
    for info in infos:
        if info.status == "failed":
            yield Note(f"the plugin {info.label} is not used: {info.reason}", "FF4001")


def _refuse_contested_engines(drafts: Sequence[_Draft]) -> dict[str, PluginError]:
    """Take engines that share a name or alias out of the offers of *all* plugins that have them.

    Which of two engines a name means must not depend on the order of installation.
    """
    claims: dict[str, list[_Draft]] = {}
    for draft in drafts:
        if draft.active:
            for spec in draft.offers.get(ENGINES, ()):
                for word in ENGINES.claims(spec):
                    claims.setdefault(word, []).append(draft)
    contested = {word: owners for word, owners in claims.items() if len(owners) > 1}
    missing: dict[str, PluginError] = {}
    for draft in drafts:
        if not draft.active:
            continue
        kept = []
        for spec in draft.offers.get(ENGINES, ()):
            shared = [word for word in ENGINES.claims(spec) if word in contested]
            if not shared:
                kept.append(spec)
                continue
            owners = list(dict.fromkeys(owner.label() for word in shared for owner in contested[word]))
            error = contested_engine(shared, owners)
            others = " and ".join(owner for owner in owners if owner != draft.label())
            words = "" if shared == [spec.name] else " and ".join(repr(word) for word in shared) + " is "
            draft.notes.append(f"engine {spec.name!r} refused: {words}also offered by {others}")
            missing.update({word: error for word in ENGINES.claims(spec) if word not in missing or word in shared})
        if ENGINES in draft.offers:
            draft.offers[ENGINES] = tuple(kept)
    return missing


def _first_come(kind: OfferKind, drafts: Sequence[_Draft]) -> dict[str, Any]:
    """Offers by the words they claim; a word that is taken stays with the first plugin, the core's own before all."""
    taken: dict[str, tuple[_Draft, Any]] = {}
    for draft in drafts:
        if not draft.active:
            continue
        kept = []
        for offer in draft.offers.get(kind, ()):
            words = kind.claims(offer)
            free = [word for word in words if word not in taken]
            for word in words:
                if word not in free:
                    draft.notes.append(f"{kind.noun} {word!r} refused: {taken[word][0].label()} has it already")
            taken.update(dict.fromkeys(free, (draft, offer)))
            if free:
                kept.append(offer)
        if kind in draft.offers:
            draft.offers[kind] = tuple(kept)
    return {word: offer for word, (_, offer) in taken.items()}


# -- the environment ------------------------------------------------------------------------------------------------


def _is_core(entry: PluginEntry) -> bool:
    return entry.value == _CORE.value and entry.distribution in ("", _CORE.distribution)


def _key(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(".", "-")


def _keys(entry: PluginEntry) -> set[str]:
    return {_key(entry.name), _key(entry.distribution)} - {""}


def _unknown(chosen: Iterable[str], entries: Iterable[PluginEntry]) -> Iterator[Note]:
    installed = sorted({key for entry in entries for key in _keys(entry)})
    for name in sorted(chosen):
        if name not in installed:
            close = difflib.get_close_matches(name, installed, n=1)
            yield Note(
                f"FLOWFORGE_PLUGINS names {name!r}, which is not installed",
                "FF4010",
                help=f"did you mean {close[0]!r}?" if close else "`flowforge plugins` shows what is installed",
            )


def _say(trace: Callable[[str], None] | None, entry: PluginEntry, what: str, started: float) -> None:
    if trace is not None:
        trace(f"{entry.name} ({entry.owner}): {what}, {(time.perf_counter() - started) * 1000:.1f} ms")


def _trace(line: str) -> None:
    sys.stderr.write(f"plugins: {line}\n")
