"""A context that records what templates ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from flowforge.errors import ProjectError
from flowforge.rendering.render import RenderContext, Rendered, render
from flowforge.rendering.secret import mark


@attrs.frozen
class This:
    name: str = "m"
    schema: str | None = "main"
    database: str | None = None
    relation: str = '"main"."m"'
    materialized: str = "table"

    def __str__(self) -> str:
        return self.relation


@attrs.define
class Recorder:
    """Renders templates, and keeps the names that they used."""

    refs: list[str] = attrs.field(factory=list)
    sources: list[tuple[str, str]] = attrs.field(factory=list)
    vars: dict[str, Any] = attrs.field(factory=dict)
    environ: dict[str, str] = attrs.field(factory=dict)
    extra: dict[str, Any] = attrs.field(factory=dict)

    def _ref(self, name: str) -> str:
        self.refs.append(name)
        return f'"{name}"'

    def _source(self, group: str, table: str) -> str:
        self.sources.append((group, table))
        return f'"{group}"."{table}"'

    def _var(self, name: str, default: Any = None) -> Any:
        if name not in self.vars and default is None:
            raise ProjectError(f"the variable {name!r} has no value", help="set it")
        return self.vars.get(name, default)

    def _env(self, name: str, default: str = "") -> str:
        return mark(name) if name.startswith("FF_SECRET_") else self.environ.get(name, default)

    def context(self) -> RenderContext:
        return RenderContext(
            ref=self._ref,
            source=self._source,
            var=self._var,
            env=self._env,
            engine=lambda default=None: "acme",
            this=This(),
            is_incremental=lambda: False,
            extra=self.extra,
        )

    def render(self, template: str, *, simple: bool = False) -> Rendered:
        return render(template, self.context(), path="models/m.ff.sql", model="m", simple=simple)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="session")
def new_recorder() -> Callable[[], Recorder]:
    """For property tests, which need a fresh one for each example."""
    return Recorder
