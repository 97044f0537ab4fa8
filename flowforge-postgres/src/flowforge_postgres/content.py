"""A token for the rows of a relation: exact to the last bit, whatever their order, at about the cost of a scan.

PostgreSQL's binary form of a row holds every value with its length, so two rows with one form are the same row: 1.0 and
1.00, 30 days and 1 month, 0.0 and -0.0 all differ. Its own hash of a row would not do: it takes two bigints for one when
the halves of their bits cancel out, and mixes columns in a way that a sum over rows undoes.
"""

from __future__ import annotations

import hashlib

_AS_BYTES = "pg_catalog.record_send(ff__rows.*)"
_AS_TEXT = 'CAST(ff__rows.* AS pg_catalog.text) COLLATE "C"'


def rows_query(rendered: str, *, binary: bool) -> str:
    """Number of rows and sum of their hashes.

    Parameters
    ----------
    binary:
        False when a column's type has no binary form: then its text counts.
    """
    row = _AS_BYTES if binary else _AS_TEXT
    # Only hash_record takes bytes in all versions; of one column it is the hash of that column.
    hash_ = f"pg_catalog.hash_record_extended(ROW({row}), 0)"
    return f"SELECT count(*), coalesce(sum({hash_}), 0)::pg_catalog.text FROM {rendered} AS ff__rows"


def token(layout: str, count: int, total: str) -> str:
    """What :func:`rows_query` found, in one word."""
    columns = hashlib.blake2b(layout.encode(), digest_size=8).hexdigest()
    return f"1.{columns}.{count}.{total}"
