"""Names of other tools: each is refused with what to write in its place."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from typing import Any

import pytest

from flowforge.errors import FlowForgeError
from flowforge.project.calls import RESERVED
from flowforge.project.scan import scan_sql

TABLE = tomllib.loads(resources.files("flowforge.project").joinpath("elsewhere.toml").read_text("utf-8"))


def said(template: str) -> FlowForgeError:
    problems = scan_sql(template, "models/m.ff.sql").problems
    return problems[0]


@pytest.mark.parametrize(
    ("template", "name", "kind"),
    [
        ("select {{ target.name }}", "target", "names"),
        ("{% set t = adapter.get_relation() %}select 1", "adapter", "names"),
        ("select {{ dbt_utils.star('a') }}", "dbt_utils", "names"),
        ("{% macro m() %}{{ return(1) }}{% endmacro %}select {{ m() }}", "return", "names"),
        ("select {{ env_var('X') }}", "env_var", "names"),
        ("select {{ this.identifier }}", "identifier", "parts"),
        ("select {{ ref('a').database }}", "database", "parts"),
        ("select {{ '1' | as_number }}", "as_number", "filters"),
    ],
)
def test_a_name_is_refused_with_its_replacement(recorder: Any, template: str, name: str, kind: str) -> None:
    with pytest.raises(FlowForgeError) as caught:
        recorder.render(template)
    assert (caught.value.code, caught.value.help) == ("FF1410", TABLE[kind][name])


def test_a_tag_is_refused_with_its_replacement() -> None:
    for name, help_ in TABLE["tags"].items():
        error = said(f"{{% {name} x %}}select 1")
        assert (error.code, error.help) == ("FF1401", help_)
    assert said("{% nonsense %}").help == "correct the Jinja tag"


def test_the_data_names_nothing_that_templates_have() -> None:
    assert not set(TABLE["names"]) & RESERVED
    for helps in TABLE.values():
        for help_ in helps.values():
            assert set(re.findall(r"\bff_\w+", help_)) <= RESERVED, help_
