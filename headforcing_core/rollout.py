"""The autoregressive loop: open a chunk, draft it, keep it, yield it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from torch import Tensor

from .attention import HeadAttention
from .contexts import Context
from .device import send
from .memory import CacheBank
from .models import Backbone
from .video import Chunk, ChunkClock, Denoising, NoiseLevel, NoiseSource, Predict, PromptSchedule


class FinishedChunk(NamedTuple):
    """latent: ``[B, C, len(chunk), Y, X]``, clean, float32.

    ahead: of a rollout that denoises chunks together, what it knows of those behind this one,
        ``[B, C, n, Y, X]``; it cannot go on without.
    """

    chunk: Chunk
    latent: Tensor
    ahead: Tensor | None = None


class Begun(NamedTuple):
    """Clean frames that a video goes on from.

    frames: ``[B, C, n, Y, X]``.
    made: how many of them, at the end, an earlier run of this very video made.
    ahead: see ``FinishedChunk``, of the last of them.
    """

    frames: Tensor
    made: int = 0
    ahead: Tensor | None = None

    @property
    def given(self) -> int:
        """Frames that the video did not make itself."""
        return self.frames.shape[2] - self.made


# Asked before a chunk that is to be made: what is said otherwise from it on, None: nothing. What is
# said of the chunks before stays.
Steer = Callable[[Chunk], PromptSchedule | None]


@dataclass(frozen=True)
class Drawn:
    """The noise of a video, on the device of its model."""

    noise: NoiseSource
    context: Context

    def draw(self, chunk: Chunk, step: int) -> Tensor:
        return send(self.noise.draw(chunk, step), self.context.device)


@dataclass(frozen=True)
class Rollout:
    """One video. Everything that lives as long as the video lives here, nothing anywhere else.

    Args:
        backbone: the model.
        clock: the chunks of the video.
        prompts: what it shall show.
        context: its past, empty.
        denoising: how a chunk becomes clean.
        noise: every random number of the video.
        first: how the first chunk that is not given becomes clean; None: as the others.
        holds_image: first frames that do not fill a chunk are held in it, clean.
        steer: may say otherwise what it shall show, while it is made.

    Source: Self-Forcing (arXiv 2506.08009), algorithm of the autoregressive rollout.
    """

    backbone: Backbone
    clock: ChunkClock
    prompts: PromptSchedule
    context: Context
    denoising: Denoising
    noise: NoiseSource
    first: Denoising | None = None
    holds_image: bool = False
    steer: Steer | None = None

    @property
    def bank(self) -> CacheBank:
        """The caches of its past."""
        return self.context.bank

    def through(self, backbone: Backbone) -> Rollout:
        """Return the same video made by another backbone, such as one that counts calls."""
        self.context.backbone = backbone
        return replace(self, backbone=backbone)

    def calls_until(self, index: int) -> int:
        """Return the calls of the model that chunks up to this one take."""
        first = self.denoising if self.first is None else self.first
        drafts = len(first.levels) + index * len(self.denoising.levels)
        return drafts + self.context.calls_until(index)

    def run(self, given: Tensor | Begun | None = None) -> Iterator[FinishedChunk]:
        """Yield chunks in order, each as soon as it is clean. Can be run once.

        Args:
            given: clean first frames to go on from; they are kept and yielded like the others.

        Raises:
            ValueError: if no chunk ends where ``given`` ends.
        """
        begun = Begun(given) if isinstance(given, Tensor) else given
        self.check(None if begun is None else begun.frames)
        return self._chunks(begun)

    def check(self, given: Tensor | None) -> None:
        """Refuse ``given`` frames that are not whole chunks of this video."""
        if not (self.holds_image and given is not None and given.shape[2] == 1):
            check_given(self.clock, given)

    def _chunks(self, begun: Begun | None) -> Iterator[FinishedChunk]:
        known, prompts = 0 if begun is None else begun.frames.shape[2], self.prompts
        for chunk in self.clock:
            if chunk.stop > known:
                prompts = steered(self.steer, chunk, prompts)
            text = prompts.at(chunk.start)
            self.context.turn_to(chunk, prompts)
            given = self._given(chunk, begun) if chunk.start < known else None
            if chunk.stop <= known:
                clean = given
            else:
                begins = chunk.start == (0 if begun is None or given is not None else begun.given)
                clean = self._draft(chunk, text, begins, given)
            made = begun is None or chunk.stop > begun.given
            self.context.keep(chunk, clean, text, made)
            yield FinishedChunk(chunk, clean)

    def _given(self, chunk: Chunk, begun: Begun) -> Tensor:
        part = begun.frames[:, :, chunk.start : chunk.stop]
        return send(part, self.context.device).float()

    def _draft(self, chunk: Chunk, text: object, begins: bool, held: Tensor | None) -> Tensor:
        denoising = self.first if begins and self.first is not None else self.denoising
        predict = predicting(self.backbone, text, self.context.open(chunk))
        return denoising.draft(chunk, predict, Drawn(self.noise, self.context), held)


def steered(steer: Steer | None, chunk: Chunk, prompts: PromptSchedule) -> PromptSchedule:
    """Return what is said from a chunk on that is to be made."""
    return (steer and steer(chunk)) or prompts


def check_given(clock: ChunkClock, given: Tensor | None) -> None:
    """Refuse ``given`` frames that are not whole chunks of a video.

    Raises:
        ValueError: if so.
    """
    if given is not None and given.shape[2] not in {chunk.stop for chunk in clock}:
        first, *_ = clock
        raise ValueError(
            f"given frames must fill whole chunks of {clock.frames_per_chunk} (the first "
            f"of {len(first)}) of a video of {clock.total_frames} frames, got {given.shape[2]}"
        )


def predicting(backbone: Backbone, text: object, attend: HeadAttention) -> Predict:
    """Return the calls of a model while a chunk is open."""

    def predict(noisy: Tensor, level: NoiseLevel | Sequence[NoiseLevel], step: int) -> Tensor:
        return backbone.predict_clean(noisy, level, text, replace(attend, step=step))

    return predict
