"""What models may do to the streams that they are given."""

from __future__ import annotations

import gc
import io
import sys

import pytest

from flowforge.cli.shield import ShieldedText, shielded_output


def test_everything_printed_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with shielded_output():
        print("one")
        sys.stderr.write("two\n")
        sys.stdout.buffer.write("drei\xfc\n".encode())
    assert capsys.readouterr() == ("", "one\ntwo\ndrei\xfc\n")


def test_closing_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    real = sys.stderr
    with shielded_output():
        sys.stdout.close()
        sys.stderr.close()
    real.write("still here")
    assert capsys.readouterr().err == "still here"


def test_a_wrapper_that_is_thrown_away_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with shielded_output():
        wrapper = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8")
        print("wrapped", file=wrapper)
        del wrapper
        gc.collect()
        print("after")
    assert capsys.readouterr().err == "wrapped\nafter\n"


def test_a_stream_that_nobody_reads_raises_nothing() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    print("words", file=ShieldedText(Gone()), flush=True)
