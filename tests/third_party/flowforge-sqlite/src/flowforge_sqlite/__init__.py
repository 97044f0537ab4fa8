"""SQLite for FlowForge; see :mod:`flowforge_sqlite.plugin`."""
