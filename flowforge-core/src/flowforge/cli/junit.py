"""Results as a JUnit XML file, which CI systems show as a list of tests.

Knows cases and files, and nothing of checks, unit tests or nodes. The form is what pytest writes, so that whoever reads
that reads this: ``testsuites``, ``testsuite``, ``properties``, ``testcase`` with ``failure``, ``error`` or ``skipped``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import attrs

from flowforge.cli.report_file import prepare_report, write_report
from flowforge.frozen import frozen

_OPTION = "--junit"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even as a reference."""
_MARKS = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
_IN_TEXT = str.maketrans({mark: _MARKS[mark] for mark in "&<>\r"})
_IN_ATTRIBUTE = str.maketrans(_MARKS)


@frozen
class JUnitCase:
    """One test.

    Parameters
    ----------
    group:
        What CI systems show above the name; they take its dots for levels.
    seconds:
        Wall time.
    message:
        Why it failed, broke or was left out, in one line.
    details:
        More of that, with line breaks.
    output:
        What it had to say although it passed.
    file, line:
        Where it is declared; the file relative to the project.
    """

    name: str
    group: str
    status: Literal["pass", "fail", "error", "skip"] = "pass"
    seconds: float = 0.0
    message: str | None = None
    details: str | None = None
    output: str | None = None
    file: str | None = None
    line: int | None = None


@frozen
class JUnitSuite:
    """Tests that ran together. *seconds* is wall time; *properties* are facts about all of them."""

    name: str
    cases: Sequence[JUnitCase]
    seconds: float = 0.0
    started_at: dt.datetime | None = None
    properties: Mapping[str, str] = attrs.field(factory=dict)


def junit_xml(suites: Sequence[JUnitSuite]) -> str:
    """The whole document; well-formed whatever the texts hold."""
    cases = [case for suite in suites for case in suite.cases]
    head = _tag("testsuites", name="flowforge", **_counts(cases), time=_time(sum(suite.seconds for suite in suites)))
    lines = ['<?xml version="1.0" encoding="utf-8"?>', head]
    for suite in suites:
        lines += _suite(suite)
    return "\n".join([*lines, "</testsuites>", ""])


def prepare_junit(path: Path) -> None:
    """See :func:`~flowforge.cli.report_file.prepare_report`."""
    prepare_report(path, _OPTION)


def write_junit(path: Path, suites: Sequence[JUnitSuite]) -> None:
    """Write the document; see :func:`~flowforge.cli.report_file.write_report`."""
    write_report(path, _OPTION, junit_xml(suites))


def _suite(suite: JUnitSuite) -> Iterator[str]:
    moment = {"timestamp": suite.started_at.isoformat(timespec="seconds")} if suite.started_at is not None else {}
    yield _tag("testsuite", name=suite.name, **_counts(suite.cases), time=_time(suite.seconds), **moment)
    if suite.properties:
        yield "<properties>"
        for name, value in suite.properties.items():
            yield _closed("property", name=name, value=value)
        yield "</properties>"
    for case in suite.cases:
        yield _case(case)
    yield "</testsuite>"


def _case(case: JUnitCase) -> str:
    place = {"file": case.file} if case.file is not None else {}
    if case.line is not None:
        place["line"] = str(case.line)
    attributes = {"classname": case.group, "name": case.name, "time": _time(case.seconds), **place}
    inner = []
    if case.status != "pass":
        kind = {"fail": "failure", "error": "error", "skip": "skipped"}[case.status]
        message = case.message or ""
        if case.status == "skip":
            inner.append(_closed(kind, message=message))
        else:
            inner.append(f"{_tag(kind, message=message, type=case.status)}{_text(case.details or message)}</{kind}>")
    if case.output:
        inner.append(f"<system-out>{_text(case.output)}</system-out>")
    if not inner:
        return _closed("testcase", **attributes)
    return f"{_tag('testcase', **attributes)}{''.join(inner)}</testcase>"


def _counts(cases: Sequence[JUnitCase]) -> dict[str, str]:
    def count(status: str) -> str:
        return str(sum(case.status == status for case in cases))

    return {
        "tests": str(len(cases)),
        "failures": count("fail"),
        "errors": count("error"),
        "skipped": count("skip"),
    }


def _closed(tag: str, /, **attributes: str) -> str:
    return f"{_tag(tag, **attributes)[:-1]}/>"


def _tag(tag: str, /, **attributes: str) -> str:
    written = "".join(f' {key}="{_clean(value).translate(_IN_ATTRIBUTE)}"' for key, value in attributes.items())
    return f"<{tag}{written}>"


def _text(text: str) -> str:
    return _clean(text).translate(_IN_TEXT)


def _clean(text: str) -> str:
    return _NO_XML.sub(lambda found: repr(found[0])[1:-1], text)


def _time(seconds: float) -> str:
    return f"{max(seconds, 0.0):.3f}"
