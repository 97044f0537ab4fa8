"""Plugins that behave, and every way not to: each fault stays with its own plugin and is told in one line."""

from __future__ import annotations

import datetime as dt
import importlib
import itertools
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from flowforge import events, hookspecs
from flowforge.contract import EngineSpec
from flowforge.errors import PluginError, ProfileError
from flowforge.plugins import PluginEntry, PluginInfo, PluginSet, command_names, load_command, load_plugins
from flowforge.plugins.entrypoints import scan
from flowforge.plugins.firstparty import FirstParty
from flowforge.plugins.offers import KINDS
from flowforge.values import Location

_SERIAL = itertools.count()

PRELUDE = """
import attrs
from flowforge.contract import (
    Capability, CheckSpec, DocRenderer, EngineSpec, FULL, Macro, SeedFormat, StreamSourceSpec,
)
from flowforge.hookspecs import hookimpl

@attrs.frozen
class Settings:
    pass

def engine(name="acme", **more):
    given = dict(summary="", settings=Settings, load=lambda: None, capabilities={Capability.MERGE: FULL})
    return EngineSpec(name=name, **{**given, **more})

def check(name="positive", **more):
    return CheckSpec(**{**dict(name=name, summary="", params=Settings, violation=lambda context: "1=0"), **more})
"""

Maker = Callable[..., PluginEntry]


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Maker]:
    """Writes a plugin module and gives its entry point; *code* follows the prelude above."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules: list[str] = []

    def make(
        code: str, *, name: str = "acme", version: str = "1.2", of: str = "", distribution: str = ""
    ) -> PluginEntry:
        module = f"plugin_under_test_{next(_SERIAL)}"
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(PRELUDE + textwrap.dedent(code), encoding="utf-8")
        importlib.invalidate_caches()
        return PluginEntry(name, module + (f":{of}" if of else ""), distribution or f"flowforge-{name}", version)

    yield make
    for module in modules:
        sys.modules.pop(module, None)


def load(*entries: PluginEntry, **environ: str) -> PluginSet:
    return load_plugins(environ, entries)


def only(plugins: PluginSet) -> PluginInfo:
    (info,) = plugins.infos
    return info


GOOD = """
@hookimpl
def flowforge_engines():
    return [engine(aliases=("ac",))]
