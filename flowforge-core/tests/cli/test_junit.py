from __future__ import annotations

import datetime as dt
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowforge.cli.junit import JUnitCase, JUnitSuite, junit_xml, prepare_junit, write_junit
from flowforge.errors import UsageError

texts = st.text(st.characters(codec=None, categories=None), max_size=20)
hostile = texts | st.sampled_from(
    ["\x00\x1b[31m", "]]>", "<!--", '"&<>', "a\r\n\tb", "\ud800", "\ufffe", "é\x85\u2028"]
)
cases = st.builds(
    JUnitCase,
    name=hostile,
    group=hostile,
    status=st.sampled_from(["pass", "fail", "error", "skip"]),
    seconds=st.floats(-1, 1e6),
    message=st.none() | hostile,
    details=st.none() | hostile,
    output=st.none() | hostile,
    file=st.none() | hostile,
    line=st.none() | st.integers(0, 10**6),
)


def allowed(text: str) -> str:
    """What XML can hold of a text as it is."""
    return "".join(
        char
        for char in text
        if char in "\t\n\r" or (char >= " " and not "\ud800" <= char <= "\udfff" and char not in "\ufffe\uffff")
    )


@given(st.lists(cases, max_size=4), hostile)
@settings(derandomize=True, deadline=None, max_examples=150)
def test_whatever_the_texts_hold_the_file_is_sound_and_says_the_same(some: list[JUnitCase], name: str) -> None:
    suite = JUnitSuite(name, some, 1.5, dt.datetime(2024, 3, 1, tzinfo=dt.UTC), {"run_id": name})
    root = ElementTree.fromstring(junit_xml([suite]).encode("utf-8"))
    (found,) = root
    for element in (root, found):
        assert element.get("tests") == str(len(some))
        assert element.get("failures") == str(sum(case.status == "fail" for case in some))
        assert element.get("errors") == str(sum(case.status == "error" for case in some))
        assert element.get("skipped") == str(sum(case.status == "skip" for case in some))
    assert len(found.findall("testcase")) == len(some)
    for case, element in zip(some, found.findall("testcase"), strict=True):
        kinds = {"fail": ["failure"], "error": ["error"], "skip": ["skipped"], "pass": []}[case.status]
        assert [one.tag for one in element if one.tag != "system-out"] == kinds
        if allowed(case.name) == case.name:
            assert element.get("name") == case.name
        if case.status == "fail" and case.message is not None and allowed(case.message) == case.message:
            (failure,) = element.findall("failure")
            assert failure.get("message") == case.message
            assert (failure.text or "") == (
                case.details if case.details and allowed(case.details) == case.details else failure.text or ""
            )


def test_what_xml_cannot_hold_stays_readable() -> None:
    text = junit_xml([JUnitSuite("s", [JUnitCase("bell\x07", "g", "fail", message="a\x1bb")])])
    assert 'name="bell\\x07"' in text
    assert 'message="a\\x1bb"' in text


def test_the_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "checks.xml"
    prepare_junit(path)
    write_junit(path, [JUnitSuite("s", [JUnitCase("a", "g")])])
    write_junit(path, [JUnitSuite("s", [])])
    assert ElementTree.parse(path).getroot().get("tests") == "0"
    assert [file.name for file in path.parent.iterdir()] == ["checks.xml"]


def test_an_older_report_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "checks.xml"
    path.write_text("old")
    prepare_junit(path)
    assert not path.exists()


def test_a_folder_or_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "checks.xml"):
        with pytest.raises(UsageError) as caught:
            prepare_junit(path)
        assert caught.value.code == "FF3046"
