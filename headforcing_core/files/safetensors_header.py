"""The header of a safetensors file, held to what headers are before all of it is believed."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from .json_text import json_of, named, shown

# a model has a few thousand, a profile of a thousand videos three tens of thousands
MOST_TENSORS = 1 << 16
MOST_DIMENSIONS = 16
LONGEST_NAME = 250
# most of it may be what trainers note of a training, or which samples a profile has
MOST_HEADER = 1 << 25
LENGTH = struct.Struct("<Q")


def check_header(path: Path, size: int) -> None:
    """Refuse a header that would take long, or names a tensor twice: a reader takes one of them.

    What it says of places is left to the library.

    Raises:
        ValueError: what is wrong with it.
    """
    with path.open("rb") as file:
        begins = file.read(LENGTH.size)
        length = LENGTH.unpack(begins)[0] if len(begins) == LENGTH.size else 0
        if not 2 <= length <= size - LENGTH.size:
            return  # the library's own words for what is no such file
        if length > MOST_HEADER:
            raise ValueError(
                f"the header of {named(path)} must have at most {MOST_HEADER} bytes, got {length}"
            )
        text = file.read(length)
    try:
        header = json_of(text.decode("utf-8"))
    except UnicodeDecodeError:
        return
    except ValueError as error:
        raise ValueError(f"the header of {named(path)} must be read: {error}") from None
    if isinstance(header, dict):
        check_names(path, header)


def check_names(path: Path, names: Iterable[str]) -> None:
    """Refuse more tensors than any model has, and names that no message could show.

    Raises:
        ValueError: which.
    """
    names = list(names)
    check_count(path, len(names))
    for name in names:
        if not (name.isprintable() and 0 < len(name) <= LONGEST_NAME):
            raise ValueError(
                f"tensors of {named(path)} must have names of 1 to {LONGEST_NAME} letters, "
                f"got {shown(name)}"
            )


def check_count(path: Path, count: int) -> None:
    """Refuse more tensors than any model has.

    Raises:
        ValueError: how many there are.
    """
    if count > MOST_TENSORS:
        raise ValueError(f"{named(path)} must hold at most {MOST_TENSORS} tensors, got {count}")


def check_shape(path: Path, name: str, shape: tuple[int, ...]) -> None:
    """Refuse a shape that nothing has.

    Raises:
        ValueError: of which tensor it is.
    """
    if len(shape) > MOST_DIMENSIONS or any(length >= 1 << 48 for length in shape):
        raise ValueError(
            f"tensors of {named(path)} must have at most {MOST_DIMENSIONS} sides that could be "
            f"stored, got {len(shape)} for {name}"
        )