"""


# -- what a good plugin gives -----------------------------------------------------------------------------------------


def test_offers_are_found_by_name_alias_and_suffix(plugin: Maker) -> None:
    entry = plugin(
        """
        @hookimpl
        def flowforge_engines():
            return [engine(aliases=("ac",), zero_config=True)]

        @hookimpl
        def flowforge_checks():
            return (check(),)

        @hookimpl
        def flowforge_seed_formats():
            return [SeedFormat("tabbed", (".tsv", ".tab"), read=lambda path, types: None)]

        @hookimpl
        def flowforge_doc_renderers():
            return [DocRenderer("wiki", "", render=lambda manifest, folder: [])]

        @hookimpl
        def flowforge_stream_sources():
            return [StreamSourceSpec("log", "", settings=Settings, load=lambda: None)]

        @hookimpl
        def flowforge_macros():
            return [Macro("shout", str.upper)]

        @hookimpl
        def flowforge_run_finished(event):
            pass
        """
    )
    plugins = load(entry)
    assert only(plugins) == PluginInfo(
        "acme",
        "flowforge-acme",
        "1.2",
        "active",
        (
            "engine acme (ac)",
            "check positive",
            "seed format tabbed (.tsv, .tab)",
            "renderer wiki",
            "stream source log",
            "macro shout",
            "notice run_finished",
        ),
    )
    assert plugins.engine("ac") is plugins.engine("acme") is plugins.default_engine() is plugins.engines["ac"]
    assert plugins.seed_formats[".tsv"] is plugins.seed_formats[".tab"]
    assert plugins.macros["shout"].function("a") == "A"
    assert (list(plugins.checks), list(plugins.renderers), list(plugins.stream_sources)) == (
        ["positive"],
        ["wiki"],
        ["log"],
    )
    assert not plugins.notes


def test_the_offers_are_read_only(plugin: Maker) -> None:
    with pytest.raises(TypeError):
        load(plugin(GOOD)).engines["other"] = None  # type: ignore[index]


@pytest.mark.parametrize(
    ("code", "attribute"),
    [
        ("class Plugin:\n    @hookimpl\n    def flowforge_engines(self):\n        return [engine()]", "Plugin"),
        (
            "class Plugin:\n    @staticmethod\n    @hookimpl\n    def flowforge_engines():\n        return [engine()]",
            "Plugin",
        ),
        (
            "class P:\n    @hookimpl\n    def flowforge_engines(self):\n        return [engine()]\nplugin = P()",
            "plugin",
        ),
        ("@hookimpl\ndef flowforge_engines():\n    return [engine()]", ""),
        ("@hookimpl(specname='flowforge_engines')\ndef mine():\n    return [engine()]", ""),
    ],
    ids=["class", "class with static hook", "object", "module", "specname"],
)
def test_modules_objects_and_classes_are_plugins(plugin: Maker, code: str, attribute: str) -> None:
    assert list(load(plugin(code, of=attribute)).engines) == ["acme"]


def test_rows_have_the_core_first_and_then_go_by_name(plugin: Maker) -> None:
    core = PluginEntry("core", "flowforge.builtin", "flowforge-core", "0")
    entries = [plugin(GOOD, name="zeta"), core, plugin("", name="alpha"), plugin("", name="beta")]
    for order in itertools.permutations(entries):
        assert [info.name for info in load(*order).infos] == ["core", "alpha", "beta", "zeta"]


def test_two_sets_are_independent(plugin: Maker) -> None:
    entry = plugin("@hookimpl\ndef flowforge_run_started(event):\n    raise ValueError('no')")
    one, other = load(entry), load(entry)
    one.notify(event_of(events.RunStarted))
    assert one.notes
    assert not other.notes


# -- faults, each on its own --------------------------------------------------------------------------------------------

FAULTS = {
    "import error": ("import no_such_module_anywhere", r"ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
    "exit at import": ("raise SystemExit(3)", r"SystemExit: 3"),
    "exit by sys": ("import sys\nsys.exit('bye')", r"SystemExit: bye"),
    "base exception": ("class Odd(BaseException): pass\nraise Odd('x')", r"Odd: x"),
    "syntax error": ("def broken(:\n  pass", r"SyntaxError: invalid syntax.*"),
    "error without words": ("raise RuntimeError", r"RuntimeError"),
    "error in many lines": ("raise RuntimeError('a\\n\\tb')", r"RuntimeError: a b"),
    "error that cannot be shown": (
        "class Bad(Exception):\n    def __str__(self): raise ValueError\nraise Bad",
        r"Bad: <Bad that cannot be shown: ValueError>",
    ),
    "unknown hook": (
        "@hookimpl\ndef flowforge_engine():\n    return []",
        r"unknown hook flowforge_engine, did you mean flowforge_engines\?",
    ),
    "unknown hook like no other": ("@hookimpl\ndef flowforge_xyzzy():\n    return []", r"unknown hook flowforge_xyzzy"),
    "wrong notice signature": (
        "@hookimpl\ndef flowforge_run_started(evnt):\n    pass",
        r"wrong signature flowforge_run_started\(evnt\), it must be flowforge_run_started\(event\)",
    ),
    "wrong offer signature": (
        "@hookimpl\ndef flowforge_engines(project):\n    return []",
        r"wrong signature flowforge_engines\(project\), it must be flowforge_engines\(\)",
    ),
    "wrapper": (
        "@hookimpl(wrapper=True)\ndef flowforge_engines():\n    return (yield)",
        r"flowforge_engines is a hook wrapper; plugins do not wrap each other",
    ),
    "coroutine": (
        "@hookimpl\nasync def flowforge_run_started(event):\n    pass",
        r"flowforge_run_started is a coroutine or generator; hooks are plain functions",
    ),
    "generator": (
        "@hookimpl\ndef flowforge_engines():\n    yield engine()",
        r"flowforge_engines is a coroutine or generator; hooks are plain functions",
    ),
    "no hooks": ("def flowforge_engines():\n    return []", r"nothing in \w+ is a function marked with @hookimpl"),
    "offer that raises": ("@hookimpl\ndef flowforge_engines():\n    return 1 / 0", r"ZeroDivisionError: division by zero"),
    "offer that exits": ("@hookimpl\ndef flowforge_checks():\n    raise SystemExit", r"SystemExit"),
    "no answer": (
        "@hookimpl\ndef flowforge_engines():\n    engine()",
        r"flowforge_engines returned None, not a list or tuple of EngineSpec",
    ),
    "one instead of many": (
        "@hookimpl\ndef flowforge_engines():\n    return engine()",
        r"flowforge_engines returned EngineSpec, not a list or tuple of EngineSpec",
    ),
    "text": (
        "@hookimpl\ndef flowforge_checks():\n    return 'not_null'",
        r"flowforge_checks returned str, not a list or tuple of CheckSpec",
    ),
    "wrong type inside": (
        "@hookimpl\ndef flowforge_engines():\n    return [check()]",
        r"flowforge_engines returned CheckSpec where EngineSpec belongs",
    ),
    "nothing inside": ("@hookimpl\ndef flowforge_macros():\n    return [None]", r"flowforge_macros returned None where Macro belongs"),
    "class inside": (
        "@hookimpl\ndef flowforge_macros():\n    return [Macro]",
        r"flowforge_macros returned type where Macro belongs",
    ),
    "refused by the contract itself": (
        "@hookimpl\ndef flowforge_checks():\n    return [check(violation=None)]",
        r"ValueError: check 'positive' must declare exactly one of violation, measure, query and inspect",
    ),
    "newer contract": (
        "@hookimpl\ndef flowforge_engines():\n    return [engine(api=2)]",
        r"engine 'acme' needs version 2 of the plugin contract, this flowforge-core has version 1: upgrade flowforge-core",
    ),
    "newer contract of a check": (
        "@hookimpl\ndef flowforge_checks():\n    return [check(api=99)]",
        r"check 'positive' needs version 99 of the plugin contract.*",
    ),
    "contract version as text": (
        "@hookimpl\ndef flowforge_engines():\n    return [engine(api='1')]",
        r"engine 'acme': api must be a whole number from 1, not '1'",
    ),
    "name that is no text": (
        "@hookimpl\ndef flowforge_engines():\n    return [engine(name=7)]",
        r"engine name must be a plain word, not 7",
    ),
    "name with spaces": (
        "@hookimpl\ndef flowforge_checks():\n    return [check(name='not null')]",
        r"check name must be a plain word, not 'not null'",
    ),
    "aliases as text": (
        "@hookimpl\ndef flowforge_engines():\n    return [engine(aliases=('ac'))]",
        r"engine 'acme': aliases must be a tuple of texts, not 'ac'",
    ),
    "settings no class": (
        "@hookimpl\ndef flowforge_engines():\n    return [engine(settings={})]",
        r"engine 'acme': settings must be an attrs class, not \{\}",
    ),
    "settings no attrs class": (
        "@hookimpl\ndef flowforge_engines():\n    return [engine(settings=dict)]",
        r"engine 'acme': settings must be an attrs class, not <class 'dict'>",
    ),
    "load no function": (
        "@hookimpl\ndef flowforge_engines():\n    return [engine(load=None)]",
        r"engine 'acme': load must be a function, not None",
    ),
    "capabilities as list": (
        "@hookimpl\ndef flowforge_engines():\n    return [engine(capabilities=[])]",
        r"engine 'acme': capabilities must be a mapping, not list",
    ),
    "capabilities as words": (
        "@hookimpl\ndef flowforge_engines():\n    return [engine(capabilities={'merge': True})]",
        r"engine 'acme': capabilities must map Capability to Support, not \('merge', True\)",
    ),
    "engine twice in one plugin": (
        "@hookimpl\ndef flowforge_engines():\n    return [engine(), engine(name='b', aliases=('acme',))]",
        r"flowforge_engines offers engine 'acme' twice",
    ),
    "suffix without dot": (
        "@hookimpl\ndef flowforge_seed_formats():\n    return [SeedFormat('t', ('tsv',), read=len)]",
        r"seed format 't': each of suffixes must be a plain word, not 'tsv'",
    ),
    "suffix of queries": (
        "@hookimpl\ndef flowforge_seed_formats():\n    return [SeedFormat('t', ('.sql',), read=len)]",
        r"seed format 't': the suffix .sql belongs to seeds that are queries",
    ),
    "options of no class": (
        "@hookimpl\ndef flowforge_seed_formats():\n    return [SeedFormat('t', ('.t',), read=len, options={'a': 1})]",
        r"seed format 't': options must be an attrs class, not \{'a': 1\}",
    ),
    "option without default": (
        (
            "import attrs\n\n@attrs.frozen\nclass Options:\n    a: int\n\n"
            "@hookimpl\ndef flowforge_seed_formats():\n    return [SeedFormat('t', ('.t',), read=len, options=Options)]"
        ),
        r"seed format 't': the option 'a' needs a default",
    ),
    "judge no function": (
        "@hookimpl\ndef flowforge_checks():\n    return [check(violation=None, measure=len, judge='x')]",
        r"check 'positive': judge must be a function, not str",
    ),
    "render no function": (
        "@hookimpl\ndef flowforge_doc_renderers():\n    return [DocRenderer('w', '', render=None)]",
        r"renderer 'w': render must be a function, not None",
    ),
    "stream settings": (
        "@hookimpl\ndef flowforge_stream_sources():\n    return [StreamSourceSpec('s', '', settings=3, load=len)]",
        r"stream source 's': settings must be an attrs class, not 3",
    ),
    "macro no function": (
        "@hookimpl\ndef flowforge_macros():\n    return [Macro('m', 'text')]",
        r"macro 'm': function must be a function, not str",
    ),
    "constructor that raises": (
        "class Plugin:\n    def __init__(self):\n        raise OSError('no licence')",
        r"OSError: no licence",
    ),
    "listing that raises": (
        "class Odd:\n    def __dir__(self):\n        raise OSError('private')\nPlugin = Odd()",
        r"OSError: private",
    ),
}  # fmt: skip
WITH_PLACE = {
    "import error", "exit at import", "exit by sys", "base exception", "syntax error", "error without words",
    "unknown hook", "wrong notice signature", "wrong offer signature", "wrapper", "coroutine", "generator",
    "offer that raises", "offer that exits", "constructor that raises", "listing that raises",
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_a_row_and_harms_nobody(plugin: Maker, tmp_path: Path, fault: str) -> None:
    code, expected = FAULTS[fault]
    attribute = "Plugin" if "Plugin" in code else ""
    bad = plugin(code, name="bad", of=attribute)
    plugins = load(plugin(GOOD), bad)
    good, row = plugins.infos
    assert (good.status, row.status, row.offers) == ("active", "failed", ())
    assert row.reason is not None
    reason, _, place = row.reason.partition(f" ({tmp_path}{os.sep}")
    assert re.fullmatch(expected, reason)
    assert "\n" not in row.reason
    if fault in WITH_PLACE:
        path, _, line = place.removesuffix(")").partition(":")
        source = (tmp_path / path).read_text(encoding="utf-8").splitlines()
        assert len(PRELUDE.splitlines()) < int(line) <= len(source)
    assert plugins.engine("acme").name == "acme"
    (note,) = plugins.notes
    assert (note.code, "flowforge-bad 1.2" in note.message, row.reason in note.message) == ("FF4001", True, True)


def test_the_place_is_the_plugins_own_line_even_when_others_raise(plugin: Maker) -> None:
    info = only(load(plugin("import json\n\n@hookimpl\ndef flowforge_engines():\n    return json.loads('{')")))
    line = len(PRELUDE.splitlines()) + 5
    assert info.reason is not None
    assert re.search(rf"plugin_under_test_\d+\.py:{line}\)$", info.reason)


@pytest.mark.parametrize(
    "where", ["raise KeyboardInterrupt", "@hookimpl\ndef flowforge_engines():\n    raise KeyboardInterrupt"]
)
def test_an_interrupt_is_no_fault_of_a_plugin(plugin: Maker, where: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        load(plugin(where))


@pytest.mark.parametrize(
    "value", ["not a module!", "", "flowforge.values:", "flowforge.values:nothing.here", "json:dumps"]
)
def test_an_entry_point_that_leads_nowhere_is_a_row(value: str) -> None:
    info = only(load(PluginEntry("odd", value, "flowforge-odd", "1")))
    assert info.status == "failed"
    assert info.reason


def test_what_a_plugin_prints_stays_off_stdout_and_is_noted(plugin: Maker, capsys: pytest.CaptureFixture[str]) -> None:
    entry = plugin(
        "print('hello')\nprint('world')\n@hookimpl\ndef flowforge_engines():\n    print('x')\n    return [engine()]"
    )
    info = only(load(entry))
    assert capsys.readouterr().out == ""
    assert info.status == "active"
    assert info.notes == ("printed at import: hello world", "printed in flowforge_engines: x")


def test_output_before_a_failure_is_noted_too(plugin: Maker, capsys: pytest.CaptureFixture[str]) -> None:
    info = only(load(plugin("print('starting')\nraise SystemExit(0)")))
    assert (info.status, info.notes) == ("failed", ("printed at import: starting",))
    assert capsys.readouterr().out == ""


def test_a_text_of_any_length_stays_one_short_line(plugin: Maker) -> None:
    info = only(load(plugin("print('x' * 100_000)\nraise RuntimeError('y\\n' * 100_000)")))
    assert len(info.reason or "") < 1_000
    assert all(len(note) < 1_000 for note in info.notes)


# -- two plugins ------------------------------------------------------------------------------------------------------


def offering(name: str, *aliases: str) -> str:
    return f"@hookimpl\ndef flowforge_engines():\n    return [engine({name!r}, aliases={aliases!r})]"


@pytest.mark.parametrize(
    ("one", "other", "contested"),
    [
        (("same",), ("same",), ["same"]),
        (("a", "same"), ("b", "same"), ["a", "b", "same"]),
        (("same",), ("b", "same"), ["same", "b"]),
    ],
    ids=["names", "aliases", "name and alias"],
)
def test_an_engine_that_two_offer_is_refused_to_both(
    plugin: Maker, one: tuple[str, ...], other: tuple[str, ...], contested: list[str]
) -> None:
    plugins = load(plugin(offering(*one), name="one"), plugin(offering(*other), name="other"), plugin(GOOD))
    assert sorted(plugins.engines) == ["ac", "acme"]
    rows = {info.name: info for info in plugins.infos}
    for name, rival in (("one", "other (flowforge-other 1.2)"), ("other", "one (flowforge-one 1.2)")):
        assert rows[name].status == "failed"
        assert rival in (rows[name].reason or "")
        assert not rows[name].notes
    for word in contested:
        with pytest.raises(PluginError) as caught:
            plugins.engine(word)
        assert caught.value.code == "FF4008"
        assert caught.value.notes == ("offered by one (flowforge-one 1.2)", "offered by other (flowforge-other 1.2)")


def test_a_third_plugin_is_refused_with_the_two(plugin: Maker) -> None:
    plugins = load(*(plugin(offering("same"), name=name) for name in "abc"))
    assert not plugins.engines
    with pytest.raises(PluginError) as caught:
        plugins.engine("same")
    assert len(caught.value.notes) == 3


def test_only_the_contested_engine_is_refused(plugin: Maker) -> None:
    both = "@hookimpl\ndef flowforge_engines():\n    return [engine('same'), engine('own')]"
    plugins = load(plugin(both, name="one"), plugin(offering("same"), name="other"))
    assert list(plugins.engines) == ["own"]
    row = plugins.infos[0]
    assert (row.status, row.offers) == ("active", ("engine own",))
    assert row.notes == ("engine 'same' refused: also offered by other (flowforge-other 1.2)",)


@pytest.mark.parametrize(
    ("hook", "offer", "claim", "mapping"),
    [
        ("flowforge_checks", "check('mine')", "check 'mine'", "checks"),
        ("flowforge_macros", "Macro('mine', len)", "macro 'mine'", "macros"),
        ("flowforge_doc_renderers", "DocRenderer('mine', '', render=len)", "renderer 'mine'", "renderers"),
        (
            "flowforge_stream_sources",
            "StreamSourceSpec('mine', '', Settings, load=len)",
            "stream source 'mine'",
            "stream_sources",
        ),
        ("flowforge_seed_formats", "SeedFormat('mine', ('.mine',), read=len)", "seed format '.mine'", "seed_formats"),
    ],
)
def test_other_names_stay_with_the_first(plugin: Maker, hook: str, offer: str, claim: str, mapping: str) -> None:
    code = f"OFFER = {offer}\n@hookimpl\ndef {hook}():\n    return [OFFER]"
    first, second = plugin(code, name="first"), plugin(code, name="second")
    plugins = load(second, first)
    (kept,) = getattr(plugins, mapping).values()
    assert kept is sys.modules[first.value].OFFER
    row = plugins.infos[1]
    assert (row.status, row.reason) == ("failed", f"{claim} refused: first (flowforge-first 1.2) has it already")


def test_a_free_suffix_is_kept_beside_a_taken_one(plugin: Maker) -> None:
    code = "@hookimpl\ndef flowforge_seed_formats():\n    return [SeedFormat({!r}, {!r}, read=len)]"
    plugins = load(plugin(code.format("a", (".x",)), name="a"), plugin(code.format("b", (".x", ".y")), name="b"))
    assert {suffix: spec.name for suffix, spec in plugins.seed_formats.items()} == {".x": "a", ".y": "b"}
    assert plugins.infos[1].status == "active"


def test_a_built_in_check_wins(plugin: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    built_in = plugin("@hookimpl\ndef flowforge_checks():\n    return [check('not_null')]", name="zzz")
    monkeypatch.setitem(sys.modules, "flowforge.builtin", importlib.import_module(built_in.value))
    core = PluginEntry("core", "flowforge.builtin", "flowforge-core", "0")
    rival = plugin("@hookimpl\ndef flowforge_checks():\n    return [check('not_null')]", name="aaa")
    plugins = load(rival, core)
    assert [(info.name, info.status) for info in plugins.infos] == [("core", "active"), ("aaa", "failed")]
    assert "core (flowforge-core 0) has it already" in (plugins.infos[1].reason or "")


# -- asking for an engine -----------------------------------------------------------------------------------------------


def test_our_own_engines_come_with_the_command_that_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowforge.plugins.pluginset.installed_version", lambda distribution: None)
    for package in FirstParty.read().packages:
        for word in (package.engine, *package.aliases):
            with pytest.raises(ProfileError) as caught:
                load().engine(word, location=Location("profiles.yml", 2, 11))
            assert caught.value.code == "FF4002"
            assert caught.value.help == f"pip install {package.distribution}"
            assert str(caught.value.location) == "profiles.yml:2:11"


def test_an_installed_distribution_without_the_engine_is_not_to_be_installed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flowforge.plugins.pluginset.installed_version", lambda distribution: "0.1.0")
    package = FirstParty.read().packages[-1]
    with pytest.raises(ProfileError) as caught:
        load().engine(package.engine)
    assert caught.value.code == "FF4011"
    assert f"{package.distribution} 0.1.0" in caught.value.message
    assert "--upgrade" in (caught.value.help or "")


def test_an_unknown_engine_gets_a_suggestion(plugin: Maker) -> None:
    plugins = load(plugin(GOOD), plugin("import nothing_like_this", name="bad"))
    first_party = FirstParty.read().packages[0].engine
    for word, meant in (("acmee", "acme"), (first_party + "b", first_party)):
        with pytest.raises(ProfileError) as caught:
            plugins.engine(word)
        assert (caught.value.code, caught.value.help) == ("FF4003", f"did you mean {meant!r}?")
        assert "bad (flowforge-bad 1.2) failed: ModuleNotFoundError" in caught.value.notes[0]
    with pytest.raises(ProfileError, match="installed engines: acme"):
        plugins.engine("qqqq")


@pytest.mark.parametrize(
    ("name", "distribution", "code", "ask"),
    [
        ("acme", "acme-tools", "import nothing_like_this", "acme"),
        (
            "x",
            "acme-tools",
            "@hookimpl\ndef flowforge_engines():\n    return [engine('acme', aliases=('ac',), api=2)]",
            "ac",
        ),
        ("x", FirstParty.read().packages[1].distribution, "raise OSError", FirstParty.read().packages[1].engine),
    ],
    ids=["by the plugin's name", "by what it offered", "by our distribution"],
)
def test_the_reason_is_given_when_the_engines_plugin_failed(
    plugin: Maker, name: str, distribution: str, code: str, ask: str
) -> None:
    plugins = load(plugin(code, name=name, distribution=distribution))
    with pytest.raises(PluginError) as caught:
        plugins.engine(ask, location=Location("profiles.yml", 1, 1))
    assert caught.value.code == "FF4001"
    assert only(plugins).reason in caught.value.notes[0]
    assert caught.value.location is not None


def test_the_engine_of_a_disabled_plugin_says_so(plugin: Maker) -> None:
    with pytest.raises(PluginError) as caught:
        load(plugin(GOOD), plugin("", name="other"), FLOWFORGE_PLUGINS="other").engine("acme")
    assert caught.value.code == "FF4004"
    assert "acme" in (caught.value.help or "")


def test_the_default_engine_is_the_only_one_without_settings(plugin: Maker) -> None:
    easy = "@hookimpl\ndef flowforge_engines():\n    return [engine({!r}, aliases=({!r},), zero_config=True)]"
    plugins = load(plugin(easy.format("easy", "e")), plugin(offering("hard"), name="hard"))
    assert plugins.default_engine().name == "easy"
    with pytest.raises(PluginError, match=r"several .*: easy, simple") as caught:
        load(
            plugin(easy.format("easy", "e"), name="one"), plugin(easy.format("simple", "s"), name="two")
        ).default_engine()
    assert caught.value.code == "FF4006"


def test_without_a_default_engine_the_package_to_install_is_named(plugin: Maker) -> None:
    (package,) = FirstParty.read().zero_config
    with pytest.raises(PluginError) as caught:
        load(plugin(offering("hard")), plugin("raise OSError('gone')", name="bad")).default_engine()
    assert caught.value.code == "FF4005"
    assert f"pip install {package.distribution}" in (caught.value.help or "")
    assert repr(package.engine) in (caught.value.help or "")
    assert "OSError: gone" in caught.value.notes[0]


# -- notices ----------------------------------------------------------------------------------------------------------

NOTICES = {
    events.RunStarted: "flowforge_run_started",
    events.NodeStarted: "flowforge_node_started",
    events.NodeFinished: "flowforge_node_finished",
    events.CheckFinished: "flowforge_check_finished",
    events.UnitTestFinished: "flowforge_unit_test_finished",
    events.RunFinished: "flowforge_run_finished",
}


def event_of(kind: type[events.Event]) -> events.Event:
    """An event with something in each field; plugins here look at its type alone."""
    values: dict[str, Any] = {field.name: None for field in attrs.fields(kind)}
    return kind(**{**values, "run_id": "r1", "at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)})


def test_every_notice_has_an_event() -> None:
    assert set(NOTICES.values()) == set(hookspecs.NOTICES)
    assert set(NOTICES) == set(events.Event.__subclasses__())


@pytest.mark.parametrize("kind", NOTICES)
def test_a_notice_reaches_those_that_listen(plugin: Maker, kind: type[events.Event]) -> None:
    hook = NOTICES[kind]
    listener = plugin(f"heard = []\n@hookimpl\ndef {hook}(event):\n    heard.append(event)", name="one")
    brief = plugin(f"heard = []\n@hookimpl\ndef {hook}():\n    heard.append('called')", name="two")
    plugins = load(listener, brief, plugin(GOOD))
    sent = [event_of(other) for other in NOTICES]
    for event in sent:
        plugins.notify(event)
    assert sys.modules[listener.value].heard == [event for event in sent if type(event) is kind]
    assert sys.modules[brief.value].heard == ["called"]


def test_events_go_to_plugins_only_if_one_listens(plugin: Maker) -> None:
    assert load(plugin(GOOD, name="silent")).notices is None
    listener = plugin("@hookimpl\ndef flowforge_run_finished(event): ...", name="one")
    plugins = load(listener, plugin(GOOD, name="two"))
    assert plugins.notices == plugins.notify


@pytest.mark.parametrize("error", ["ValueError('no')", "SystemExit(9)"])
def test_a_listener_that_raises_is_noted_once_and_stops_nothing(plugin: Maker, error: str) -> None:
    bad = plugin(
        f"""
        @hookimpl
        def flowforge_run_started(event):
            raise {error}

        @hookimpl
        def flowforge_run_finished(event):
            raise {error}
        """,
        name="a_bad",
    )
    good = plugin("heard = []\n@hookimpl\ndef flowforge_run_started(event):\n    heard.append(event)", name="b_good")
    plugins = load(bad, good)
    for _ in range(3):
        plugins.notify(event_of(events.RunStarted))
    plugins.notify(event_of(events.RunFinished))
    assert len(sys.modules[good.value].heard) == 3
    assert [note.code for note in plugins.notes] == ["FF4007", "FF4007"]
    for note, hook in zip(plugins.notes, ("flowforge_run_started", "flowforge_run_finished"), strict=True):
        assert f"a_bad (flowforge-a_bad 1.2) raised in {hook}: {error.partition('(')[0]}" in note.message
        assert re.search(r"plugin_under_test_\d+\.py:\d+\)$", note.message)


def test_a_failed_plugin_hears_nothing(plugin: Maker) -> None:
    entry = plugin(
        """
        heard = []

        @hookimpl
        def flowforge_run_started(event):
            heard.append(event)

        @hookimpl
        def flowforge_engines():
            raise ValueError("no")
        """
    )
    load(entry).notify(event_of(events.RunStarted))
    assert sys.modules[entry.value].heard == []


def test_a_listener_whose_offers_are_all_refused_still_listens(plugin: Maker) -> None:
    code = "heard = []\n@hookimpl\ndef flowforge_run_started(event):\n    heard.append(event)\n" + offering("same")
    first, second = plugin(code, name="one"), plugin(code, name="two")
    plugins = load(first, second)
    assert [info.status for info in plugins.infos] == ["active", "active"]
    plugins.notify(event_of(events.RunStarted))
    assert len(sys.modules[first.value].heard) == len(sys.modules[second.value].heard) == 1


# -- the environment ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chosen", ["acme", " acme , ", "flowforge-acme", "Flowforge_Acme,nothing"])
def test_the_list_of_plugins_can_be_narrowed(plugin: Maker, chosen: str) -> None:
    other = plugin("raise AssertionError('imported')", name="other")
    plugins = load(plugin(GOOD), other, FLOWFORGE_PLUGINS=chosen)
    assert [(info.name, info.status) for info in plugins.infos] == [("acme", "active"), ("other", "disabled")]
    assert plugins.infos[1].reason == "not named in FLOWFORGE_PLUGINS"
    assert other.value not in sys.modules
    assert [note.code for note in plugins.notes] == (["FF4010"] if "nothing" in chosen else [])


def test_narrowing_settles_a_contest(plugin: Maker) -> None:
    entries = [plugin(offering("same"), name="one"), plugin(offering("same"), name="two")]
    assert load(*entries, FLOWFORGE_PLUGINS="two").engine("same").name == "same"


def test_the_core_cannot_be_narrowed_away(plugin: Maker) -> None:
    core = PluginEntry("core", "flowforge.builtin", "flowforge-core", "0")
    plugins = load(core, plugin(GOOD), FLOWFORGE_PLUGINS="nothing")
    assert plugins.infos[0].status != "disabled"
    assert plugins.infos[1].status == "disabled"


@pytest.mark.parametrize("value", ["", " ", ",", " , "])
def test_an_empty_list_narrows_nothing(plugin: Maker, value: str) -> None:
    assert load(plugin(GOOD), FLOWFORGE_PLUGINS=value).engines


def test_a_name_that_fits_nothing_gets_a_suggestion(plugin: Maker) -> None:
    (note,) = load(plugin(GOOD), FLOWFORGE_PLUGINS="acmee").notes
    assert note.help == "did you mean 'acme'?"


def test_hook_calls_can_be_traced(plugin: Maker, capsys: pytest.CaptureFixture[str]) -> None:
    entry = plugin(GOOD + "\n@hookimpl\ndef flowforge_run_started(event):\n    raise ValueError('no')")
    load(entry, FLOWFORGE_TRACE_PLUGINS="1").notify(event_of(events.RunStarted))
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert [
        next(
            word
            for word in ("import", "flowforge_engines: 1 offered", "flowforge_run_started: ValueError")
            if word in line
        )
        for line in lines
    ] == ["import", "flowforge_engines: 1 offered", "flowforge_run_started: ValueError"]
    assert all(line.startswith("plugins: acme") and line.endswith(" ms") for line in lines)
    load(entry, FLOWFORGE_TRACE_PLUGINS="0").notify(event_of(events.RunStarted))
    assert capsys.readouterr().err == ""


# -- what is installed --------------------------------------------------------------------------------------------------


def install(folder: Path, name: str, version: str, entry_points: str | bytes, *, metadata: bool = True) -> None:
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    if metadata:
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    (info / "entry_points.txt").write_bytes(entry_points if isinstance(entry_points, bytes) else entry_points.encode())


def test_entry_points_are_read_without_importing(tmp_path: Path) -> None:
    install(tmp_path / "a", "flowforge-b", "2.0", "[flowforge]\nzeta = nowhere.at.all\nbeta = x:y\n[other]\nq = r\n")
    install(tmp_path / "a", "unrelated", "1.0", "[console_scripts]\nflowforge = x:y\n")
    install(tmp_path / "a", "flowforge-a", "1.0", "[flowforge]\nbeta = z\n")
    assert scan("flowforge", [str(tmp_path / "a")]) == (
        PluginEntry("beta", "z", "flowforge-a", "1.0"),
        PluginEntry("beta", "x:y", "flowforge-b", "2.0"),
        PluginEntry("zeta", "nowhere.at.all", "flowforge-b", "2.0"),
    )


def test_a_shadowed_copy_is_not_a_second_plugin(tmp_path: Path) -> None:
    install(tmp_path / "a", "flowforge-b", "2.0", "[flowforge]\nb = x\n")
    install(tmp_path / "b", "Flowforge.B", "1.0", "[flowforge]\nb = x\n")
    (entry,) = scan("flowforge", [str(tmp_path / "a"), str(tmp_path / "b")])
    assert entry.version == "2.0"


@pytest.mark.parametrize("text", [b"[flowforge]\nno equals sign here\n", b"[flowforge]\nx = \xff\xfe\n"])
def test_a_damaged_announcement_is_a_row(tmp_path: Path, text: bytes) -> None:
    install(tmp_path, "flowforge-bad", "1.0", text)
    install(tmp_path, "flowforge-good", "1.0", "[flowforge]\ngood = json\n")
    install(tmp_path, "unrelated", "1.0", b"\xff\xfe\x00")
    bad, good = scan("flowforge", [str(tmp_path)])
    assert (bad.distribution, bad.version, good.fault) == ("flowforge-bad", "1.0", None)
    row = load(bad, good).infos[0]
    assert (row.status, row.reason) == ("failed", bad.fault)
    assert "entry_points.txt cannot be read" in (bad.fault or "")


def test_a_plugin_without_metadata_can_be_used(tmp_path: Path) -> None:
    install(tmp_path, "flowforge-bare", "1.0", "[flowforge]\nbare = x\n", metadata=False)
    (entry,) = scan("flowforge", [str(tmp_path)])
    assert (entry.name, entry.fault) == ("bare", None)


def test_the_installed_core_is_found() -> None:
    plugins = load_plugins({"FLOWFORGE_PLUGINS": "core"})
    assert plugins.infos[0].name == "core"
    assert plugins.infos[0].status == "active", plugins.infos[0].reason
    assert "not_null" in plugins.checks
    assert ".csv" in plugins.seed_formats


# -- commands -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    (tmp_path / "command_under_test.py").write_text(
        "import click\nprint('noise')\n@click.command()\ndef good():\n    pass\nnothing = 3\n", encoding="utf-8"
    )
    (tmp_path / "command_that_exits.py").write_text("raise SystemExit(0)\n", encoding="utf-8")
    install(
        tmp_path,
        "flowforge-commands",
        "1.0",
        "[flowforge.commands]\ngood = command_under_test:good\nodd = command_under_test:nothing\n"
        "exits = command_that_exits:x\ntwice = command_under_test:good\n",
    )
    install(tmp_path, "other-commands", "3.0", "[flowforge.commands]\ntwice = command_under_test:good\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield [str(tmp_path)]
    for module in ("command_under_test", "command_that_exits"):
        sys.modules.pop(module, None)


def test_names_of_commands_import_nothing(commands: list[str]) -> None:
    assert command_names(commands) == ("exits", "good", "odd", "twice")
    assert "command_under_test" not in sys.modules


def test_a_command_is_imported_when_it_is_called(commands: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert load_command("good", commands).name == "good"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "no plugin has a command 'nothing'"),
        ("odd", "is no click command but int"),
        ("exits", "the command 'exits' of flowforge-commands 1.0 cannot be loaded"),
        ("twice", "is claimed by several plugins: flowforge-commands 1.0 and other-commands 3.0"),
    ],
)
def test_a_bad_command_is_an_error_of_its_own(commands: list[str], name: str, message: str) -> None:
    with pytest.raises(PluginError, match=message) as caught:
        load_command(name, commands)
    assert caught.value.code == "FF4009"
    if name == "exits":
        assert re.fullmatch(r"SystemExit: 0 \(.*command_that_exits\.py:1\)", caught.value.notes[0])


# -- the house ----------------------------------------------------------------------------------------------------------


def test_every_hook_has_a_test() -> None:
    specified = {name for name in dir(hookspecs) if hasattr(getattr(hookspecs, name), "flowforge_spec")}
    assert specified == {*hookspecs.OFFERS, *hookspecs.NOTICES}
    text = Path(__file__).read_text(encoding="utf-8")
    implemented = set(re.findall(r"@hookimpl\s+def (flowforge_\w+)\(", text)) | set(NOTICES.values())
    assert not specified - implemented


def test_every_offer_is_understood() -> None:
    assert tuple(kind.hook for kind in KINDS) == hookspecs.OFFERS
    assert {kind.type for kind in KINDS} >= {EngineSpec}


def test_plugins_are_cheap_to_import() -> None:
    heavy = ["jinja2", "ruamel", "yaml", "cattrs", "rich", "pyarrow", "pandas", "numpy", "sqlglot", "click", "asyncio"]
    light = [*heavy, "pluggy", "attrs", "attr"]
    code = "import sys, flowforge.plugins; {}; print([name for name in {!r} if name in sys.modules])"
    for action, unwanted in (
        ("flowforge.plugins.command_names()", light),
        ("flowforge.plugins.load_plugins", heavy),
        ("from flowforge.plugins.firstparty import FirstParty; FirstParty.read()", heavy),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code.format(action, unwanted)], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "[]", action


def test_the_public_names_are_there() -> None:
    import flowforge.plugins as public

    for name in public.__all__:
        assert getattr(public, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = public.nonsense
