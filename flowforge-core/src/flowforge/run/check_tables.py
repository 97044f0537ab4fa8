"""Where the tables that checks read stand, as they are written behind ``FROM``."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from flowforge.contract import Dialect
from flowforge.frozen import frozen
from flowforge.project.manifest import CheckDecl, Manifest
from flowforge.run.compile import Compiler
from flowforge.values import Namespace, Relation


@frozen
class CheckTables:
    """Finds tables under one profile. Safe from any thread."""

    manifest: Manifest
    compiler: Compiler
    dialect: Dialect
    namespace: Namespace

    def reading(self, staged: Mapping[str, str]) -> CheckTables:
        """The same with other rows in the place of those of some nodes; see :meth:`Compiler.reading`."""
        return attrs.evolve(self, compiler=self.compiler.reading(staged))

    def main(self, check: CheckDecl) -> str:
        """The table under test."""
        return self.find(check.node, check.table)

    def find(self, node: str | None, name: str) -> str:
        """A node's relation (or query, where it has none), else the source or the relation of others called *name*."""
        if node is not None:
            known = self.manifest.nodes[node]
            if known.materialized == "ephemeral":
                return f"(\n{self.compiler.compile(known.name).executable}\n)"
            return self.compiler.rows_of(known)
        source = self.manifest.source_called(name)
        if source is not None:
            return self.compiler.source(source)
        *schema, last = name.split(".", 1)
        relation = Relation(last, schema[0] if schema else None)
        return self.dialect.render(relation.within(self.namespace))
