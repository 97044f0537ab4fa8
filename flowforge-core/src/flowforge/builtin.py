"""The core's own plugin: what it brings comes in by the same door as everybody else's.

The rooms are imported inside the hooks, so that loading plugins pays only for what is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flowforge.hookspecs import hookimpl

if TYPE_CHECKING:
    from flowforge.contract import CheckSpec, SeedFormat


@hookimpl
def flowforge_checks() -> Sequence[CheckSpec]:
    """The checks that every project can use."""
    from flowforge.checks.builtin import CHECKS

    return CHECKS


@hookimpl
def flowforge_seed_formats() -> Sequence[SeedFormat]:
    """The file types that ``seeds/`` can always hold."""
    from flowforge.seeds.formats import FORMATS

    return FORMATS
