"""DuckDB for FlowForge; see :mod:`flowforge_duckdb.plugin`."""
