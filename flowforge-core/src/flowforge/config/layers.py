"""Settings that stand beside the models: for whole folders in ``project.yml``, for single models there or in YAML.

The tree below ``models:`` names folders, and at last models; a key with ``+`` in front is a setting, and so is any known
one whose value is no mapping. Nearest wins. Knows where settings stand, and nothing of what they mean.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import attrs

from flowforge.config.flaws import UNKNOWN_KEY, WRONG_VALUE, found, nearest
from flowforge.config.yaml import KeyPath, YamlDocument
from flowforge.errors import ConfigFileError, Problems
from flowforge.frozen import frozen
from flowforge.values import Location


@frozen
class Passage:
    """A part of a document that is read later, when more is known. *at* leads to it."""

    doc: YamlDocument = attrs.field(repr=False, eq=False)
    at: KeyPath

    @property
    def data(self) -> Any:
        """What stands there."""
        return self.doc.at(self.at)


@frozen
class Layer:
    """Some settings, for everything in a folder or for one model.

    Parameters
    ----------
    values:
        By name, without ``+``.
    written:
        How the keys are written.
    """

    values: Mapping[str, Any]
    written: Mapping[str, str]
    _passage: Passage = attrs.field(repr=False)
    _name: str | None = None

    @property
    def at(self) -> KeyPath:
        """Leads to the mapping that holds the settings."""
        return self._passage.at

    @property
    def origin(self) -> Location:
        """Where the name stands that the settings belong to."""
        name = () if self._name is None else (self._name,)
        return self._passage.doc.locate((*self._passage.at, *name), key=True)

    def place(self, key: str, path: KeyPath = (), on_key: bool = False) -> Location:
        """Where a setting, or something inside of its value, stands."""
        steps = (self.written[key], *path) if key in self.written else ()
        return self._passage.doc.locate((*self._passage.at, *steps), key=on_key)


@frozen
class Layers:
    """All layers of the models, or of the seeds.

    Parameters
    ----------
    tree:
        By the names of folders below the models' folder; the last one may be a model's.
    named:
        By a model's name without ``.ff``, wherever it stands; general before particular.
    """

    tree: Mapping[tuple[str, ...], tuple[Layer, ...]] = attrs.field(factory=dict)
    named: Mapping[str, tuple[Layer, ...]] = attrs.field(factory=dict)

    def of(self, folders: tuple[str, ...], name: str) -> Iterator[Layer]:
        """The layers of one model, the nearest last."""
        if self.tree:
            steps = (*folders, name)
            for end in range(len(steps) + 1):
                yield from self.tree.get(steps[:end], ())
        yield from self.named.get(name, ())

    def places(self) -> Iterator[tuple[tuple[str, ...], Layer]]:
        """Each layer with the names of folders and models that it claims to exist."""
        for steps, layers in self.tree.items():
            yield from ((steps, layer) for layer in layers)
        for name, layers in self.named.items():
            yield from (((name,), layer) for layer in layers)


def read_layers(
    passage: Passage,
    problems: Problems,
    *,
    settings: Collection[str],
    project: str,
    overlays: Mapping[str, str] | None = None,
) -> Layers:
    """Read what stands below ``models:`` or ``seeds:``.

    Parameters
    ----------
    settings:
        The names of all settings.
    project:
        The project's name, which may stand above the folders.
    overlays:
        Keys at the top that hold one setting each for single models, and the setting's name.
    """
    reader = _Reader(passage.doc, problems, settings)
    data = passage.data
    if data is None:
        return Layers()
    if not isinstance(data, Mapping):
        reader.wrong(passage.at, data)
        return Layers()
    named: dict[str, tuple[Layer, ...]] = {}
    skipped = []
    for key, setting in (overlays or {}).items():
        group = data.get(key)
        if isinstance(group, Mapping) and not any(str(name).startswith("+") for name in group):
            skipped.append(key)
            for name, value in group.items():
                layer = Layer(
                    {setting: value}, {setting: str(name)}, Passage(passage.doc, (*passage.at, key)), str(name)
                )
                short = str(name).removesuffix(".ff")
                named[short] = (*named.get(short, ()), layer)
    reader.walk(data, passage.at, (), leave_out=skipped, transparent=project)
    return Layers(reader.tree, named)


class _Reader:
    """Goes through one tree. One thread."""

    def __init__(self, doc: YamlDocument, problems: Problems, settings: Collection[str]) -> None:
        self.tree: dict[tuple[str, ...], tuple[Layer, ...]] = {}
        self._doc = doc
        self._problems = problems
        self._settings = settings

    def wrong(self, at: KeyPath, value: Any) -> None:
        """A mapping should stand here."""
        self._problems.add(
            ConfigFileError(
                f"'{at[-1]}' should be a mapping of folders and settings, found {found(value)}",
                code=WRONG_VALUE,
                location=self._doc.locate(at),
            )
        )

    def walk(
        self,
        data: Mapping[Any, Any],
        at: KeyPath,
        steps: tuple[str, ...],
        *,
        leave_out: Collection[str] = (),
        transparent: str | None = None,
    ) -> None:
        """Collect the settings of one level, and go down. *transparent* is a name that stands for the level itself."""
        values: dict[str, Any] = {}
        written: dict[str, str] = {}
        for key, value in data.items():
            place = (*at, key)
            name = str(key)
            if name in leave_out:
                continue
            setting = name.removeprefix("+")
            if name.startswith("+") or (name in self._settings and not isinstance(value, Mapping)):
                if setting in written:
                    self._twice(setting, written[setting], place)
                    continue
                values[setting] = value
                written[setting] = name
            elif isinstance(value, Mapping):
                inner = () if name == transparent else (*steps, name.removesuffix(".ff"))
                self.walk(value, place, inner)
            elif value is not None:
                self._unknown(name, place, value)
        if not values:
            return
        layer = Layer(values, written, Passage(self._doc, at))
        for other in self.tree.get(steps, ()):  # one folder below the project's name, and once more beside it
            for setting in sorted(values.keys() & other.values.keys()):
                self._twice(setting, other.written[setting], (*at, written[setting]))
        self.tree[steps] = (*self.tree.get(steps, ()), layer)

    def _twice(self, setting: str, first: str, place: KeyPath) -> None:
        self._problems.add(
            ConfigFileError(
                f"'{setting}' is set twice; the other one is '{first}'",
                code=UNKNOWN_KEY,
                location=self._doc.locate(place, key=True),
                help="keep one of them",
            )
        )

    def _unknown(self, name: str, place: KeyPath, value: Any) -> None:
        self._problems.add(
            ConfigFileError(
                f"'{name}' is no setting, and {found(value)} says nothing about a folder",
                code=UNKNOWN_KEY,
                location=self._doc.locate(place, key=True),
                help=nearest(name, self._settings)
                or "settings of a folder stand below its name: `+materialized: view`",
            )
        )
