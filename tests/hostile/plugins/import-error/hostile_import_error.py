"""Its driver's module does not exist."""

from __future__ import annotations

import a_driver_that_is_not_installed

from flowforge import hookimpl


@hookimpl
def flowforge_engines():
    return [a_driver_that_is_not_installed.ENGINE]
