"""bqemulator, mended: run as a file by the Python of its own environment, with its own words of the command line.

It imports nothing of ours, because that environment has none of it.
"""

from __future__ import annotations

from typing import Any


def mend() -> None:
    """Correct what bqemulator 1.4.0 does against BigQuery's documentation, where hardly a test could run without.

    A view can be deleted. A copy that overwrites a table gives it the columns of its source, in one step. A table that
    was written tells a new time of its last change. Digits in the type of a cast are refused, as BigQuery refuses them
    ("Parameterized types are not allowed in CAST expressions"), and without them NUMERIC has nine behind the point.
    Everything else that it lacks is a known gap of the conformance suite.
    """
    import duckdb
    import sqlglot
    from bqemulator.api.routes import jobs
    from bqemulator.catalog.etag import generate_etag
    from bqemulator.domain.errors import InvalidQueryError
    from bqemulator.jobs import executor
    from bqemulator.storage.engine import DuckDBEngine
    from bqemulator.storage.sql_identifiers import quoted_table_ref
    from bqemulator.versioning.snapshots import SnapshotManager
    from sqlglot import exp
    from sqlglot.dialects.duckdb import DuckDB

    execute, copy, changed = DuckDBEngine.execute, executor._copy_table_into_destination, SnapshotManager.record_change
    arrive, typed = jobs._apply_default_dataset, DuckDB.Generator.datatype_sql

    def execute_on_whatever_stands(self: Any, sql: str, parameters: Any = None) -> Any:
        try:
            return execute(self, sql, parameters)
        except duckdb.CatalogException as error:
            if not (sql.startswith("DROP TABLE IF EXISTS ") and "is of type View" in str(error)):
                raise
            return execute(self, sql.replace("TABLE", "VIEW", 1), parameters)

    async def copy_with_columns(**given: Any) -> None:
        context = given["ctx"]
        source, target = ([given[f"{side}_{part}"] for part in ("proj", "ds", "table_id")] for side in ("src", "dst"))
        new, old = (context.catalog.get_table(*place) for place in (source, target))
        if given["write_disposition"] != "WRITE_TRUNCATE" or new is None or old is None:
            await copy(**given)
            return
        async with context.engine.write_lock():
            select = f"SELECT * FROM {quoted_table_ref(*source)}"
            context.engine.execute(f"CREATE OR REPLACE TABLE {quoted_table_ref(*target)} AS {select}")
            context.catalog.update_table(old.model_copy(update={"schema_": new.schema_, "num_rows": new.num_rows}))
            context.snapshots.record_change(*target)

    def note_the_change(self: Any, *table: str) -> Any:
        found = changed(self, *table)
        standing = self._catalog.get_table(*table)
        if standing is not None:
            now = self._clock.now()
            news = {"last_modified_time": now, "etag": generate_etag(*table, str(now))}
            self._catalog.update_table(standing.model_copy(update=news))
        return found

    def look_at_casts(sql: str, *more: Any, **given: Any) -> Any:
        try:
            trees = sqlglot.parse(sql, read="bigquery")
        except sqlglot.errors.SqlglotError:
            trees = []  # for the emulator to say
        casts = (cast for tree in trees if tree is not None for cast in tree.find_all(exp.Cast))
        if any(cast.args["to"].find(exp.DataTypeParam) for cast in casts):
            raise InvalidQueryError("Parameterized types are not allowed in CAST expressions")
        return arrive(sql, *more, **given)

    def with_digits(self: Any, expression: Any) -> Any:
        digits = {exp.DataType.Type.DECIMAL: (38, 9), exp.DataType.Type.BIGDECIMAL: (38, 10)}.get(expression.this)
        if digits is None or expression.expressions:
            return typed(self, expression)
        return "DECIMAL({}, {})".format(*digits)

    DuckDBEngine.execute = execute_on_whatever_stands
    executor._copy_table_into_destination = copy_with_columns
    SnapshotManager.record_change = note_the_change
    jobs._apply_default_dataset = look_at_casts  # the first that sees the text of a query
    DuckDB.Generator.datatype_sql = with_digits


if __name__ == "__main__":
    mend()
    from bqemulator.cli import main

    main()
