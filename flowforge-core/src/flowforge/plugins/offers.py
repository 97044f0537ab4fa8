"""What an offer must look like, hook by hook: the type, the words it claims, and what can be wrong with it.

Frozen classes do not check the types of what they are given, so a plugin's slip (``aliases=("pg")`` is a text, not a
tuple) would surface much later and far from its cause. It is looked for here, once, when the plugin is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from flowforge.contract import (
    API_VERSION,
    Capability,
    CheckSpec,
    DocRenderer,
    EngineSpec,
    Macro,
    SeedFormat,
    StreamSourceSpec,
    Support,
)
from flowforge.frozen import frozen
from flowforge.plugins.reason import one_line

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_SUFFIX = re.compile(r"(\.[a-z0-9_]+)+")


class OfferError(ValueError):
    """An offer that cannot be used; the text says why."""


@frozen
class OfferKind:
    """One kind of offer.

    Parameters
    ----------
    noun:
        What a user calls it.
    claims:
        The words that belong to one offer alone: names and aliases, or suffixes.
    inspect:
        Raises :class:`OfferError` for an offer of the right type with wrong contents.
    """

    hook: str
    type: type
    noun: str
    claims: Callable[[Any], tuple[str, ...]]
    inspect: Callable[[Any], None]

    def describe(self, offer: Any) -> str:
        """The offer as a user reads it in the list of plugins."""
        more = [word for word in self.claims(offer) if word != offer.name]
        return f"{self.noun} {offer.name}" + (f" ({', '.join(more)})" if more else "")

    def validated(self, answers: Sequence[object]) -> tuple[Any, ...]:
        """The offers in the *answers* of a plugin's hook functions, checked one by one.

        Raises
        ------
        OfferError
            For the first thing that is wrong.
        """
        offers: list[Any] = []
        for answer in answers:
            if not isinstance(answer, list | tuple):
                raise OfferError(f"{self.hook} returned {_kind(answer)}, not a list or tuple of {self.type.__name__}")
            for offer in answer:
                self._validate(offer)
                offers.append(offer)
        words = [word for offer in offers for word in self.claims(offer)]
        twice = sorted({word for word in words if words.count(word) > 1})
        if twice:
            raise OfferError(f"{self.hook} offers {self.noun} {twice[0]!r} twice")
        return tuple(offers)

    def _validate(self, offer: Any) -> None:
        if not isinstance(offer, self.type):
            raise OfferError(f"{self.hook} returned {_kind(offer)} where {self.type.__name__} belongs")
        name = one_line(getattr(offer, "name", None))
        api = getattr(offer, "api", None)
        if isinstance(api, int) and api > API_VERSION:
            raise OfferError(
                f"{self.noun} {name!r} needs version {api} of the plugin contract, this flowforge-core has version "
                f"{API_VERSION}: upgrade flowforge-core"
            )
        if not isinstance(api, int) or isinstance(api, bool) or api < 1:
            raise OfferError(f"{self.noun} {name!r}: api must be a whole number from 1, not {one_line(repr(api))}")
        _word(f"{self.noun} name", getattr(offer, "name", None))
        try:
            self.inspect(offer)
        except OfferError as error:
            raise OfferError(f"{self.noun} {name!r}: {error}") from None


def _kind(value: object) -> str:
    return "None" if value is None else f"{type(value).__name__}"


def _word(what: str, value: object, pattern: re.Pattern[str] = _NAME) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise OfferError(f"{what} must be a plain word, not {one_line(repr(value))}")


def _words(what: str, values: object, pattern: re.Pattern[str] = _NAME) -> None:
    if not isinstance(values, tuple):
        raise OfferError(f"{what} must be a tuple of texts, not {one_line(repr(values))}")
    for value in values:
        _word(f"each of {what}", value, pattern)


def _callable(what: str, value: object) -> None:
    if not callable(value):
        raise OfferError(f"{what} must be a function, not {_kind(value)}")


def _attrs_class(what: str, value: object) -> None:
    if not isinstance(value, type) or not attrs.has(value):
        raise OfferError(f"{what} must be an attrs class, not {one_line(repr(value))}")


def _engine(spec: EngineSpec) -> None:
    _words("aliases", spec.aliases)
    _words("frames", spec.frames)
    _attrs_class("settings", spec.settings)
    _callable("load", spec.load)
    if not isinstance(spec.testkit_settings, Mapping):
        raise OfferError(f"testkit_settings must be a mapping, not {_kind(spec.testkit_settings)}")
    if not isinstance(spec.capabilities, Mapping):
        raise OfferError(f"capabilities must be a mapping, not {_kind(spec.capabilities)}")
    pairs: Mapping[Any, Any] = spec.capabilities
    for capability, support in pairs.items():
        if not isinstance(capability, Capability) or not isinstance(support, Support):
            raise OfferError(
                f"capabilities must map Capability to Support, not {one_line(repr((capability, support)))}"
            )


def _check(spec: CheckSpec) -> None:
    _attrs_class("params", spec.params)
    for way in ("violation", "measure", "judge", "query", "message", "tally"):
        if getattr(spec, way) is not None:
            _callable(way, getattr(spec, way))


def _seed_format(spec: SeedFormat) -> None:
    _words("suffixes", spec.suffixes, _SUFFIX)
    if ".sql" in spec.suffixes:
        raise OfferError("the suffix .sql belongs to seeds that are queries")
    _callable("read", spec.read)
    if spec.options is not None:
        _attrs_class("options", spec.options)
        for field in attrs.fields(spec.options):
            if field.default is attrs.NOTHING:
                raise OfferError(f"the option {field.name!r} needs a default")


def _renderer(spec: DocRenderer) -> None:
    _callable("render", spec.render)


def _stream(spec: StreamSourceSpec) -> None:
    _attrs_class("settings", spec.settings)
    _callable("load", spec.load)


def _macro(macro: Macro) -> None:
    _callable("function", macro.function)


def _by_name(offer: Any) -> tuple[str, ...]:
    return (offer.name,)


def _by_name_and_alias(spec: EngineSpec) -> tuple[str, ...]:
    return tuple(dict.fromkeys((spec.name, *spec.aliases)))


def _by_suffix(spec: SeedFormat) -> tuple[str, ...]:
    return spec.suffixes


ENGINES = OfferKind("flowforge_engines", EngineSpec, "engine", _by_name_and_alias, _engine)
CHECKS = OfferKind("flowforge_checks", CheckSpec, "check", _by_name, _check)
SEED_FORMATS = OfferKind("flowforge_seed_formats", SeedFormat, "seed format", _by_suffix, _seed_format)
RENDERERS = OfferKind("flowforge_doc_renderers", DocRenderer, "renderer", _by_name, _renderer)
STREAM_SOURCES = OfferKind("flowforge_stream_sources", StreamSourceSpec, "stream source", _by_name, _stream)
MACROS = OfferKind("flowforge_macros", Macro, "macro", _by_name, _macro)

KINDS = (ENGINES, CHECKS, SEED_FORMATS, RENDERERS, STREAM_SOURCES, MACROS)
"""In the order in which a plugin is asked; the same hooks as ``flowforge.hookspecs.OFFERS``."""
