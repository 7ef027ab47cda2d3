"""What a video says of itself: how it was made, so that it can go on."""

from __future__ import annotations

from pathlib import Path

from .json_text import json_of, named, shown
from .plain_file import check_file

# the metadata of a file under which it is said, as JSON
ABOUT = "headforcing"


def read_about(path: str | Path) -> dict[str, object]:
    """Return what made a video.

    Raises:
        ValueError: if it does not say so, or is no video.
    """
    import av  # see clip.py
    from av.error import FFmpegError

    check_file(Path(path))
    try:
        with av.open(str(path)) as video:
            # Matroska writes names in capitals
            said = {name.lower(): value for name, value in video.metadata.items()}
    except (FFmpegError, OSError, ValueError) as error:
        raise ValueError(f"{named(path)} must be a video, got {error}") from None
    if ABOUT not in said:
        raise ValueError(
            f"{named(path)} must say what made it, got a video that does not: it is not of Head "
            "Forcing, or was written anew by something that leaves such things out"
        )
    about = json_of(said[ABOUT])
    if not isinstance(about, dict):
        raise ValueError(
            f"{named(path)} must say what made it in a JSON object, got {shown(about)}"
        )
    return about
