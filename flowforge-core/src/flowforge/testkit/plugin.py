"""The pytest plugin of the conformance suite: options, the judgement by capabilities, the fixture, the report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from flowforge.contract import Capability, EngineSpec, Executor
from flowforge.testkit import engine, gaps, marks
from flowforge.testkit.lab import Lab

SUITE = Path(__file__).parent / "suite"


@attrs.define
class Campaign:
    """What one pytest process tests. *shared* is the executor of engines that need no fresh one for each test."""

    spec: EngineSpec
    settings: dict[str, str]
    gaps: tuple[gaps.Gap, ...]
    shared: Executor | None = None
    report: dict[str, dict[str, Any]] = attrs.field(factory=dict)

    def open(self, tmp: Path) -> tuple[Executor, bool]:
        """An executor, and whether the caller has to close it."""
        fresh = any(engine.TMP in text for text in self.settings.values())
        if not fresh and self.shared is not None:
            return self.shared, False
        executor = self.spec.load()(engine.make_settings(self.spec, self.settings, str(tmp)))
        if not fresh:
            self.shared = executor
        return executor, fresh


_CAMPAIGN = pytest.StashKey[Campaign]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the suite."""
    group = parser.getgroup("flowforge", "conformance of a FlowForge engine")
    group.addoption("--ff-engine", metavar="NAME", help="the engine to test, by name or as package.module:SPEC")
    group.addoption(
        "--ff-settings",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="a setting of the engine; {tmp} stands for a fresh folder (repeatable)",
    )
    group.addoption("--ff-known-gaps", metavar="FILE", type=Path, help="TOML: capability or file::test = reason")
    group.addoption("--ff-report", metavar="FILE", type=Path, help="write the outcome of each case as JSON")


def pytest_configure(config: pytest.Config) -> None:
    """Find the engine before anything is collected."""
    config.addinivalue_line("markers", marks.HELP)
    name = config.getoption("--ff-engine")
    if name:
        spec = engine.find_engine(name)
        texts = {**spec.testkit_settings, **engine.parse_settings(config.getoption("--ff-settings"))}
        engine.make_settings(spec, texts, engine.TMP)  # a mistake in them must not pass for an expected failure
        file = config.getoption("--ff-known-gaps")
        config.stash[_CAMPAIGN] = Campaign(spec, texts, gaps.read_gaps(file) if file else ())


def pytest_report_header(config: pytest.Config) -> str | None:
    """Name the engine."""
    campaign = config.stash.get(_CAMPAIGN, None)
    return f"flowforge engine: {campaign.spec.name} ({campaign.spec.summary})" if campaign else None


def case_name(item: pytest.Item) -> str:
    """What gaps and reports call a test: ``test_merge.py::test_updates``, wherever the suite is installed."""
    return f"{item.path.name}::{item.nodeid.partition('::')[2]}"


def needed(item: pytest.Item) -> tuple[list[Capability], bool]:
    """The capabilities that a test requires, and whether passing without them would tell something."""
    found = list(item.iter_markers(marks.MARK))
    return [one for mark in found for one in mark.args], all(mark.kwargs.get("telling", True) for mark in found)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Decide for each test what is expected of this engine."""
    campaign = config.stash.get(_CAMPAIGN, None)
    concerned = [item for item in items if SUITE in item.path.parents or item.get_closest_marker(marks.MARK)]
    if campaign is None:
        if concerned:
            raise pytest.UsageError("--ff-engine=NAME is missing")
        return
    unused = set(campaign.gaps)
    for item in concerned:
        capabilities, telling = needed(item)
        gap = next((gap for gap in campaign.gaps if gap.covers(case_name(item), capabilities)), None)
        if gap is not None:
            unused -= {one for one in campaign.gaps if one.covers(case_name(item), capabilities)}
            item.add_marker(pytest.mark.xfail(reason=f"known gap: {gap.reason}", strict=True, run=gap.run))
            continue
        for capability in capabilities:
            support = campaign.spec.support(capability)
            if not support:
                reason = f"{capability.value} {support.level.value}: {support.reason}"
                item.add_marker(
                    pytest.mark.xfail(reason=reason, strict=True) if telling else pytest.mark.skip(reason=reason)
                )
                break
    complete = {item.path.name for item in concerned} >= {path.name for path in SUITE.glob("test_*.py")}
    if unused and complete and not any("::" in argument for argument in config.args):
        raise pytest.UsageError("known gaps that are no case: " + ", ".join(sorted(gap.key for gap in unused)))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Say in plain words what an unexpected success means; keep the outcome for the report."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    campaign = item.config.stash.get(_CAMPAIGN, None)
    if campaign is None or (SUITE not in item.path.parents and not item.get_closest_marker(marks.MARK)):
        return report  # type: ignore[return-value]
    if report.failed and isinstance(report.longrepr, str) and report.longrepr.startswith("[XPASS(strict)] "):
        said = report.longrepr.removeprefix("[XPASS(strict)] ")
        report.longrepr = f"{campaign.spec.name} claims too little: this passes, although it says {said!r}"
    _note(campaign, item, report)
    return report  # type: ignore[return-value]


def _note(campaign: Campaign, item: pytest.Item, report: pytest.TestReport) -> None:
    entry = campaign.report.setdefault(
        case_name(item), {"outcome": "passed", "capabilities": [one.value for one in needed(item)[0]]}
    )
    if report.failed:
        entry["outcome"] = "failed"
        entry["reason"] = report.longreprtext.strip().splitlines()[-1] if report.longreprtext.strip() else ""
    elif report.skipped:
        entry["outcome"] = "expected failure" if hasattr(report, "wasxfail") else "skipped"
        reason = getattr(report, "wasxfail", None)
        entry["reason"] = str(report.longrepr[2] if reason is None and isinstance(report.longrepr, tuple) else reason)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report."""
    campaign = session.config.stash.get(_CAMPAIGN, None)
    if campaign is None:
        return
    if campaign.shared is not None:
        campaign.shared.close()
    file = session.config.getoption("--ff-report")
    if file is not None:
        capabilities = {one.value: campaign.spec.support(one) for one in Capability}
        document = {
            "engine": campaign.spec.name,
            "capabilities": {
                name: {"level": support.level.value, "reason": support.reason} for name, support in capabilities.items()
            },
            "cases": dict(sorted(campaign.report.items())),
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")


@pytest.fixture(name="ff_spec")
def spec_fixture(request: pytest.FixtureRequest) -> EngineSpec:
    """The declaration of the engine under test."""
    return request.config.stash[_CAMPAIGN].spec


@pytest.fixture(name="lab")
def lab_fixture(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    """An empty place in a database of the engine under test, and the means to look at it."""
    campaign = request.config.stash[_CAMPAIGN]
    executor, own = campaign.open(tmp_path)
    lab = Lab(campaign.spec, executor)
    try:
        lab.prepare()
        yield lab
    finally:
        try:
            lab.clear()
        finally:
            if own:
                executor.close()
