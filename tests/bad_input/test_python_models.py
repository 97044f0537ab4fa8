"""Python models that misbehave: the error names the model and its line, and the program keeps its own ways."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

Project = Callable[[Mapping[str, str | bytes]], Path]
Process = Callable[..., Any]
Read = Callable[[Path, str], list[tuple[Any, ...]]]

HEAD = "import os, sys, threading, time\nimport pandas as pd\nfrom flowforge import model\n\n\n"
GOOD = "return pd.DataFrame({'x': [1]})"


def files(body: str, decorator: str = "@model", parameters: str = "") -> dict[str, str | bytes]:
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    return {"models/bad.ff.py": f"{HEAD}{decorator}\ndef bad({parameters}):\n{lines}\n"}


@attrs.frozen
class Case:
    """*where* is the place that the error names; line 8 is the first one of the function's body."""

    id: str
    files: Mapping[str, str | bytes]
    words: tuple[str, ...]
    code: str = "FF2006"
    where: str = "models/bad.ff.py"
    exit: int = 1


REFUSED = [
    Case("none", files("pass"), ("None",)),
    Case("number", files("return 42"), ("int",)),
    Case("list-of-rows", files("return [{'x': 1}]"), ("list",)),
    Case("yields-no-frame", files("yield 1"), ("a int instead of a frame",)),
    Case("yields-nothing", files("return\nyield 1"), ("yielded no frame",)),
    Case("yields-frames-that-differ", files("yield pd.DataFrame({'x': [1]})\nyield pd.DataFrame({'y': [1]})"),
         ("frame 2", "y instead of x")),
    Case("series", files("return pd.Series([1])"), ("Series",)),
    Case("class", files("return pd.DataFrame"), ("type",)),
    Case("columns-twice", files("return pd.DataFrame([[1, 2]], columns=['x', 'x'])"), ("two columns called 'x'",)),
    Case("columns-twice-but-for-case", files("return pd.DataFrame([[1, 2]], columns=['x', 'X'])"), ("'X'",)),
    Case("numbered-columns", files("return pd.DataFrame([[1, 2]])"), ("column called 0",)),
    Case("no-columns", files("return pd.DataFrame()"), ("no columns",)),
    Case("layered-columns", files("return pd.DataFrame({('a', 'b'): [1]})"), ("('a', 'b')",)),
    Case("mixed-types", files("return pd.DataFrame({'x': [1, 'a', None, object()]})"), ("types",)),
    Case("arrow-columns-twice",
         files("import pyarrow as pa\nreturn pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=['x', 'x'])"),
         ("two columns called 'x'",)),
    Case("stream-that-breaks", files(
        "import pyarrow as pa\nschema = pa.schema([('x', pa.int64())])\ndef batches():\n"
        "    yield pa.record_batch([pa.array([1])], schema=schema)\n    raise ValueError('half way')\n"
        "return pa.RecordBatchReader.from_batches(schema, batches())"), ("half way",), code="FF2004"),
    Case("raises", files("x = 1\nreturn x / 0"), ("ZeroDivisionError", "division by zero"), "FF2004",
         "models/bad.ff.py:9"),
    Case("raises-without-words", files("raise ValueError"), ("ValueError",), "FF2004", "models/bad.ff.py:8"),
    Case("raises-at-length", files("raise ValueError('long ' * 100_000)"), ("ValueError",), "FF2004",
         "models/bad.ff.py:8"),
    Case("raises-in-many-lines", files("raise ValueError('line\\n' * 1000)"), ("ValueError",), "FF2004",
         "models/bad.ff.py:8"),
    Case("raises-what-cannot-be-shown", files("class E(Exception):\n    def __str__(self): return 1 / 0\nraise E"),
         ("E",), "FF2004", "models/bad.ff.py:10"),
    Case("raises-in-a-neighbour", files("from .rates import rate\nreturn rate()")
         | {"models/rates.py": "def rate():\n    return {}['EUR']\n"}, ("KeyError", "models/bad.ff.py:9"),
         "FF2004", "models/rates.py:2"),
    Case("endless-recursion", files("def f(): return f()\nreturn f()"), ("RecursionError",), "FF2004",
         "models/bad.ff.py:8"),
    Case("exits", files("sys.exit(0)"), ("sys.exit(0)",), "FF2004", "models/bad.ff.py:8"),
    Case("exits-with-text", files("sys.exit('bye')"), ("bye",), "FF2004", "models/bad.ff.py:8"),
    Case("exits-at-import", {"models/bad.ff.py": HEAD + "sys.exit(0)\n@model\ndef bad():\n    return 1\n"},
         ("sys.exit(0)",), "FF2004", "models/bad.ff.py:6"),
    Case("base-exception", files("raise BaseException('odd')"), ("odd",), "FF2004", "models/bad.ff.py:8"),
    Case("interrupts", files("raise KeyboardInterrupt"), ("KeyboardInterrupt",), "FF2004", "models/bad.ff.py:8"),
    Case("generator-exit", files("raise GeneratorExit"), ("GeneratorExit",), "FF2004", "models/bad.ff.py:8"),
    Case("no-such-module", {"models/bad.ff.py": "import nowhere_at_all\nfrom flowforge import model\n\n@model\ndef bad():\n    pass\n"},
         ("nowhere_at_all",), "FF2004", "models/bad.ff.py:1"),
    Case("missing-column", files(GOOD, "@model(deps=['fine'], requires={'fine': ['two']})", "fine"), ("two", "one"),
         "FF2005"),
    Case("wrong-number-of-inputs", files(GOOD, "@model(deps=['fine'])"), ("0 parameters", "1 deps"), "FF1114"),
    Case("async", {"models/bad.ff.py": HEAD + "@model\nasync def bad():\n    return 1\n"}, ("async",), "FF1113"),
    Case("replaces-the-function", {"models/bad.ff.py": HEAD + f"@model\ndef bad():\n    {GOOD}\n\ndel bad\n"}, ("bad",),
         "FF2004"),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.id)
