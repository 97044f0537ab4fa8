"""Says of any check that judges rows which rows of a relation fail, as a condition in SQL.

Built-in checks and those of plugins write it themselves, or give a query whose answer tells the rows; so do the checks
that a project brings itself, in SQL and in Python. Knows declarations, specs and where tables stand.
"""

from __future__ import annotations

from collections.abc import Mapping

from flowforge.checks.naming import Answer
from flowforge.contract import CheckContext, CheckSpec, Session
from flowforge.frozen import frozen
from flowforge.materialize.columns import Shape
from flowforge.project.manifest import CheckDecl
from flowforge.run.check_tables import CheckTables
from flowforge.run.own_checks import OwnCheckRunner, own_query


@frozen
class RowConditions:
    """Writes the conditions of one run's checks. Safe from any thread.

    Parameters
    ----------
    own:
        Asks the checks that the project brings itself.
    """

    specs: Mapping[str, CheckSpec]
    tables: CheckTables
    own: OwnCheckRunner

    def of(self, check: CheckDecl, session: Session, relation_sql: str, columns: Shape | None = None) -> str:
        """The condition of a failing row, over *relation_sql* in the place of the check's table.

        Parameters
        ----------
        columns:
            Those of the relation; looked for when they are not given.

        Raises
        ------
        FlowForgeError
            When the check cannot be written, or its answer means nothing.
        Exception
            Whatever the driver, or a plugin's function, raises.
        """
        mine = check.own
        spec = mine.spec if mine is not None else self.specs[check.type]
        tables = self.tables.reading({check.node: relation_sql}) if check.node is not None else self.tables

        def table(written: str) -> str:
            one = next(one for one in check.reads if one.written == written)
            return relation_sql if one.node == check.node else tables.find(one.node, one.name)

        ctx = CheckContext(tables.dialect, relation_sql, check.params, table)
        if mine is not None and mine.returns == "condition":
            return own_query(check, mine, tables).sql
        if spec.row_condition is not None and mine is None:
            return spec.row_condition(ctx)
        assert spec.key is not None  # or it would not have been declared so
        if mine is not None:
            query = self.own.failing(check, mine, tables, session)
        else:
            assert spec.query is not None  # a key belongs to a query
            query = spec.query(ctx)
        if query is None:
            return "1 = 0"
        if columns is None:
            schema = session.schema_of(f"SELECT * FROM {relation_sql} AS ff__source")
            columns = Shape({field.name: field.type for field in schema} if schema is not None else {})
        place = mine.location if mine is not None else check.location
        answer = Answer(check.id, place, query, spec.key(check.params))
        return answer.condition(session, tables.dialect, relation_sql, columns)
