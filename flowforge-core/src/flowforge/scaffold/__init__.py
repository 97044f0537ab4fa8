"""Begins new things: a project (``flowforge init``), a plugin (``flowforge plugins new``)."""
