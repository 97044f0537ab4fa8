"""The mark that ties a test to capabilities."""

from __future__ import annotations

import pytest

from flowforge.contract import Capability

MARK = "ff_requires"
HELP = f"{MARK}(*capabilities, telling): what an engine must claim for the test to be expected to pass"


def requires(*capabilities: Capability, telling: bool = True) -> pytest.MarkDecorator:
    """What an engine must claim for the test to be expected to pass.

    On an engine that does not claim one of them the test is expected to *fail*, and it is a failure when it passes:
    the engine claims too little. So the test has to need what it names.

    Parameters
    ----------
    telling:
        False when the test may pass by luck without the capability; it is then skipped instead.
    """
    return pytest.mark.ff_requires(*capabilities, telling=telling)
