"""How the heads of a model are measured: which videos, which chunks, which queries."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from random import Random

import torch
from torch import Tensor

from ..bounds import MOST_FRAMES, check_frames, check_week, check_within
from ..generation import VideoRequest
from ..methods import Method, SinkWindow
from ..models import Family
from ..video import ChunkClock, VideoFormat, check_seed

# chunks looked at in all videos: of a Wan 1.3B in four steps, a profile of 1 GiB, which is written
# anew after every video
MOST_CHUNKS = 3000
MOST_ROWS = 2**31 - 1


@dataclass(frozen=True)
class ProfileSettings:
    """How a model is measured.

    Args:
        prompts: videos of different prompts.
        seeds: videos of each prompt.
        frames: latent frames that a video would have; chunks are drawn from them.
        chunks: chunks that are looked at in every video, drawn at random.
        first_chunk: number of the first that may be drawn; before that there is hardly a past.
        last_chunk: number of the last; None: the video's. With 6 and a window of 21 frames, the
            oldest frame of the cache is the first of the video.
        clean: the clean call is looked at, too, not only the noisy ones.
        rows: query rows that are looked at, drawn at random for every call; 0: all.
        keep_first: as many first frames as this stay in the window; 0: the model runs as it does,
            and its oldest frames stand for the first.
        seed: of everything drawn, and of the videos' noise.
        returns: prompts after which something comes back, in videos of their own, of each seed; 0:
            none, as in the paper.

    Source: the protocol of Head Forcing (arXiv 2605.14487) as third parties report it: 20 prompts,
    30 s, 3 chunks after the third, all noisy steps. ``rows``, ``clean`` and ``keep_first`` are
    inferred.
    """

    prompts: int = 20
    seeds: int = 1
    frames: int = 120
    chunks: int = 3
    first_chunk: int = 3
    last_chunk: int | None = None
    clean: bool = False
    rows: int = 256
    keep_first: int = 0
    seed: int = 0
    returns: int = 0

    def __post_init__(self) -> None:
        for name in ("prompts", "seeds", "chunks"):
            check_within(name, getattr(self, name), 1, MOST_CHUNKS)
        if self.prompts * self.seeds * self.chunks > MOST_CHUNKS:
            raise ValueError(
                f"prompts x seeds x chunks must be at most {MOST_CHUNKS} chunks to look at, got "
                f"{self.prompts} x {self.seeds} x {self.chunks}"
            )
        check_frames("frames", self.frames, 1)
        check_week(
            self.prompts * self.seeds * self.frames, "use fewer prompts or seeds, or shorter videos"
        )
        check_within("first_chunk", self.first_chunk, 1, MOST_FRAMES)
        if self.last_chunk is not None:
            check_within("last_chunk", self.last_chunk, 1, MOST_FRAMES)
        check_within("rows", self.rows, 0, MOST_ROWS)
        check_frames("keep_first", self.keep_first)
        check_seed(self.seed)
        check_within("returns", self.returns, 0, self.prompts)

    def method(self, family: Family) -> Method:
        """Return how the past is kept while the model is watched."""
        if not self.keep_first:
            return family.method
        sink = max(self.keep_first, family.sink)
        return SinkWindow(family.window, sink, family.positions).build(family.frames_per_chunk)

    def request(self, family: Family, size: tuple[int, int], noise: int) -> VideoRequest:
        """Return what is made to be watched.

        Args:
            size: latent rows and columns.
            noise: seed of the video's noise.
        """
        return VideoRequest(family, self.frames, *size, noise, method=self.method(family))

    def drawn_chunks(self, clock: ChunkClock, prompt: int, seed: int) -> list[int]:
        """Return the numbers of the chunks to look at in a video, ascending.

        Raises:
            ValueError: if the video has none that may be drawn.
        """
        last = len(clock) - 1 if self.last_chunk is None else min(self.last_chunk, len(clock) - 1)
        allowed = range(self.first_chunk, last + 1)
        if not allowed:
            raise ValueError(
                f"a video must have chunks from number {self.first_chunk} on to be looked at, "
                f"got {len(clock)} chunks up to number {last}; make it longer"
            )
        count = min(self.chunks, len(allowed))
        return sorted(Random(number_from(self.seed, prompt, seed)).sample(allowed, count))

    def drawn_rows(self, rows: int, prompt: int, seed: int, chunk: int, step: int) -> Tensor | None:
        """Return the query rows to look at in a call; None: all."""
        if not 0 < self.rows < rows:
            return None
        generator = torch.Generator().manual_seed(number_from(self.seed, prompt, seed, chunk, step))
        return torch.randperm(rows, generator=generator)[: self.rows].sort().values

    @property
    def videos(self) -> list[tuple[int, int]]:
        """All (prompt, seed), in order."""
        return [(p, s) for p in range(self.prompts) for s in range(self.seeds)]

    @property
    def returning(self) -> list[tuple[int, int]]:
        """All (prompt, seed) after which something comes back."""
        return [(p, s) for p in range(self.returns) for s in range(self.seeds)]

    @property
    def plain(self) -> dict[str, object]:
        """All of it but how many videos: those may be measured in parts."""
        parts = ("prompts", "seeds", "returns")
        return {name: value for name, value in asdict(self).items() if name not in parts}


FULL = ProfileSettings(returns=8)
QUICK = ProfileSettings(prompts=4, frames=40, returns=4)
# and seconds of their videos, whatever a family's frames are: those frames at 16 pictures a second
PRESETS = {"quick": (QUICK, 10.0), "full": (FULL, 30.0)}


def preset_named(name: str, video: VideoFormat) -> ProfileSettings:
    """Return a preset for videos of a format."""
    settings, seconds = PRESETS[name]
    return replace(settings, frames=video.latent_frames(seconds))


def number_from(*keys: int) -> int:
    """Return a number that depends on the keys alone, for seeding; 0 to 2^56."""
    return int.from_bytes(blake2b(repr(keys).encode(), digest_size=7).digest(), "big")
