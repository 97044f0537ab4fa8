"""From the options of a command line to the options of a run, and what contradicts what."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click
from click.core import ParameterSource

from flowforge.errors import UsageError

if TYPE_CHECKING:
    from flowforge.run.options import RunOptions

EVERYTHING = "*"
_ON, _OFF = frozenset({"1", "true", "yes", "on"}), frozenset({"", "0", "false", "no", "off"})


def run_options_of(given: Mapping[str, Any], base: RunOptions | None = None) -> RunOptions:
    """The options of a run.

    Parameters
    ----------
    given:
        Values of the flags, by parameter name.
    base:
        What holds where neither the command line nor a variable says anything.

    Raises
    ------
    UsageError
        When two flags contradict each other.
    """
    from flowforge.run.options import RunOptions
    from flowforge.run.scheduler import FailPolicy
    from flowforge.state.policy import CacheMode

    options = attrs.evolve(base or RunOptions(), handle_signals=True)
    given = without_contradiction(given, "keep_going", "fail_fast")
    if _was_given("jobs"):
        options = attrs.evolve(options, jobs=parse_jobs(given["jobs"]))
    if given["keep_going"] or given["fail_fast"]:
        policy = FailPolicy.KEEP_GOING if given["keep_going"] else FailPolicy.FAIL_FAST
        options = attrs.evolve(options, policy=policy)
    if _was_given("timeout"):
        options = attrs.evolve(options, timeout=given["timeout"])
    if base is None or _was_given("lock_timeout"):
        options = attrs.evolve(options, lock_timeout=given["lock_timeout"])
    if not (given["no_cache"] and given["cache"] == "off"):
        given = without_contradiction(given, "no_cache", "cache", help="--no-cache is short for --cache off")
    if given["no_cache"]:
        options = attrs.evolve(options, cache=CacheMode.OFF)
    elif _was_given("cache"):
        options = attrs.evolve(options, cache=CacheMode(given["cache"]))
    return attrs.evolve(
        options,
        full_refresh=given["full_refresh"] or options.full_refresh,
        assume_unchanged=given["assume_unchanged"] or options.assume_unchanged,
    )


def named_time(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The time that ``--event-time-start`` and ``--event-time-end`` name, as options of a run.

    Raises
    ------
    UsageError
        When one of them is no time, when the end is not after the start, or when everything is to be built anyway.
    """
    from flowforge.project.windows import parse_moment

    found: dict[str, Any] = {}
    for name in ("event_time_start", "event_time_end"):
        text = given.get(name)
        if text is None:
            continue
        try:
            found[name] = parse_moment(text)
        except ValueError as error:
            raise UsageError(f"{_flag(name)}: {error}", code="FF6423", help="times are in UTC") from None
    if len(found) == 2 and found["event_time_end"] <= found["event_time_start"]:
        raise UsageError(
            "--event-time-end has to be after --event-time-start",
            code="FF6423",
            help="the start is part of the time, the end is not",
        )
    if found and given["full_refresh"]:
        raise UsageError(
            f"--full-refresh builds all windows, and {_flag(next(iter(found)))} names some",
            code="FF6425",
            help="give one of them",
        )
    return found


def without_contradiction(
    given: Mapping[str, Any], one: str, other: str, *, help: str = "give one of them"
) -> Mapping[str, Any]:
    """The values with at most one of two options that exclude each other; what is typed outweighs a variable.

    Raises
    ------
    UsageError
        When both are typed, or both come from variables.
    """
    if not (given[one] and given[other] and _was_given(one) and _was_given(other)):
        return given
    if _is_typed(one) == _is_typed(other):
        raise UsageError(f"{_flag(one)} and {_flag(other)} contradict each other", help=help)
    ignored = other if _is_typed(one) else one
    return {**given, ignored: type(given[ignored])() if isinstance(given[ignored], bool | tuple) else None}


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def selection_of(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """What to select, with ``--rebuild-only`` taken apart: ``select``, ``exclude``, ``changed_since``, ``rebuild``.

    Raises
    ------
    UsageError
        When ``--rebuild-only`` meets another option that selects.
    """
    texts = [EVERYTHING if text.lower() in _ON else text for text in given["rebuild"] if text.lower() not in _OFF]
    given = {**given, "rebuild": tuple(texts)}
    for name in ("select", "exclude", "rebuild", "changed_since"):
        given = without_contradiction(
            given, "rebuild_only", name, help="--rebuild-only selects exactly what it names, and builds it"
        )
    only = given["rebuild_only"]
    return {
        "select": only or given["select"],
        "exclude": given["exclude"],
        "changed_since": given["changed_since"],
        "rebuild": only or given["rebuild"],
    }


def project_or_selector(project: Path | None, rebuild: tuple[str, ...]) -> tuple[Path | None, tuple[str, ...]]:
    """Tell the project's folder from a selector in ``--rebuild .``, which click takes for the option's value."""
    if project is None and rebuild and _is_typed("rebuild") and (Path(rebuild[-1]) / "project.yml").is_file():
        return Path(rebuild[-1]), (*rebuild[:-1], EVERYTHING)
    return project, rebuild


def parse_jobs(text: str | None) -> int | None:
    """``--jobs``: a positive number, or ``auto``."""
    if text is None or text == "auto":
        return None
    if text.isdecimal() and len(text) <= 4 and 0 < int(text) <= 1024:
        return int(text)
    raise UsageError(f"--jobs wants a number from 1 to 1024, or auto, not {text!r}", help="for example --jobs 4")


def _was_given(name: str) -> bool:
    """Whether an option stands on the command line or in a variable."""
    source = click.get_current_context().get_parameter_source(name)
    return source in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)


def _is_typed(name: str) -> bool:
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE
