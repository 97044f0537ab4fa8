"""Says whether what stands in a database is what may stand there: the old state or the new one, relation by relation."""

from __future__ import annotations

from collections.abc import Set

from flowforge_test_servers.board.arena import OUR_OWN, Look, Place, Row
from flowforge_test_servers.board.world import Expected, Version


def _is(look: Look, name: str, kind: str, expected: Expected) -> bool:
    """Does *expected* stand under *name*? A view is judged by what it shows of the tables that stand now."""
    if kind != expected.kind:
        return False
    columns, rows = _shown(look, name, expected)
    if columns != expected.columns:
        return False
    if expected.kind == "view" and expected.select is not None:
        return look.sorted_query(expected.select) == (columns, rows)
    return rows == expected.rows


def _is_patchwork(look: Look, name: str, kind: str, before: Expected | None, after: Expected | None) -> bool:
    """Is each part of a table that is published in parts old or new, with no row twice?"""
    if after is None or after.part is None or kind != after.kind:
        return False
    columns, rows = _shown(look, name, after)
    if columns != after.columns or len(set(rows)) != len(rows):
        return False
    found, new = after.parts(rows), after.parts(after.rows)
    old = after.parts(before.rows) if before is not None else {}
    nothing: frozenset[Row] = frozenset()
    return all(
        found.get(part, nothing) in (old.get(part, nothing), new.get(part, nothing)) for part in {*found, *old, *new}
    )


def _shown(look: Look, name: str, expected: Expected) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    return look.table(name) if expected.probe is None else look.sorted_query(expected.probe)


def noted_runs(look: Look) -> frozenset[str]:
    """The runs that ``_ff_meta`` speaks of."""
    return frozenset(str(row.get("run_id") or "") for row in look.meta())


def damage(
    look: Look, old: Version, new: Version, *, earlier: Set[str] = frozenset(), transactional: bool = True
) -> list[str]:
    """All that is wrong right after a kill, in sentences; empty when every relation is old or new.

    Parameters
    ----------
    earlier:
        :func:`noted_runs` before any run was killed.
    transactional:
        The engine forgets what was not committed, so not even a staging relation may be seen.
    """
    kinds = look.kinds()
    wrong = []
    if transactional and look.staged():
        wrong.append(f"half-written relations can be seen: {look.staged()}")
    state: dict[str, tuple[bool, bool]] = {}
    for name in sorted({*old.relations, *new.relations}):
        before, after = old.relations.get(name), new.relations.get(name)
        kind = kinds.get(name)
        if kind is None:
            state[name] = before is None, after is None
            if before is not None:
                wrong.append(f"{name} is missing")
            continue
        is_old = before is not None and _is(look, name, kind, before)
        is_new = after is not None and _is(look, name, kind, after)
        state[name] = is_old, is_new
        if not (is_old or is_new or _is_patchwork(look, name, kind, before, after)):
            sight = _shown(look, name, after or before or Expected(kind, (), ()))
            wrong.append(f"{name} is neither old nor new: a {kind} with {sight}")
    strangers = {name for name in kinds if not name.lower().startswith("ff__")} - {*state, *OUR_OWN}
    if strangers:
        wrong.append(f"nobody asked for {sorted(strangers)}")
    return wrong + _lies(look, state, earlier)


def _lies(look: Look, state: dict[str, tuple[bool, bool]], earlier: Set[str]) -> list[str]:
    """Rows of ``_ff_meta`` that say something else than the database.

    The newest row of a relation counts, and one without a fingerprint says nothing. What an earlier run noted has to
    be old still, and what a run that was killed noted has to be new.
    """
    newest: dict[str, dict[str, object]] = {}
    for row in sorted(look.meta(), key=lambda one: int(one.get("sequence") or 0)):
        newest[str(row["relation"])] = row
    wrong = []
    for name, row in newest.items():
        if name not in state:
            wrong.append(f"_ff_meta speaks of {name}, of which nobody knows")
        elif row.get("fingerprint"):
            is_old, is_new = state[name]
            if str(row.get("run_id") or "") in earlier:
                if not is_old:
                    wrong.append(f"_ff_meta says that {name} is old, but it is not")
            elif not is_new:
                wrong.append(f"_ff_meta says that {name} is new, but it is not")
    return wrong


def differences(look: Look, expected: Version, *, older_notes: bool = False) -> list[str]:
    """All in which the database differs from *expected*, leftovers included; empty when it is exactly that.

    Parameters
    ----------
    older_notes:
        Who dies between a note and the removal of the older ones leaves those until the relation is built again, on
        an engine without transactions. The newest one counts.
    """
    kinds = look.kinds()
    wrong = []
    for name, one in sorted(expected.relations.items()):
        kind = kinds.get(name)
        if kind is None:
            wrong.append(f"{name} is missing")
        elif kind != one.kind:
            wrong.append(f"{name} is a {kind}")
        elif _shown(look, name, one) != (one.columns, one.rows):
            wrong.append(f"{name} holds {_shown(look, name, one)} instead of {one.columns, one.rows}")
    strangers = sorted(set(kinds) - set(expected.relations) - set(OUR_OWN))
    if strangers:
        wrong.append(f"left over: {strangers}")
    noted = [str(row["relation"]) for row in look.meta()]
    if not older_notes and len(noted) != len(set(noted)):
        wrong.append(f"_ff_meta grows: {sorted(noted)}")
    return wrong


def assert_sound(place: Place, expected: Version, *, killed: bool = False) -> None:
    """The database is exactly *expected*; *killed*: a run was, since it was built from nothing."""
    with place.look() as look:
        wrong = differences(look, expected, older_notes=killed and not place.arena.transactional)
    assert not wrong, "\n".join(wrong)
