"""A finished video that can go on: its file, and the folder of its latents beside it."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ..files import Parts, as_list, as_number, as_object, as_words, entry, read_about, shown
from ..video import ChunkClock, TimedPrompt
from .kept_chunks import KeptChunks

log = logging.getLogger("headforcing")
SUFFIX = ".latents"
# of a latent, and of the prompts of a video
MOST_SIDE, MOST_CHANNELS, MOST_PROMPTS, LONGEST = 65_536, 1024, 115_200, 1_000_000
MOST_FRAMES, MOST_SECONDS = 10**7, 10**6
LARGEST_SEED = 2**64 - 1


@dataclass(frozen=True)
class MadeVideo:
    """What a video's file says of how it was made.

    Args:
        path: of the file.
        clock: its chunks.
        size: (C, Y, X) of its latent.
        seed: of its noise.
        prompts: and when they began.
    """

    path: Path
    clock: ChunkClock
    size: tuple[int, int, int]
    seed: int
    prompts: tuple[TimedPrompt, ...]

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
        )

    @property
    def folder(self) -> Path:
        """Where its latents are."""
        return self.path.with_suffix(SUFFIX)

    def latents(self, frames: int) -> list[Tensor]:
        """Return its first chunks, ``[1, C, n, Y, X]`` as the model saw them, up to some frame.

        Args:
            frames: at most; whole chunks of them are taken.

        Raises:
            ValueError: if not even a chunk is there.
        """
        chunks = KeptChunks(Parts([self.folder]), self.clock)
        found = chunks.read((1, *self.size), frames)
        if not found:
            raise ValueError(
                f"the latents of {self.path.name} must lie beside it, in {self.folder.name}, and "
                f"the first chunk must end by frame {frames}, got none; keep that folder with the "
                "video, and keep_latents on where it is made"
            )
        return found


def about_video(
    settings: Mapping[str, object],
    channels: int,
    frames: int,
    prompts: Sequence[TimedPrompt],
    starts: Sequence[float],
) -> dict[str, object]:
    """Return what a video's file says of how it is made; ``MadeVideo`` reads it.

    Args:
        settings: of the request.
        channels: of a latent.
        frames: latent frames that are made.
        starts: seconds at which the prompts begin.
    """
    said = [
        {"text": prompt.text, "start": start, "cut": prompt.cut}
        for prompt, start in zip(prompts, starts, strict=True)
    ]
    return {**settings, "channels": channels, "frames": frames, "prompts": said}


def collect(chunks: KeptChunks, path: Path, done: int) -> Path:
    """Move the chunks of a finished run beside its video; return their folder.

    Args:
        done: frames that are finished.

    Raises:
        OSError: if they cannot be moved; what could not stays where it is.
    """
    folder = path.with_suffix(SUFFIX)
    folder.mkdir(exist_ok=True)
    for chunk in chunks.clock:
        if chunk.stop > done:
            break
        for source in chunks.files(chunk):
            if source.parent == folder:
                continue
            # of an earlier video they are still needed there
            if source.parent.suffix == SUFFIX:
                shutil.copy2(source, folder / source.name)
            elif source.stat().st_dev == folder.stat().st_dev:
                os.replace(source, folder / source.name)
            else:
                shutil.move(source, folder / source.name)
            break
    return folder


def _prompt(said: object) -> TimedPrompt:
    about = as_object(said, "a prompt")
    start = about.get("start")
    if start is not None:
        if type(start) not in (int, float) or not 0 <= start <= MOST_SECONDS:
            raise ValueError(f"start of a prompt must be seconds, got {shown(start)}")
    if type(about.get("cut")) is not bool:
        raise ValueError(f"cut of a prompt must be true or false, got {shown(about.get('cut'))}")
    return TimedPrompt(as_words(entry(about, "text"), "text", LONGEST), start, about["cut"])


def _number(about: Mapping[str, object], name: str, most: int, least: int = 0) -> int:
    return as_number(entry(about, name), name, most, least)
