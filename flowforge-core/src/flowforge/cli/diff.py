"""``flowforge diff``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from flowforge.cli.changes import as_markdown, as_text
from flowforge.cli.context import Context, with_context
from flowforge.cli.options import project_argument, vars_option
from flowforge.cli.steering import without_contradiction
from flowforge.errors import CHECKS_FAILED, OK, StateError


@click.command(
    "diff",
    help="Show which models and seeds differ from a git revision or from a manifest, and what is built from them. "
    "Needs no connection. Files that are not committed count as they are.",
)
@project_argument
@click.option(
    "--since",
    metavar="REF",
    envvar=["FLOWFORGE_SINCE"],
    show_envvar=True,
    help="Compare with this git revision (default: HEAD).",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    metavar="PATH",
    envvar=["FLOWFORGE_STATE"],
    show_envvar=True,
    help="Compare with a file of `compile --manifest` instead, or with manifest.json in a folder.",
)
@click.option("-s", "--select", multiple=True, metavar="SELECTOR", help="Show only these; same grammar as everywhere.")
@click.option("--exclude", multiple=True, metavar="SELECTOR", help="Leave these out.")
@vars_option
@click.option(
    "--fail-on-breaking",
    is_flag=True,
    help="Exit with code 2 when a contract promises less than before, so that its readers may break.",
)
@click.option("--format", "shape", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True)
@with_context
def command(
    context: Context,
    project: Path | None,
    since: str | None,
    state: Path | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    vars: tuple[str, ...],
    fail_on_breaking: bool,
    shape: str,
) -> int:
    """Print the differences; exit code 0 whether there are any or not, unless breaking ones should fail."""
    from flowforge.api.changes import as_data, only
    from flowforge.project.contract_changes import Level

    against_what = without_contradiction({"since": since, "state": state}, "since", "state")
    since, state = against_what["since"], against_what["state"]
    with context.project(project, vars, state) as loaded:
        context.mask(loaded)
        names = [node.name for node in loaded.select(select, exclude)] if select or exclude else None
        compared = loaded.compare(since="HEAD" if since is None else since, state=state)
        changes = compared.changes
        if names is not None:
            changes = only(changes, names)
        if fail_on_breaking and compared.before.contracts is None:
            raise StateError(
                f"{str(state)!r} was written by a version that kept no contracts, so nobody knows what they promised",
                code="FF2341",
                help="write it anew: `flowforge compile --manifest FILE`",
            )
        contracts = compared.contract_changes(names)
    against = str(state) if state is not None else since or "HEAD"
    if shape == "json":
        data = {
            **as_data(changes, compared.after.nodes, compared.before.nodes),
            "contracts": [
                {
                    "table": one.table,
                    "column": one.column,
                    "key": one.key,
                    "level": one.level.value,
                    "before": one.before,
                    "after": one.after,
                }
                for one in contracts
            ],
        }
        context.output.answer(json.dumps({"version": 1, "against": against, **data}, ensure_ascii=False))
    else:
        write = as_markdown if shape == "markdown" else as_text
        for line in write(changes, against, context.output.verbosity >= 0, contracts):
            context.output.answer(line)
    broken = any(one.level is Level.BREAKING for one in contracts)
    return CHECKS_FAILED if fail_on_breaking and broken else OK
