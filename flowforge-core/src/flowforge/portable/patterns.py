"""Regular expressions, of which dialects have two families: those of RE2 and Java, and those of POSIX.

Most of what people write is the same in both. What is not is said in other words, or refused.
"""

from __future__ import annotations

import re

from flowforge.portable.traits import Pair

_PIECES = re.compile(
    r"\\(?P<escape>.)|(?P<set>\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\])|(?P<group>\(\?(?!:))|(?P<lazy>[*+?}]\?)|.", re.S
)
_SAFE = frozenset("dDwWsSnrt")
_ESCAPED_IN_SET = re.compile(r"\\([A-Za-z])")


def translated_pattern(pattern: str, pair: Pair, *, replaced: bool) -> tuple[str, str | None]:
    """A pattern for the other family, and what of it has no such words.

    Parameters
    ----------
    replaced:
        What is found counts, and not only whether something is found: POSIX takes the longest match, others the first.
    """
    dot = "[^\\n]" if pair.of_target("regex_dot") == "any" else "(?s:.)"
    out = []
    for piece in _PIECES.finditer(pattern):
        text = piece[0]
        letter = piece["escape"]
        if letter is not None and letter.isalnum() and letter not in _SAFE:
            return pattern, f"the escape {text}"
        if piece["set"] is not None and any(each not in _SAFE for each in _ESCAPED_IN_SET.findall(text)):
            return pattern, f"an escape in {text}"
        if piece["group"] is not None:
            return pattern, "a group that begins with (?"
        if replaced and (text == "|" or (piece["lazy"] is not None and len(text) == 2)):
            return pattern, f"the sign {text}, where what is found is replaced,"
        out.append(dot if text == "." else text)
    return "".join(out), None
