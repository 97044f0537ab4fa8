from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowforge.cli.output import Output
from flowforge.values import Location

texts = st.text(max_size=20) | st.sampled_from(["100%", "a:b,c", "x\r\ny", "::error::z", "%0A"])


@given(text=texts, path=texts.filter(bool), title=texts)
@settings(
    derandomize=True, deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_an_annotation_is_one_line_and_its_parts_come_apart_again(
    capsys: pytest.CaptureFixture[str], text: str, path: str, title: str
) -> None:
    Output(log_format="github").annotate("error", text, Location(path, 3, 7), title=title)
    out = capsys.readouterr().out
    assert out.endswith("\n")
    assert len(out.splitlines()) == 1
    found = re.fullmatch(r"::error ([^:]*)::(.*)\n", out)
    assert found is not None
    properties = dict(part.split("=", 1) for part in found[1].split(","))
    assert properties["line"] == "3"
    assert properties["col"] == "7"
    if path.isprintable():
        assert unquote(properties["file"]) == path
    if title.isprintable():
        assert unquote(properties["title"]) == title
    if text.isprintable():
        assert found[2].replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%") == text
