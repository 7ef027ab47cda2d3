"""What lies in a cache: frames, and things made of several. Numbers; no tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from ..video import Chunk


class Kind(Enum):
    """How a page came to be.

    FRAME is a frame where it was written. COPY is one that is kept aside and copied to be read.
    POOLED is a frame with fewer tokens, waiting to become part of a BLOCK, their mean over time.
    MERGED is a mean of frames that are alike, AVERAGE a running mean of all that left. BANDS and
    TOKENS are parts of several frames.
    """

    FRAME = "frame"
    COPY = "copy"
    POOLED = "pooled"
    BLOCK = "block"
    MERGED = "merged"
    AVERAGE = "average"
    BANDS = "bands"
    TOKENS = "tokens"


class Page(NamedTuple):
    """What one place of a cache holds.

    frames: numbers of the frames it is made of, ascending.
    at: frame number it stands at where positions are absolute.
    bands: of BANDS, which band of which frame.
    number: tells apart pages that are made of the same frames.
    """

    kind: Kind
    frames: Sequence[int]
    at: int
    bands: tuple[tuple[int, int], ...] = ()
    number: int = 0


def home_of(page: Page) -> int:
    """Return the position to which the time channels of a page are rotated where they are kept."""
    return page.frames[0] if page.kind in (Kind.FRAME, Kind.COPY) else 0


def frame_page(frame: int) -> Page:
    """Return the page that is one whole frame."""
    return Page(Kind.FRAME, (frame,), frame)


@dataclass(frozen=True)
class Past:
    """What a head holds of the past; no frame number is in two parts of it.

    Args:
        sink, recent: frame numbers, ascending.
        middle: pages between them, oldest first, whether or not they are read.
    """

    sink: tuple[int, ...] = ()
    middle: tuple[Page, ...] = ()
    recent: tuple[int, ...] = ()


@dataclass(frozen=True)
class Commit:
    """What a policy may know when a chunk has become part of the past.

    Args:
        chunk: the chunk.
        scene: first frame of the prompt that rules it.
        sink: frames that are kept for ever.
        shot: first frame of the shot that rules, 0 in the first.
        likeness: cosine of the descriptors of two frames; frames that no descriptor was kept of
            are missing.
        bands: how much a band of a frame is like the same band of the next frame.
        scenes: first frames of all prompts up to this one, ascending.
    """

    chunk: Chunk
    scene: int = 0
    sink: tuple[int, ...] = ()
    shot: int = 0
    likeness: Mapping[tuple[int, int], float] = field(default_factory=dict)
    bands: Mapping[tuple[int, int], float] = field(default_factory=dict)
    scenes: tuple[int, ...] = ()

    def scene_of(self, frame: int) -> int:
        """Return the first frame of the prompt that ruled a frame."""
        return max((scene for scene in self.scenes if scene <= frame), default=0)

    def alike(self, a: int, b: int) -> float:
        """Return the cosine of two frames, in either order."""
        return self.likeness[(a, b) if (a, b) in self.likeness else (b, a)]
