"""`frozen` makes what `attrs.frozen` makes: both are given the same class bodies and the same values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowforge.frozen import _frozen


def classes(frozen: Callable[..., Any]) -> dict[str, type]:
    """The same classes, decorated with *frozen*."""

    @frozen
    class Empty:
        pass

    @frozen
    class One:
        a: object

    @frozen(kw_only=True)
    class Some:
        a: object
        b: object = attrs.field(eq=False)
        c: object = attrs.field(repr=False)
        d: object = attrs.field(repr=lambda value: "hidden")

    @frozen(slots=False)
    class Child(One):
        b: object = 3
        made: object = attrs.field(init=False, default=7)

    @frozen
    class Own:
        a: object

        def __eq__(self, other: object) -> bool:
            return True

        def __repr__(self) -> str:
            return "own"

    @frozen
    class OwnHash:
        a: object

        def __hash__(self) -> int:
            return 5

    @frozen
    class Heir(OwnHash):
        pass

    return {made.__name__: made for made in (Empty, One, Some, Child, Own, OwnHash, Heir)}


OURS, THEIRS = classes(_frozen), classes(attrs.frozen)
FIELDS = {"Empty": "", "One": "a", "Some": "abcd", "Child": "ab", "Own": "a", "OwnHash": "a", "Heir": "a"}
VALUES = st.one_of(st.integers(0, 1), st.sampled_from(["x", None]), st.lists(st.integers(0, 1), max_size=2))


@st.composite
def values(draw: st.DrawFn) -> tuple[str, dict[str, object]]:
    name = draw(st.sampled_from(sorted(FIELDS)))
    return name, {field: draw(VALUES) for field in FIELDS[name]}


def hashed(value: object) -> str | bool:
    """Whether a value can be hashed, and why not."""
    try:
        return isinstance(hash(value), int)
    except TypeError as problem:
        return str(problem)


@given(one=values(), other=values())
@settings(derandomize=True, deadline=None, max_examples=300)
def test_equal_hashed_and_shown_as_attrs_does_it(
    one: tuple[str, dict[str, object]], other: tuple[str, dict[str, object]]
) -> None:
    (ours, our_other), (theirs, their_other) = (
        [of[name](**fields) for name, fields in (one, other)] for of in (OURS, THEIRS)
    )
    assert (ours == our_other) is (theirs == their_other)
    assert (ours != our_other) is (theirs != their_other)
    assert repr(ours) == repr(theirs)
    assert hashed(ours) == hashed(theirs)
    if ours == our_other and type(ours) is type(our_other) and hashed(ours) is True and hashed(our_other) is True:
        assert hash(ours) == hash(our_other)


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_what_compares_and_what_is_frozen(name: str) -> None:
    fields = dict.fromkeys(FIELDS[name], 1)
    ours, theirs = OURS[name](**fields), THEIRS[name](**fields)
    assert ours.__eq__(5) is theirs.__eq__(5)
    assert hasattr(ours, "__dict__") is hasattr(theirs, "__dict__")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        ours.a = 2
    assert [field.name for field in attrs.fields(OURS[name])] == [field.name for field in attrs.fields(THEIRS[name])]


def test_a_value_within_itself_is_shown() -> None:
    inner: list[object] = []
    value = OURS["One"](inner)
    inner.append(value)
    assert repr(value).endswith("One(a=[...])")


def test_a_value_equals_itself_whatever_it_holds() -> None:
    nothing = float("nan")
    assert OURS["Child"](nothing) == OURS["Child"](nothing)


@pytest.mark.parametrize("field", [{"eq": str.lower}, {"hash": False}], ids=["eq", "hash"])
def test_what_it_does_not_know_is_refused(field: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"take attrs\.frozen"):

        @_frozen
        class Known:
            a: str = attrs.field(**field)
