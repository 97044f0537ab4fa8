"""The conformance suite for engines, see docs/plugins/testing-your-engine.md, and smaller ones for other plugins.

Authors of engines run it as it is::

    pytest -p flowforge.testkit.plugin --ff-engine=acme --pyargs flowforge.testkit.suite

Tests of their own may use the same fixture ``lab`` and the same mark :func:`requires`. Authors of renderers and of stream
sources call :func:`check_renderer` and :func:`check_stream_source` in a test.
"""

from __future__ import annotations

from flowforge.testkit.lab import Lab
from flowforge.testkit.marks import requires
from flowforge.testkit.renderers import check_renderer, sample_catalogue
from flowforge.testkit.streams import check_stream_source

__all__ = ["Lab", "check_renderer", "check_stream_source", "requires", "sample_catalogue"]
