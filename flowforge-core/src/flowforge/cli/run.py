"""``flowforge run``."""

from flowforge.cli.running import running_command

command = running_command(
    "run",
    "Build models, parents first. Seeds are not loaded: use build for everything.",
)
