"""Changed lines lead from the old text to the new one, whatever the texts are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flowforge.run.line_diff import ChangedLine, changed_lines

texts = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=12)


def test_numbers_are_those_of_the_new_text() -> None:
    assert list(changed_lines(["a", "b", "c"], ["a", "x", "y", "c"])) == [
        ChangedLine(2, "-", "b"),
        ChangedLine(2, "+", "x"),
        ChangedLine(3, "+", "y"),
    ]
    assert list(changed_lines(["a", "b"], ["a"])) == [ChangedLine(2, "-", "b")]
    assert list(changed_lines(["a"], ["a"])) == []


@given(texts, texts)
def test_what_is_told_is_what_differs(before: list[str], after: list[str]) -> None:
    found = list(changed_lines(before, after))
    kept = list(after)
    for line in sorted((one for one in found if one.sign == "+"), key=lambda one: -one.number):
        assert kept.pop(line.number - 1) == line.text
    left = [one.text for one in found if one.sign == "-"]
    assert sorted(kept + left) == sorted(before)
    assert bool(found) == (before != after)


def test_huge_texts_take_no_time_to_align() -> None:
    before = [f"line {number % 7}" for number in range(60_000)]
    after = [f"line {number % 5}" for number in range(60_000)]
    found = list(changed_lines(before, after))
    assert [one.sign for one in found] == ["-"] * (len(found) // 2) + ["+"] * (len(found) // 2)
    assert len(list(changed_lines(before, [*before[:30_000], "new", *before[30_000:]]))) == 1
