"""The autoregressive loop: draft a chunk, commit it, yield it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import ceil
from typing import NamedTuple

from torch import Tensor

from ..kernels import Dense
from .attention import HeadAttention, Observer
from .device import send
from .memory import CacheBank
from .methods import Switch
from .models import Backbone
from .video import CLEAN, Chunk, ChunkClock, NoiseLevel, NoiseSource, PromptSchedule, add_noise


class FinishedChunk(NamedTuple):
    """latent: ``[B, C, len(chunk), Y, X]``, clean, float32."""

    chunk: Chunk
    latent: Tensor


@dataclass(frozen=True)
class Rollout:
    """One video. Everything that lives as long as the video lives here, nothing anywhere else.

    Args:
        backbone: the model.
        clock: the chunks of the video.
        prompts: what it shall show.
        bank: its caches, empty.
        levels: noise levels at which a chunk is denoised, noisiest first.
        noise: every random number of the video.
        switch: what a new prompt does to the past. With a cut it has none: the video begins anew
            there, as far as memory goes.
        observe: sees the attention of every model call.
        dense: see ``HeadAttention``.

    Source: Self-Forcing (arXiv 2506.08009), algorithm of the autoregressive rollout.
    """

    backbone: Backbone
    clock: ChunkClock
    prompts: PromptSchedule
    bank: CacheBank
    levels: tuple[NoiseLevel, ...]
    noise: NoiseSource
    switch: Switch = field(default_factory=Switch)
    observe: Observer | None = None
    dense: Dense | None = None

    def run(self, given: Tensor | None = None) -> Iterator[FinishedChunk]:
        """Yield chunks in order, each as soon as it is clean. Can be run once.

        Args:
            given: ``[B, C, n, Y, X]``, clean first frames to go on from; they are committed and
                yielded like the others.

        Raises:
            ValueError: if no chunk ends where ``given`` ends.
        """
        self.check(given)
        return self._chunks(given, 0 if given is None else given.shape[2])

    def check(self, given: Tensor | None) -> None:
        """Refuse ``given`` frames that are not whole chunks of this video."""
        if given is not None and given.shape[2] not in {chunk.stop for chunk in self.clock}:
            first, *_ = self.clock
            raise ValueError(
                f"given frames must fill whole chunks of {self.clock.frames_per_chunk} (the first "
                f"of {len(first)}) of a video of {self.clock.total_frames} frames, "
                f"got {given.shape[2]}"
            )

    def _chunks(self, given: Tensor | None, given_frames: int) -> Iterator[FinishedChunk]:
        recent: deque[FinishedChunk] = deque(maxlen=self._remembered)
        said = self.prompts.number(0)
        for chunk in self.clock:
            text = self.prompts.at(chunk.start)
            number = self.prompts.number(chunk.start)
            if number != said:
                self._switch(chunk, text, recent)
                said = number
            attend = self._open(chunk)
            if chunk.stop <= given_frames:
                clean = send(given[:, :, chunk.start : chunk.stop], self.bank.device).float()
            else:
                clean = self._draft(chunk, text, attend)
            self._commit(chunk, clean, text, attend)
            recent.append(FinishedChunk(chunk, clean))
            yield FinishedChunk(chunk, clean)

    @property
    def _remembered(self) -> int:
        """Chunks that a new prompt may compute again, the first one perhaps a short one."""
        return 1 + ceil(self.switch.again / self.clock.frames_per_chunk) if self.switch.again else 0

    def _switch(self, chunk: Chunk, text: object, recent: deque[FinishedChunk]) -> None:
        """Let a new prompt change the past: forget, or compute the last chunks again under it."""
        if self.prompts.cuts_at(chunk.start):
            self.bank.begin_anew(chunk)
            return
        self.bank.forget(chunk.start, self.switch)
        known = {done.chunk: done.latent for done in recent}
        again = self.switch.recomputed(list(known), self.bank.sink_end)
        if again:
            self.bank.rewind(again[0].start)
        for past in again:
            self._commit(past, known[past], text, self._open(past))

    def _commit(self, chunk: Chunk, clean: Tensor, text: object, attend: HeadAttention) -> None:
        self.backbone.predict_clean(clean, CLEAN, text, replace(attend, step=None))
        self.bank.commit(chunk, clean)

    def _open(self, chunk: Chunk) -> HeadAttention:
        return HeadAttention(self.bank.open(chunk), self.observe, dense=self.dense)

    def _draft(self, chunk: Chunk, text: object, attend: HeadAttention) -> Tensor:
        noise = self._draw(chunk, 0)
        clean = self.backbone.predict_clean(noise, self.levels[0], text, attend)
        for step, level in enumerate(self.levels[1:], start=1):
            noisy = add_noise(clean, self._draw(chunk, step), level)
            clean = self.backbone.predict_clean(noisy, level, text, replace(attend, step=step))
        return clean

    def _draw(self, chunk: Chunk, step: int) -> Tensor:
        return send(self.noise.draw(chunk, step), self.bank.device)
