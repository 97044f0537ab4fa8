"""Error codes: every code that can be raised is explained, and every explanation belongs to a code."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

CODE = re.compile(r"FF\d{4}")


def codes_in_source(all_distributions: list) -> dict[str, str]:
    """Each code that stands as a literal in a module, with the first place."""
    found: dict[str, str] = {}
    for distribution in all_distributions:
        for module in distribution.modules:
            for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                    found.setdefault(node.value, f"{module.name}:{node.lineno}")
    return found


@pytest.fixture(scope="module")
def raised(all_distributions: list) -> dict[str, str]:
    from flowforge.errors import EngineError, ErrorKind

    computed = {EngineError("", kind=kind).code: f"ErrorKind.{kind.name}" for kind in ErrorKind}
    return codes_in_source(all_distributions) | computed


@pytest.fixture(scope="module")
def explained(repository: Path) -> dict[str, dict[str, str]]:
    path = repository / "flowforge-core/src/flowforge/codes.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def test_every_code_is_explained(raised: dict[str, str], explained: dict[str, dict[str, str]]) -> None:
    assert not {code: place for code, place in sorted(raised.items()) if code not in explained}


def test_every_explanation_belongs_to_a_code(raised: dict[str, str], explained: dict[str, dict[str, str]]) -> None:
    assert not sorted(set(explained) - set(raised))


def test_explanations_are_sorted_and_complete(explained: dict[str, dict[str, str]]) -> None:
    assert list(explained) == sorted(explained)
    for code, entry in explained.items():
        assert CODE.fullmatch(code)
        assert set(entry) == {"title", "text"}, code
        assert not entry["title"].endswith("."), code
        assert len(entry["text"].strip()) >= 80, f"{code}: say what it means and what to do next"


def test_every_public_error_class_has_a_code_of_its_own() -> None:
    import flowforge.errors as errors

    classes = {
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.FlowForgeError) and each is not errors.FlowForgeError
    }
    shared: dict[str, set[str]] = {}
    for each in classes - {errors.InternalError}:
        if "default_code" in vars(each):
            shared.setdefault(each.default_code, set()).add(each.__name__)
    assert not {code: names for code, names in shared.items() if len(names) > 1}
