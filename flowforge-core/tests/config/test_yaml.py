"""YAML: what is data, what is refused, and where it says the trouble is."""

from __future__ import annotations

import json
import math
import time
import tracemalloc

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import flowforge.config.yaml_nodes as yaml_module
from flowforge.config.yaml import parse_yaml
from flowforge.config.yaml_nodes import exact_events
from flowforge.errors import ConfigFileError

NAN = object()


def refused(text: str | bytes) -> ConfigFileError:
    with pytest.raises(ConfigFileError) as caught:
        parse_yaml(text, "some.yml")
    assert caught.value.location is not None
    assert caught.value.location.path == "some.yml"
    return caught.value


def at(error: ConfigFileError) -> tuple[int | None, int | None]:
    assert error.location is not None
    return error.location.line, error.location.column


@pytest.fixture(params=["c", "pure"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both parsers have to agree: the pure one is what a machine without the C library gets."""
    if request.param == "pure":
        monkeypatch.setattr(yaml_module, "fast_events", exact_events)
    return request.param


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ("1", 1),
        ("-17", -17),
        ("+5", 5),
        ("0o17", 15),
        ("0xFf", 255),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("1.0", 1.0),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("2024-01-31", "2024-01-31"),
        ("2024-01-31T10:00:00", "2024-01-31T10:00:00"),
        ("0.10.1", "0.10.1"),
        ("-", "-"),
        (".", "."),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 1", "1"),
        ("! 1", "1"),
        ("!!int 7", 7),
        ("!!float 7", 7.0),
        ("12345678901234567890123", 12345678901234567890123),
    ],
)
def test_scalars_follow_the_core_schema(parser: str, text: str, value: object) -> None:
    if text == "-":
        text = "'-'"
    got = parse_yaml(f"key: {text}\n", "some.yml").data["key"]
    assert got == value
    assert type(got) is type(value)


def test_nan_is_a_float(parser: str) -> None:
    assert math.isnan(parse_yaml("a: .nan", "some.yml").data["a"])


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("{url: http://host:80/a?b=c, b: [x:y]}", {"url": "http://host:80/a?b=c", "b": ["x:y"]}),
        ("a: [b?c, d? ]", {"a": ["b?c", "d?"]}),
    ],
)
def test_colons_and_question_marks_inside_of_brackets_are_texts(parser: str, text: str, data: object) -> None:
    assert parse_yaml(text, "f").data == data


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "\ufeff"])
def test_an_empty_file_is_none(parser: str, text: str) -> None:
    document = parse_yaml(text, "some.yml")
    assert document.data is None
    assert document.locate(("a",)).line in {1, 2}


def test_bom_and_crlf_do_not_move_positions(parser: str) -> None:
    document = parse_yaml(b"\xef\xbb\xbfa: 1\r\nb:\r\n  - x\r\n  - \xc3\xa9: yy\r\n", "some.yml")
    assert document.data == {"a": 1, "b": ["x", {"é": "yy"}]}
    assert str(document.locate(("a",), key=True)) == "some.yml:1:1"
    assert str(document.locate(("b", 1, "é"))) == "some.yml:4:8"
    assert document.locate(("b", 1, "é")).length == 2


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: 1\nvars: {}\nb: 2\nvars: {}\n", (4, 1), ["'vars'", "some.yml:2:1"]),
        ("a:\n  x: 1\n  x: 2\n", (3, 3), ["'x'", "some.yml:2:3"]),
        ("- {p: 1, q: [1, {r: 1}], p: 2}\n", (1, 26), ["'p'", "some.yml:1:4"]),
        ("a: 1\n'a': 2\n", (2, 1), ["some.yml:1:1"]),
        ("1: a\n1: b\n", (2, 1), ["'1'"]),
        ("b: &b {x: 1}\nc:\n  <<: *b\n  y: 1\n  <<: *b\n", (5, 3), ["'<<'", "some.yml:3:3"]),
    ],
)
def test_duplicate_keys_name_both_places(parser: str, text: str, place: tuple[int, int], words: list[str]) -> None:
    error = refused(text)
    assert error.code == "FF1003"
    assert at(error) == place
    assert all(word in error.message for word in words)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a:\n\tb: 1\n", 2),
        ("a:\n  - b\n\t- c\n", 3),
        ("a: [1\n", 1),
        ("a: 'b\n", 1),
        ("a: b: c\n", 1),
        ("a: @x\n", 1),
        ("}\n", 1),
        ("a: 1\n  b: 2\n", 2),
        ("%YAML 1.1\n---\na: no\n", None),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: !!python/object:os.system x\n", 1),
        ("a: !mine x\n", 1),
        ("a: !!set {x}\n", 1),
        ("a: !!binary aGk=\n", 1),
        ("a: !!int x\n", 1),
        ("a: *nowhere\n", 1),
        ("a: &a [1, *a]\n", 1),
        ("a: {?x: 1}\n", 1),
        ("a: [b, ?x]\n", 1),
        ("? [a, b]\n: 1\n", 1),
        ("? {a: b}\n: 1\n", 1),
        ("x: &x [1]\n*x : 1\n", 2),
        ("a: {<<: 1}\n", 1),
        ("a: {<<: [1]}\n", 1),
        ("a: 1e999\n", 1),
        ("a: " + "9" * 5000 + "\n", 1),
        ("a: b\x00\n", 1),
        ("a: b\u2028c\n", 1),
        ("a: b\x85c\n", 1),
        ('a: "\\ud800"\n', 1),
    ],
)
def test_what_is_no_plain_yaml_is_refused_with_its_line(parser: str, text: str, line: int | None) -> None:
    error = refused(text)
    assert error.code in {"FF1002", "FF1008"}
    if line is not None:
        assert at(error)[0] in {line, line + 1}
    assert "\n" not in error.message


def test_a_tab_is_named() -> None:
    error = refused("a:\n  b: 1\n\tc: 2\n")
    assert "tab" in error.message
    assert error.help == "indent with spaces"
    assert at(error)[0] == 3


def test_other_encodings_are_refused_with_the_offset_of_the_byte() -> None:
    error = refused("name: x\ntext: Köln\n".encode("latin-1"))
    assert "0xf6 at offset 15" in error.message
    assert at(error) == (2, 8)
    assert at(refused(b"\xef\xbb\xbfa: \xff")) == (1, 4)
    refused("a: b".encode("utf-16"))


# -- limits


def bomb(levels: int, width: int) -> str:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


def test_an_alias_bomb_is_refused_at_once(parser: str) -> None:
    started = time.process_time()
    tracemalloc.start()
    error = refused(bomb(10, 9))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error.code == "FF1008"
    assert "too many aliases" in error.message
    assert time.process_time() - started < 2
    assert peak < 50_000_000


def test_merged_keys_cannot_go_round_the_alias_limit() -> None:
    text = "a: &a {" + ", ".join(f"k{n}: 1" for n in range(600)) + "}\n"
    text += "".join(f"m{n}: {{<<: *a}}\n" for n in range(20))
    assert refused(text).code == "FF1008"


def test_large_files_without_aliases_are_fine() -> None:
    text = "items:\n" + "".join(f"  - {{name: n{n}, value: {n}}}\n" for n in range(20_000))
    assert len(parse_yaml(text, "some.yml").data["items"]) == 20_000


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused_quickly(parser: str, opening: str) -> None:
    started = time.process_time()
    error = refused(opening * 20_000)
    assert error.code in {"FF1008", "FF1002"}
    assert time.process_time() - started < 5


def test_aliases_count_towards_the_depth(parser: str) -> None:
    nested = "x"
    lines = []
    for number in range(4):
        lines.append(f"k{number}: &k{number} {'[' * 40}{nested}{']' * 40}")
        nested = f"*k{number}"
    assert refused("\n".join(lines) + "\n").code == "FF1008"
    assert parse_yaml("\n".join(lines[:2]) + "\n", "some.yml").data


def test_a_hundred_levels_are_allowed_and_one_more_is_not() -> None:
    parse_yaml("[" * 100 + "]" * 100, "some.yml")
    assert refused("[" * 101 + "]" * 101).code == "FF1008"


# -- places

DOCUMENT = """\
name: shop
vars:
  start: 2024-01-01
  list: [a, 'b c', "d"]
common: &common
  owner: me
  tags: [x, y]
models:
  - <<: *common
    name: orders
    text: |
      two
      lines
  - *common
  - {<<: [*common, {owner: you, extra: 1}], name: z}
"""


@pytest.mark.parametrize(
    ("path", "key", "place"),
    [
        ((), False, "1:1"),
        (("name",), False, "1:7"),
        (("name",), True, "1:1"),
        (("vars", "list", 1), False, "4:13"),
        (("vars", "list"), True, "4:3"),
        (("models", 0, "name"), True, "10:5"),
        (("models", 0, "owner"), False, "6:10"),
        (("models", 0, "tags", 1), False, "7:13"),
        (("models", 0, "text"), True, "11:5"),
        (("models", 1, "owner"), True, "6:3"),
        (("models", 2, "extra"), False, "15:40"),
        (("models", 2, "owner"), False, "6:10"),
        (("models", 2, "name"), False, "15:51"),
        # what is missing is reported where it would have to stand
        (("nope",), False, "1:1"),
        (("models", 2, "nope"), False, "15:5"),
        (("models", 9), False, "9:3"),
        (("vars", "list", 1, "deeper"), False, "4:13"),
    ],
)
def test_places(parser: str, path: tuple[str | int, ...], key: bool, place: str) -> None:
    assert str(parse_yaml(DOCUMENT, "f").locate(path, key=key)) == f"f:{place}"


def test_merge_keeps_the_mappings_own_keys_and_the_first_of_several() -> None:
    data = parse_yaml(DOCUMENT, "f").data
    assert data["models"][0]["name"] == "orders"
    assert data["models"][2]["owner"] == "me"
    assert data["models"][2]["extra"] == 1
    assert parse_yaml("b: &b {x: 1}\nc: {x: 2, <<: *b}\n", "f").data["c"] == {"x": 2}
    assert parse_yaml("'<<': 1\n", "f").data == {"<<": 1}


def test_locating_ten_thousand_places_is_linear() -> None:
    text = "items:\n" + "".join(f"  k{n}:\n    - {n}\n" for n in range(10_000))
    document = parse_yaml(text, "f")
    started = time.process_time()
    for number in range(10_000):
        assert document.locate(("items", f"k{number}", 0)).line == 3 + 2 * number
    assert time.process_time() - started < 2


# -- properties

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufeff\ufffe\uffff"))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=25,
)


def leaves(data: object, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], object]]:
    if isinstance(data, dict):
        return [leaf for key, value in data.items() for leaf in leaves(value, (*path, key))]
    if isinstance(data, list):
        return [leaf for index, value in enumerate(data) for leaf in leaves(value, (*path, index))]
    return [(path, data)]


@given(data=PLAIN, indent=st.sampled_from([None, 2]))
@example(data={"NO": "no", "a": "1", "b": ["~", "true", "<<"], "<<": {"x": "0x1"}}, indent=2)
def test_plain_data_makes_the_round_trip_through_json(data: object, indent: int | None) -> None:
    document = parse_yaml(json.dumps(data, ensure_ascii=False, indent=indent), "f")
    assert document.data == data
    assert json.dumps(document.data) == json.dumps(data)  # 1, 1.0 and true are three things


@given(data=PLAIN)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
def test_plain_data_makes_the_round_trip_through_the_library_s_own_writer(data: object) -> None:
    import io

    from ruamel.yaml import YAML

    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    stream = io.StringIO()
    writer.dump(data, stream)
    assert parse_yaml(stream.getvalue(), "f").data == data


@given(data=PLAIN)
def test_every_leaf_is_found_where_it_stands(data: object) -> None:
    text = json.dumps(data, ensure_ascii=False, indent=1)
    document = parse_yaml(text, "f")
    lines = text.split("\n")
    for path, value in leaves(data):
        where = document.locate(path)
        assert where.line is not None
        assert where.column is not None
        written = json.dumps(value, ensure_ascii=False)
        if value == {} or value == []:
            continue
        assert lines[where.line - 1][where.column - 1 :].startswith(written)
        assert where.length == len(written) or not written


def check_any(text: str | bytes) -> None:
    try:
        document = parse_yaml(text, "f")
    except ConfigFileError as error:
        decoded = text if isinstance(text, str) else text.decode("utf-8", errors="replace")
        lines = decoded.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        assert error.location is not None
        assert error.location.line is not None
        assert error.location.column is not None
        assert 1 <= error.location.line <= len(lines)
        assert 1 <= error.location.column <= len(lines[error.location.line - 1]) + 1
        assert error.code in {"FF1002", "FF1003", "FF1008"}
        return
    for path, _ in leaves(document.data):
        assert document.locate(path).line is not None


@given(st.binary(max_size=200))
@settings(max_examples=400)
def test_any_bytes_give_data_or_an_error_with_a_place(raw: bytes) -> None:
    check_any(raw)


@given(st.text("ab:-?[]{},&*!|>'\"%@#\\ \t\n\r~<0.x1é", max_size=80))
@settings(max_examples=1500)
@example("a:\n\t")
@example("? ")
@example("- |1\n")
@example("&a")
@example("!<")
@example("%YAML 9.9\n---\n")
@example("%TAG ! tag:x,2000:\n--- !y")
@example("&a : b\n*a : c")
@example("{&a <<: {b: 1}, b: 2}")
def test_any_text_of_yaml_s_own_characters_gives_data_or_an_error_with_a_place(text: str) -> None:
    check_any(text)


@given(st.text("ab:-?[]{},&*!|>'\"#\\ \n~<01", max_size=60))
@settings(max_examples=300)
def test_the_pure_parser_never_fails_in_another_way(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml_module, "fast_events", exact_events)
        check_any(text)


def test_speed_is_near_that_of_the_bare_parser() -> None:
    """Reading models' YAML is the largest part of loading a project: the building on top must stay cheap."""
    from ruamel.yaml.cyaml import CParser

    text = "models:\n" + "".join(
        f"  - name: m{n}\n    columns:\n" + "".join(f"      - {{name: c{c}, tests: [not_null]}}\n" for c in range(5))
        for n in range(100)
    )

    def bare() -> None:
        get_event = CParser(text).get_event
        while get_event() is not None:
            pass

    def best(function: object) -> float:
        times = []
        for _ in range(5):
            started = time.process_time()
            function()  # type: ignore[operator]
            times.append(time.process_time() - started)
        return min(times)

    assert best(lambda: parse_yaml(text, "f")) < 5 * best(bare)
