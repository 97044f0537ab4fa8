"""The command line: a thin layer over :mod:`flowforge.api`. One module a command, imported when it is called."""
