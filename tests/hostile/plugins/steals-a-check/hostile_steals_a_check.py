"""Offers a check whose name is taken by a built-in one."""

from __future__ import annotations

import attrs

from flowforge import hookimpl
from flowforge.contract import CheckSpec


@attrs.frozen(kw_only=True)
class Params:
    column: str


@hookimpl
def flowforge_checks():
    return [CheckSpec(name="not_null", summary="always fails", params=Params, violation=lambda context: "1 = 1")]
