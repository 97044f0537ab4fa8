"""Tries what the contract says of stream sources: nothing is lost, doubled, or read before it is whole."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from flowforge.contract import StreamBatch, StreamReader, StreamSourceSpec
from flowforge.errors import StreamError
from flowforge.frozen import frozen

if TYPE_CHECKING:
    import pyarrow as pa

_RECORDS = 20
_NONSENSE = "\x00 no offset of any reader"


def check_stream_source(
    spec: StreamSourceSpec,
    settings: Any,
    *,
    produce: Callable[[int], object],
    begin: Callable[[], Callable[[], object]] | None = None,
    patience: float = 10.0,
) -> None:
    """Try a stream source on a stream that is there and empty.

    Parameters
    ----------
    settings:
        Those of the stream, an instance of ``spec.settings``.
    produce:
        Called with a number; adds so many records, each different from all others, whole, and to several partitions
        where there can be several.
    begin:
        Writes the first half of a record, and returns what writes the rest; ``None`` for brokers, which have no halves.
    patience:
        Seconds in which what was produced must be there.

    Raises
    ------
    AssertionError
        For the first thing that is wrong, with a sentence on it.
    """
    _say(attrs.has(spec.settings), "the settings are no attrs class")
    _say(bool(spec.summary.strip()), "the source has no summary")
    bench = _Bench(spec, spec.load(), settings, patience)
    with bench.reader() as reader:
        bench.schema = reader.schema
        _say(reader.poll({}, max_rows=10, timeout=0) is None, "a poll of an empty stream gave something: give None")
    produce(_RECORDS)
    steps = bench.read(_RECORDS)
    _resume_everywhere(bench, steps)
    _refuse_nonsense(bench, steps)
    end = _offsets(steps)
    _go_on(bench, produce, end)
    end = _offsets(bench.read(3, end))
    if begin is not None:
        _halves(bench, begin, end)
    _close(bench)


@attrs.define
class _Bench:
    """What opens readers, and how they are asked."""

    spec: StreamSourceSpec
    open: Callable[[Any], StreamReader]
    settings: Any
    patience: float
    schema: pa.Schema | None = None

    @contextlib.contextmanager
    def reader(self) -> Iterator[StreamReader]:
        """A new reader, as after a restart."""
        reader = self.open(self.settings)
        try:
            yield reader
        finally:
            reader.close()

    def read(self, count: int, offsets: Mapping[str, str] | None = None, *, max_rows: int = 3) -> list[_Step]:
        """Poll a new reader until *count* rows came."""
        with self.reader() as reader:
            return self.read_on(reader, count, offsets or {}, max_rows)

    def read_on(self, reader: StreamReader, count: int, offsets: Mapping[str, str], max_rows: int = 3) -> list[_Step]:
        """Poll *reader* until *count* rows came, and see that no more do."""
        steps: list[_Step] = []
        found = 0
        while found < count:
            batch = reader.poll(offsets, max_rows=max_rows, timeout=self.patience)
            _say(batch is not None, f"{count} records were there, and {found} came within {self.patience:g} seconds")
            assert batch is not None
            self._judge(reader, batch, offsets, max_rows)
            steps.append(_Step(dict(offsets), _rows(batch), {**offsets, **batch.next_offsets}))
            offsets, found = steps[-1].after, found + batch.rows.num_rows
            _say(len(steps) <= 100 + count, f"{len(steps)} batches came, and only {found} of {count} rows")
        more = reader.poll(offsets, max_rows=max_rows, timeout=0)
        found += more.rows.num_rows if more is not None else 0
        _say(found == count or self.spec.redelivers, f"{count} records gave {found} rows")
        return steps

    def _judge(self, reader: StreamReader, batch: StreamBatch, offsets: Mapping[str, str], max_rows: int) -> None:
        _say(batch.rows.num_rows <= max_rows, f"{batch.rows.num_rows} rows came where {max_rows} were asked for")
        same = batch.rows.schema.equals(reader.schema) and reader.schema.equals(self.schema)
        _say(same, f"a batch has the columns {batch.rows.schema.names}, or other types, than the schema said before")
        texts = all(isinstance(word, str) for pair in batch.next_offsets.items() for word in pair)
        _say(texts, f"partitions and offsets are texts, and these are not: {dict(batch.next_offsets)!r}")
        partitions = list(reader.partitions())
        _say(len(set(partitions)) == len(partitions), f"a partition is listed twice: {sorted(partitions)}")
        unknown = sorted(set(batch.next_offsets) - set(partitions))
        _say(not unknown, f"offsets of partitions that are not listed: {unknown}")
        moved = any(offsets.get(name) != offset for name, offset in batch.next_offsets.items())
        _say(moved, "a batch came and no offset moved, so it would come for ever: give None")


@frozen
class _Step:
    """One batch: the offsets that it was asked with, its rows, and the offsets behind it."""

    before: Mapping[str, str]
    rows: collections.Counter[str]
    after: Mapping[str, str]


def _rows(batch: StreamBatch) -> collections.Counter[str]:
    return collections.Counter(map(repr, batch.rows.to_pylist()))


def _offsets(steps: list[_Step]) -> Mapping[str, str]:
    return steps[-1].after


def _all(steps: list[_Step]) -> collections.Counter[str]:
    return sum((step.rows for step in steps), collections.Counter())


def _resume_everywhere(bench: _Bench, steps: list[_Step]) -> None:
    """From the offsets behind each batch, a new reader gives what came behind it; and so does an old one again."""
    for number, step in enumerate(steps):
        rest = _all(steps[number:])
        count = sum(rest.values())
        again = _all(bench.read(count, step.before, max_rows=4))
        _same(rest, again, "a new reader", bench.spec.redelivers)
    with bench.reader() as reader:
        for step in (steps[0], steps[0], steps[-1]):
            batch = reader.poll(step.before, max_rows=3, timeout=bench.patience)
            _say(batch is not None, "the same offsets gave rows at first, and none when they were asked for again")
            assert batch is not None
            _same(step.rows, _rows(batch), "the same reader, asked once more", bench.spec.redelivers)


def _same(
    wanted: collections.Counter[str], found: collections.Counter[str], who: str, redelivers: bool, where: str = ""
) -> None:
    lost, further = wanted - found, found - wanted
    _say(not lost, f"{who} lost rows{where} when it went on from offsets: {sorted(lost)[:3]}")
    _say(not further or redelivers, f"{who} gave rows{where} that are in front of its offsets: {sorted(further)[:3]}")


def _refuse_nonsense(bench: _Bench, steps: list[_Step]) -> None:
    """An offset of somebody else's must not be taken for the beginning."""
    for partition in _offsets(steps):
        with bench.reader() as reader:
            try:
                reader.poll({**_offsets(steps), partition: _NONSENSE}, max_rows=1, timeout=0)
            except StreamError:
                continue
            raise AssertionError(f"an offset that means nothing ({_NONSENSE!r}) was taken: raise StreamError")