def test_a_model_that_gives_no_table_is_named(case: Case, project: Project, flowforge: Process, read: Read) -> None:
    folder = project(case.files)
    outcome = flowforge(folder, "build")
    assert outcome.code == case.exit, outcome.text
    assert outcome.codes == [case.code], outcome.text
    assert f"--> {case.where}" in outcome.text
    for word in case.words:
        assert word in outcome.text
    assert outcome.out == ""
    if (folder / "demo.duckdb").exists():
        assert read(folder, "select count(*) from duckdb_tables() where table_name like '%bad%'") == [(0,)]


HABITS = {
    "prints": "print('on stdout', flush=True)\nsys.stderr.write('on stderr')",
    "prints-rubbish": "print('\\x1b[2J\\x00\\ud800')",
    "prints-to-the-descriptor": "os.write(1, b'on the descriptor\\n')",
    "thread": "threading.Thread(target=time.sleep, args=(3600,)).start()",
    "daemon-thread": "threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()",
    "environment": "os.environ.clear()\nos.environ['FF_DUCKDB_PATH'] = '/nowhere/at/all'",
    "closes-stdout": "sys.stdout.close()",
    "closes-stderr": "sys.stderr.close()",
    "replaces-stdout": "sys.stdout = None",
    "closes-stdin": "sys.stdin.close()",
    "moves": "import tempfile\nos.chdir(tempfile.gettempdir())",
    "warns": "import warnings\nwarnings.warn('careful')",
    "logs": "import logging\nlogging.basicConfig(level=0)\nlogging.error('logged')",
    "recursion-limit": "sys.setrecursionlimit(60)",
    "signals": "import signal\ntry:\n    signal.signal(signal.SIGINT, signal.SIG_IGN)\nexcept ValueError:\n    pass",
    "locale": "import locale\nlocale.setlocale(locale.LC_ALL, 'C')",
    "int-digits": "sys.set_int_max_str_digits(640)",
    "excepthook": "sys.excepthook = None\nthreading.excepthook = None",
    "forgets-modules": "sys.modules.pop('flowforge.values', None)",
    "wraps-stdout": "import io\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer)\nprint('wrapped')\ndel sys.stdout",
}


FREQUENT = {"prints", "prints-to-the-descriptor", "thread", "environment", "closes-stdout", "closes-stderr", "closes-stdin",
            "moves", "recursion-limit", "excepthook", "forgets-modules", "wraps-stdout"}  # fmt: skip
"""Those that the quick lane tries: each needs a process of its own."""


@pytest.mark.parametrize(
    "habit", [name if name in FREQUENT else pytest.param(name, marks=pytest.mark.full) for name in HABITS]
)
def test_habits_of_a_model_reach_neither_the_answer_nor_other_models(
    habit: str, project: Project, process: Process, read: Read
) -> None:
    folder = project(
        {
            **files(f"{HABITS[habit]}\n{GOOD}"),
            "models/after.ff.sql": "select x + 1 as y from {{ ref('bad') }}",
            "models/broken.ff.sql": "select no_such_column from {{ ref('bad') }}",
        }
    )
    outcome = process(folder, "build", "--jobs", "1", "--keep-going")
    assert outcome.code == 1
    assert outcome.codes == ["FF2102"]
    assert "no_such_column" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("build failed")
    assert outcome.out == "" or habit == "prints-to-the-descriptor"
    assert read(folder, "from after") == [(2,)]


def test_what_models_print_stays_apart_from_json(project: Project, process: Process) -> None:
    folder = project(files(f"print('words')\n{GOOD}"))
    outcome = process(folder, "build", "--log-format", "json")
    assert outcome.code == 0
    lines = [line for line in outcome.err.splitlines() if line != "words"]
    assert [json.loads(line)["event"] for line in lines][-1] == "summary"


def test_a_run_goes_on_when_nobody_reads_what_it_says(project: Project, read: Read) -> None:
    folder = project({"models/after.ff.sql": "select one + 1 as two from {{ ref('fine') }}"})
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run([sys.executable, "-m", "flowforge", "build"], cwd=folder, stderr=writer, timeout=60)
    finally:
        os.close(writer)
    assert done.returncode == 0
    assert read(folder, "from after") == [(2,)]


def test_a_model_that_fails_does_not_stop_those_beside_it(project: Project, process: Process, read: Read) -> None:
    folder = project({**files("sys.exit(3)"), "models/after.ff.sql": "select * from {{ ref('bad') }}"})
    outcome = process(folder, "build", "--keep-going")
    assert outcome.code == 1
    assert outcome.codes == ["FF2004"]
    assert read(folder, "from fine") == [(1,)]
