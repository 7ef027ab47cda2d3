"""The finished latents of a run, on disk as soon as they are there."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ..files import PART_SUFFIX, Part, Parts, Written, shown
from ..rollout import Begun, FinishedChunk
from ..video import Chunk, ChunkClock

log = logging.getLogger("headforcing")
LATENT, AHEAD, VIDEO = "latent", "ahead", "video"
# what names of parts begin with
NAME = "latent_"
PATTERN = f"{NAME}*{PART_SUFFIX}"
# what the folder of a video's latents ends with, beside the video
ENDED = ".latents"


@dataclass
class KeptChunks:
    """Every chunk is a part of its own; those before the first that is missing are gone on from.

    Args:
        parts: of one video, whose chunks no other settings can make.
        clock: the chunks of the video.
        video: its name, which parts of others do not have; "" takes any.
        place: the folder with the newest chunk; where there is none, the one it will go to.
    """

    parts: Parts
    clock: ChunkClock
    video: str = ""
    waiting: dict[int, FinishedChunk] = field(default_factory=dict)
    place: Path = field(init=False)

    def __post_init__(self) -> None:
        self.place = self.parts.folders[0]
        self._told = False
        self._known = 0
        # of the chunk that was read last, what was known of those behind it
        self.ahead: Tensor | None = None

    @property
    def beyond(self) -> bool:
        """Whether there are chunks after the last: of a longer video, which has begun the same."""
        return any(_start(name) >= self.clock.total_frames for name in self.parts.names(NAME))

    def file_name(self, chunk: Chunk) -> str:
        """Return the name of the file that a chunk goes to."""
        return f"{_name(chunk)}{PART_SUFFIX}"

    def files(self, chunk: Chunk) -> list[Path]:
        """Return the files that hold a chunk."""
        return self.parts.paths(_name(chunk))

    def read(self, shape: tuple[int, int, int, int], frames: int | None = None) -> list[Tensor]:
        """Return the leading chunks that are whole, ``[B, C, n, Y, X]`` as the model sees them.

        What is damaged, and what comes after it, is told and made again.

        Args:
            shape: the (B, C, Y, X) they must have.
            frames: those that are wanted, in whole chunks; None: all.
        """
        found: list[Tensor] = []
        for chunk in self.clock:
            if frames is not None and chunk.stop > frames:
                break
            try:
                latent = self.whole(chunk, shape)
            except ValueError as error:
                log.warning(
                    "%s; frames from %d on are made again, %d before it are kept",
                    *(error, chunk.start, chunk.start),
                )
                break
            if latent is None:
                break
            found.append(latent)
            self._known = chunk.stop
        return found

    def begun(
        self, shape: tuple[int, int, int, int], given: Tensor | Begun | None = None
    ) -> Begun | None:
        """Return what there is of the video: the leading chunks that are whole, or what is given.

        Args:
            shape: see ``read``.
            given: first frames, as the model sees them; chunks hold them too.
        """
        first = Begun(given) if isinstance(given, Tensor) else given
        found, frames = self.read(shape), 0 if first is None else first.frames.shape[2]
        if sum(part.shape[2] for part in found) < max(frames, 1):
            return first
        kept, given_frames = torch.cat(found, 2), 0 if first is None else first.given
        return Begun(kept, kept.shape[2] - given_frames, self.ahead)

    def whole(self, chunk: Chunk, shape: tuple[int, int, int, int]) -> Tensor | None:
        """Return one chunk, ``[B, C, n, Y, X]``; None if there is none.

        Args:
            shape: see ``read``.

        Raises:
            ValueError: if it is damaged, or of another shape.
        """
        part = self.parts.read(_name(chunk))
        if part is None:
            return None
        of = part.about.get(VIDEO, "") if isinstance(part.about, dict) else ""
        if self.video and of != self.video:
            raise ValueError(f"a chunk must be of this video, got one of {shown(of)}")
        latent, (batch, channels, rows, columns) = part.tensors.get(LATENT), shape
        expected = (batch, channels, len(chunk), rows, columns)
        if latent is None or latent.shape != expected or not latent.isfinite().all():
            raise ValueError(f"latents of a chunk must be {list(expected)} finite numbers")
        ahead, like = part.tensors.get(AHEAD), (batch, channels, rows, columns)
        if ahead is not None:
            sizes = (*ahead.shape[:2], *ahead.shape[3:])
            whole = ahead.ndim == 5 and ahead.shape[2] % self.clock.frames_per_chunk == 0
            if not whole or sizes != like or not ahead.isfinite().all():
                raise ValueError(f"what follows a chunk must be of {list(like)} and finite numbers")
        self.ahead = ahead
        return latent

    def write(self, chunk: Chunk, latent: Tensor, ahead: Tensor | None = None) -> None:
        """Keep a chunk, unless it was read; where there is no room it is tried again with the next.

        Args:
            ahead: see ``FinishedChunk``.

        Raises:
            OSError: if it waits; it says why.
        """
        if chunk.stop > self._known:
            self.waiting[chunk.start] = FinishedChunk(chunk, latent, ahead)
            self.save()

    def save(self) -> None:
        """Write what waits.

        Raises:
            OSError: if there is no room, still.
        """
        for start, (chunk, latent, ahead) in list(self.waiting.items()):
            tensors = {LATENT: _whole(latent)}
            if ahead is not None:
                tensors[AHEAD] = _whole(ahead)
            self._note(self.parts.write(_name(chunk), Part(tensors, {VIDEO: self.video})))
            del self.waiting[start]

    def moved(self, parts: Parts, video: str, frames: int) -> KeptChunks:
        """Move the first chunks to another video that begins with them; return what is kept of it.

        What finds no room there is not removed here, and is tried again with the next chunk.

        Args:
            parts: of the other video.
            video: its name.
            frames: that are the same.
        """
        there, full = KeptChunks(parts, self.clock, video, dict(self.waiting)), ""
        kept = [chunk for chunk in self.clock if chunk.stop <= frames and self.files(chunk)]
        for chunk in kept:
            with suppress(ValueError):  # damaged since: made again where it is missed
                part = self.parts.read(_name(chunk))
                found = FinishedChunk(chunk, part.tensors[LATENT], part.tensors.get(AHEAD))
                there.waiting.setdefault(chunk.start, found)
            try:
                there.save()
            except OSError as error:
                full = str(error)
        if full:
            log.warning("not saved yet: %s", full)
        there._known = frames
        # of a longer video, and of one that has ended, they are still needed where they are
        if not there.waiting and not self.beyond:
            for file in (file for chunk in kept for file in self.files(chunk)):
                if file.parent.suffix != ENDED:
                    with suppress(OSError):  # there twice: a run is not to end of it
                        file.unlink(missing_ok=True)
        return there

    def _note(self, written: Written) -> None:
        """Tell, once, that chunks are not where they are looked for first."""
        self.place = written.path.parent
        if written.refused and not self._told:
            self._told = True
            log.warning("%s; chunks are kept in %s instead", written.refused[0], self.place)


def _whole(latent: Tensor) -> Tensor:
    # a copy: what is cut from a whole video would be written as the whole
    return latent.detach().cpu().clone(memory_format=torch.contiguous_format)


def _name(chunk: Chunk) -> str:
    return f"{NAME}{chunk.start:07d}"


def _start(name: str) -> int:
    """Return the frame that a part's name tells; what is no chunk begins nowhere."""
    number = name.removeprefix(NAME)
    return int(number) if number.isdecimal() else -1
