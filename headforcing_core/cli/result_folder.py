"""A folder that one run writes its results to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..files import (
    check_place,
    claimed,
    clear_leftovers,
    refuse_held,
    refuse_unlike_file,
    was_claimed,
)


@contextmanager
def result_folder(
    option: str,
    folder: Path,
    names: Sequence[str],
    ours: Callable[[], bool],
    alone: bool = False,
    size: int = 0,
    held: str | None = None,
) -> Iterator[None]:
    """Make a folder and hold it for one run, before there is anything to lose.

    What a killed run of ours left there half written is cleared away.

    Args:
        option: that names the folder.
        names: of all files that will be written.
        ours: tells whether the folder is that of an earlier run of the same kind.
        alone: nothing of somebody else may be in it, in the way or not.
        size: bytes that will be written.
        held: the file that is held in place of the folder, into which other runs write as well.

    Raises:
        ValueError: if it cannot be written to, another run writes there, or it is somebody else's.
    """
    is_new = not folder.exists()
    _make(option, folder)
    files = [folder / name for name in names]
    for file in files:
        refuse_unlike_file(file)
    place = folder if held is None else folder / held
    there = [path for path in (folder.iterdir() if alone else files) if path.exists()]
    if there and not was_claimed(place) and not ours():
        what = f"not hold a {there[0].name} of something else"
        if alone:
            what = "be a new or empty folder, or that of an earlier run"
        raise ValueError(f"{option} must {what}, got {folder}")
    try:
        # held first: what a run leaves that is killed now says whose the folder is
        with claimed(place):
            check_place(files[0], size)
            for file in files:
                if file != place:
                    refuse_held(file)
                clear_leftovers(file)
            yield
    finally:
        if is_new:
            with suppress(OSError):  # something is in it, as a rule
                folder.rmdir()


def _make(option: str, folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{option} must be a folder, got {folder}, which is none")
    if folder.is_symlink() and not folder.exists():
        raise ValueError(f"{option} must be a folder, got {folder}, a link to nothing")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"{option} must be a folder that can be made, got {folder} ({error.strerror or error})"
        ) from error
