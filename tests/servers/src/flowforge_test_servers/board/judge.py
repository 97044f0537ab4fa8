"""Says whether what stands in a database is what may stand there: the old state or the new one, relation by relation."""

from __future__ import annotations

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


def _shown(look: Look, name: str, expected: Expected) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    return look.table(name) if expected.probe is None else look.sorted_query(expected.probe)


def damage(look: Look, old: Version, new: Version, *, transactional: bool = True) -> list[str]:
    """All that is wrong right after a kill, in sentences; empty when every relation is old or new.

    Parameters
    ----------
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
        if not (is_old or is_new):
            sight = _shown(look, name, after or before or Expected(kind, (), ()))
            wrong.append(f"{name} is neither old nor new: a {kind} with {sight}")
    strangers = {name for name in kinds if not name.lower().startswith("ff__")} - {*state, *OUR_OWN}
    if strangers:
        wrong.append(f"nobody asked for {sorted(strangers)}")
    return wrong + _lies(look, state)


def _lies(look: Look, state: dict[str, tuple[bool, bool]]) -> list[str]:
    """Rows of ``_ff_meta`` that say something else than the database.

    The newest row of a relation counts. What the run that was killed noted as complete has to be new, and what an
    earlier run noted has to be old still.
    """
    newest: dict[str, dict[str, object]] = {}
    for row in sorted(look.meta(), key=lambda one: int(one.get("sequence") or 0)):
        newest[str(row["relation"])] = row
    runs = sorted({str(row.get("run_id") or "") for row in newest.values()})
    wrong = []
    for name, row in newest.items():
        if name not in state or not row.get("fingerprint"):
            continue
        is_old, is_new = state[name]
        late = len(runs) > 1 and str(row.get("run_id") or "") != runs[0]  # ids of runs begin with the time
        if late and not is_new:
            wrong.append(f"_ff_meta says that {name} is new, but it is old")
        if not late and len(runs) > 1 and not is_old:
            wrong.append(f"_ff_meta says that {name} is old, but it is new")
    return wrong


def differences(look: Look, expected: Version) -> list[str]:
    """All in which the database differs from *expected*, leftovers included; empty when it is exactly that."""
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
    if len(noted) != len(set(noted)):
        wrong.append(f"_ff_meta grows: {sorted(noted)}")
    return wrong


def assert_sound(place: Place, expected: Version) -> None:
    """The database is exactly *expected*."""
    with place.look() as look:
        wrong = differences(look, expected)
    assert not wrong, "\n".join(wrong)
