"""Whether a function, a constant or a text at some place of a query changes by itself."""

from __future__ import annotations

from collections.abc import Sequence

from flowforge.project.sql_tokens import SIGN, WORD, SqlToken
from flowforge.project.sql_words import (
    CONSTANTS,
    FUNCTIONS,
    FUNCTIONS_OF_ONE_ARGUMENT,
    FUNCTIONS_WITHOUT_ARGUMENTS,
    MOMENT_CALLS,
    MOMENT_TYPES,
    MOMENTS,
    PURE_SYSTEM_FUNCTIONS,
    SYSTEM_PREFIX,
    VOLATILE_SUFFIX,
)


def is_call(tokens: Sequence[SqlToken], at: int) -> bool:
    """Whether the word at *at* is a function that is called."""
    after = tokens[at + 1]
    return after.kind == SIGN and after.value == "("


def is_volatile_call(word: str) -> bool:
    """Whether a function changes by itself, whatever its arguments are."""
    if word.startswith(SYSTEM_PREFIX):
        return word not in PURE_SYSTEM_FUNCTIONS
    return word in FUNCTIONS or word.endswith(VOLATILE_SUFFIX)


def is_volatile_with(word: str, arguments: int) -> bool:
    """Whether a function changes by itself because it has so many arguments."""
    if arguments > 1:
        return False
    return word in (FUNCTIONS_OF_ONE_ARGUMENT if arguments else FUNCTIONS_WITHOUT_ARGUMENTS)


def is_volatile_constant(tokens: Sequence[SqlToken], at: int) -> bool:
    """Whether the word at *at*, which is not called, stands for the time, the user or the like."""
    if tokens[at].value not in CONSTANTS:
        return False
    after = tokens[at + 1]
    named_argument = after.value == ":" and tokens[at + 2].value == "="
    return after.value != "." and not named_argument


def is_moment(tokens: Sequence[SqlToken], at: int, callee: str) -> bool:
    """Whether the text at *at* is one like ``'now'`` that becomes a time there.

    Parameters
    ----------
    callee:
        The function that it is an argument of, if it is one.
    """
    if tokens[at].value.strip().lower() not in MOMENTS:
        return False
    before = tokens[at - 1]
    cast = tokens[at + 1].value == ":" and tokens[at + 2].value == ":"
    return cast or (before.kind == WORD and before.value in MOMENT_TYPES) or callee in MOMENT_CALLS


def is_unseeded_sample(tokens: Sequence[SqlToken], at: int) -> bool:
    """Whether the sample at *at* draws other rows each time."""
    return not any(token.value in ("repeatable", "seed") for token in tokens[at + 1 : at + 12])
