"""What the cheap proofs say is what the look at each value says; and a file is read the same without them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings

from flowforge.errors import FlowForgeError, ProjectErrors
from flowforge.seeds import csv_file, csv_reader, proofs
from flowforge.seeds.cast import convert, misfit
from flowforge.seeds.csv_options import CsvOptions
from flowforge.seeds.csv_reader import read_csv
from flowforge.seeds.infer import shape_of

TYPES = [
    pa.int8(),
    pa.int32(),
    pa.int64(),
    pa.uint64(),
    pa.float32(),
    pa.float64(),
    pa.decimal128(5, 2),
    pa.decimal128(38, 9),
    pa.date32(),
    pa.timestamp("us"),
    pa.timestamp("us", "UTC"),
    pa.bool_(),
    pa.string(),
]
KNOWN = """1 -1 007 -0 0 00 -0.0 -0.5 0.5 0.50 .5 -.5 5. -5. 1.5 1e5 1.e5 1e 1e999 -1e999 +1 +-1 1-2 1.2.3 0x1F 1_0 nan NaN inf
 127 128 -128 255 999.99 1000.00 999.999 9007199254740993 9223372036854775807 9223372036854775808 18446744073709551615
 123456789012345.5 12345678901234567.5 0.30000000000000004 2024-01-31 2024-02-30 0001-01-01 0000-12-31 9999-12-31
 2024-1-1 20240131 12024-01-31 2024-01-31T10 2024-01-31T10:00 2024-01-31T10:00:00 2024-01-31T10:00:60
 2024-01-31T10:00:00. 2024-01-31T10:00:00.5 2024-01-31T10:00:00.123456 2024-01-31T10:00:00.1234567
 2024-01-31T10:00:00Z 2024-01-31T1000 2024-01-31T10:00:00+01 0000-12-31T23:59:59 true False TRUE x é""".split()  # noqa: SIM905
TEXTS = (
    st.sampled_from(
        [*KNOWN, "", " 1", "1 ", "\t1", "2024-01-31 10", "2024-01-31 10:00", " 2024-01-31", "2024-01-31 24:00"]
    )
    | st.text("0123456789.-+eE", max_size=6)
    | st.text("0123456789-: T.Z", min_size=8, max_size=27)
    | st.from_regex(r"\A-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?\Z")
)
COLUMN = st.lists(TEXTS | st.none(), max_size=5).map(lambda texts: pa.array(texts, pa.string()))
OFFSET = st.integers(0, 2)


@contextmanager
def without_proofs() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("fits", "are_numbers", "are_timestamps"):
            patch.setattr(proofs, name, lambda *given: False)
        patch.setattr(csv_reader, "proved", lambda *given: None)
        patch.setattr(csv_reader, "_parsed_alike", lambda type_: False)
        patch.setattr(csv_reader, "KEPT", 0)
        yield


@contextmanager
def keeping(most: int) -> Iterator[None]:
    """At most so many bytes of what was examined are kept; of smaller blocks than usual."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_reader, "KEPT", most)
        patch.setattr(csv_file, "BLOCK", 16)
        yield


@settings(max_examples=200, derandomize=True, deadline=None)
@given(COLUMN, OFFSET, st.sampled_from(TYPES))
def test_what_is_proved_fits(column: pa.Array, offset: int, type_: pa.DataType) -> None:
    column = column.slice(offset)
    made = proofs.proved(column, type_)
    if made is not None:
        assert misfit(column, type_) is None
        assert repr(made.to_pylist()) == repr(convert(column, type_).to_pylist())


@settings(max_examples=200, derandomize=True, deadline=None)
@given(COLUMN, OFFSET)
@example(pa.array(["1.5", "2.25", "-3"], pa.string()), 0)
@example(pa.array(["1.5", "-0.25"], pa.string()), 0)
def test_a_proof_changes_no_shape(column: pa.Array, offset: int) -> None:
    column = column.slice(offset)
    with without_proofs():
        exact = shape_of(column)
    assert shape_of(column) == exact


@pytest.mark.parametrize(
    ("texts", "type_"),
    [
        (["1", None, "-20", "007"], pa.int64()),
        (["0.5", "-1e5", ".5", "+1."], pa.float64()),
        (["0.5", "-1", "12.25"], pa.decimal128(5, 2)),
        (["2024-01-31", "0001-01-01"], pa.date32()),
        (["2024-01-31", "2024-01-31 10:00", "2024-01-31T10:00:00.5"], pa.timestamp("us")),
    ],
    ids=lambda value: str(value) if isinstance(value, pa.DataType) else None,
)
def test_usual_values_are_proved(texts: list[str | None], type_: pa.DataType) -> None:
    assert proofs.fits(pa.array(texts, pa.string()), type_)


