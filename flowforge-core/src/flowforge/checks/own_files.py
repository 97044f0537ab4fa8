"""Finds the checks that a project brings itself: every ``*.ff.sql`` and ``*.ff.py`` below ``tests/``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from flowforge.checks.builtin import CHECKS
from flowforge.errors import CheckConfigError, FlowForgeError, Note, Problems
from flowforge.project.asked import Answers
from flowforge.project.files import read_text, walk_files
from flowforge.project.macros import MacroLibrary
from flowforge.project.own_checks import OwnCheck, OwnChecks
from flowforge.values import Location

FOLDER = "tests"
_UNIT = f"{FOLDER}/unit/"
_BUILT_IN = frozenset(spec.name for spec in CHECKS)


def find_own_checks(
    root: Path, problems: Problems, library: MacroLibrary, answers: Answers, offered: Callable[[], Collection[str]]
) -> OwnChecks:
    """Read all files; what is wrong goes to *problems*.

    Parameters
    ----------
    offered:
        The names of the checks that are installed; called only when the project has checks of its own.
    """
    if not (root / FOLDER).is_dir():
        return OwnChecks()
    typed: dict[str, list[OwnCheck]] = {}
    tests: dict[str, OwnCheck] = {}
    notes = []
    for path in sorted(walk_files(str(root), FOLDER, problems)):
        if path.endswith((".ff.sql", ".ff.py")):
            for check in _read(root, path, problems, library, answers):
                if check.tuning is None:
                    typed.setdefault(check.name, []).append(check)
                elif check.name in tests:
                    problems.add(_twice(check, tests[check.name], "give one of them a name: {{ config(name='...') }}"))
                else:
                    tests[check.name] = check
        elif path.endswith(".sql") and not path.startswith(_UNIT):
            stem = path.rsplit("/", 1)[-1].removesuffix(".sql")
            notes.append(
                Note("this file is no check", "FF3045", Location(path), f"rename it to {stem}.ff.sql to make it one")
            )
    types = {}
    for name, same in typed.items():
        chosen = _chosen(same, problems)
        if chosen is not None:
            types[name] = chosen
    taken = (_BUILT_IN | set(offered())) if types else frozenset()
    for name, check in types.items():
        if name in taken and not check.overwrite:
            whose = "built in" if name in _BUILT_IN else "of an installed plugin"
            problems.add(
                CheckConfigError(
                    f"there is a check {name!r} already, which is {whose}",
                    code="FF3041",
                    location=check.location,
                    help="give it another name, or say overwrite=True to use it in the place of that one",
                )
            )
    return OwnChecks(types, tuple(tests.values()), tuple(notes))


def _read(root: Path, path: str, problems: Problems, library: MacroLibrary, answers: Answers) -> Iterator[OwnCheck]:
    try:
        text = read_text(root, path)
    except FlowForgeError as error:
        problems.add(error)
        return
    if path.endswith(".py"):
        from flowforge.checks.own_python import read_python_checks

        yield from read_python_checks(text, path, problems)
        return
    from flowforge.checks.own_sql import read_sql_check

    check = read_sql_check(text, path, problems, library, answers)
    if check is not None:
        yield check


def _chosen(same: list[OwnCheck], problems: Problems) -> OwnCheck | None:
    """The one of several checks with one name that may take the place of the others."""
    if len(same) == 1:
        return same[0]
    winners = [check for check in same if check.overwrite]
    if len(winners) == 1:
        return winners[0]
    for check in same[1:]:
        problems.add(_twice(check, same[0], "rename one of them, or let exactly one of them say overwrite=True"))
    return None


def _twice(check: OwnCheck, other: OwnCheck, help: str) -> CheckConfigError:
    return CheckConfigError(
        f"there are two checks called {check.name!r}",
        code="FF3041",
        location=check.location,
        help=help,
        notes=[f"the other one is at {other.location}"],
    )
