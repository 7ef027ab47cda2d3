"""Files that take their place whole, or not at all."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from safetensors import SafetensorError

PARTIAL = ".partial"
# of a name; file systems take 255 bytes, and letters may be four
LONGEST = 50
# what is tried of a place before there is anything to lose
PROBE = bytes(65_536)
REFUGE = "headforcing-"
GIB = 1024**3


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Lend a new file beside ``path`` to write to; when the block ends, it takes that place.

    Raises:
        OSError: if the disk is full or the place is gone; an older file stays as it was.
    """
    partial = None
    try:
        partial = _partial(path)
        yield partial
        with partial.open("rb+") as written:  # Windows flushes only what may be written
            os.fsync(written.fileno())  # some disks tell only here that they are full
        os.chmod(partial, 0o666 & ~_umask())  # it was made for the owner alone
        os.replace(partial, path)
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or error
        raise OSError(f"{path} must be writable and its disk not full, got: {why}") from error
    finally:
        if partial is not None:  # after an interrupt, too
            partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all, see ``replacing``."""
    with replacing(path) as partial:
        partial.write_text(text, "utf-8")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, see ``replacing``."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def check_place(path: Path, size: int = 0) -> None:
    """Refuse a place that nothing could be written to, before there is anything to lose.

    Args:
        size: bytes that will be written.

    Raises:
        ValueError: if it holds a link, a pipe, a folder or what may not be changed, or its folder
            is missing, not to be written to, or full.
    """
    refuse_unlike_file(path)
    try:
        partial = _partial(path)
        try:
            with partial.open("wb") as file:
                file.write(PROBE)
                os.fsync(file.fileno())
        finally:
            partial.unlink()
    except OSError as error:
        raise ValueError(
            f"the folder for {path.name} must exist, be writable and its disk not full, got "
            f"{path.parent} ({error.strerror or error})"
        ) from error
    free = shutil.disk_usage(path.parent).free
    if free < size:
        raise ValueError(
            f"the disk must have room for {path.name}, {size / GIB:.3g} GiB, got "
            f"{free / GIB:.3g} GiB free in {path.parent}"
        )


def refuse_unlike_file(path: Path) -> None:
    """Refuse what lies in the place of a file and is none of ours to replace.

    Raises:
        ValueError: if it is a link, a pipe, a folder, a device, or may not be changed.
    """
    try:
        kind = path.lstat().st_mode
    except OSError:
        return  # nothing is there, or nobody may look: writing will tell
    if not stat.S_ISREG(kind):
        raise ValueError(
            f"a result must go to a new file or replace one, got {path}, which is "
            f"{_called(kind)}; choose another name"
        )
    if not os.access(path, os.W_OK):
        raise ValueError(f"a result must not replace what is read-only, got {path}")


def clear_leftovers(path: Path) -> None:
    """Remove what killed runs left half written beside ``path``; nobody else may write there."""
    name = re.compile(re.escape(_prefix(path)) + "[a-z0-9_]{8}" + re.escape(PARTIAL))
    for leftover in path.parent.glob(f".*{PARTIAL}"):
        if name.fullmatch(leftover.name) and leftover.is_file():
            leftover.unlink(missing_ok=True)


def save_or_rescue(save: Callable[[Path], None], path: Path, what: str) -> None:
    """Save to a path, or elsewhere if the place is gone.

    Args:
        save: writes to the path it is given.
        what: it is, in plural.

    Raises:
        OSError: if it is not where it was meant to be; it says where it is.
    """
    try:
        save(path)
    except OSError as error:
        try:
            elsewhere = saved_elsewhere(save, path.name)
        except OSError as nowhere:
            raise OSError(f"{error}; {nowhere}") from error
        raise OSError(f"{error}; {what} are in {elsewhere} instead") from error


def save_all(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write files to a folder, each of which is tried whatever became of the others.

    Returns:
        Their paths.

    Raises:
        OSError: if one is not where it was meant to be; it says where it is.
    """
    failures, left = [], {}
    for name, content in files.items():
        try:
            write_bytes(folder / name, content)
        except OSError as error:
            failures.append(str(error))
            left[name] = content
    if not left:
        return [folder / name for name in files]

    def save(path: Path) -> None:
        for name, content in left.items():
            write_bytes(path.with_name(name), content)

    try:
        elsewhere = saved_elsewhere(save, next(iter(left))).parent
    except OSError as nowhere:
        raise OSError(f"{failures[0]}; {nowhere}") from None
    raise OSError(f"{failures[0]}; {', '.join(left)} are in {elsewhere} instead")


def saved_elsewhere(save: Callable[[Path], None], name: str) -> Path:
    """Save where there is room, because the place meant for it is gone; return where.

    Args:
        save: writes to the path it is given.

    Raises:
        OSError: if there is room nowhere.
    """
    failures = []
    for place in (tempfile.gettempdir, Path.home, Path.cwd):
        try:
            path = Path(tempfile.mkdtemp(prefix=REFUGE, dir=place())) / name
        except (OSError, RuntimeError) as error:  # nobody's home, a folder that was removed
            failures.append(str(error))
            continue
        try:
            save(path)
            return path
        except OSError as error:
            failures.append(str(error))
            shutil.rmtree(path.parent, ignore_errors=True)
    raise OSError(f"nor could it be saved elsewhere: {'; '.join(failures)}")


def _prefix(path: Path) -> str:
    name = path.name
    if len(name) > LONGEST:  # others may begin alike
        name = f"{name[:LONGEST]}-{sha256(name.encode(errors='surrogateescape')).hexdigest()[:8]}"
    return f".{name}."


def _partial(path: Path) -> Path:
    """Make a file beside ``path`` under a name nobody has."""
    number, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path), suffix=PARTIAL)
    os.close(number)
    return Path(name)


def _called(kind: int) -> str:
    if stat.S_ISLNK(kind):
        return "a link"
    if stat.S_ISDIR(kind):
        return "a folder"
    return "a pipe" if stat.S_ISFIFO(kind) else "a device or socket"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
