"""The conformance suite for engines; see docs/plugins/testing-your-engine.md.

Authors of engines run it as it is::

    pytest -p flowforge.testkit.plugin --ff-engine=acme --pyargs flowforge.testkit.suite

Tests of their own may use the same fixture ``lab`` and the same mark :func:`requires`.
"""

from __future__ import annotations

from flowforge.testkit.lab import Lab
from flowforge.testkit.marks import requires

__all__ = ["Lab", "requires"]
