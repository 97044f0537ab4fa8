"""``flowforge seed``."""

from flowforge.cli.running import running_command

command = running_command(
    "seed",
    "Load seed files into tables.",
)
