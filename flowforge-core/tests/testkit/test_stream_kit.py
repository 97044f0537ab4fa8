"""`check_stream_source` lets a good source pass, and says of each bad one what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs
import pyarrow as pa
import pytest

from flowforge.contract import StreamBatch, StreamReader, StreamSourceSpec
from flowforge.errors import StreamError
from flowforge.testkit import check_stream_source

SCHEMA = pa.schema([("partition", pa.string()), ("text", pa.string())])


@attrs.frozen
class Log:
    """A stream in memory: by partition, the records; one that ends in ``...`` is half there."""

    records: dict[str, list[str]] = attrs.field(factory=lambda: {"a": [], "b": []})

    def produce(self, count: int) -> None:
        for _ in range(count):
            number = sum(map(len, self.records.values()))
            self.records["ab"[number % 2]].append(f"record {number}")

    def begin(self) -> Callable[[], None]:
        self.records["a"].append("half...")

        def finish() -> None:
            self.records["a"][-1] = "half and half"

        return finish


class Reader(StreamReader):
    """A good one; offsets are numbers of records."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.closed = False

    @property
    def schema(self) -> pa.Schema:
        return SCHEMA

    def partitions(self) -> Sequence[str]:
        return list(self.log.records)

    def start(self, partition: str, offset: str | None) -> int:
        if offset is not None and not offset.isdigit():
            raise StreamError(f"{offset!r} is no offset")
        return int(offset or 0)

    def poll(self, offsets: Mapping[str, str], *, max_rows: int, timeout: float) -> StreamBatch | None:
        if self.closed:
            raise StreamError("it was closed")
        rows: list[dict[str, str]] = []
        after: dict[str, str] = {}
        for partition, records in self.log.records.items():
            position = self.start(partition, offsets.get(partition))
            for record in records[position:]:
                if len(rows) == max_rows or self.is_half(record):
                    break
                rows.append({"partition": partition, "text": record})
                position += 1
                after[partition] = str(position)
        return self.batch(rows, after)

    def is_half(self, record: str) -> bool:
        return record.endswith("...")

    def batch(self, rows: list[dict[str, str]], after: dict[str, str]) -> StreamBatch | None:
        return StreamBatch(pa.RecordBatch.from_pylist(rows, schema=SCHEMA), after) if rows else None

    def close(self) -> None:
        self.closed = True


class Empty(Reader):
    def batch(self, rows, after):
        return StreamBatch(pa.RecordBatch.from_pylist(rows, schema=SCHEMA), after)


class Greedy(Reader):
    def poll(self, offsets, *, max_rows, timeout):
        return super().poll(offsets, max_rows=max_rows + 1, timeout=timeout)


class OffByOne(Reader):
    """Goes on behind the next record."""

    def start(self, partition, offset):
        return super().start(partition, offset) + (offset is not None)


class Repeating(Reader):
    """Goes on in front of the last record."""

    def start(self, partition, offset):
        return max(0, super().start(partition, offset) - (offset is not None))


class Remembering(Reader):
    """Knows by itself where it was."""

    def __init__(self, log):
        super().__init__(log)
        self.at: dict[str, str] = {}

    def poll(self, offsets, *, max_rows, timeout):
        batch = super().poll({**offsets, **self.at}, max_rows=max_rows, timeout=timeout)
        if batch is not None:
            self.at.update(batch.next_offsets)
        return batch


class Patient(Reader):
    """Takes any offset for the beginning."""

    def start(self, partition, offset):
        return int(offset) if offset and offset.isdigit() else 0


class Hasty(Reader):
    """Takes half a record for one."""

    def is_half(self, record):
        return False


class Skipping(Reader):
    """Goes past half a record."""

    def poll(self, offsets, *, max_rows, timeout):
        batch = super().poll(offsets, max_rows=max_rows, timeout=timeout)
        if batch is None and self.log.records["a"] and self.is_half(self.log.records["a"][-1]):
            none = pa.RecordBatch.from_pylist([], schema=SCHEMA)
            return StreamBatch(none, {"a": str(len(self.log.records["a"]))})
        return batch


class Frozen(Reader):
    """Sees what was there when it was opened."""

    def __init__(self, log):
        super().__init__(Log({name: list(records) for name, records in log.records.items()}))


class Open(Reader):
    def close(self):
        pass


class Numbers(Reader):
    def batch(self, rows, after):
        found = super().batch(rows, after)
        return found and attrs.evolve(found, next_offsets={name: int(offset) for name, offset in after.items()})


class Still(Reader):
    def batch(self, rows, after):
        found = super().batch(rows, after)
        return found and attrs.evolve(found, next_offsets={})


class Elsewhere(Reader):
    def batch(self, rows, after):
        found = super().batch(rows, after)
        return found and attrs.evolve(found, next_offsets={**after, "c": "1"})


class Twice(Reader):
    def partitions(self):
        return ["a", "b", "a"]


class Guessing(Reader):
    """Takes its columns from the rows."""

    def batch(self, rows, after):
        found = super().batch(rows, after)
        return found and attrs.evolve(found, rows=found.rows.select(["text"]))


BAD = {
    Empty: "an empty stream gave something",
    Greedy: "4 rows came where 3 were asked for",
    OffByOne: "20 records were there, and 1[0-9] came",
    Repeating: "20 records gave|a new reader gave rows that are in front of its offsets",
    Remembering: "none when they were asked for again|asked once more lost rows",
    Patient: "raise StreamError",
    Hasty: "half a record was given as a row",
    Skipping: "1 records were there, and 0 came",
    Frozen: "3 records were there, and 0 came",
    Open: "closed still answers",
    Numbers: "texts, and these are not",
    Still: "no offset moved",
    Elsewhere: r"partitions that are not listed: \['c'\]",
    Twice: r"a partition is listed twice",
    Guessing: r"a batch has the columns \['text'\]",
}


def spec(reader: type[Reader], **more: bool) -> StreamSourceSpec:
    return StreamSourceSpec("log", "A log in memory.", Log, lambda: reader, **more)


def test_a_good_one_passes() -> None:
    log = Log()
    check_stream_source(spec(Reader), log, produce=log.produce, begin=log.begin, patience=0)


def test_a_source_without_halves_passes() -> None:
    log = Log()
    check_stream_source(spec(Hasty), log, produce=log.produce, patience=0)


@pytest.mark.parametrize("reader", BAD)
def test_a_bad_one_is_told_what_is_wrong(reader: type[Reader]) -> None:
    log = Log()
    with pytest.raises(AssertionError, match=BAD[reader]):
        check_stream_source(spec(reader), log, produce=log.produce, begin=log.begin, patience=0)
