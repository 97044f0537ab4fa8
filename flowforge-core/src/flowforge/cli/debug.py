"""``flowforge debug``."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from flowforge import __version__
from flowforge.cli.console import duration
from flowforge.cli.context import Context, with_context
from flowforge.cli.options import project_argument
from flowforge.errors import FAILED, OK, FlowForgeError

if TYPE_CHECKING:
    from flowforge.api import Project
    from flowforge.config.profiles import Profile


@click.command("debug", help="Say what is installed, what the profile means, and whether the engine answers.")
@project_argument
@with_context
def command(context: Context, project: Path | None) -> int:
    """Print facts; exit code 1 when the project or the connection has a problem."""
    say = context.output.answer
    say(f"flowforge {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    say(f"interpreter  {sys.executable}")
    try:
        root = context.root(project)
        say(f"project      {root}")
        with context.project(project) as loaded:
            _plugins(context, loaded)
            context.connect(loaded)
            for line in _profile(loaded.profile):
                say(line)
            _connection(context, loaded)
    except FlowForgeError as error:
        context.output.error(error)
        return FAILED
    return OK


def _plugins(context: Context, project: Project) -> None:
    for info in project.plugins.infos:
        context.output.answer(f"plugin       {info.label} {info.status}: {info.reason or ', '.join(info.offers)}")


def _profile(profile: Profile) -> Iterator[str]:
    yield f"profile      {profile.name}, engine {profile.engine.name}"
    for field in attrs.fields(type(profile.settings)):
        value = getattr(profile.settings, field.name)
        shown = "***" if field.metadata.get("secret") and value else value
        variable = field.metadata.get("env")
        yield f"  {field.name:<11} {shown}{f'  ({variable})' if variable else ''}"


def _connection(context: Context, project: Project) -> None:
    start = time.perf_counter()
    with project.session("flowforge/debug") as session:
        session.query("SELECT 1 AS one").read_all()
    context.output.answer(
        f"connection   {context.output.style('ok', 'good')} in {duration(time.perf_counter() - start)}"
    )
