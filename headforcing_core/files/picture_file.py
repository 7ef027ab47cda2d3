"""Pictures on disk."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from PIL import Image

from .replaced import write_bytes


def png_of(picture: Image.Image) -> bytes:
    """Return a picture as a PNG file has it."""
    buffer = BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


def write_png(path: Path, picture: Image.Image) -> None:
    """Write a picture as PNG, whole or not at all.

    Raises:
        OSError: if the disk is full or the place is gone; an older file stays as it was.
    """
    write_bytes(path, png_of(picture))
