"""A YAML document whose content is known already: it is parsed once more only when somebody asks for a place in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flowforge.config.files import read_yaml
from flowforge.config.yaml import KeyPath, YamlDocument
from flowforge.errors import FlowForgeError
from flowforge.values import Location


class LaterDocument(YamlDocument):
    """Stands for a file of the project. Safe from any thread: at worst it is parsed twice."""

    __slots__ = ("_found", "_root")
    _found: YamlDocument | None
    _root: Path

    def __init__(self, root: Path, path: str) -> None:
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "_root", root)
        object.__setattr__(self, "_found", None)

    def _document(self) -> YamlDocument:
        found = self._found
        if found is None:
            found = read_yaml(self._root, self.path)
            object.__setattr__(self, "_found", found)
        return found

    @property
    def data(self) -> Any:
        """What stands in the file now; raises :class:`ConfigFileError` when it cannot be read any more."""
        return self._document().data

    def locate(self, keypath: KeyPath = (), *, key: bool = False) -> Location:
        """Where a value stands; the file itself, when it has gone or has become unreadable since."""
        try:
            return self._document().locate(keypath, key=key)
        except FlowForgeError:
            return Location(self.path, 1, 1)
