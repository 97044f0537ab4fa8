"""Secrets: placeholders survive rendering, and values appear at the very end only."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowforge.errors import RenderError
from flowforge.rendering.secret import mark, mask, reveal


@given(st.text(min_size=1), st.text(), st.text(max_size=5))
def test_mask_and_reveal(name: str, value: str, around: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    if mask(around) != around:
        return
    text = f"{around}{mark(name)}{around}"
    assert mask(text) == f"{around}***{around}"
    assert reveal(text, {name: value}) == f"{around}{value}{around}"
    assert name not in mark(name)


@pytest.mark.parametrize("simple", [True, False])
def test_the_value_is_no_part_of_rendering(recorder: Any, simple: bool) -> None:
    recorder.environ["FF_SECRET_KEY"] = "hunter2"
    template = "select '{{ env('FF_SECRET_KEY') }}'"
    sql = recorder.render(template + ("" if simple else "{{ '' }}"), simple=simple).sql
    assert "hunter2" not in sql
    assert mask(sql) == "select '***'"
    assert reveal(sql, {"FF_SECRET_KEY": "hunter2"}) == "select 'hunter2'"


@pytest.mark.parametrize("change", ["upper", "lower", "trim", "title", "string", "replace('F', 'x')", "indent"])
def test_filters_for_letters_do_not_touch_it(recorder: Any, change: str) -> None:
    sql = recorder.render(f"{{{{ env('FF_SECRET_KEY') | {change} }}}}").sql
    assert reveal(sql, {"FF_SECRET_KEY": "v"}) == "v"


@pytest.mark.parametrize("change", ["first", "last", "truncate(6, true)", "reverse", "list", "wordwrap(4)"])
def test_a_secret_that_was_cut_is_masked_and_refused(recorder: Any, change: str) -> None:
    sql = recorder.render(f"select {{{{ env('FF_SECRET_KEY') | {change} }}}}").sql
    assert "***" in mask(sql) or "\\U" in sql
    if not sql.isascii():
        with pytest.raises(RenderError, match="cut"):
            reveal(sql, {"FF_SECRET_KEY": "v"})


def test_an_unknown_secret_is_refused() -> None:
    with pytest.raises(RenderError, match="FF_SECRET_X"):
        reveal(mark("FF_SECRET_X"), {})
