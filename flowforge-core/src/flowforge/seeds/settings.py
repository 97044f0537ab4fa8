"""The settings of seeds: those that models have too, those of seeds alone, and those that file formats declare.

Knows layers and formats, and no file. A layer is looked at once; what a format understands is known only when all
layers of one seed are joined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import attrs

from flowforge.config.flaws import UNKNOWN_KEY, nearest
from flowforge.config.layers import Layer, Layers, Passage, read_layers
from flowforge.config.properties import ModelProps
from flowforge.config.structure import structure_plain
from flowforge.config.type_words import normal_word
from flowforge.contract import SeedFormat
from flowforge.errors import ConfigFileError, FlowForgeError, Problems, SeedError
from flowforge.frozen import frozen
from flowforge.project.asked import Answers
from flowforge.project.layering import Place, Settings, sound_settings
from flowforge.project.manifest import ModelConfig
from flowforge.project.model_config import check_settings, structure_config
from flowforge.values import Location

SHARED = frozenset(
    "schema database alias tags meta description owner group enabled engines env_match timeout cache dialect event_time"  # noqa: SIM905
    " storage partition_by cluster_by indexes grants".split()
)
"""Settings that mean the same for models and seeds."""


@frozen(kw_only=True)
class SeedOnly:
    """Settings that only seeds have."""

    later_keys: ClassVar[Mapping[str, str]] = {
        "escape": "write a quote inside of quotes twice",
        "quote_columns": "remove it: names of columns are always quoted",
        "full_refresh": "remove it: a seed is always loaded as a whole",
        **dict.fromkeys(
            ("pre_hook", "post_hook", "pre-hook", "post-hook"), "give the hook to a model that reads the seed"
        ),
    }

    column_types: Mapping[str, str] = attrs.field(factory=dict)
    loaded_columns: bool = False


_ONLY = frozenset({*(field.name for field in attrs.fields(SeedOnly)), *SeedOnly.later_keys})


@frozen
class Told:
    """What all layers say about one seed."""

    config: ModelConfig = attrs.field(factory=lambda: ModelConfig(materialized="seed"))
    options: Any = None
    types: Mapping[str, str] = attrs.field(factory=dict)
    loaded_columns: bool = False
    place: Place | None = attrs.field(default=None, eq=False, repr=False)


class SeedSettings:
    """The settings of all seeds of one project. One thread.

    Parameters
    ----------
    passage:
        What ``project.yml`` says below ``seeds:``.
    described:
        Entries of the lists ``seeds:`` in YAML files.
    nearer:
        Layers by the name of a seed that lie on top of all others outside of its own file.
    """

    def __init__(
        self,
        formats: Sequence[SeedFormat],
        problems: Problems,
        *,
        passage: Passage | None = None,
        project: str = "",
        folder: str = "seeds",
        described: Iterable[ModelProps] = (),
        nearer: Mapping[str, Layer] | None = None,
        answers: Answers | None = None,
    ) -> None:
        self._problems = problems
        self._seen: set[tuple[str, Location | None]] = set()
        self._options = option_names(formats)
        layers = Layers()
        if passage is not None:
            layers = read_layers(
                passage, problems, settings=self.names, project=project, overlays={"storage": "storage"}
            )
        beside: dict[str, tuple[Layer, ...]] = {}
        for entry in described:
            beside[entry.name] = (*beside.get(entry.name, ()), *entry.settings)
        for name, layer in (nearer or {}).items():
            beside[name] = (*beside.get(name, ()), layer)
        given = Settings(folder, layers, beside, answers or Answers(), "seed")
        self.layered = sound_settings(given, problems, self._check)

    @property
    def names(self) -> frozenset[str]:
        """All settings that a seed of some format can have."""
        return SHARED | _ONLY | self._options

    def of(self, path: str, name: str, format_: SeedFormat | None, own: Mapping[str, Any], place: Place) -> Told:
        """What holds for one seed; nothing special when something of it is wrong.

        Parameters
        ----------
        format_:
            The file's; ``None``: it is a query.
        own, place:
            What the file says itself, and where.
        """
        before = len(self._problems)
        if own and not self._check_values(own, lambda path, on_key: place(str(path[0]) if path else "")):
            return Told()
        values, where = self.layered.joined(path, name, own, place)
        if not values:
            return Told()
        shared = {key: value for key, value in values.items() if key in SHARED}
        config = structure_config(shared, where, self._problems)
        options = self._read_options(path, format_, values, where)
        if format_ is not None and values.get("dialect") is not None:
            self._complain(
                f"files of the format {format_.name} have no setting 'dialect', which is set for {path}",
                "FF2213",
                where("dialect"),
                "set it only for SQL seeds",
            )
        types: dict[str, str] = {}
        for column, word in values.get("column_types", {}).items():
            types[column] = normal_word(word)
        if types and format_ is None:
            self._complain(
                "the types of a SQL seed are those of its query",
                "FF2213",
                where("column_types"),
                "write casts into the query",
            )
        if config is None or len(self._problems) > before:
            return Told()
        config = attrs.evolve(config, materialized="seed")
        return Told(config, options, types, bool(values.get("loaded_columns", False)), where)

    def _read_options(self, path: str, format_: SeedFormat | None, values: Mapping[str, Any], where: Place) -> Any:
        mine = option_names([format_]) if format_ is not None else frozenset()
        given = {key: value for key, value in values.items() if key in self._options}
        what = f"files of the format {format_.name}" if format_ is not None else "SQL seeds"
        for key in given.keys() - mine:
            self._complain(
                f"{what} have no setting {key!r}, which is set for {path}",
                "FF2213",
                where(key),
                "set it only for the seeds that have it, by folder or by name",
            )
        given = {key: value for key, value in given.items() if key in mine}
        if not given or format_ is None or format_.options is None:
            return None
        found = Problems()
        options = structure_plain(
            given, format_.options, problems=found, locate=lambda path, on_key: where(str(path[0])) if path else None
        )
        for error in found:
            self._add(error, where(next(iter(given))))
        return options

    def _check(self, layer: Layer, problems: Problems) -> bool:
        """Whether all that can be said of a layer alone is right."""
        shared = {key: value for key, value in layer.values.items() if key in SHARED}
        if shared and not check_settings(attrs.evolve(layer, values=shared), problems):
            return False
        return self._check_values(
            {key: value for key, value in layer.values.items() if key not in SHARED},
            lambda path, on_key: layer.place(str(path[0]), path[1:], on_key) if path else layer.origin,
        )

    def _check_values(self, values: Mapping[str, Any], locate: Callable[[Any, bool], Location]) -> bool:
        before = len(self._problems)
        for key in values:
            if key not in self.names:
                self._problems.add(
                    ConfigFileError(
                        f"unknown key '{key}'",
                        code=UNKNOWN_KEY,
                        location=locate((key,), True),
                        help=nearest(key, self.names)
                        or f"settings of seeds: {', '.join(sorted(self.names - SeedOnly.later_keys.keys()))}",
                    )
                )
        only = {key: value for key, value in values.items() if key in _ONLY}
        read = structure_plain(only, SeedOnly, problems=self._problems, locate=locate)
        for column, word in read.column_types.items() if read is not None else ():
            try:
                normal_word(word)
            except ValueError as exc:
                place = locate(("column_types", column), False)
                self._problems.add(SeedError(str(exc), code="FF2207", location=place))
        return len(self._problems) == before

    def _complain(self, message: str, code: str, location: Location, help: str) -> None:
        self._add(SeedError(message, code=code, location=location, help=help), location)

    def _add(self, error: FlowForgeError, location: Location) -> None:
        """Report *error*, once for all seeds that share what is wrong."""
        error.location = error.location or location
        if (error.message, error.location) not in self._seen:
            self._seen.add((error.message, error.location))
            self._problems.add(error)


def option_names(formats: Iterable[SeedFormat]) -> frozenset[str]:
    """The settings that files of these formats have beside the common ones."""
    classes = [format_.options for format_ in formats if format_.options is not None]
    return frozenset(field.name for cls in classes for field in attrs.fields(cls)) - SHARED - _ONLY
