"""From the options of a command line to the options of a run, and what contradicts what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click
from click.core import ParameterSource

from flowforge.errors import UsageError

if TYPE_CHECKING:
    from flowforge.run.runner import RunOptions

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
    from flowforge.run.runner import RunOptions
    from flowforge.run.scheduler import FailPolicy
    from flowforge.state.policy import CacheMode

    options = attrs.evolve(base or RunOptions(), handle_signals=True)
    if given["keep_going"] and given["fail_fast"]:
        raise UsageError("--keep-going and --fail-fast contradict each other", help="give one of them")
    if _was_given("jobs"):
        options = attrs.evolve(options, jobs=parse_jobs(given["jobs"]))
    if given["keep_going"] or given["fail_fast"]:
        policy = FailPolicy.KEEP_GOING if given["keep_going"] else FailPolicy.FAIL_FAST
        options = attrs.evolve(options, policy=policy)
    if _was_given("timeout"):
        options = attrs.evolve(options, timeout=given["timeout"])
    if base is None or _was_given("lock_timeout"):
        options = attrs.evolve(options, lock_timeout=given["lock_timeout"])
    if base is None or _was_given("cache") or given["no_cache"]:
        options = attrs.evolve(options, cache=CacheMode(_cache(given["cache"], given["no_cache"])))
    return attrs.evolve(
        options,
        full_refresh=given["full_refresh"] or options.full_refresh,
        assume_unchanged=given["assume_unchanged"] or options.assume_unchanged,
    )


def _cache(mode: str, no_cache: bool) -> str:
    if not no_cache or mode == "off" or not _was_given("cache"):
        return "off" if no_cache else mode
    if _is_typed("cache") and not _is_typed("no_cache"):
        return mode  # what is typed outweighs a variable
    if _is_typed("no_cache") and not _is_typed("cache"):
        return "off"
    raise UsageError(f"--no-cache and --cache {mode} contradict each other", help="--no-cache is short for --cache off")


def selection_of(
    select: Sequence[str], exclude: Sequence[str], rebuild: Sequence[str], rebuild_only: Sequence[str]
) -> tuple[Sequence[str], tuple[str, ...]]:
    """What to select, and the selectors of what to build in any case.

    Raises
    ------
    UsageError
        When ``--rebuild-only`` meets another option that selects.
    """
    rebuild = [EVERYTHING if text.lower() in _ON else text for text in rebuild if text.lower() not in _OFF]
    if not rebuild_only:
        return select, tuple(rebuild)
    for name, values in (("--select", select), ("--exclude", exclude), ("--rebuild", rebuild)):
        if values:
            raise UsageError(
                f"--rebuild-only and {name} contradict each other",
                help="--rebuild-only selects exactly what it names; --select with --rebuild can say more",
            )
    return tuple(rebuild_only), tuple(rebuild_only)


def project_or_selector(project: Path | None, rebuild: Sequence[str]) -> tuple[Path | None, Sequence[str]]:
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
