from __future__ import annotations

import pytest

from flowforge import errors
from flowforge.errors import EngineError, FlowForgeError, ModelExecutionError, Problems, ProjectError, ProjectErrors
from flowforge.values import Location

HOSTILE = "a\nb\x1b[31m\r\x07\x9b"


def test_control_characters_never_reach_a_terminal() -> None:
    error = ProjectError(HOSTILE, help=HOSTILE, notes=[HOSTILE])
    for text in (error.message, error.help, *error.notes):
        assert text == r"a\nb\x1b[31m\r\x07\x9b"


def test_an_engines_message_keeps_its_lines_and_nothing_else() -> None:
    for error in (EngineError(HOSTILE), ModelExecutionError(HOSTILE, node="n")):
        assert error.message == "a\nb" + r"\x1b[31m\r\x07\x9b"


def test_one_problem_is_itself_and_several_come_sorted() -> None:
    one, two = ProjectError("x", location=Location("b", 1)), ProjectError("y", location=Location("a", 9))
    problems = Problems()
    problems.raise_if_any()
    problems.add(one)
    with pytest.raises(ProjectError) as single:
        problems.raise_if_any()
    assert single.value is one
    problems.add(ProjectErrors([two]))
    with pytest.raises(ProjectErrors) as both:
        problems.raise_if_any()
    assert both.value.errors == (two, one)


def test_every_class_has_an_exit_code_of_the_table() -> None:
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, FlowForgeError)]
    assert len(classes) > 15
    assert {one.exit_code for one in classes} <= {1, 2, 5, 64, 99}
