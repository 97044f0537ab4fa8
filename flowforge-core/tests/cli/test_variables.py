"""What ``--vars`` takes, alone and on a command line with other arguments."""

from __future__ import annotations

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowforge.cli.options import vars_option
from flowforge.cli.variables import parse_vars, spread
from flowforge.errors import UsageError


@vars_option
@click.option("-s", "--select", multiple=True)
@click.argument("project", required=False)
def body(**given: object) -> None: ...


COMMAND = click.command("run")(body)
PLAIN = click.command("clean")(lambda: None)


def parsed(*args: str) -> dict[str, object]:
    return dict(COMMAND.make_context("run", spread(COMMAND, args)).params)


@pytest.mark.parametrize(
    ("args", "vars", "project", "select"),
    [
        (["--vars", "a=1"], ("a=1",), None, ()),
        (["--vars", "a=1", "b=2"], ("a=1", "b=2"), None, ()),
        ([".", "--vars", "a=1", "b=2"], ("a=1", "b=2"), ".", ()),
        (["--vars", "a=1", "b=2", "."], ("a=1", "b=2"), ".", ()),
        (["--vars", "a=1", ".", "--vars", "b=2", "c=3"], ("a=1", "b=2", "c=3"), ".", ()),
        (["--vars", "a=1", "b=2", "-s", "m"], ("a=1", "b=2"), None, ("m",)),
        (["--vars=a=1", "b=2"], ("a=1", "b=2"), None, ()),
        (["--var", "a=1", "b=2"], ("a=1", "b=2"), None, ()),
        (["--vars", "{a: 1}", "b=2", "."], ("{a: 1}", "b=2"), ".", ()),
        (["--vars", "a=1", "--", "b=2"], ("a=1",), "b=2", ()),
        (["b=2", "--vars", "a=1"], ("a=1",), "b=2", ()),
        (["--vars", "a=1", "./b=2"], ("a=1",), "./b=2", ()),
        (["--vars", "a=-1", "b=--c"], ("a=-1", "b=--c"), None, ()),
    ],
)
def test_what_belongs_to_the_flag(
    args: list[str], vars: tuple[str, ...], project: str | None, select: tuple[str, ...]
) -> None:
    found = parsed(*args)
    assert (found["vars"], found["project"], found["select"]) == (vars, project, select)


def test_commands_without_the_flag_get_their_arguments_as_they_are() -> None:
    assert spread(PLAIN, ["--vars", "a=1", "b=2"]) == ["--vars", "a=1", "b=2"]


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (["a=1", "b=x", "c=true", "d=[1, two]", "e={f: 1.5}", "g="], {"a": 1, "b": "x", "c": True, "d": [1, "two"], "e": {"f": 1.5}, "g": None}),
        (["day=2024-01-31"], {"day": "2024-01-31"}),
        (["q=a=b"], {"q": "a=b"}),
        (["{a: 1, b: [2]}"], {"a": 1, "b": [2]}),
        (['{"a": "x=1"}'], {"a": "x=1"}),
        (["a: 1"], {"a": 1}),
        (["a: 1\nb: 2"], {"a": 1, "b": 2}),
        (["{a: 1, b: 1}", "b=2", "a=3"], {"a": 3, "b": 2}),
        (["tag.name-1=x"], {"tag.name-1": "x"}),
        (["zähler=1"], {"zähler": 1}),
        (["note='a: b # c'"], {"note": "a: b # c"}),
    ],
)  # fmt: skip
def test_values_are_yaml(given_: list[str], expected: dict[str, object]) -> None:
    assert parse_vars(given_) == expected


@pytest.mark.parametrize(
    ("text", "column"),
    [("novalue", None), ("", None), ("[1]", None), ("1=2", None), ("=3", None), ("{1: 2}", None), ("a=[1", 5), ("{a: 1, a: 2}", 8)],
)  # fmt: skip
def test_what_cannot_be_read_says_where(text: str, column: int | None) -> None:
    with pytest.raises(UsageError) as caught:
        parse_vars(["fine=1", text])
    assert caught.value.code == "FF6426"
    assert caught.value.exit_code == 64
    place = caught.value.location
    assert (place.column if place else None) == column


def test_a_value_that_cannot_be_read_is_not_shown() -> None:
    with pytest.raises(UsageError) as caught:
        parse_vars(["password=[hunter2"])
    assert "hunter2" not in str(caught.value)


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,6}", fullmatch=True)


@settings(derandomize=True, deadline=None, max_examples=80)
@given(st.dictionaries(NAMES, st.integers(-99, 99), min_size=1, max_size=5), st.data())
def test_one_flag_or_many_mean_the_same(values: dict[str, int], data: st.DataObject) -> None:
    args = ["--vars"]
    for name, value in values.items():
        if args[-1] != "--vars" and data.draw(st.booleans()):
            args.append("--vars")
        args.append(f"{name}={value}")
    given_ = parsed(*args)["vars"]
    assert isinstance(given_, tuple)
    assert parse_vars(given_) == values
