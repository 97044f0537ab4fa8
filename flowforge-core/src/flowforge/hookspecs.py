"""What a plugin may offer, and what it is told.

*Offers* are called once, right after the plugin was imported, in the main thread. They return frozen declarations,
open nothing and import no driver. *Notices* take one event, their result is ignored, and an exception becomes a
warning; they are delivered one after another on one thread of their own, so that a slow plugin does not slow a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from flowforge.contract import CheckSpec, DocRenderer, EngineSpec, Macro, SeedFormat, StreamSourceSpec
    from flowforge.events import CheckFinished, NodeFinished, NodeStarted, RunFinished, RunStarted, UnitTestFinished

NAMESPACE = "flowforge"

hookspec = pluggy.HookspecMarker(NAMESPACE)
hookimpl = pluggy.HookimplMarker(NAMESPACE)


@hookspec
def flowforge_engines() -> Sequence[EngineSpec]:  # type: ignore[empty-body]
    """Offer engines. Two plugins that offer one name or alias are both refused, and both named."""


@hookspec
def flowforge_checks() -> Sequence[CheckSpec]:  # type: ignore[empty-body]
    """Offer checks, which YAML then names under ``type:``. A name that is taken is refused."""


@hookspec
def flowforge_seed_formats() -> Sequence[SeedFormat]:  # type: ignore[empty-body]
    """Offer readers for further file types in ``seeds/``. A suffix that is taken is refused.

    The fields of a format's ``options`` become settings of its seeds.
    """


@hookspec
def flowforge_doc_renderers() -> Sequence[DocRenderer]:  # type: ignore[empty-body]
    """Offer ways to write the project's catalogue to files. A name that is taken is refused.

    Nothing in this version calls them: the contract is open for authors, and documentation will use it.
    """


@hookspec
def flowforge_stream_sources() -> Sequence[StreamSourceSpec]:  # type: ignore[empty-body]
    """Offer kinds of streams. A name that is taken is refused.

    Nothing in this version reads them: the contract is open for authors, and the stream runner will use it.
    """


@hookspec
def flowforge_macros() -> Sequence[Macro]:  # type: ignore[empty-body]
    """Offer functions that templates may call. They run inside the sandbox's limits."""


@hookspec
def flowforge_run_started(event: RunStarted) -> None:
    """A run begins: the plan is made, nothing was executed yet."""


@hookspec
def flowforge_node_started(event: NodeStarted) -> None:
    """A worker begins a node."""


@hookspec
def flowforge_node_finished(event: NodeFinished) -> None:
    """A node ended, well or not; nodes that were never started are reported as skipped."""


@hookspec
def flowforge_check_finished(event: CheckFinished) -> None:
    """A check ended."""


@hookspec
def flowforge_unit_test_finished(event: UnitTestFinished) -> None:
    """A unit test of a model ended, as a part of a build."""


@hookspec
def flowforge_run_finished(event: RunFinished) -> None:
    """A run ended, well or not; the last notice of a run."""


OFFERS = (
    "flowforge_engines",
    "flowforge_checks",
    "flowforge_seed_formats",
    "flowforge_doc_renderers",
    "flowforge_stream_sources",
    "flowforge_macros",
)
NOTICES = (
    "flowforge_run_started",
    "flowforge_node_started",
    "flowforge_node_finished",
    "flowforge_check_finished",
    "flowforge_unit_test_finished",
    "flowforge_run_finished",
)
