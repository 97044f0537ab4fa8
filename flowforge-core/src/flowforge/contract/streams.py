"""What a kind of stream is. No command of this version reads one; the stream runner will.

A stream consists of partitions, each a row of records that is only added to. An *offset* is a position in a partition, as
a text of the reader's own making: behind some record, in front of the next. Whoever reads a stream keeps the offsets
together with the rows, in the same transaction of the database where there is one, and begins again from there. So the
reader itself keeps nothing, and nothing that it does has to be undone after a crash.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowforge.contract.version import API_VERSION
from flowforge.frozen import frozen

if TYPE_CHECKING:
    import pyarrow as pa


@frozen
class StreamBatch:
    """Rows of one poll and the offsets that follow them, by partition.

    Parameters
    ----------
    rows:
        Of the reader's schema. Rows of one partition are in its order. It may be empty, when records were passed that
        are no rows, such as empty lines.
    next_offsets:
        Behind the last record of each partition that this batch has read from. Partitions that it does not name stay
        where they were.
    """

    rows: pa.RecordBatch
    next_offsets: Mapping[str, str]


class StreamReader(ABC):
    """An open stream, used by the thread that opened it; several may be open in one process.

    Exceptions of a driver may fly out of all methods: the runner names the stream, closes the reader, and begins again
    from the offsets it has. :func:`flowforge.testkit.check_stream_source` tries what is said here.
    """

    @property
    @abstractmethod
    def schema(self) -> pa.Schema:
        """The columns of all batches. The same settings give the same schema, whatever the stream holds right now."""

    @abstractmethod
    def partitions(self) -> Sequence[str]:
        """The partitions that exist now, each once. Their names stay the same when the stream is opened elsewhere."""

    @abstractmethod
    def poll(self, offsets: Mapping[str, str], *, max_rows: int, timeout: float) -> StreamBatch | None:
        """The next rows after *offsets*.

        What it gives follows from *offsets* and the stream alone, never from an earlier poll: it may be asked for the
        same place again, by another reader, weeks later. Every record behind *offsets* comes sooner or later, once, if
        each poll is given the offsets that the one before led to.

        A record that is only half there is not there yet: it is neither a row, nor do offsets go past it. One that is
        whole and cannot be read is a :class:`~flowforge.errors.StreamError`, never left out.

        Parameters
        ----------
        offsets:
            By partition. One that is missing is read from its start; one that no longer exists, or was never seen, is
            no mistake.
        max_rows:
            At least 1; the batch has no more rows than that.
        timeout:
            Seconds that it may wait for a first record; 0 looks once. A reader that cannot wait answers at once, and whoever
            asked waits.

        Returns
        -------
        StreamBatch | None
            ``None`` when nothing came: the offsets stay as they are.

        Raises
        ------
        StreamError
            When an offset is none of this reader's, or what stood behind it is gone (a retention that has passed, a file
            that was cut): to begin anew would give rows twice, to go on would lose some.
        """

    @abstractmethod
    def close(self) -> None:
        """Give the connection back; may be called twice. No method may be called behind it, and those that are raise."""


@frozen
class StreamSourceSpec:
    """The declaration of a kind of stream.

    Parameters
    ----------
    settings:
        An attrs class whose fields are made by :func:`~flowforge.contract.setting`, as an engine's.
    load:
        Imports the driver, and returns what opens a stream: it is called with an instance of *settings*, and returns a
        reader. It raises when the stream cannot be reached, without a secret in the text.
    redelivers:
        Records in front of the offsets may come once more, as brokers do that know no positions. Rows then need a key
        by which the runner can tell that it has them.
    """

    name: str
    summary: str
    settings: type
    load: Callable[[], Callable[[Any], StreamReader]]
    api: int = API_VERSION
    redelivers: bool = False
