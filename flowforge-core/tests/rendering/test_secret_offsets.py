from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flowforge.rendering.secret import before_reveal, mark, reveal

VALUES = {"A": "", "B": "x", "LONGER_NAME": "a much longer value than its placeholder, surely: " * 3}
PIECES = st.lists(st.one_of(st.text("sql ü", max_size=5), st.sampled_from(sorted(VALUES)).map(mark)), max_size=8)


@given(PIECES)
def test_every_character_outside_of_secrets_finds_its_way_back(pieces: list[str]) -> None:
    sql = "".join(pieces)
    revealed_at = 0
    at = 0
    for piece in pieces:
        shown = reveal(piece, VALUES)
        for inside in range(len(shown)):
            origin = before_reveal(sql, VALUES, revealed_at + inside)
            assert origin == (at if shown != piece else at + inside)
        revealed_at += len(shown)
        at += len(piece)
