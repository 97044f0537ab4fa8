"""Settings of the test run that pytest's configuration file has no place for."""

from __future__ import annotations

import os

try:
    import hypothesis
except ImportError:  # the environments of the conformance suite have none
    hypothesis = None  # type: ignore[assignment]
else:
    # A busy machine makes deadlines fail at random, and a random failure teaches people to look away.
    hypothesis.settings.register_profile("flowforge", deadline=None)
    hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
    hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "flowforge")
