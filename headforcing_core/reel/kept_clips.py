"""The encoded chunks of a run, kept so that it goes on without decoding them again."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, fields
from hashlib import sha256

import torch

from ..files import Part, Parts, as_number, as_object, entry
from ..telemetry import Measures

log = logging.getLogger("headforcing")
CLIP, MEASURES = "clip", "measures"
# of anything that is counted
MOST = 10**9
# letters of a key
KEY = 16


@dataclass(frozen=True)
class KeptClip:
    """What is said of one clip.

    Args:
        start, stop: latent frames.
        first: number of its first picture.
        count: of its pictures.
        width, height: of a picture, before it is enlarged.
        measures: of its pictures.
    """

    start: int
    stop: int
    first: int
    count: int
    width: int
    height: int
    measures: Measures

    @property
    def plain(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in COUNTS} | {MEASURES: self.measures.to_json()}


COUNTS = tuple(field.name for field in fields(KeptClip) if field.name != MEASURES)


@dataclass(frozen=True)
class KeptClips:
    """Clips of one video as one autoencoder shows it in one style.

    Args:
        parts: those of the video.
        key: tells clips of other autoencoders and styles apart.
    """

    parts: Parts
    key: str

    def leading(self, frames: int) -> list[KeptClip]:
        """Return the clips from the first on, as far as they are whole.

        Args:
            frames: of the video; clips beyond are another's.
        """
        found: list[KeptClip] = []
        while not found or found[-1].stop < frames:
            start = found[-1].stop if found else 0
            try:
                part = self.parts.read(self._name(start))
                if part is None:
                    break
                clip = _said(part)
            except ValueError as error:
                log.warning("%s; the pictures from there on are made again", error)
                break
            if clip.start != start or not start < clip.stop <= frames:
                break
            found.append(clip)
        return found

    def content(self, clip: KeptClip) -> bytes:
        """Return the bytes of a clip.

        Raises:
            ValueError: if it is damaged, or gone since it was looked at.
        """
        part = self.parts.read(self._name(clip.start))
        if part is None:
            raise ValueError(f"the clip of frame {clip.start} must stay where it is, got none")
        return part.tensors[CLIP].numpy().tobytes()

    def write(self, clip: KeptClip, content: bytes) -> None:
        """Keep a clip.

        Raises:
            OSError: if there is room nowhere.
        """
        tensor = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        self.parts.write(self._name(clip.start), Part({CLIP: tensor}, clip.plain))

    def moved(self, parts: Parts, frames: int, copied: bool = False) -> KeptClips:
        """Move the first clips to another video that begins with them; return what is kept of it.

        What finds no room there is decoded again when it is missed.

        Args:
            parts: of the other video.
            frames: that are the same.
            copied: they are still needed here.
        """
        there = KeptClips(parts, self.key)
        with suppress(OSError, ValueError):
            for clip in self.leading(frames):
                there.write(clip, self.content(clip))
                if not copied:
                    self.parts.remove(self._name(clip.start))
        return there

    def _name(self, start: int) -> str:
        return f"clip_{self.key}_{start:07d}"


def key_of(*decides: object) -> str:
    """Return a key that clips have in common which are decided by equal things."""
    return sha256(repr(decides).encode()).hexdigest()[:KEY]


def _said(part: Part) -> KeptClip:
    about = as_object(part.about, "a clip")
    counts = {name: as_number(entry(about, name), name, MOST) for name in COUNTS}
    if CLIP not in part.tensors:
        raise ValueError(f"a clip must hold a tensor named {CLIP!r}, got none")
    return KeptClip(**counts, measures=Measures.from_json(entry(about, MEASURES)))
