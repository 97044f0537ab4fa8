"""Streams for code that is not ours: what models print comes through, closing them closes nothing of the program."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import Any, TextIO


class _ShieldedBytes(io.RawIOBase):
    """The bytes below a :class:`ShieldedText`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._stream.write(bytes(data).decode("utf-8", "backslashreplace"))
        self._stream.flush()
        return len(data)


class ShieldedText(io.TextIOBase):
    """Passes text on to *stream*; a ``close`` ends only this object's life, and a failure to write is nobody's."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.buffer = _ShieldedBytes(stream)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "backslashreplace"

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
            if "\n" in text:
                self._stream.flush()
        except (OSError, ValueError):
            pass  # whoever read it has left; that is no reason for a model to fail
        return len(text)

    def flush(self) -> None:
        if not self.closed:
            # When this object is thrown away late, the stream below may be closed already.
            with contextlib.suppress(OSError, ValueError):
                self._stream.flush()


@contextlib.contextmanager
def shielded_output() -> Iterator[None]:
    """While the block runs, everything that code prints goes to stderr: stdout belongs to the command's answer."""
    with (
        contextlib.redirect_stdout(ShieldedText(sys.stderr)),
        contextlib.redirect_stderr(ShieldedText(sys.stderr)),
    ):
        yield
