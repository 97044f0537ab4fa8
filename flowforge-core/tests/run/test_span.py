"""Which windows a run builds, at any moment, of what is noted; and what is said of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowforge.errors import ModelExecutionError
from flowforge.project.manifest import Incremental, ModelConfig, Node, NodeKind, SqlBody
from flowforge.project.windows import Window, window_of
from flowforge.run.span import Span, all_windows, lacking, listed
from flowforge.state.windows import WindowNote
from flowforge.values import Relation


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def node(size: str = "day", begin: str = "2024-02-27", lookback: int = 1) -> Node:
    how = Incremental(
        "microbatch", event_time="ts", begin=f"{begin}T00:00:00+00:00", batch_size=size, lookback=lookback
    )
    config = ModelConfig("incremental", incremental=how)
    return Node("m.ff", NodeKind.SQL, "models/m.ff.sql", Relation("m"), config, SqlBody(""))


def noted(model: Node, texts: Iterable[str], built_at: str) -> dict[Window, WindowNote]:
    size = model.config.incremental.batch_size if model.config.incremental else None
    windows = [window_of(at(text), size or "day") for text in texts]
    return {window: WindowNote(window, "r", at(built_at)) for window in windows}


def names(windows: Iterable[Window]) -> list[str]:
    return [str(window) for window in windows]


def due(model: Node, texts: Iterable[str], built_at: str, now: str) -> list[str]:
    return names(lacking(model, all_windows(model, at(now)), noted(model, texts, built_at)))


def test_windows_to_the_present() -> None:
    assert names(all_windows(node(), at("2024-03-01"))) == ["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01"]
    assert names(all_windows(node("month"), at("2024-02-27"))) == ["2024-02"]
    with pytest.raises(ModelExecutionError, match="has begun"):
        all_windows(node(), at("2024-02-26 23:59:59.999999"))


def test_what_was_never_built_and_what_is_new() -> None:
    days = ["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01"]
    assert due(node(), [], "2024-03-01", "2024-03-01 12:00") == days
    assert due(node(), ["2024-02-27", "2024-02-29"], "2024-03-05", "2024-03-01 12:00") == days[1:]
    assert due(node(), days, "2024-03-05", "2024-03-01 12:00") == days[2:]
    assert due(node(lookback=0), days, "2024-03-05", "2024-03-01 12:00") == days[3:]
    assert due(node(lookback=99), days, "2024-03-05", "2024-03-01 12:00") == days


def test_what_had_not_ended_when_it_was_built() -> None:
    days = ["2024-02-27", "2024-02-28"]
    built = "2024-02-28 23:59:59.999999"
    assert due(node(lookback=0), days, built, "2024-03-05 12:00")[0] == "2024-02-28"
    assert due(node(lookback=0), days, "2024-02-29", "2024-03-05 12:00")[0] == "2024-02-29"


def test_named_windows() -> None:
    model, now = node(), at("2024-03-05")
    assert names(Span(now, at("2024-02-28 12:00"), at("2024-02-29 00:00")).named(model)) == ["2024-02-28"]
    assert names(Span(now, at("2024-02-28"), at("2024-02-29 00:01")).named(model)) == ["2024-02-28", "2024-02-29"]
    assert names(Span(now, at("2024-03-04 12:00")).named(model)) == ["2024-03-04", "2024-03-05"]
    assert names(Span(now, None, at("2024-02-28")).named(model)) == ["2024-02-27"]
    assert not Span(now, None, at("2020-01-01")).named(model)
    assert not Span(now).names_windows(model)


def test_windows_of_a_retry() -> None:
    model, now = node(), at("2024-03-05")
    day, month = window_of(at("2024-02-29"), "day"), window_of(at("2024-03-01"), "month")
    assert names(Span(now, only={"m.ff": (day,)}).named(model)) == ["2024-02-29"]
    of_another_size = Span(now, only={"m.ff": (month,)}).named(model)
    assert names(of_another_size) == [f"2024-03-0{number}" for number in range(1, 6)]
    gone = Span(now, only={"m.ff": (window_of(at("2019-01-01"), "day"),)})
    assert not gone.names_windows(model), "then the run decides as always"
    assert not Span(now, only={"other.ff": (day,)}).names_windows(model)


SIZES = ["hour", "day", "month", "year"]


@settings(derandomize=True, deadline=None, max_examples=100)
@given(
    size=st.sampled_from(SIZES),
    only=st.lists(st.tuples(st.integers(-400, 900), st.sampled_from(SIZES)), min_size=1, max_size=6),
)
def test_windows_of_a_retry_are_those_that_have_a_part_in_what_failed(size: str, only: list[tuple[int, str]]) -> None:
    begin = at("2024-02-27")
    failed = tuple(window_of(begin + dt.timedelta(hours=hours), one) for hours, one in only)
    model, now = node(size), begin + dt.timedelta(hours=500)
    windows = all_windows(model, now)
    wanted = [one for one in windows if one in failed or any(one.overlaps(other) for other in failed)]
    assert list(Span(now, only={"m.ff": failed}).named(model)) == wanted


def test_words() -> None:
    windows = all_windows(node(), at("2024-03-09"))
    assert listed(windows[:1]) == "1 window: 2024-02-27"
    assert listed((*windows[:3], windows[5])) == "4 windows: 2024-02-27 to 2024-02-29, 2024-03-03"
    assert listed(windows[::2]) == "6 windows: 2024-02-27, 2024-02-29, 2024-03-02, 2024-03-04, 2024-03-06 and 1 more"
