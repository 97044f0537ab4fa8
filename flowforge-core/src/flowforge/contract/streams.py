"""What a kind of stream is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from flowforge.contract.version import API_VERSION

if TYPE_CHECKING:
    import pyarrow as pa


@attrs.frozen
class StreamBatch:
    """Rows of one poll and the offsets that follow them, by partition."""

    rows: pa.RecordBatch
    next_offsets: Mapping[str, str]


class StreamReader(ABC):
    """An open stream; one thread."""

    @abstractmethod
    def partitions(self) -> Sequence[str]:
        """The partitions that exist now."""

    @abstractmethod
    def poll(self, offsets: Mapping[str, str], *, max_rows: int, timeout: float) -> StreamBatch | None:
        """The next rows after *offsets*; ``None`` when none came within *timeout* seconds."""

    @abstractmethod
    def close(self) -> None:
        """Give the connection back."""


@attrs.frozen
class StreamSourceSpec:
    """The declaration of a kind of stream."""

    name: str
    summary: str
    settings: type
    load: Callable[[], Callable[[Any], StreamReader]]
    api: int = API_VERSION
