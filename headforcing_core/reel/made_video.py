"""A finished video that can go on: its file, and the folder of its latents beside it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..files import Parts, as_list, as_number, as_object, as_words, entry, read_about, shown
from ..models import video_format
from ..rollout import Begun
from ..video import ChunkClock, TimedPrompt, VideoFormat, parse_prompts
from .kept_chunks import ENDED, VIDEO, KeptChunks

log = logging.getLogger("headforcing")
# first frames that a video was given, and did not make
GIVEN = "given_frames"
# of a latent, and of the prompts of a video
MOST_SIDE, MOST_CHANNELS, MOST_PROMPTS, LONGEST = 65_536, 1024, 115_200, 1_000_000
MOST_FRAMES, MOST_SECONDS = 10**7, 10**6
LONGEST_NAME = 1000
LARGEST_SEED = 2**64 - 1


@dataclass(frozen=True)
class MadeVideo:
    """What a video's file says of how it was made.

    Args:
        path: of the file.
        clock: its chunks.
        size: (C, Y, X) of its latent.
        seed: of its noise.
        prompts: and when they began; none where an embedding was given in their place.
        about: all that it says.
    """

    path: Path
    clock: ChunkClock
    size: tuple[int, int, int]
    seed: int
    prompts: tuple[TimedPrompt, ...]
    about: Mapping[str, object]

    @classmethod
    def read(cls, path: Path) -> MadeVideo:
        """Read what a file says.

        Raises:
            ValueError: if it is no video of ours, or what it says is damaged.
        """
        about = read_about(path)
        first = about.get("first_chunk")
        frames, chunk = (_number(about, x, MOST_FRAMES, 1) for x in ("frames", "frames_per_chunk"))
        if first is not None:
            first = as_number(first, "first_chunk", MOST_FRAMES, 1)
        size = (
            _number(about, "channels", MOST_CHANNELS, 1),
            *(_number(about, side, MOST_SIDE, 1) for side in ("rows", "columns")),
        )
        prompts = as_list(entry(about, "prompts"), "prompts", MOST_PROMPTS)
        return cls(
            path,
            ChunkClock(frames, chunk, first),
            size,
            _number(about, "seed", LARGEST_SEED),
            tuple(map(_prompt, prompts)),
            about,
        )

    @property
    def video(self) -> VideoFormat:
        """How its latents are packed; their channels tell."""
        return video_format(self.size[0])

    @property
    def folder(self) -> Path:
        """Where its latents are."""
        return latents_folder(self.path)

    def frames_before(self, second: float = 0.0) -> int:
        """Return how many frames stay if it is made anew from a second on: whole chunks.

        Args:
            second: 0: all that there is.

        Raises:
            ValueError: if not even a chunk stays, or latents are missing in the midst of others.
        """
        wanted, there, chunks = self.clock.total_frames, 0, self._chunks
        if second:
            wanted = min(wanted, self.video.frames_until(second))
        first = next(iter(self.clock)).stop
        if wanted < first:
            raise ValueError(
                f"a chunk of {self.path.name} at least must be kept, which is there after "
                f"{self.video.moment(first):g} s, got {second:g} s"
            )
        kept = [(chunk.stop, bool(chunks.files(chunk))) for chunk in self.clock]
        for stop, found in kept:
            if stop > wanted or not found:
                break
            there = stop
        if not there:
            raise ValueError(
                f"the latents of {self.path.name} must lie beside it, in {self.folder.name}, got "
                "none; keep that folder with the video, and let latents be kept where it is made"
            )
        if any(found for stop, found in kept if there < stop <= wanted):
            raise ValueError(self._damaged(there, "none of the next chunk"))
        return there

    def begun(self, frames: int) -> Begun:
        """Return its first frames, to go on from as this very video.

        Args:
            frames: as ``frames_before`` says them.

        Raises:
            ValueError: if one of its chunks is damaged.
        """
        chunks = self._chunks
        found = self.latents(frames, chunks)
        given = as_number(self.about.get(GIVEN, 0), GIVEN, MOST_FRAMES)
        return Begun(torch.cat(found, 2), max(0, frames - given), chunks.ahead)

    def latents(self, frames: int, chunks: KeptChunks | None = None) -> list[Tensor]:
        """Return its first chunks, ``[1, C, n, Y, X]`` as the model saw them.

        Args:
            frames: as ``frames_before`` says them.
            chunks: that are read; None: its own.

        Raises:
            ValueError: if one of them is damaged.
        """
        found, chunks = [], chunks or self._chunks
        for chunk in self.clock:
            if chunk.stop > frames:
                break
            try:
                latent = chunks.whole(chunk, (1, *self.size))
            except ValueError as error:
                raise ValueError(self._damaged(chunk.start, str(error))) from None
            if latent is None:
                raise ValueError(self._damaged(chunk.start, "none of the next chunk"))
            found.append(latent)
        return found

    def prompts_then(self, second: float, then: str) -> list[TimedPrompt]:
        """Return the prompts until a second, and those that follow.

        Args:
            then: a schedule whose times count from there; empty: the video's own prompts.

        Raises:
            ValueError: if the video has none, or one of several does not say when it begins.
        """
        if not self.prompts:
            raise ValueError(
                f"{self.path.name} must say what it shows, got a video that was made from an "
                "embedding; give that again"
            )
        if not then.strip():
            return list(self.prompts)
        after = parse_prompts(then, self.video.fps)
        if len(after) > 1 and any(prompt.start is None for prompt in after):
            raise ValueError(
                "prompts that follow must say when each begins, got several without times; write "
                '"[0:5] text"'
            )
        return [
            *(prompt for prompt in self.prompts if prompt.start < second),
            *(TimedPrompt(p.text, second + (p.start or 0.0), p.cut) for p in after),
        ]

    @property
    def _chunks(self) -> KeptChunks:
        video = self.about.get(VIDEO, "")
        return KeptChunks(Parts([self.folder]), self.clock, as_words(video, VIDEO, LONGEST_NAME))

    def _damaged(self, frame: int, found: str) -> str:
        second = self.video.moment(frame)
        remedy = f"; go on from second {second:g}, until which they are" if frame else ""
        return (
            f"the latents of {self.path.name} must be whole, got after {second:g} s: "
            f"{found}{remedy}"
        )


def about_video(
    settings: Mapping[str, object],
    channels: int,
    frames: int,
    prompts: Sequence[TimedPrompt],
    starts: Sequence[float],
    video: str = "",
) -> dict[str, object]:
    """Return what a video's file says of how it is made; ``MadeVideo`` reads it.

    Args:
        settings: of the request, and whatever else it shall say.
        channels: of a latent.
        frames: latent frames that are made.
        prompts: none where an embedding is given in their place.
        starts: seconds at which the prompts begin.
        video: its name, see ``KeptChunks``.
    """
    said = [
        {"text": prompt.text, "start": start, "cut": prompt.cut}
        for prompt, start in zip(prompts, starts, strict=True)
    ]
    counts = {"channels": channels, "frames": frames}
    return {**settings, **counts, "prompts": said, VIDEO: video}


def latents_folder(path: Path) -> Path:
    """Return where the latents of a video are kept."""
    return path.with_suffix(ENDED)


def _prompt(said: object) -> TimedPrompt:
    about = as_object(said, "a prompt")
    start = about.get("start")
    if type(start) not in (int, float) or not 0 <= start <= MOST_SECONDS:
        raise ValueError(f"start of a prompt must be seconds, got {shown(start)}")
    if type(about.get("cut")) is not bool:
        raise ValueError(f"cut of a prompt must be true or false, got {shown(about.get('cut'))}")
    return TimedPrompt(as_words(entry(about, "text"), "text", LONGEST), start, about["cut"])


def _number(about: Mapping[str, object], name: str, most: int, least: int = 0) -> int:
    return as_number(entry(about, name), name, most, least)
