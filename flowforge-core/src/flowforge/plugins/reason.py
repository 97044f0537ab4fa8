"""One line that says why a plugin failed: the exception, its message, and the plugin's own line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_LONGEST = 300


def one_line(value: object) -> str:
    """*value* as text on one line, cut to a length that fits a report; never raises."""
    try:
        text = " ".join(str(value).split())
    except Exception as error:  # noqa: BLE001 - the text method of a plugin's own class
        text = f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def reason(error: BaseException, package: str) -> str:
    """What *error* was and where in *package* (a plugin's top-level package) it happened."""
    text = f"{type(error).__name__}: {one_line(error)}" if one_line(error) else type(error).__name__
    where = _place(error, package)
    return f"{text} ({where})" if where else text


def place_of(function: Callable[..., Any]) -> str:
    """File and line of a function's definition, or nothing when it has none."""
    code = getattr(function, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else ""


def _place(error: BaseException, package: str) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}" if error.lineno else error.filename
    where = ""
    trace = error.__traceback__
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", ""))
        # The loader's own frames would otherwise count as the place where a built-in failed.
        if name.partition(".")[0] == package and not name.startswith("flowforge.plugins."):
            where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return where
