"""PostgreSQL as an engine of FlowForge."""

__version__ = "0.1.0"
