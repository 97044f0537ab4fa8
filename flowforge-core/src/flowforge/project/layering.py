"""Brings the settings that stand beside models to the models: checks each layer once, and joins them.

Nearest wins; tags and hooks are joined, and so are the keys of ``meta``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, Protocol

import attrs

from flowforge.config.flaws import nearest
from flowforge.config.layers import Layer, Layers, read_layers
from flowforge.config.project import ProjectConfig
from flowforge.config.properties import ModelProps
from flowforge.errors import ConfigFileError, FlowForgeError, Problems
from flowforge.frozen import frozen
from flowforge.project.asked import Answers
from flowforge.project.hooks import SPELLINGS, Said, entries
from flowforge.project.manifest import ModelConfig
from flowforge.project.model_config import SETTINGS, check_settings
from flowforge.values import Location

Place = Callable[[str], Location]


class Named(Protocol):
    """A node, or what will become one."""

    @property
    def path(self) -> str:
        """Its file."""

    @property
    def short_name(self) -> str:
        """Its name without ``.ff``."""


@frozen
class Settings:
    """What stands beside the models of a project: in ``project.yml``, and by name in YAML files below the models.

    Parameters
    ----------
    models_dir:
        The folder whose folders :attr:`layers` name.
    noun:
        What stands there.
    """

    models_dir: str = "models"
    layers: Layers = attrs.field(factory=Layers)
    described: Mapping[str, tuple[Layer, ...]] = attrs.field(factory=dict)
    answers: Answers = attrs.field(factory=Answers)
    noun: str = "model"
    dialect: str | None = None
    """What SQL models are written in that say nothing of it."""
    made: dict[str, ModelConfig] = attrs.field(factory=dict, eq=False, repr=False)
    """Settings that were found right before, by how they are written: most models of a project say the same."""

    def joined(self, path: str, name: str, own: Mapping[str, Any], place: Place) -> tuple[dict[str, Any], Place]:
        """All settings of one model, and where each of them stands.

        Parameters
        ----------
        path:
            The model's file.
        own, place:
            What the file itself says, and where.
        """
        if self.says_nothing:
            return dict(own), place
        short = name.removesuffix(".ff")
        values: dict[str, Any] = {}
        places: dict[str, Layer] = {}
        for layer in (*self.layers.of(self._folders(path), short), *self.described.get(short, ())):
            _lay_over(values, layer.values)
            places.update(dict.fromkeys((*layer.values, *(SPELLINGS.get(key, key) for key in layer.values)), layer))
        if not values:
            return dict(own), place
        _lay_over(values, own)

        def where(key: str) -> Location:
            return places[key].place(key) if key in places and key not in own else place(key)

        return values, where

    def hooks(self, path: str, name: str, own: Mapping[str, Any], place: Place) -> Said:
        """The hooks of one model from all layers, those of the most general first; an empty list drops the others."""
        if self.says_nothing and own.keys().isdisjoint(SPELLINGS):
            return {}
        short = name.removesuffix(".ff")
        found: dict[str, list[tuple[Any, Location]]] = {}
        layers = (*self.layers.of(self._folders(path), short), *self.described.get(short, ()))
        for layer in layers:
            for key in layer.values.keys() & SPELLINGS.keys():
                value = layer.values[key]
                listed = isinstance(value, (list, tuple))
                said = [
                    (entry, layer.place(key, (number,) if listed else ()))
                    for number, entry in enumerate(entries(value))
                ]
                found[SPELLINGS[key]] = [*found.get(SPELLINGS[key], ()), *said] if said else []
        for key in own.keys() & SPELLINGS.keys():
            said = [(entry, place(key)) for entry in entries(own[key])]
            found[SPELLINGS[key]] = [*found.get(SPELLINGS[key], ()), *said] if said else []
        return {key: tuple(said) for key, said in found.items() if said}

    @property
    def says_nothing(self) -> bool:
        """Whether nothing at all stands beside the models."""
        return not (self.described or self.layers.tree or self.layers.named)

    def refuse_strays(self, nodes: Iterable[Named], problems: Problems) -> None:
        """Complain about settings for folders and models that do not exist."""
        known: set[tuple[str, ...]] = {()}
        for node in nodes:
            folders, short = self._folders(node.path), node.short_name
            known.update(folders[:end] for end in range(1, len(folders) + 1))
            known.update(((short,), (*folders, short)))
        for steps, layer in self.layers.places():
            if steps not in known:
                words = {name for one in known for name in one[-1:]}
                problems.add(
                    ConfigFileError(
                        f"there is no folder or {self.noun} {'/'.join(steps)!r} below {self.models_dir}/",
                        code="FF1027",
                        location=layer.origin,
                        help=nearest(steps[-1], words),
                    )
                )

    def _folders(self, path: str) -> tuple[str, ...]:
        """The folders below the models' own that a file stands in."""
        return _folders_below(path.rpartition("/")[0], self.models_dir)

    def answered(self, own: Mapping[str, Any], place: Place, problems: Problems) -> dict[str, Any]:
        """What a model says of itself, with answers where it asks; what cannot be answered goes to *problems*."""
        values: dict[str, Any] = {}
        for key, value in own.items():
            try:
                values[key] = self.answers.give(value)
            except FlowForgeError as error:
                error.location = error.location or place(key)
                problems.add(error)
        return values


