"""A place that one run holds, and marks as its own until it is done."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout  # torch brings it

from .replaced import check_place, refuse_unlike_file

log = logging.getLogger("headforcing")
LOCK = ".lock"
IN_FOLDER = ".headforcing" + LOCK


@contextmanager
def claimed(place: Path) -> Iterator[None]:
    """Hold a file's place, or a folder, for one run.

    What it holds it with stays there if the run is killed, and says whose the folder is.

    Raises:
        ValueError: if another run holds it, or nothing can be written there.
    """
    mark = _mark(place)
    refuse_unlike_file(mark)
    if mark.exists() and mark.stat().st_size:
        raise ValueError(f"what a place is held with must be ours, got {mark}, which is not empty")
    lock = FileLock(str(mark), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise _held(place) from None
    except (OSError, NotImplementedError) as error:
        check_place(mark)  # where nothing can be written there is nothing to hold
        log.warning("%s cannot be locked (%s): do not let two runs write there", place, error)
    try:
        yield
    finally:
        if lock.is_locked:
            _let_go(lock, mark)


def _let_go(lock: FileLock, mark: Path) -> None:
    # while it is held, so that nobody else's is taken away; Windows lets only files go nobody has
    with suppress(OSError):
        mark.unlink(missing_ok=True)
    lock.release()
    if os.name == "nt":
        with suppress(OSError):
            mark.unlink(missing_ok=True)


def refuse_held(place: Path) -> None:
    """Refuse a place that another run holds; the mark of one that was killed stays.

    Raises:
        ValueError: if one does.
    """
    if not was_claimed(place):
        return
    lock = FileLock(str(_mark(place)), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise _held(place) from None
    except (OSError, NotImplementedError):
        return  # that it cannot be locked is said where it is claimed
    lock.release()


def _held(place: Path) -> ValueError:
    return ValueError(
        f"a place must be written to by one run at a time, got {place}, which another run "
        "writes to now; choose another, or wait"
    )


def was_claimed(place: Path) -> bool:
    """Tell whether a run of ours began there and did not come to its end."""
    return _mark(place).is_file()


def _mark(place: Path) -> Path:
    return place / IN_FOLDER if place.is_dir() else place.with_name(f".{place.name}{LOCK}")
