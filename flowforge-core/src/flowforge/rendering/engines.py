"""What templates may ask about the engine: its name, and whether it is one of some."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flowforge.contract import EngineSpec
from flowforge.rendering.arguments import WrongArgument, checked

FindEngine = Callable[[str], EngineSpec | None]
"""Called with a word in small letters; the engine that is called so, if it is installed."""


def find_among(engines: Mapping[str, EngineSpec]) -> FindEngine:
    """Looks among *engines* by name, alias and abbreviation."""

    def find(word: str) -> EngineSpec | None:
        return next((spec for spec in engines.values() if word in _words(spec)), None)

    return find


def engine_functions(own: EngineSpec, find: FindEngine) -> dict[str, Callable[..., Any]]:
    """The functions by their names, for templates that run on the engine *own*."""

    def spec_of(name: Any) -> EngineSpec | None:
        word = _word(name)
        return own if word in _words(own) else find(word)

    def ff_engine(default: Any = None) -> str:
        return own.name

    def ff_engine_family() -> str:
        return own.family or own.name

    def ff_is_engine(*candidates: Any) -> bool:
        flat = [one for some in candidates for one in (some if isinstance(some, (list, tuple)) else (some,))]
        if not flat:
            raise WrongArgument("which engine is not said", "give one or more names: ff_is_engine('name', ...)")
        return any(_word(one) in _words(own) for one in flat)

    def normalize_engine(name: Any) -> str:
        spec = spec_of(name)
        return spec.name if spec is not None else _word(name)

    def engine_family(name: Any = None) -> str:
        spec = own if name is None else spec_of(name)
        return (spec.family or spec.name) if spec is not None else _word(name)

    functions: dict[str, Callable[..., Any]] = {
        "ff_engine": ff_engine,
        "ff_engine_family": ff_engine_family,
        "ff_is_engine": ff_is_engine,
        "normalize_engine": normalize_engine,
        "engine_family": engine_family,
        "is_engine": ff_is_engine,
    }
    return {name: checked(name, function) for name, function in functions.items()}


def _word(name: Any) -> str:
    if not isinstance(name, str) or not name.strip():
        raise WrongArgument(f"{str(name)!r} is no name of an engine", "write the name as text")
    return name.strip().lower()


def _words(spec: EngineSpec) -> tuple[str, ...]:
    return tuple(word.lower() for word in (spec.name, *spec.aliases, spec.abbreviation) if word)
