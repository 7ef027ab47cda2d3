"""The latents of a finished run on their way to the folder beside its video."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from ..files import CONTAINERS
from .kept_chunks import ENDED, PATTERN, KeptChunks
from .made_video import latents_folder


def collect(chunks: KeptChunks, path: Path, done: int, copied: bool = False) -> Path:
    """Move the chunks of a finished run beside its video; return their folder.

    Args:
        done: frames that are finished.
        copied: they are still needed where they are.

    Raises:
        OSError: if they cannot be moved; what could not stays where it is.
    """
    folder = latents_folder(path)
    folder.mkdir(exist_ok=True)
    for chunk in chunks.clock:
        if chunk.stop > done:
            break
        for source in chunks.files(chunk):
            if source.parent == folder:
                continue
            # of an earlier video they are still needed there
            if copied or source.parent.suffix == ENDED:
                shutil.copy2(source, folder / source.name)
            elif source.stat().st_dev == folder.stat().st_dev:
                os.replace(source, folder / source.name)
            else:
                shutil.move(source, folder / source.name)
            break
        if not (folder / chunks.file_name(chunk)).is_file():
            raise FileNotFoundError(f"chunks must stay where they are kept, got none of {chunk}")
    return folder


def check_folder(path: Path) -> None:
    """Refuse a video whose latents would take the place of another's.

    Raises:
        ValueError: if they would.
    """
    folder = latents_folder(path)
    if not folder.exists() or (path.exists() and folder.is_dir() and not _namesakes(path)):
        return
    raise ValueError(
        f"latents must not take the place of another video's, got {folder}, which is there "
        "already; choose another name, or keep no latents"
    )


def forget(path: Path) -> None:
    """Remove the latents of a video whose place another takes, if they are no third one's.

    Raises:
        OSError: if they may not be removed.
    """
    folder = latents_folder(path)
    if _namesakes(path) or not path.exists():
        return
    for part in folder.glob(PATTERN):
        part.unlink(missing_ok=True)
    with suppress(OSError):  # not there, or not empty
        folder.rmdir()


def _namesakes(path: Path) -> list[Path]:
    """Return videos whose latents would lie in the same folder."""
    others = (path.with_suffix(f".{container}") for container in CONTAINERS)
    return [other for other in others if other.suffix != path.suffix and other.exists()]
