"""Torch files: what they hold is told from their pickles before ``torch.load`` believes them."""

from __future__ import annotations

import struct
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import BinaryIO

import torch
from safetensors import SafetensorError

from .json_text import named
from .pickled import Pickle
from .pickled_calls import Claimed, Foreign

# how files begin
ZIP, PICKLED = b"PK\3\4", b"\x80"
# what torch.load raises on bytes that are no torch file, or half of one
UNREADABLE = (
    RuntimeError,
    OSError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    MemoryError,
    SafetensorError,
    UnpicklingError,
    struct.error,
    zipfile.BadZipFile,
)
# of a pickle: a hundred thousand tensors take ten
MOST_PICKLED = 1 << 26
# of the table of a zip: ninety for each tensor
MOST_LISTED = 1 << 23
# tensors may lie in each other, as tied weights do, and be one number that stands for many
MOST_SHARING, MOST_REPEATED = 4, 1 << 26
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
# the end of a zip, what stands before it in one of many entries, and each entry
END = struct.Struct("<4s4H2IH")
LOCATOR = struct.Struct("<4sIQI")
LARGE_END = struct.Struct("<4sQ2H2I4Q")
ENTRY = struct.Struct("<4s5H3I2H")
# of an entry's flags: how its name is written
UTF8 = 1 << 11


def load_torch(path: Path, by_path: bool) -> object:
    """Load what a torch file holds: tensors and plain values.

    Args:
        by_path: whether torch may be told its name; by some it guesses another format.

    Raises:
        Foreign: if it holds other things.
        Claimed: if its tensors have more numbers than it stores.
        ValueError: if it is damaged; no sentence for users.
    """
    try:
        with path.open("rb") as file:
            zipped = file.read(4) == ZIP
            size = file.seek(0, 2)
            _check_claims(_of_zip(file, size) if zipped else _of_pickles(file, size), size)
            if not by_path:
                file.seek(0)
                return torch.load(file, map_location="cpu", weights_only=True)
        # mmap works for the zip container only, which torch has written since 1.6
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except (Foreign, Claimed):
        raise
    except UnpicklingError as error:
        if "Unsupported global" in str(error) or "allowed global" in str(error):
            raise Foreign(str(error)) from error
        raise ValueError(str(error)) from error
    except UNREADABLE as error:
        raise ValueError(str(error)) from error


def _check_claims(pickle: Pickle, size: int) -> None:
    if pickle.claimed > MOST_SHARING * size + MOST_REPEATED:
        raise Claimed(f"tensors must be stored, got {pickle.claimed} bytes of them in {size}")


def _of_zip(file: BinaryIO, size: int) -> Pickle:
    """Go through the pickle of a zip, whose entries must be stored as torch does."""
    stored = _entries(file, size)
    folder = next(iter(stored)).partition("/")[0]
    start, length = stored[f"{folder}/data.pkl"]
    if length > MOST_PICKLED:
        raise ValueError(f"a pickle must have at most {MOST_PICKLED} bytes, got {length}")
    file.seek(start)
    pickle = Pickle()
    pickle.read(BytesIO(file.read(length)))
    for key, count in pickle.storages.items():
        _, there = stored.get(f"{folder}/data/{key}", (0, -1))
        if count > there:
            raise Claimed(f"a storage must be in the file, got {there} bytes of {count}")
    return pickle


def _entries(file: BinaryIO, size: int) -> dict[str, tuple[int, int]]:
    """Return where the entries of a zip lie, by name: (start, bytes).

    Torch neither packs them nor lets them overlap, and readers must not differ about which they
    are: what is looked at here is what torch will read.
    """
    _check_listed(file, size)
    found: dict[str, tuple[int, int]] = {}
    with zipfile.ZipFile(file) as archive:
        listed = archive.infolist()
        table = archive.start_dir
    end = 0
    for entry in sorted(listed, key=lambda entry: entry.header_offset):
        file.seek(entry.header_offset)
        mark, *_, name, extra = ENTRY.unpack(file.read(ENTRY.size))
        start = entry.header_offset + ENTRY.size + name + extra
        if mark != ZIP or entry.header_offset < end or (not found and entry.header_offset):
            raise ValueError("entries of a zip must follow each other")
        here = file.read(name).decode("utf-8" if entry.flag_bits & UTF8 else "cp437")
        if not here == entry.orig_filename == entry.filename or here in found:
            raise ValueError("entries of a zip must have one name")
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise ValueError("entries of a zip must be stored as they are")
        end = start + entry.file_size
        found[entry.filename] = (start, entry.file_size)
    if end > table:
        raise ValueError("entries of a zip must end before its table")
    # a reader that does not tell capitals from small letters would find another
    if len({name.lower() for name in found}) < len(found):
        raise ValueError("entries of a zip must have names of their own")
    return {entry.filename: found[entry.filename] for entry in listed}


def _check_listed(file: BinaryIO, size: int) -> None:
    """Refuse a long table of entries before it is read, and one that is not at the very end."""
    file.seek(max(0, size - END.size - LOCATOR.size))
    before, end = file.read(LOCATOR.size), file.read()
    mark, *_, listed, _, comment = END.unpack(end)
    if mark != b"PK\5\6" or comment:
        raise ValueError("a zip must end with the end of its table")
    mark, _, place, _ = LOCATOR.unpack(before)
    if mark == b"PK\6\7":
        file.seek(place)
        mark, *_, listed, _ = LARGE_END.unpack(file.read(LARGE_END.size))
        if mark != b"PK\6\6":
            raise ValueError("a zip must have the table that it speaks of")
    if listed > MOST_LISTED:
        raise ValueError(f"a zip must list its entries in {MOST_LISTED} bytes, got {listed}")


def _of_pickles(file: BinaryIO, size: int) -> Pickle:
    """Go through the pickles of an old file, which follow each other, before its numbers."""
    file.seek(0)
    begins = file.read(min(size, MOST_PICKLED))
    if _is_tar(begins[: tarfile.BLOCKSIZE]):
        raise ValueError("a torch file must be no tar")
    pickles = BytesIO(begins)
    head = Pickle()
    if head.read(pickles) != MAGIC or head.read(pickles) != PROTOCOL:
        raise ValueError("a torch file must begin as torch begins it")
    head.read(pickles)
    pickle = Pickle()
    pickle.read(pickles)
    head.read(pickles)
    stored = sum(pickle.storages.values())
    if stored > size - pickles.tell():
        raise ValueError(f"storages must be in the file, got {stored} bytes of them")
    return pickle


def _is_tar(block: bytes) -> bool:
    """Whether torch would take it for a tar, which it looks for first."""
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def sentence(path: Path, error: Foreign | Claimed) -> str:
    """Return what a user is told of a file that is whole and refused."""
    if isinstance(error, Foreign):
        return (
            f"{named(path)} must hold tensors only, but it holds other objects, or is damaged; "
            "loading those could run code, so it is refused: convert it to safetensors"
        )
    return (
        f"{named(path)} must store all numbers of its tensors, got tensors of more numbers than "
        "it has; it is damaged"
    )
