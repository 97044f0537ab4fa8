"""Where every node of a YAML document stands, in a form that costs next to nothing while a file is read.

Nodes are numbered in the order of the text, keys included, so three flat arrays hold all positions, and a key path is
followed only when somebody asks.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

from flowforge.values import Location

KeyPath = tuple[str | int, ...]
"""How to reach a value: keys of mappings and indexes of lists, from the top of the document."""

LINE_BREAK = re.compile(r"\r\n|\r|\n")


class Places:
    """The positions of one text's nodes. Grows while the text is read; one thread until then."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = array("L")
        self._ends = array("L")
        self._sizes = array("L")
        self._targets: dict[int, int] = {}
        self._merge_keys: set[int] = set()
        self._merged: dict[int, list[tuple[int, Any]]] = {}
        self._inside: dict[int, dict[Any, tuple[int, int]]] = {}
        self._lines: list[int] = []

    def numbers(self) -> tuple[str, list[int], list[int], list[int]] | None:
        """All of it as plain values for :meth:`restored`; ``None`` when the document repeats parts of itself."""
        if self._targets or self._merge_keys:
            return None
        return self._text, self._starts.tolist(), self._ends.tolist(), self._sizes.tolist()

    @classmethod
    def restored(cls, text: str, starts: list[int], ends: list[int], sizes: list[int]) -> Places:
        """What :meth:`numbers` gave."""
        places = cls(text)
        places._starts, places._ends, places._sizes = array("L", starts), array("L", ends), array("L", sizes)
        return places

    def add(self, start: int, end: int) -> int:
        """Number the node that begins now; *start* and *end* are offsets in the text."""
        self._starts.append(start)
        self._ends.append(end)
        self._sizes.append(1)
        return len(self._starts) - 1

    def close(self, node: int) -> None:
        """All nodes inside of *node* have been added."""
        self._sizes[node] = len(self._starts) - node

    def link(self, alias: int, target: int) -> None:
        """The node *alias* repeats *target*."""
        self._targets[alias] = target

    def merge(self, mapping: int, key: int, value: int, merged: Any) -> None:
        """The *key* (``<<``) of *mapping* brings the keys of *merged*, a mapping or a list of them at node *value*."""
        self._merge_keys.add(key)
        value = self._targets.get(value, value)
        nodes = list(self._walk(value, value + self._sizes[value])) if isinstance(merged, list) else [value]
        several = merged if isinstance(merged, list) else [merged]
        self._merged[mapping] = list(zip(nodes, several, strict=True))

    def find(self, data: Any, keypath: KeyPath, *, key: bool = False) -> int | None:
        """The node that *keypath* leads to, or the nearest one above it; ``None`` for an empty document.

        Parameters
        ----------
        data:
            What the whole document became.
        key:
            Find the last step's key, not its value.
        """
        if not self._starts:
            return None
        node = 0
        for index, step in enumerate(keypath):
            pair = self._step(node, data, step)
            if pair is None:
                break
            data = data[step]
            node = pair[0] if key and index == len(keypath) - 1 else pair[1]
        return node

    def key_node(self, mapping: int, data: dict[Any, Any], key: Any) -> int:
        """The node of a key that *data* has, while its *mapping* is still being read."""
        return self._pairs(self._walk(mapping, len(self._starts)), data)[key][0]

    def location(self, node: int | None, path: str) -> Location:
        """A node's place as users know it."""
        if node is None:
            return Location(path, 1, 1)
        start, end = self._starts[node], self._ends[node]
        where = self.at_offset(start, path)
        length = end - start if not LINE_BREAK.search(self._text, start, end) else 1
        return Location(path, where.line, where.column, max(length, 1))

    def at_offset(self, offset: int, path: str) -> Location:
        """A place in the text."""
        if not self._lines:
            self._lines = [0, *(match.end() for match in LINE_BREAK.finditer(self._text))]
        line = bisect_right(self._lines, offset)
        return Location(path, line, offset - self._lines[line - 1] + 1)

    # -- following a path

    def _step(self, node: int, data: Any, step: str | int) -> tuple[int, int] | None:
        """The nodes of a key and its value (twice the same one in a list)."""
        node = self._targets.get(node, node)
        if node not in self._inside:
            children = self._walk(node, node + self._sizes[node])
            if isinstance(data, dict):
                self._inside[node] = self._pairs(children, data)
            else:
                self._inside[node] = {index: (child, child) for index, child in enumerate(children)}
        found = self._inside[node].get(step)
        if found is None:
            for mapping, merged in self._merged.get(node, ()):
                if step in merged:
                    return self._step(mapping, merged, step)
        return found

    def _walk(self, node: int, end: int) -> Iterator[int]:
        child = node + 1
        while child < end:
            yield child
            child += self._sizes[child]

    def _pairs(self, children: Iterator[int], data: dict[Any, Any]) -> dict[Any, tuple[int, int]]:
        """The nodes of a mapping's own keys: they come in the order of its data, and merged keys after them."""
        names = iter(data)
        pairs: dict[Any, tuple[int, int]] = {}
        for key_node in children:
            value_node = next(children, key_node)
            if key_node not in self._merge_keys:
                pairs.setdefault(next(names, None), (key_node, value_node))
        return pairs
