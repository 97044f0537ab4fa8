"""An engine whose driver is not installed: said with the way out, and not as a defect."""

from __future__ import annotations

import pytest

from flowforge.api.connected import _driver_of
from flowforge.contract import EngineSpec
from flowforge.errors import EngineError


class Nothing:
    """Settings of nothing."""


def load() -> object:
    import no_such_driver_of_mine  # type: ignore[import-not-found]

    return no_such_driver_of_mine


@pytest.mark.parametrize(("name", "help_"), [("duckdb", "flowforge-duckdb"), ("others", "install it")])
def test_the_package_is_named(name: str, help_: str) -> None:
    spec = EngineSpec(name=name, summary="x", settings=Nothing, load=load, capabilities={})  # type: ignore[arg-type]
    with pytest.raises(EngineError, match="no_such_driver_of_mine") as caught:
        _driver_of(spec)
    assert caught.value.code == "FF2130"
    assert help_ in (caught.value.help or "")