def test_usual_numbers_are_proved() -> None:
    assert proofs.are_numbers(pa.array(["0.50", "-1.25", "0", "12"], pa.string()))
    assert proofs.are_integers(pa.array(["5", "-12", "0"], pa.string())) == (-12, 5)
    assert proofs.are_timestamps(pa.array(["2024-01-31 10:00", "2024-01-31T10:00:00.5"], pa.string()))


FIELDS = TEXTS | st.sampled_from(['"a,b"', '"1"', '""', '"say ""x"""', '"two\nlines"', "NA", 'in"side', "a,b"])
ENDS = st.sampled_from(["\n", "\r\n"])


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Mostly columns of one kind, sometimes with something else in them."""
    width = draw(st.integers(1, 3))
    kinds = [draw(st.sampled_from(KNOWN)) for _ in range(width)]
    rows = draw(
        st.lists(
            st.tuples(*(st.just(kind) | st.just(kind) | FIELDS for kind in kinds)),
            max_size=5,
        )
    )
    end = draw(ENDS)
    return end.join([",".join(f"c{at}" for at in range(width)), *(",".join(row) for row in rows)]).encode() + (
        end.encode() if draw(st.booleans()) else b""
    )


def outcome(path: Path, types: dict[str, pa.DataType], options: CsvOptions) -> object:
    """The table, or every error with its place."""
    try:
        return read_csv(path, types, options).read_all()
    except ProjectErrors as problems:
        return [(error.code, error.message, error.location) for error in problems.errors]
    except FlowForgeError as error:
        return error.code, error.message, error.location


@settings(
    max_examples=150, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    files() | st.binary(max_size=40).map(lambda rest: b"c0,c1\n" + rest),
    st.dictionaries(st.sampled_from(["c0", "c1"]), st.sampled_from([*TYPES, pa.string()])),
    st.sampled_from([CsvOptions(), CsvOptions(null_values=("NA", "1")), CsvOptions(decimal=",", delimiter=",")]),
)
def test_a_file_is_read_the_same_without_proofs_and_whatever_is_kept_of_it(
    tmp_path: Path, content: bytes, types: dict[str, pa.DataType], options: CsvOptions
) -> None:
    path = tmp_path / "seed.csv"
    path.write_bytes(content)
    with without_proofs():
        exact = outcome(path, types, options)
    others = [outcome(path, types, options)]
    for most in (0, 40, csv_reader.KEPT):
        with keeping(most):
            others.append(outcome(path, types, options))
    for found in others:
        if isinstance(exact, pa.Table) and isinstance(found, pa.Table):
            assert found.schema == exact.schema
            # repr tells -0.0 from 0.0, and finds NaN equal to itself
            assert repr(found.to_pydict()) == repr(exact.to_pydict())
        else:
            assert found == exact


NO_PANDAS = """
import sys, types
class Refused:
    def find_spec(self, name, path=None, target=None):
        assert name.partition(".")[0] != "pandas", "pandas is imported"
sys.meta_path.insert(0, Refused())
from pathlib import Path
import pyarrow as pa
from flowforge.seeds.csv_reader import read_csv
for declared in ({}, {"a": pa.int64(), "b": pa.float64(), "c": pa.date32(), "e": pa.timestamp("us", "UTC")}):
    assert read_csv(Path(sys.argv[1]), declared).read_all().num_rows == 2
"""


def test_reading_a_usual_file_does_not_import_pandas(tmp_path: Path) -> None:
    path = tmp_path / "seed.csv"
    path.write_text(
        "a,b,c,d,e\n1,0.5,2024-01-31,x,2024-01-31 10:00\n-2,12345678901234567.5,2024-01-31,,2024-01-31 10:00Z\n"
    )
    done = subprocess.run([sys.executable, "-c", NO_PANDAS, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_kept_is_parsed_once_and_what_is_too_much_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walks: list[object] = []
    whole = csv_file.CsvFile.batches
    monkeypatch.setattr(csv_file.CsvFile, "batches", lambda *given: walks.append(given) or whole(*given))
    path = tmp_path / "seed.csv"
    path.write_text("a,b\n1,x\n2,y\n")
    declared = {"a": pa.int64(), "b": pa.string()}
    assert read_csv(path, declared).read_all().num_rows == 2
    assert len(walks) == 1
    with keeping(20):
        assert read_csv(path, declared).read_all().num_rows == 2
    assert len(walks) == 3
    assert read_csv(path, {"a": pa.int64()}).read_all().num_rows == 2
    assert len(walks) == 5
