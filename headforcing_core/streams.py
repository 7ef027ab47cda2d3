"""Standard streams that may be closed, broken or full: nothing that is printed ends a run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class Stream:
    """A text stream that takes everything, and remembers why it could not pass it on.

    Args:
        stream: where it goes; None: nowhere.
    """

    def __init__(self, stream: TextIO | None):
        self._stream = stream
        self.error: OSError | ValueError | None = None
        # a prompt in letters that a terminal has not is no reason to stop
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        if self._open:
            try:
                self._stream.write(text)
            except (OSError, ValueError) as error:  # ValueError: closed meanwhile
                self._broke(error)
        return len(text)

    def flush(self) -> None:
        if self._open:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._broke(error)

    @property
    def lost(self) -> str | None:
        """What to say if something was lost; a reader that has gone had enough, as head has."""
        if self.error is None or isinstance(self.error, BrokenPipeError):
            return None
        return f"what is printed must find room where it goes, got: {self.error}"

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    @property
    def _open(self) -> bool:
        return self._stream is not None and self.error is None

    def _broke(self, error: OSError | ValueError) -> None:
        self.error = error
        # what is still in its buffer is flushed when the interpreter ends, and would fail there
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        except (OSError, ValueError):
            return


@contextmanager
def sturdy_streams(quiet: bool = False) -> Iterator[Stream]:
    """Put such streams in the place of stdout and stderr; lend that of stdout.

    Args:
        quiet: nothing is passed on: another process says it.
    """
    # a file opened later would get the number of a closed stream, and what is printed there
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (Stream(None if quiet else stream) for stream in before)
    out, err = sys.stdout, sys.stderr
    try:
        yield out
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before