def _go_on(bench: _Bench, produce: Callable[[int], object], end: Mapping[str, str]) -> None:
    """What is added while a reader is open reaches it."""
    with bench.reader() as reader:
        batch = reader.poll(end, max_rows=10, timeout=0)
        _say(batch is None or not batch.rows.num_rows, "rows came from behind the last record")
        produce(3)
        bench.read_on(reader, 3, end)


def _halves(bench: _Bench, begin: Callable[[], Callable[[], object]], end: Mapping[str, str]) -> None:
    """Half a record is no row, and no offset goes past it; when it is whole, it comes once."""
    finish = begin()
    with bench.reader() as reader:
        batch = reader.poll(end, max_rows=10, timeout=0)
        _say(batch is None or not batch.rows.num_rows, "half a record was given as a row")
        half = {**end, **(batch.next_offsets if batch is not None else {})}
        finish()
        open_, restarted = _all(bench.read_on(reader, 1, half)), _all(bench.read(1, half))
    _same(_all(bench.read(1, end)), open_, "the reader that saw half of it", bench.spec.redelivers)
    _same(open_, restarted, "a new reader", bench.spec.redelivers)


def _close(bench: _Bench) -> None:
    reader = bench.open(bench.settings)
    reader.close()
    reader.close()
    try:
        reader.poll({}, max_rows=1, timeout=0)
    except Exception:  # noqa: BLE001 - any error will do
        return
    raise AssertionError("a reader that was closed still answers")


def _say(holds: bool, otherwise: str) -> None:
    """``assert``, with a sentence, and also under ``python -O``."""
    if not holds:
        raise AssertionError(otherwise)
