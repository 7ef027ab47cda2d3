"""Measuring where the heads of a model look, while it makes videos."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from random import Random

import torch
from torch import Tensor

from ..kernels import frame_logsumexp, frame_mass
from .attention import Read
from .clock import ChunkClock
from .families import Family
from .generation import VideoRequest
from .head_profile import Sample
from .method import Method
from .methods import SinkWindow
from .prompts import PromptSchedule
from .wan import WanModel


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

    def __post_init__(self) -> None:
        if min(self.prompts, self.seeds, self.frames, self.chunks) < 1:
            raise ValueError(
                "prompts, seeds, frames and chunks must be at least 1, "
                f"got {self.prompts}, {self.seeds}, {self.frames} and {self.chunks}"
            )
        if self.first_chunk < 1 or min(self.rows, self.keep_first, self.seed) < 0:
            raise ValueError(
                "first_chunk must be at least 1, rows, keep_first and seed at least 0, "
                f"got {self.first_chunk}, {self.rows}, {self.keep_first} and {self.seed}"
            )

    def method(self, family: Family) -> Method:
        """Return how the past is kept while the model is watched."""
        if not self.keep_first:
            return family.method
        sink = max(self.keep_first, family.sink)
        return SinkWindow(family.window, sink, family.positions).build(family.frames_per_chunk)

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
        return sorted(Random(_hash(self.seed, prompt, seed)).sample(allowed, count))

    def drawn_rows(self, rows: int, prompt: int, seed: int, chunk: int, step: int) -> Tensor | None:
        """Return the query rows to look at in a call; None: all."""
        if not 0 < self.rows < rows:
            return None
        generator = torch.Generator().manual_seed(_hash(self.seed, prompt, seed, chunk, step))
        return torch.randperm(rows, generator=generator)[: self.rows].sort().values

    @property
    def plain(self) -> dict[str, object]:
        """All of it but how many videos: those may be measured in parts."""
        parts = ("prompts", "seeds")
        return {name: value for name, value in asdict(self).items() if name not in parts}


FULL = ProfileSettings()
QUICK = ProfileSettings(prompts=4, frames=40)


@dataclass
class Profiler:
    """An observer of one rollout in which all heads read the same frames.

    Args:
        prompt, seed: of the video.
        chunks: numbers of those to look at.
        samples: what was measured so far.
    """

    settings: ProfileSettings
    prompt: int
    seed: int
    chunks: list[int]
    samples: list[Sample] = field(default_factory=list)
    _layers: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def __call__(self, read: Read) -> None:
        chunk = read.bank.chunk
        if chunk.index not in self.chunks or (read.step is None and not self.settings.clean):
            return
        grid = read.bank.plan.rope.grid
        tokens = grid.tokens_per_frame
        pool, _ = read.bank.pools(read.layer)
        spans = read.bank.spans(read.layer)
        step = -1 if read.step is None else read.step
        rows = self.settings.drawn_rows(
            read.q.shape[1], self.prompt, self.seed, chunk.index, step
        )
        q = read.q if rows is None else read.q[:, rows.to(read.q.device)]
        mass = frame_mass(frame_logsumexp(q, pool, spans, tokens)).mean((0, 2))
        # the mean over pairs of tokens of a product is the product of the means
        last = read.q[:, -tokens:].float().mean(1) * read.q.shape[-1] ** -0.5
        keys = torch.stack([pool[:, start : start + n] for start, n in spans], 1)
        keys = keys.unflatten(2, (-1, tokens)).mean(3, dtype=torch.float32)
        scores = torch.einsum("bhd,bhfd->hf", last, keys) / len(last)
        self._layers.append((mass, scores))
        if len(self._layers) == read.bank.plan.geometry.layers:
            self._finish(read)

    def _finish(self, read: Read) -> None:
        frames = [page.at for page in read.bank.pages(read.layer, 0, read.frame)]
        order = sorted(range(len(frames)), key=frames.__getitem__)
        mass, scores = (torch.stack(x)[..., order].cpu() for x in zip(*self._layers, strict=True))
        self._layers.clear()
        chunk = read.bank.chunk
        self.samples.append(
            Sample(
                self.prompt,
                self.seed,
                chunk.index,
                read.step,
                tuple(frames[at] for at in order),
                len(chunk),
                mass,
                scores,
            )
        )


def measure(
    model: WanModel,
    family: Family,
    size: tuple[int, int],
    text: Tensor,
    settings: ProfileSettings,
    prompt: int,
    seed: int,
) -> Generator[int, None, tuple[Sample, ...]]:
    """Make one video as far as needed and return what was measured.

    Args:
        size: latent rows and columns.
        text: embedding ``[1, S, text_dim]`` of the prompt.
        prompt, seed: numbers of the video, from 0.

    Yields:
        The frames of each chunk made.
    """
    method = settings.method(family)
    # noise of its own for every video, the same in whatever order they are made
    noise = _hash(settings.seed, prompt, seed) % (1 << 31)
    request = VideoRequest(family, settings.frames, *size, noise, method=method)
    chunks = settings.drawn_chunks(request.clock, prompt, seed)
    profiler = Profiler(settings, prompt, seed, chunks)
    rollout = request.rollout(model, PromptSchedule.constant(text), profiler)
    for done in rollout.run():
        yield len(done.chunk)
        if done.chunk.index == chunks[-1]:
            break
    return tuple(profiler.samples)


def _hash(*numbers: int) -> int:
    digest = blake2b(repr(numbers).encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big")