@functools.lru_cache(maxsize=1024)
def _folders_below(folder: str, top: str) -> tuple[str, ...]:
    """The names of the folders between; none when *folder* is not below *top*."""
    pure = PurePosixPath(folder)
    return pure.relative_to(top).parts if pure.is_relative_to(top) else ()


def read_settings(
    config: ProjectConfig, described: Iterable[ModelProps], problems: Problems, answers: Answers
) -> Settings:
    """The settings of ``project.yml``, with those of *described* on top; flaws go to *problems*, once."""
    layers = Layers()
    if config.models is not None:
        overlays = {"incremental": "incremental", "storage": "storage"}
        layers = read_layers(config.models, problems, settings=SETTINGS, project=config.name, overlays=overlays)
    settings = Settings(config.models_dir, layers, _beside(described), answers, dialect=config.dialect)
    return sound_settings(settings, problems, check_settings)


def sound_settings(settings: Settings, problems: Problems, check: Callable[[Layer, Problems], bool]) -> Settings:
    """*settings* with answers where they ask, and without those that *check* refuses; each layer is looked at once."""

    def sound(found: Iterable[Layer]) -> tuple[Layer, ...]:
        filled = (_filled(layer, settings.answers, problems) for layer in found)
        return tuple(layer for layer in filled if layer is not None and check(layer, problems))

    return attrs.evolve(
        settings,
        layers=Layers(
            {steps: sound(found) for steps, found in settings.layers.tree.items()},
            {name: sound(found) for name, found in settings.layers.named.items()},
        ),
        described={name: sound(found) for name, found in settings.described.items()},
    )


def _beside(described: Iterable[ModelProps]) -> dict[str, tuple[Layer, ...]]:
    return {entry.name.removesuffix(".ff"): entry.settings for entry in described if entry.settings}


_PROSE = ("description", "meta", "delta_sql", *SPELLINGS)
"""Settings that people read, or that are templates of their own; braces in them are not for us."""


def _filled(layer: Layer, answers: Answers, problems: Problems) -> Layer | None:
    values = {}
    for key, value in layer.values.items():
        try:
            values[key] = answers.give(value, texts=key not in _PROSE)
        except FlowForgeError as error:
            error.location = error.location or layer.place(key)
            problems.add(error)
            return None
    return attrs.evolve(layer, values=values)


def _lay_over(values: dict[str, Any], more: Mapping[str, Any]) -> None:
    for spelling, value in more.items():
        key = SPELLINGS.get(spelling, spelling)
        below = values.get(key)
        if key == "tags" and key in values and value is None:  # says nothing
            value = below
        elif key == "tags" and isinstance(below, _WORDS) and isinstance(value, _WORDS):  # others are told later
            words = list(_words(below))
            for word in _words(value):
                if word not in words:
                    words.append(word)
            value = tuple(words)
        elif key in ("meta", "column_types") and isinstance(below, Mapping) and isinstance(value, Mapping):
            value = {**below, **value}
        values[key] = value


_WORDS = (str, list, tuple)


def _words(value: Any) -> tuple[Any, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
