"""What an engine, a check, a seed format, a renderer and a stream source *are*.

This is the whole surface that a plugin author has to know, together with :mod:`flowforge.errors`,
:mod:`flowforge.values` and ``flowforge.hookimpl``. It knows no project, no Jinja and no YAML. Declarations are frozen
and open nothing; the abstract classes hold primitives only: what to do with them (stage, audit, publish) is decided
once, in ``flowforge.materialize``.
"""

from flowforge.contract.capabilities import (
    FULL,
    Capability,
    Support,
    SupportLevel,
    not_implemented,
    partial,
    unsupported,
)
from flowforge.contract.catalogue import (
    Catalogue,
    CatalogueCheck,
    CatalogueColumn,
    CatalogueEntry,
)
from flowforge.contract.checks import (
    WHOLE_ROWS,
    CheckContext,
    CheckSpec,
    Columns,
    Past,
    Severity,
    Weighed,
)
from flowforge.contract.dialect import (
    Dialect,
)
from flowforge.contract.engine import (
    EngineSpec,
    Executor,
)
from flowforge.contract.files import (
    FileSource,
)
from flowforge.contract.formats import (
    DocRenderer,
    Macro,
    SeedFormat,
)
from flowforge.contract.options import (
    Index,
    TableOptions,
    is_our_index,
)
from flowforge.contract.session import (
    CreateKind,
    LoadMode,
    Session,
    Stats,
)
from flowforge.contract.settings import (
    setting,
)
from flowforge.contract.streams import (
    StreamBatch,
    StreamReader,
    StreamSourceSpec,
)
from flowforge.contract.version import (
    API_VERSION,
)

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
