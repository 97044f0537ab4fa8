from __future__ import annotations

import pytest

from flowforge.errors import Problems
from flowforge.project.python_model import PythonDraft, read_python_models

HEAD = "from flowforge import model\n"


def read(text: str) -> tuple[list[PythonDraft], Problems]:
    problems = Problems()
    return read_python_models(text, "models/m.ff.py", problems), problems


def only(text: str) -> PythonDraft:
    drafts, problems = read(text)
    assert [str(problem) for problem in problems] == []
    (draft,) = drafts
    return draft


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "@model\ndef f():\n    pass\n",
        HEAD + "@model()\ndef f():\n    pass\n",
        "from flowforge import model as m\n@m()\ndef f():\n    pass\n",
        "import flowforge\n@flowforge.model()\ndef f():\n    pass\n",
        "import flowforge as ff\n@ff.model\ndef f():\n    pass\n",
    ],
)
def test_the_decorator_is_found_under_every_name(text: str) -> None:
    assert only(text).body.function == "f"


def test_a_decorator_of_somebody_else_is_no_model() -> None:
    drafts, problems = read("from other import model\n@model()\ndef f():\n    pass\n")
    assert drafts == []
    assert [problem.code for problem in problems] == ["FF1112"]


def test_arguments_by_position_and_keyword_are_the_same() -> None:
    one = only(HEAD + "@model('n', ['a'], None, {'a': {'x'}})\ndef f(a):\n    pass\n")
    two = only(HEAD + "@model(name='n', deps=['a'], requires={'a': {'x'}})\ndef f(a):\n    pass\n")
    assert (one.name, [ref.name for ref in one.refs], one.body.requires) == ("n", ["a"], {"a": ("x",)})
    assert (two.name, [ref.name for ref in two.refs], two.body.requires) == ("n", ["a"], {"a": ("x",)})


def test_deps_know_their_place() -> None:
    draft = only(HEAD + "@model(deps=[\n    'a',\n    'b.ff',\n])\ndef f(a, b):\n    pass\n")
    assert [(ref.location.line, ref.location.column) for ref in draft.refs] == [(3, 5), (4, 5)]


@pytest.mark.parametrize(
    ("signature", "deps", "fits"),
    [
        ("", 0, True),
        ("a", 0, False),
        ("a", 1, True),
        ("a, b", 2, True),
        ("inputs", 3, True),
        ("a, b", 3, False),
        ("a, b=None", 1, True),
        ("*frames", 4, True),
        ("a, *, key", 1, False),
        ("a, *, key=1", 1, True),
    ],
)
def test_the_signature_has_to_fit_the_deps(signature: str, deps: int, fits: bool) -> None:
    names = [f"d{index}" for index in range(deps)]
    _, problems = read(HEAD + f"@model(deps={names!r})\ndef f({signature}):\n    pass\n")
    assert [problem.code for problem in problems] == ([] if fits else ["FF1114"])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("def f(:\n", "FF1111"),
        (HEAD, "FF1112"),
        (HEAD + "@model()\nasync def f():\n    pass\n", "FF1113"),
        (HEAD + "@model(name=NAME)\ndef f():\n    pass\n", "FF1102"),
        (HEAD + "@model(**settings)\ndef f():\n    pass\n", "FF1102"),
        (HEAD + "@model(name='')\ndef f():\n    pass\n", "FF1102"),
        (HEAD + "@model(deps=['a', 'a.ff'])\ndef f(a, b):\n    pass\n", "FF1102"),
        (HEAD + "@model(deps={'a': 1})\ndef f(a):\n    pass\n", "FF1102"),
        (HEAD + "@model(deps=['a'], requires={'b': ['x']})\ndef f(a):\n    pass\n", "FF1103"),
        (HEAD + "@model(deps=['a'], requires='x')\ndef f(a):\n    pass\n", "FF1102"),
    ],
)
def test_mistakes_have_a_code_and_a_place(text: str, code: str) -> None:
    drafts, problems = read(text)
    assert drafts == []
    assert [problem.code for problem in problems] == [code]
    assert all(problem.location is not None and problem.location.line for problem in problems)


def test_one_bad_model_does_not_hide_another() -> None:
    drafts, problems = read(HEAD + "@model(name=1)\ndef f():\n    pass\n\n@model(name='g')\ndef g():\n    pass\n")
    assert [draft.name for draft in drafts] == ["g"]
    assert len(problems) == 1
