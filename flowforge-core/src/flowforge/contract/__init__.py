"""What an engine, a check, a seed format, a renderer and a stream source *are*.

This is the whole surface that a plugin author has to know, together with :mod:`flowforge.errors`,
:mod:`flowforge.values` and ``flowforge.hookimpl``. It knows no project, no Jinja and no YAML. Declarations are frozen
and open nothing; the abstract classes hold primitives only: what to do with them (stage, audit, publish) is decided
once, in ``flowforge.materialize``.

Names are loaded when they are first used: who reads a project needs few of them, and no engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowforge.contract.capabilities import FULL as FULL
    from flowforge.contract.capabilities import Capability as Capability
    from flowforge.contract.capabilities import Support as Support
    from flowforge.contract.capabilities import SupportLevel as SupportLevel
    from flowforge.contract.capabilities import not_implemented as not_implemented
    from flowforge.contract.capabilities import partial as partial
    from flowforge.contract.capabilities import unsupported as unsupported
    from flowforge.contract.catalogue import Catalogue as Catalogue
    from flowforge.contract.catalogue import CatalogueCheck as CatalogueCheck
    from flowforge.contract.catalogue import CatalogueColumn as CatalogueColumn
    from flowforge.contract.catalogue import CatalogueEntry as CatalogueEntry
    from flowforge.contract.checks import WHOLE_ROWS as WHOLE_ROWS
    from flowforge.contract.checks import CheckContext as CheckContext
    from flowforge.contract.checks import CheckSpec as CheckSpec
    from flowforge.contract.checks import Columns as Columns
    from flowforge.contract.checks import Past as Past
    from flowforge.contract.checks import Severity as Severity
    from flowforge.contract.checks import Weighed as Weighed
    from flowforge.contract.dialect import Dialect as Dialect
    from flowforge.contract.engine import EngineSpec as EngineSpec
    from flowforge.contract.engine import Executor as Executor
    from flowforge.contract.files import FileSource as FileSource
    from flowforge.contract.formats import DocRenderer as DocRenderer
    from flowforge.contract.formats import Macro as Macro
    from flowforge.contract.formats import SeedFormat as SeedFormat
    from flowforge.contract.options import Index as Index
    from flowforge.contract.options import TableOptions as TableOptions
    from flowforge.contract.options import is_our_index as is_our_index
    from flowforge.contract.session import CreateKind as CreateKind
    from flowforge.contract.session import LoadMode as LoadMode
    from flowforge.contract.session import Session as Session
    from flowforge.contract.session import Stats as Stats
    from flowforge.contract.settings import setting as setting
    from flowforge.contract.streams import StreamBatch as StreamBatch
    from flowforge.contract.streams import StreamReader as StreamReader
    from flowforge.contract.streams import StreamSourceSpec as StreamSourceSpec
    from flowforge.contract.version import API_VERSION as API_VERSION

_HOMES = {
    "API_VERSION": "version",
    "Capability": "capabilities",
    "Catalogue": "catalogue",
    "CatalogueCheck": "catalogue",
    "CatalogueColumn": "catalogue",
    "CatalogueEntry": "catalogue",
    "CheckContext": "checks",
    "CheckSpec": "checks",
    "Columns": "checks",
    "CreateKind": "session",
    "Dialect": "dialect",
    "DocRenderer": "formats",
    "EngineSpec": "engine",
    "Executor": "engine",
    "FULL": "capabilities",
    "FileSource": "files",
    "Index": "options",
    "LoadMode": "session",
    "Macro": "formats",
    "Past": "checks",
    "SeedFormat": "formats",
    "Session": "session",
    "Severity": "checks",
    "Stats": "session",
    "StreamBatch": "streams",
    "StreamReader": "streams",
    "StreamSourceSpec": "streams",
    "Support": "capabilities",
    "SupportLevel": "capabilities",
    "TableOptions": "options",
    "WHOLE_ROWS": "checks",
    "Weighed": "checks",
    "is_our_index": "options",
    "not_implemented": "capabilities",
    "partial": "capabilities",
    "setting": "settings",
    "unsupported": "capabilities",
}

__all__ = [
    "API_VERSION",
    "Capability",
    "Catalogue",
    "CatalogueCheck",
    "CatalogueColumn",
    "CatalogueEntry",
    "CheckContext",
    "CheckSpec",
    "Columns",
    "CreateKind",
    "Dialect",
    "DocRenderer",
    "EngineSpec",
    "Executor",
    "FULL",
    "FileSource",
    "Index",
    "LoadMode",
    "Macro",
    "Past",
    "SeedFormat",
    "Session",
    "Severity",
    "Stats",
    "StreamBatch",
    "StreamReader",
    "StreamSourceSpec",
    "Support",
    "SupportLevel",
    "TableOptions",
    "WHOLE_ROWS",
    "Weighed",
    "is_our_index",
    "not_implemented",
    "partial",
    "setting",
    "unsupported",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
