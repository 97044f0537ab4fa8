"""The page that shows what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from processes import Cost


class Row(NamedTuple):
    """One comparison. *target* is a ratio of CPU seconds; ``None``: there is none."""

    what: str
    against: str
    ours: Cost
    theirs: Cost
    target: float | None

    @property
    def ratio(self) -> float:
        return self.ours.cpu / self.theirs.cpu


class Size(NamedTuple):
    """What a project of one shape and size costs."""

    shape: str
    models: int
    load: Cost
    read: Cost
    plan: Cost | None
    run: Cost | None
    bare: Cost | None
    warm: Cost | None = None


MOST_MEMORY = 250  # megabytes, for a load of 10,000 models

HEAD = """# Performance

What FlowForge costs beside the least that anybody could do: reading the same files, or sending the same statements to
the bare driver. Each figure is the median of {times} whole processes, which take turns with those that they are compared with.
CPU seconds count both cores, and tell more than the clock on a machine that does something else too.

This page is written by `nox -s bench`; it was made on {machine}. Ratios of different machines can be compared, seconds
cannot. {remark}

## Targets

| what | compared with | CPU s | of those | ratio | target | peak MB |
| --- | --- | ---: | ---: | ---: | ---: | ---: |
"""

WHY = {
    "`ls` of": "a third is YAML, which is parsed with the position of every value and checked, and as much the scan of"
    " templates; the rest is to start, to make the values, and to keep what was parsed for the next time",
    "`ls`, ": "about two fifths are to start and to import, the rest is to look at each file, to read what was kept, and to"
    " make the values that it says; after an edit, what was kept is written anew as a whole",
    "a chain": "no step of loading takes more than time in proportion, and further rounds gave 1.2 to 1.9; what else the"
    " machine does is not the same for both lengths",
    "full run": "about half of what is above the bare statements is spent in the driver, on statements that have to be sent"
    " for each model, and each of which costs a parse, a plan and a cold start: the note in `_ff_meta` in the transaction"
    " of the model, the beginning of that transaction, the columns of what was made, the hash of tables that others read;"
    " the rest is Python: loading, importing, rendering, looking for what makes a model volatile",
    "column checks": "about half of it is loading the project and importing what runs it; checks of one table share a scan",
    "second run": "what models were found to be made from is kept, so none is rendered; a third of what is above the"
    " comparison is importing what runs models, a third is DuckDB binding every view, to see whether its columns changed,"
    " and a third is to decide, to note and to report each model",
    "CSV seed": "for 1,000,000 rows more than half of it is starting: importing Arrow with numpy, the driver, and"
    " what runs models; the rest is to prove every value right, so that a bad one is found with its line before a row is"
    " handed out, and to stream the rows into the engine; where types are found, that takes two walks over the file",
}
"""Where the time goes in what misses its target, by a word of the comparison."""

GROWTH = """
## How the cost grows

CPU seconds of whole processes. *Load* is `flowforge ls`, *read* the bare reading of its files, *plan* is
`flowforge run --dry-run` on a database that holds nothing yet, *warm* a load when nothing has changed, *ours a model* what a full run takes above the bare
statements, in milliseconds for each model.

| shape | models | load | warm | read | load peak MB | plan | full run | bare statements | ours a model, ms |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
"""

REASONS = """
Reasons for what can be seen there:

- **Load** grows with the number of files, in proportion. Templates are not rendered to be loaded: a scanner finds their
  literal calls. YAML is parsed in C, once, with positions. What was parsed is kept in
  `.flowforge/parsed.jsonl`, so that later loads parse only what has changed.
- **Chains** of any length are walked without recursion, so 10,000 models one behind the other are no other case than
  10,000 beside each other.
- **Plan** adds the rendering of what is selected, and one look at the catalogue and at `_ff_meta`.
- **A full run** writes each model in a transaction of its own: stage, look at the rows, put in place, note. What that takes
  above the bare statement does not depend on how much stands in the database, apart from the scan of the notes: no
  statement of a run reads the whole catalogue once per model. What nothing has to give way to is made under its own
  name. Rows of tables that others read are hashed, so that equal ones stop what comes behind them; that is part of the
  figure.
- **Memory** grows by the texts and settings of the models; rows never pass through Python in SQL models.
"""


def text(rows: Sequence[Row], sizes: Sequence[Size], *, times: int, machine: str, remark: str) -> str:
    """The whole page."""
    page = HEAD.format(times=times, machine=machine, remark=remark)
    page += "".join(f"{target_line(row)}\n" for row in rows)
    page += misses(rows)
    for size in sizes:
        if size.models == 10_000:
            kept = "within" if size.load.peak <= MOST_MEMORY else "missed:"
            page += f"\nMemory for loading 10,000 models, {size.shape}: at most {MOST_MEMORY} MB, {kept} {size.load.peak:.0f} MB.\n"
    page += GROWTH + "".join(f"{size_line(size)}\n" for size in sizes)
    return page + REASONS


def misses(rows: Sequence[Row]) -> str:
    """Why targets are missed, where some are."""
    missed = [row.what for row in rows if row.target is not None and row.ratio > row.target]
    told = [f"- **{word.rstrip(', ')}**: {why}.\n" for word, why in WHY.items() if any(word in what for what in missed)]
    return "\nWhere the time goes in what misses its target:\n\n" + "".join(told) if told else ""


def target_line(row: Row) -> str:
    """One comparison as a line of the table."""
    target = "" if row.target is None else f"{row.target:g} {'✓' if row.ratio <= row.target else 'missed'}"
    figures = f"{row.ours.cpu:.2f} | {row.theirs.cpu:.2f} | {row.ratio:.2f} | {target} | {row.ours.peak:.0f}"
    return f"| {row.what} | {row.against} | {figures} |"


def size_line(size: Size) -> str:
    """One size as a line of the table."""

    def seconds(cost: Cost | None) -> str:
        return "" if cost is None else f"{cost.cpu:.2f}"

    each = ""
    if size.run is not None and size.bare is not None:
        each = f"{(size.run.cpu - size.bare.cpu) / size.models * 1000:.1f}"
    figures = [
        seconds(size.load),
        seconds(size.warm),
        seconds(size.read),
        f"{size.load.peak:.0f}",
        seconds(size.plan),
        seconds(size.run),
    ]
    return f"| {size.shape} | {size.models:,} | {' | '.join([*figures, seconds(size.bare), each])} |"
