"""The loop of models that denoise several chunks together, each at a noise level of its own."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from .contexts import KeptContext
from .device import send
from .memory import CacheBank
from .models import Backbone
from .rollout import Begun, Drawn, FinishedChunk, Steer, check_given, predicting, steered
from .video import Chunk, ChunkClock, Denoising, NoiseSource, PromptSchedule, add_noise


@dataclass(frozen=True)
class JointRollout:
    """One video whose chunks enter a window one by one and leave it clean.

        window      chunks, with the step each of them is at, for three steps
        0           0:0
        1           0:1  1:0
        2           0:2  1:1  2:0      chunk 0 is finished
        3           1:2  2:1  3:0      chunk 1 is finished

    Every window is one call, with a timestep for each frame; then the chunk that is finished is
    kept, by a clean call of its own. What the window is told is the prompt of its newest chunk.

    Args:
        backbone, clock, prompts, context, noise: see ``Rollout``.
        denoising: its levels, one per chunk of a full window.
        steer: see ``Rollout``; asked with every chunk that enters the window. Where scenes begin is
            known from the beginning: it may not say otherwise.

    Source: Rolling Forcing (arXiv 2509.25161) and its code (TencentARC/RollingForcing, commit
    a1477d0). There clean calls are made of unfinished chunks too; nothing reads what they leave.
    """

    backbone: Backbone
    clock: ChunkClock
    prompts: PromptSchedule
    context: KeptContext
    denoising: Denoising
    noise: NoiseSource
    steer: Steer | None = None

    @property
    def bank(self) -> CacheBank:
        """The caches of its past."""
        return self.context.bank

    def through(self, backbone: Backbone) -> JointRollout:
        """Return the same video made by another backbone, such as one that counts calls."""
        self.context.backbone = backbone
        return replace(self, backbone=backbone)

    def calls_until(self, index: int) -> int:
        """Return the calls of the model that chunks up to this one take, cuts left out."""
        return index + len(self.denoising.levels) + self.context.calls_until(index)

    def run(self, given: Tensor | Begun | None = None) -> Iterator[FinishedChunk]:
        """Yield chunks in order; see ``Rollout.run``."""
        begun = Begun(given) if isinstance(given, Tensor) else given
        self.check(None if begun is None else begun.frames)
        return self._scenes(begun)

    def check(self, given: Tensor | None) -> None:
        """Refuse ``given`` frames that are not whole chunks of this video."""
        check_given(self.clock, given)

    def _scenes(self, begun: Begun | None) -> Iterator[FinishedChunk]:
        """Empty the window at every cut: what begins there shall see nothing of what was before."""
        chunks = list(self.clock)
        cuts = [c.index for c in chunks if c.start in self.prompts.cuts and c.index]
        prompts = self.prompts
        for first, stop in pairwise([0, *cuts, len(chunks)]):
            prompts = yield from self._windows(chunks[first:stop], begun, prompts)

    def _windows(
        self, chunks: Sequence[Chunk], begun: Begun | None, prompts: PromptSchedule
    ) -> Generator[FinishedChunk, None, PromptSchedule]:
        """Make a scene; return what is said at its end."""
        known = 0 if begun is None else begun.frames.shape[2]
        steps, number = len(self.denoising.levels), {c: i for i, c in enumerate(chunks)}
        told = 0
        for chunk in (c for c in chunks if c.stop <= known):
            behind = steps - 1 if chunk.stop > begun.given else 0
            window = chunks[: number[chunk] + behind + 1]
            for newest in window[told:]:
                self.context.turn_to(newest, prompts)
            told = len(window)
            yield self._kept(chunk, prompts.at(window[-1].start), begun)
        left = [chunk for chunk in chunks if chunk.stop > known]
        # what was in flight at a cut is of the scene before
        goes_on = bool(left) and left[0] is not chunks[0]
        waiting = self._waiting(left, begun) if goes_on else {}
        if not left:
            return prompts
        begin = number[left[0]] + (steps - 1 if waiting else 0)
        for window in range(begin, len(chunks) + steps - 1):
            oldest = max(number[left[0]], window - steps + 1)
            together = chunks[oldest : min(len(chunks), window + 1)]
            if window < len(chunks):
                prompts = steered(self.steer, together[-1], prompts)
            text = prompts.at(together[-1].start)
            self.context.turn_to(together[-1], prompts)
            at = {chunk: window - number[chunk] for chunk in together}
            waiting |= self._denoised(at, waiting, text)
            if at[together[0]] == steps - 1:
                clean = waiting.pop(together[0])
                self.context.keep(together[0], clean, text)
                behind = [waiting[chunk] for chunk in together[1:]]
                ahead = torch.cat(behind, 2) if behind else None
                yield FinishedChunk(together[0], clean, ahead)
        return prompts

    def _kept(self, chunk: Chunk, text: object, begun: Begun) -> FinishedChunk:
        """Keep a chunk under what its last window was told."""
        part = begun.frames[:, :, chunk.start : chunk.stop]
        clean = send(part, self.context.device).float()
        self.context.keep(chunk, clean, text, chunk.stop > begun.given)
        last = chunk.stop == begun.frames.shape[2]
        return FinishedChunk(chunk, clean, begun.ahead if last else None)

    def _waiting(self, left: Sequence[Chunk], begun: Begun | None) -> dict[Chunk, Tensor]:
        """Return what is known of chunks that an earlier run had begun."""
        if not left or begun is None or begun.ahead is None:
            return {}
        parts = begun.ahead.split(self.clock.frames_per_chunk, 2)
        whole = len(parts) == min(len(self.denoising.levels) - 1, len(left))
        # of a shorter video, whose window was emptied, they are not what comes next
        if not whole or left[0].start != begun.frames.shape[2]:
            return {}
        there = (send(part, self.context.device).float() for part in parts)
        return dict(zip(left, there, strict=False))

    def _denoised(
        self, at: dict[Chunk, int], known: dict[Chunk, Tensor], text: object
    ) -> dict[Chunk, Tensor]:
        """Return the estimates that one call makes of a window's chunks.

        Args:
            at: chunks in order, and the step each of them is at.
            known: the estimates before.
        """
        levels, drawn = self.denoising.levels, Drawn(self.noise, self.context)
        noisy, told = [], []
        for chunk, step in at.items():
            fresh = drawn.draw(chunk, step)
            noisy.append(add_noise(known[chunk], fresh, levels[step]) if step else fresh)
            told += [levels[step]] * len(chunk)
        first, *_, last = (*at, *at)
        attend = self.context.open_window(Chunk(first.index, first.start, last.stop))
        predict = predicting(self.backbone, text, attend)
        estimates = predict(torch.cat(noisy, 2), told, len(levels) - 1)
        return dict(zip(at, estimates.split([len(chunk) for chunk in at], 2), strict=True))
