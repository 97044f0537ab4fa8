"""The version of the contract."""

API_VERSION = 1
"""A plugin that needs a newer one is listed as failed, with that reason."""
