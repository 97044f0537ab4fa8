"""Placeholders for secret values in rendered SQL.

A secret that a model uses must reach the engine, but no file, log, artifact or error message. So rendering never
sees it: ``env()`` gives a placeholder, everything that is shown or stored is masked, and the values are put in as the
very last step before a statement is executed. The placeholder is made of private-use characters only, which no filter
for letters or spaces touches; one that a template cuts apart is refused instead of sent to the engine half.

A template that compares or measures a secret therefore sees the placeholder, not the value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from flowforge.errors import RenderError

_OPEN, _CLOSE, _NIBBLE = "\U000ffa00", "\U000ffa01", 0xFFA10
_PLACEHOLDER = re.compile("\U000ffa00([\U000ffa10-\U000ffa1f]*)\U000ffa01")
_ANY = re.compile("\U000ffa00[\U000ffa10-\U000ffa1f]*\U000ffa01|[\U000ffa00\U000ffa01\U000ffa10-\U000ffa1f]+")
MASK = "***"


def mark(name: str) -> str:
    """The placeholder of the secret called *name*."""
    digits = "".join(chr(_NIBBLE + int(digit, 16)) for digit in name.encode().hex())
    return f"{_OPEN}{digits}{_CLOSE}"


def holds_secret(text: str) -> bool:
    """Whether *text* holds a placeholder, or a piece of one."""
    return not text.isascii() and _ANY.search(text) is not None


def mask(sql: str) -> str:
    """*sql* as people and files may see it: every placeholder, and every piece of one, becomes ``***``."""
    return sql if sql.isascii() else _ANY.sub(MASK, sql)


def reveal(sql: str, values: Mapping[str, str]) -> str:
    """*sql* as the engine gets it.

    Parameters
    ----------
    values:
        The secrets by name.

    Raises
    ------
    RenderError
        When a secret is missing from *values*, or a template cut its placeholder apart.
    """
    if sql.isascii():
        return sql

    def value(match: re.Match[str]) -> str:
        whole = _PLACEHOLDER.fullmatch(match.group())
        if whole is None:
            raise RenderError(
                "a template cut a secret value apart",
                code="FF1414",
                help="use the secret whole, without filters that shorten or split it",
            )
        name = bytes.fromhex("".join(f"{ord(digit) - _NIBBLE:x}" for digit in whole[1])).decode()
        if name not in values:
            raise RenderError(
                f"the secret {name} has no value", code="FF1414", help="set the variable, or write it into .env"
            )
        return values[name]

    return _ANY.sub(value, sql)


def before_reveal(sql: str, values: Mapping[str, str], offset: int) -> int:
    """The offset in *sql* of the character at *offset* in ``reveal(sql, values)``.

    A position inside of a value becomes that of its placeholder.
    """
    if sql.isascii():
        return offset
    grown = 0  # how much longer the revealed text is so far
    for match in _PLACEHOLDER.finditer(sql):
        start = match.start() + grown
        if offset < start:
            break
        length = len(values[bytes.fromhex("".join(f"{ord(digit) - _NIBBLE:x}" for digit in match[1])).decode()])
        if offset < start + length:
            return match.start()
        grown += length - len(match[0])
    return offset - grown
