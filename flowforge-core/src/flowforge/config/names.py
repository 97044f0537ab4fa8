"""Validators of names that stand in config files."""

from __future__ import annotations

import unicodedata
from typing import Any


def is_name(_instance: Any, _attribute: Any, value: Any) -> None:
    """An attrs validator: a name is not empty, has no space around it and no control character inside.

    Everything else is allowed, because engines quote names.
    """
    if value is None:
        return
    assert isinstance(value, str)
    if not value.strip():
        raise ValueError("a name cannot be empty")
    if value != value.strip():
        raise ValueError("a name cannot begin or end with a space")
    if not value.isprintable() and any(unicodedata.category(char) in ("Cc", "Cs") for char in value):
        raise ValueError("a name cannot contain control characters")
