"""Unusual input that is fine: it is taken as it is, and the rows are read back from the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

Project = Callable[[Mapping[str, str | bytes]], Path]
Flowforge = Callable[..., Any]
Read = Callable[[Path, str], list[tuple[Any, ...]]]

BOM = b"\xef\xbb\xbf"


@attrs.frozen
class Case:
    """*query* gives *rows* after ``flowforge build``."""

    id: str
    files: Mapping[str, str | bytes]
    query: str
    rows: list[tuple[Any, ...]]
    args: tuple[str, ...] = ()


def seed(content: str | bytes) -> dict[str, str | bytes]:
    return {"seeds/s.csv": content}


def settings(text: str) -> dict[str, str | bytes]:
    return {"project.yml": f"name: a\nversion: 1\nseeds: {{{text}}}\n"}


def texts(*values: str | None) -> list[tuple[Any, ...]]:
    return [(value,) for value in values]


FILES = [
    Case("I5-BOM-in-project", {"project.yml": BOM + b"name: a\nversion: 1\n"}, "from fine", [(1,)]),
    Case("I6-CRLF-in-project", {"project.yml": b"name: a\r\nversion: 1\r\nvars:\r\n  x: 1\r\n"}, "from fine", [(1,)]),
    Case(
        "I6-CRLF-in-profiles",
        {"profiles.yml": b"dev:\r\n  engine: duckdb\r\n  duckdb: {path: demo.duckdb}\r\n"},
        "from fine",
        [(1,)],
    ),
    Case("I9-BOM-in-model", {"models/fine.ff.sql": BOM + b"select 2 as two"}, "from fine", [(2,)]),
    Case("I9-CRLF-in-model", {"models/fine.ff.sql": b"select 2\r\n  as two\r\n"}, "from fine", [(2,)]),
    Case(
        "I9-BOM-in-python",
        {
            "models/p.ff.py": BOM
            + b"from flowforge import model\r\nimport pandas as pd\r\n\r\n@model\r\ndef p():\r\n"
            + b"    return pd.DataFrame({'x': [3]})\r\n"
        },
        "from p",
        [(3,)],
    ),
    Case("country-code", {"project.yml": "name: a\nversion: 1\nvars: {c: NO}\n",
         "models/fine.ff.sql": "select '{{ var('c') }}' as c"}, "from fine", [("NO",)]),
    Case("var-with-a-quote", {"models/fine.ff.sql": "select '{{ var('c') }}' as c"}, "from fine", [("é€",)],
         ("--vars", "c=é€")),
    Case("semicolon-at-the-end", {"models/fine.ff.sql": "select ';' as x; -- that is all;\n"}, "from fine", [(";",)]),
    Case("comment-with-a-template", {"models/fine.ff.sql": "-- {{ ref('gone') }} {% if %}\nselect 1 as x"}, "from fine",
         [(1,)]),
    Case("text-with-a-comment", {"models/fine.ff.sql": "select '-- no; comment' as x"}, "from fine",
         [("-- no; comment",)]),
    Case("I37-dollar-quotes", {"models/fine.ff.sql": "select $a$it's; 'open$a$ as x"}, "from fine", [("it's; 'open",)]),
    Case("recursive-query", {"models/fine.ff.sql":
         "with recursive t(n) as (select 1 union all select n + 1 from t where n < 3) select sum(n)::int as s from t"},
         "from fine", [(6,)]),
    Case("a-long-line", {"models/fine.ff.sql": "select " + " + ".join(["1"] * 900) + " as x"}, "from fine", [(900,)]),
]  # fmt: skip

SEEDS = [
    Case("I13-header-only", seed("a,b\n"), "select count(*) from s", [(0,)]),
    Case("I16-beyond-64-bits", seed(f"a\n{2**63}\n"), "select cast(a as varchar) from s", texts(str(2**63))),
    Case("I16-30-digits", seed("a\n123456789012345678901234567890\n"), "select cast(a as varchar) from s",
         texts("123456789012345678901234567890")),
    Case("I16-above-doubles", seed(f"a\n{2**53 + 1}\n\n1\n".replace("\n\n", "\n")), "select a from s order by a",
         [(1,), (2**53 + 1,)]),
    Case("I16-decimals", seed("a\n0.1\n12345678901234567.89\n"), "select cast(a as varchar) from s order by 1 desc",
         texts("12345678901234567.89", "0.10")),
    Case("I17-leading-zeros", seed("a\n00123\n7\n"), "from s order by a", texts("00123", "7")),
    Case("I17-declared", seed("a\n00123\n") | {"seeds/schema.yml": "columns: {s: {a: integer}}\n"}, "from s", [(123,)]),
    Case("I18-missing-words", seed("a\nNA\nnull\nNone\nN/A\n#N/A\n"), "from s order by a",
         texts("#N/A", "N/A", "NA", "None", "null")),
    Case("I18-missing-words-among-numbers", seed("a\n1\nNA\n"), "from s order by a", texts("1", "NA")),
    Case("I18-empty-and-quoted-empty", seed('a,b\n1,\n2,""\n'), "select b from s order by a", texts(None, "")),
    Case("I18-declared-words", seed('a\nNA\n"NA"\n1\n') | settings("+null_values: [NA]"), "from s order by a nulls first",
         texts(None, "1", "NA")),
    Case("I16-json-above-doubles", {"seeds/s.jsonl": f'{{"a": {2**53 + 1}}}\n{{"a": 0.5}}\n'},
         "select cast(a as varchar) from s order by a", texts("0.5", "9007199254740993.0")),
    Case("I23-latin-1-declared", seed("a\ncafé\n".encode("latin-1")) | settings("+encoding: latin-1"), "from s",
         texts("café")),
    Case("I24-other-marks", seed("a;b\n'x;''y';1,5\n") | settings("+delimiter: ';', +quote: \"'\", +decimal: ','"), "from s",
         [("x;'y", 1.5)]),
    Case("I19-nan", seed("a\nNaN\ninf\n1.5\n"), "select cast(a as varchar) from s order by 1", texts("1.5", "NaN", "inf")),
    Case("I20-quotes-newlines-emoji", seed('a\n"say ""hi""\nand 🦆, ok"\n'), "from s", texts('say "hi"\nand 🦆, ok')),
    Case("I21-BOM", seed(BOM + "id,b\n1,ü\n".encode()), "select id, b from s", [(1, "ü")]),
    Case("I22-CRLF", seed(b"a,b\r\n1,x\r\n2,y\r\n"), "from s order by a", [(1, "x"), (2, "y")]),
    Case("I22-no-newline-at-the-end", seed("a,b\n1,x"), "from s", [(1, "x")]),
    Case("I24-headers", seed('"a b","c,d","e""f","select",größe,"x;y",1st,"a.b"\n1,2,3,4,5,6,7,8\n'),
         'select "a b", "c,d", "e""f", "select", "größe", "x;y", "1st", "a.b" from s', [(1, 2, 3, 4, 5, 6, 7, 8)]),
    Case("I24-space-around-headers", seed("a, b\n1,2\n"), "select column_name from duckdb_columns() where table_name = 's'",
         texts("a", " b")),
    Case("space-is-kept", seed("a\n  x  \n"), "from s", texts("  x  ")),
    Case("words-of-truth", seed("a,b\ntrue,yes\nfalse,no\n"), "from s order by a", [(False, "no"), (True, "yes")]),
    Case("dates", seed("a,b\n2024-02-29,29.02.2024\n"), "select cast(a as varchar), b from s", [("2024-02-29", "29.02.2024")]),
    Case("plus-and-exponent", seed("a,b\n+1,1e3\n"), "select cast(a as varchar), cast(b as varchar) from s", [("+1", "1e3")]),
    Case("a-field-of-a-megabyte", seed("a\n" + "x" * 1_000_000 + "\n"), "select length(a) from s", [(1_000_000,)]),
]  # fmt: skip

NAMES = ["select", "größe", "🦆", "two words", "a.b", 'quo"te', "it's", "semi;colon", "UPPER", "1st", "a-b", "{{x}}", "%s",
         "ab" * 60, "back`tick", "$dollar", "日本語", "x--y", "null"]  # fmt: skip


@pytest.mark.parametrize("case", [*FILES, *SEEDS], ids=lambda case: case.id)
def test_unusual_input_is_taken_as_it_is(case: Case, project: Project, flowforge: Flowforge, read: Read) -> None:
    folder = project(case.files)
    outcome = flowforge(folder, "build", *case.args)
    assert outcome.code == 0, outcome.text
    assert "warning" not in outcome.text
    assert read(folder, case.query) == case.rows


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_any_kind_is_a_model_a_column_and_a_seed(
    name: str, project: Project, flowforge: Flowforge, read: Read
) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    text = name.replace("\\", "\\\\").replace("'", "\\'")
    folder = project(
        {
            f"models/{name}.ff.sql": f"{{% raw %}}select 7 as {quoted}{{% endraw %}}",
            "models/after.ff.sql": f"select * from {{{{ ref('{text}') }}}}",
            "models/shown.ff.sql": f"{{{{ config(materialized='view') }}}} select * from {{{{ ref('{text}') }}}}",
            "models/python.ff.py": "from flowforge import model\n\n\n"
            f"@model(deps=[{name!r}])\ndef python(frame):\n    return frame + 1\n",
            f"seeds/{name} seed.csv": '"' + name.replace('"', '""') + '"\n5\n',
            "models/from_seed.ff.sql": f"select * from {{{{ ref('{text} seed') }}}}",
        }
    )
    outcome = flowforge(folder, "build")
    assert outcome.code == 0, outcome.text
    assert read(folder, f"select {quoted} from {quoted}") == [(7,)]
    for relation, value in {"after": 7, "shown": 7, "python": 8, "from_seed": 5}.items():
        assert read(folder, f"select {quoted} from {relation}") == [(value,)]
    for command in ("ls", "dag", "compile", "validate"):
        assert flowforge(folder, command).code == 0
    again = flowforge(folder, "build")  # over what stands there
    assert again.code == 0, again.text


@pytest.mark.parametrize("name", ["two words", "semi;colon", 'quo"te', "größe", "it's"])
def test_a_check_on_a_column_with_any_name_means_that_column(name: str, project: Project, flowforge: Flowforge) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    where = name.replace("'", "''")
    declared = f"  - {{type: not_null, table: fine, column: '{where}'}}\n  - {{type: unique, table: fine, column: '{where}'}}\n"
    files = {"project.yml": f"name: a\nversion: 1\ntests:\n{declared}"}
    good = flowforge(project({**files, "models/fine.ff.sql": f"select 1 as {quoted}"}), "build")
    assert good.code == 0, good.text
    bad = flowforge(project({**files, "models/fine.ff.sql": f"select null as {quoted} from range(2)"}), "build")
    assert bad.code == 2, bad.text
    assert name in bad.text
