"""Differences between two states of a project, as text and as Markdown for a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from flowforge.errors import shown

if TYPE_CHECKING:
    from flowforge.api.changes import Change, Changes
    from flowforge.project.contract_changes import ContractChange

_MOST = 30  # nodes of a kind in a comment; hosts cut or refuse long ones


def as_text(
    changes: Changes, against: str, lines: bool = True, contracts: Sequence[ContractChange] = ()
) -> Iterator[str]:
    """The differences for a terminal.

    Parameters
    ----------
    lines:
        Show the lines that changed, too.
    contracts:
        What became of the promises of contracts.
    """
    for name in changes.added:
        yield f"added     {_short(name)}"
    for name in changes.removed:
        yield f"removed   {_short(name)}"
    for one in changes.modified:
        yield f"modified  {_short(one.name)}: {shown('; '.join(one.reasons))}"
        if lines:
            yield from (f"            {visible(str(line))}" for line in one.lines)
            if one.more:
                yield f"            and {one.more} more lines"
    for name in changes.affected:
        yield f"affected  {_short(name)}"
    width = max((len(one.level.value) for one in contracts), default=0)
    for promise in contracts:
        yield f"contract  {promise.level.value.ljust(width)}  {_promised(promise)}: {shown(promise.words)}"
    yield _totals(changes, against)
    if contracts:
        yield _levels(contracts)


def _promised(change: ContractChange) -> str:
    """The table, or the column, that a promise is about."""
    return shown(f"{change.table.removesuffix('.ff')}{f'.{change.column}' if change.column is not None else ''}")


def _levels(contracts: Sequence[ContractChange]) -> str:
    counts = Counter(one.level.value for one in contracts)
    return f"changes of contracts: {', '.join(f'{count} {level}' for level, count in counts.items())}"


def as_markdown(
    changes: Changes, against: str, lines: bool = True, contracts: Sequence[ContractChange] = ()
) -> Iterator[str]:
    """The differences for a comment on a pull request; the arguments are those of :func:`as_text`."""
    yield f"### Changes since `{_code(against)}`"
    yield ""
    if contracts:
        yield f"**{_levels(contracts)}**"
        yield ""
        yield "| contract | column | what |"
        yield "| --- | --- | --- |"
        for promise in contracts[:_MOST]:
            yield f"| {promise.level.value} | `{_code(_promised(promise))}` | {_cell(promise.words)} |"
        if len(contracts) > _MOST:
            yield f"| | | and {len(contracts) - _MOST} more |"
        yield ""
    if not (changes.added or changes.removed or changes.modified):
        yield "No model or seed is different."
        return
    yield "| | node | what |"
    yield "| --- | --- | --- |"
    for name in changes.added:
        yield f"| added | `{_code(_short(name))}` | |"
    for name in changes.removed:
        yield f"| removed | `{_code(_short(name))}` | |"
    for one in changes.modified:
        yield f"| modified | `{_code(_short(one.name))}` | {_cell('; '.join(one.reasons))} |"
    for name in changes.affected[:_MOST]:
        yield f"| affected | `{_code(_short(name))}` | |"
    if len(changes.affected) > _MOST:
        yield f"| affected | and {len(changes.affected) - _MOST} more | |"
    if lines:
        for one in changes.modified[:_MOST]:
            yield from _details(one)
        if len(changes.modified) > _MOST:
            yield ""
            yield f"The lines of {len(changes.modified) - _MOST} more nodes are left out; `flowforge diff` shows them."


def _details(one: Change) -> Iterator[str]:
    if not one.lines:
        return
    longest = max((len(run) for line in one.lines for run in _ticks(line.text)), default=0)
    fence = "`" * max(3, longest + 1)
    yield ""
    yield f"<details><summary><code>{_html(_short(one.name))}</code></summary>"
    yield ""
    yield f"{fence}diff"
    place: tuple[str, int] | None = None
    for line in one.lines:
        if place is None or place[0] != line.path or abs(line.number - place[1]) > 1:
            yield shown(f"@@ {line.path or 'compiled SQL'}:{line.number} @@")
        place = (line.path, line.number)
        yield visible(f"{line.sign}{line.text}")
    if one.more:
        yield f"# and {one.more} more lines"
    yield fence
    yield ""
    yield "</details>"


def _ticks(text: str) -> Iterator[str]:
    run = ""
    for char in text + " ":
        if char == "`":
            run += char
        elif run:
            yield run
            run = ""


def _totals(changes: Changes, against: str) -> str:
    counts = {
        "added": len(changes.added),
        "removed": len(changes.removed),
        "modified": len(changes.modified),
        "affected": len(changes.affected),
    }
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return shown(f"compared with {against}: {told or 'no difference'}")


def visible(line: str) -> str:
    """A line of a file, without what could steer a terminal; a tab is four spaces."""
    return shown(line.replace("\t", "    "))


def _short(name: str) -> str:
    return shown(name.removesuffix(".ff"))


def _code(text: str) -> str:
    """Text inside of one backtick and of a cell."""
    return shown(text).replace("`", "'").replace("|", "\\|")


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cell(text: str) -> str:
    return _html(shown(text)).replace("|", "\\|")
