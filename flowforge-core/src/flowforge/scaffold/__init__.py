"""Begins new things: a project (``flowforge init``), an engine (``flowforge plugins new``)."""
