"""Files that people name: whether there is one that can be read, and the text of a small one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .json_text import named, placed

# how text begins that some editors write and this is not
UTF16 = (b"\xff\xfe", b"\xfe\xff")


def check_file(path: Path, rule: str = "the file must exist") -> int:
    """Refuse what is no file, or may not be read: a pipe or a device would be read for ever.

    Args:
        rule: what is said where there is nothing.

    Returns:
        its size in bytes.

    Raises:
        ValueError: why.
    """
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # the latter of a name with a zero byte
        raise ValueError(f"{rule}, got {placed(path)}") from None
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe, a socket or a device"
        raise ValueError(f"the file must be a plain file, got {what}: {placed(path)}")
    if not os.access(path, os.R_OK):
        raise ValueError(f"{named(path)} must be readable by this user, got no permission")
    return found.st_size


def read_text(path: Path, most: int, rule: str = "the file must exist") -> str:
    """Read a text file, of UTF-8 with or without the mark that some editors set before it.

    Args:
        most: bytes it may have.
        rule: see ``check_file``.

    Raises:
        ValueError: if it is no such file.
    """
    size = check_file(path, rule)
    if not 0 < size <= most:
        raise ValueError(f"{named(path)} must be a text of 1 to {most} bytes, got {size}")
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise ValueError(f"{named(path)} must be readable, got: {error.strerror}") from None
    if data.startswith(UTF16):
        raise ValueError(f"{named(path)} must be text in UTF-8, got UTF-16; save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{named(path)} must be text in UTF-8, got another byte at {error.start}"
        ) from None
