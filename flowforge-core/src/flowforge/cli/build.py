"""``flowforge build``."""

from flowforge.cli.running import running_command

command = running_command(
    "build",
    "Load seeds, build models and check them, in the order of the DAG. Rows that fail a check of severity error are not published.",
)
