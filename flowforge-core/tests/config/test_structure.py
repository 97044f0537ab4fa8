"""Plain data into attrs classes: everything that is wrong is said, at its place."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowforge.config.structure import nearest, read, structure, structure_plain
from flowforge.config.yaml import parse_yaml
from flowforge.errors import CheckConfigError, ConfigFileError, Problems
from flowforge.values import Location


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


def split(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@attrs.frozen
class Item:
    later_keys: ClassVar[Mapping[str, str]] = {"hooks": "", "meta": "put it into tags"}

    name: str
    size: int | None = None
    ratio: float = 1.0
    on: bool = False
    mode: Literal["fast", "safe", 3] = "fast"
    color: Color = Color.RED
    tags: list[str] = attrs.field(
        factory=list, converter=split, metadata={"accepts": str | list[str], "aliases": ("labels",)}
    )
    version: str | int = 1
    pairs: tuple[int, str] | None = None
    parts: tuple[Item, ...] = ()
    options: Mapping[str, int] = attrs.field(factory=dict)
    anything: Any = None


def problems_of(text: str, cls: type = Item, **kwargs: Any) -> list[tuple[str, str, str]]:
    problems = Problems()
    assert structure(parse_yaml(text, "f"), cls, problems=problems, **kwargs) is None
    return [(error.code, str(error.location), error.message) for error in problems]


def good(text: str, cls: type = Item) -> Any:
    problems = Problems()
    value = structure(parse_yaml(text, "f"), cls, problems=problems)
    problems.raise_if_any()
    return value


def test_a_full_instance() -> None:
    item = good(
        "name: a\nsize: 3\nratio: 2\non: true\nmode: safe\ncolor: blue\nlabels: one\nversion: x\npairs: [1, b]\n"
        "parts: [{name: b, tags: [c]}]\noptions: {k: 1}\nanything: [1, {a: 2}]\n"
    )
    assert item == Item(
        "a", 3, 2.0, True, "safe", Color.BLUE, ["one"], "x", (1, "b"), (Item("b", tags=["c"]),), {"k": 1}, [1, {"a": 2}]
    )
    assert type(item.ratio) is float
    assert isinstance(item.parts, tuple)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("name: 5", "'name' should be a text, found the number 5"),
        ("name: null", "'name' should be a text, found nothing"),
        ("name: [a]", "'name' should be a text, found a list"),
        ("name: {a: b}", "'name' should be a text, found a mapping"),
        ("size: true", "'size' should be a whole number, found true"),
        ("size: '3'", "'size' should be a whole number, found the text '3'"),
        ("size: 3.0", "'size' should be a whole number, found the number 3.0"),
        ("ratio: false", "'ratio' should be a number, found false"),
        ("ratio: x", "'ratio' should be a number, found the text 'x'"),
        ("on: 1", "'on' should be true or false, found the number 1"),
        ("on: 'yes'", "'on' should be true or false, found the text 'yes'"),
        ("mode: slow", "'mode' should be one of 'fast', 'safe', 3, found the text 'slow'"),
        ("mode: '3'", "'mode' should be one of 'fast', 'safe', 3, found the text '3'"),
        ("color: green", "'color' should be one of 'red', 'blue', found the text 'green'"),
        ("tags: {a: b}", "'tags' should be a text or a list of texts, found a mapping"),
        ("version: 1.5", "'version' should be a text or a whole number, found the number 1.5"),
        ("version: true", "'version' should be a text or a whole number, found true"),
        ("pairs: [1]", "'pairs' should be a list of 2 values, found 1"),
        ("parts: {}", "'parts' should be a list of values, found a mapping"),
        ("parts: abc", "'parts' should be a list of values, found the text 'abc'"),
        ("options: [a]", "'options' should be a mapping, found a list"),
        ("options: 1", "'options' should be a mapping, found the number 1"),
    ],
)
def test_wrong_types_say_what_was_expected_and_found(line: str, message: str) -> None:
    text = line if line.startswith("name") else f"{line}\nname: x"
    assert problems_of(text) == [("FF1005", f"f:1:{line.index(':') + 3}", message)]


def test_flaws_inside_of_lists_and_mappings_have_their_own_place() -> None:
    text = "name: a\ntags:\n  - ok\n  - 5\nparts:\n  - name: b\n    size: x\n  - 7\noptions:\n  k: no\n  7: 1\n"
    assert problems_of(text) == [
        ("FF1005", "f:4:5", "'tags[1]' should be a text, found the number 5"),
        ("FF1005", "f:7:11", "'size' should be a whole number, found the text 'x'"),
        ("FF1005", "f:8:5", "'parts[1]' should be a mapping, found the number 7"),
        ("FF1005", "f:10:6", "'k' should be a whole number, found the text 'no'"),
        ("FF1005", "f:11:3", "the key 7 should be a text"),
    ]


def test_everything_is_collected_at_once() -> None:
    codes = [code for code, _, _ in problems_of("nme: a\nsize: x\nhooks: {a: 1}\n5: 6\ntags: [a]\nlabels: [b]\n")]
    assert sorted(codes) == ["FF1004", "FF1004", "FF1005", "FF1005", "FF1006", "FF1007"]


def test_keys_mistyped_missing_doubled_and_early() -> None:
    problems = Problems()
    text = "nam: a\nhooks: [x]\nmeta: {a: 1}\ntags: []\nlabels: []\n"
    assert structure(parse_yaml(text, "f"), Item, problems=problems) is None
    by_line = {error.location.line: error for error in problems if error.location and error.code != "FF1006"}
    assert by_line[1].help == "did you mean 'name'?"
    assert "not supported yet" in by_line[2].message
    assert by_line[3].help == "put it into tags"
    assert by_line[5].message == "'labels' and 'tags' mean the same"
    missing = [error for error in problems if error.code == "FF1006"]
    assert [str(error.location) for error in missing] == ["f:1:1"]
    assert missing[0].message == "the key 'name' is missing"


def test_a_key_like_no_other_gets_the_list_of_keys() -> None:
    problems = Problems()
    structure(parse_yaml("name: a\nzzzzzz: 1", "f"), Item, problems=problems)
    (error,) = problems
    assert error.help is not None
    assert "labels, mode, name" in error.help


@pytest.mark.parametrize("empty", ["null", "{}", "[]", "~", ""])
def test_what_is_not_supported_yet_may_be_empty(empty: str) -> None:
    assert good(f"name: a\nhooks: {empty}") == Item("a")


def test_an_empty_block_is_the_default_only_where_a_collection_is_expected() -> None:
    assert good("name: a\ntags:\nparts:\noptions:\nsize:\n") == Item("a")
    assert problems_of("name: a\nratio:\n")[0][2] == "'ratio' should be a number, found nothing"


@pytest.mark.parametrize("text", ["[]", "a", "5", "", "- name: a"])
def test_the_top_has_to_be_a_mapping(text: str) -> None:
    ((code, _, message),) = problems_of(text)
    assert code == "FF1005"
    assert message.startswith("the top level should be a mapping")


def test_a_part_of_a_document() -> None:
    problems = Problems()
    document = parse_yaml("items:\n  - name: a\n  - nam: b\n", "f")
    assert structure(document, Item, problems=problems, at=("items", 0)) == Item("a")
    assert structure(document, Item, problems=problems, at=("items", 1)) is None
    assert {str(error.location) for error in problems} == {"f:3:5"}


# -- validators


@attrs.frozen
class Range:
    low: int = attrs.field(default=0)
    high: int = attrs.field(default=10, validator=attrs.validators.le(100))
    word: str = attrs.field(default="x", converter=str.strip)

    @low.validator
    def _check(self, _attribute: Any, value: int) -> None:
        if value < 0:
            raise ValueError("must not be negative")

    def __attrs_post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("'low' is above 'high'")


def test_validators_blame_their_key_and_all_of_them_are_asked() -> None:
    assert problems_of("low: -1\nhigh: 1000", Range) == [
        ("FF1005", "f:1:6", "'low' is not valid: must not be negative"),
        ("FF1005", "f:2:7", "'high' is not valid: 'high' must be <= 100: 1000"),
    ]


def test_a_rule_about_several_keys_blames_the_mapping() -> None:
    assert problems_of("word: a\nlow: 5\nhigh: 3", Range) == [("FF1006", "f:1:1", "'low' is above 'high'")]


@attrs.frozen
class Login:
    user: str
    password: str = attrs.field(default="", metadata={"secret": True}, validator=attrs.validators.max_len(4))
    pins: list[int] = attrs.field(factory=list, metadata={"secret": True})

    def __attrs_post_init__(self) -> None:
        if self.password == self.user:
            raise ValueError(f"password {self.password} is the user's name")


@pytest.mark.parametrize(
    "text",
    [
        "user: a\npassword: [hunter2]",
        "user: a\npassword: {hunter2: 1}",
        "user: a\npassword: hunter2",
        "user: a\npins: [hunter2]",
        "user: a\npins: hunter2",
    ],
)
def test_secret_values_never_appear(text: str) -> None:
    found = problems_of(text, Login)
    assert found
    assert "hunter2" not in repr(found)


def test_secret_values_do_not_appear_in_a_rule_about_several_keys() -> None:
    assert "pw" not in repr(problems_of("user: pw\npassword: pw", Login))


# -- types


@attrs.frozen
class Types:
    day: dt.date | None = None
    moment: dt.datetime | None = None
    price: decimal.Decimal | None = None
    path: Path | None = None
    words: frozenset[str] = frozenset()
    seq: Sequence[int] = ()
    noted: Annotated[int, "a note"] = 0
    any_map: dict[str, Any] = attrs.field(factory=dict)
    nested: Mapping[str, list[Item]] = attrs.field(factory=dict)
    either: list[int] | Mapping[str, int] | None = None


def test_types_that_yaml_has_no_scalar_for() -> None:
    value = good(
        "day: 2024-01-31\nmoment: 2024-01-31T10:00:00\nprice: 1.10\npath: a/b\nwords: [a, a]\nseq: [1]\nnoted: 3\n"
        "nested: {k: [{name: a}]}\neither: {a: 1}\n",
        Types,
    )
    assert value.day == dt.date(2024, 1, 31)
    assert value.moment == dt.datetime(2024, 1, 31, 10)  # noqa: DTZ001
    assert value.price == decimal.Decimal("1.1")
    assert value.path == Path("a/b")
    assert value.words == {"a"}
    assert value.noted == 3
    assert value.nested == {"k": [Item("a")]}
    assert value.either == {"a": 1}
    assert good("either: [1]", Types).either == [1]


@pytest.mark.parametrize("line", ["day: tomorrow", "day: 5", "price: x", "price: [1]", "path: 5", "either: [x]"])
def test_types_that_do_not_fit(line: str) -> None:
    assert [code for code, _, _ in problems_of(line, Types)] == ["FF1005"]


def test_the_member_of_a_union_that_was_meant_tells_its_flaw() -> None:
    assert problems_of("either: {a: x}", Types)[0][1:] == ("f:1:13", "'a' should be a whole number, found the text 'x'")


def test_a_class_that_cannot_come_from_a_file_is_the_programmer_s_mistake() -> None:
    @attrs.frozen
    class Bad:
        function: type = int

    with pytest.raises(TypeError, match="cannot come from a file"):
        read({}, Bad)


# -- without a document


def test_keywords_of_a_decorator() -> None:
    problems = Problems()
    asked: list[tuple[tuple[str | int, ...], bool]] = []

    def locate(path: tuple[str | int, ...], on_key: bool) -> Location:
        asked.append((path, on_key))
        return Location("models/a.ff.py", 7)

    data = {"name": "a", "tags": ("x", "y"), "szie": 1, "ratio": "high"}
    assert structure_plain(data, Item, problems=problems, locate=locate, error=CheckConfigError) is None
    assert asked == [(("ratio",), False), (("szie",), True)] or asked == [(("szie",), True), (("ratio",), False)]
    assert {type(error) for error in problems} == {CheckConfigError}
    assert {error.code for error in problems} == {CheckConfigError.default_code}
    good_data = {"name": "a", "tags": ["x"]}
    assert structure_plain(good_data, Item, problems=problems, locate=locate) == Item("a", tags=["x"])


def test_nearest() -> None:
    assert nearest("descripton", ["description", "name"]) == "did you mean 'description'?"
    assert nearest("NAME", ["name", "x"]) == "did you mean 'name'?"
    assert nearest("qqq", ["description", "name"]) is None


# -- properties

NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.integers(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from([field.name for field in attrs.fields(Item)] + ["labels", "hooks", "other"])


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_data_is_an_instance_or_a_report(data: dict[str, Any]) -> None:
    problems = Problems()
    value = structure_plain(data, Item, problems=problems, locate=lambda path, on_key: None)
    if value is None:
        assert len(problems)
        assert all(isinstance(error, ConfigFileError) and error.message for error in problems)
    else:
        assert not len(problems)
        assert type(value.name) is str
        assert value.size is None or type(value.size) is int
        assert type(value.on) is bool
        assert all(type(tag) is str for tag in value.tags)
