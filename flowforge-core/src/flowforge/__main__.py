"""``python -m flowforge``."""

from flowforge.cli.main import main

main()
