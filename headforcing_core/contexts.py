"""What a chunk is made in front of: a past that is kept, or one that is computed anew."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from math import ceil
from typing import Protocol

import torch
from torch import Tensor

from ..kernels import Dense
from .attention import HeadAttention, Observer
from .memory import CacheBank
from .methods import Rebuilt, Shots, Switch
from .models import Backbone
from .video import CLEAN, Chunk, PromptSchedule


class Recoder(Protocol):
    """Makes the latent of one picture of the video so far. It dies with its video."""

    def add(self, latent: Tensor) -> None:
        """Take the next frames, ``[B, C, n, Y, X]``, clean."""

    def frame(self, back: int) -> Tensor:
        """Encode one picture by itself: ``[B, C, 1, Y, X]``.

        Args:
            back: how many latent frames before the last one it is; the last picture of that frame.
        """


class Context(Protocol):
    """What is before a chunk. A chunk is opened, drafted, and kept; given chunks are kept only.

    backbone: the model that computes it.
    """

    backbone: Backbone
    bank: CacheBank

    def calls_until(self, index: int) -> int:
        """Return the calls of the model that keeping chunks up to this one takes."""

    @property
    def device(self) -> torch.device: ...

    def turn_to(self, chunk: Chunk, prompts: PromptSchedule) -> None:
        """Let a new prompt change the past, if one begins with this chunk."""

    def open(self, chunk: Chunk) -> HeadAttention:
        """Return what attends to the past while a chunk is drafted."""

    def keep(self, chunk: Chunk, clean: Tensor, text: object, made: bool = True) -> None:
        """Make a clean chunk, ``[B, C, len(chunk), Y, X]``, part of the past.

        Args:
            made: by this video's own rollout; not given to begin with.
        """


class KeptContext:
    """Keys and values that stay from chunk to chunk.

    Args:
        backbone: computes them, by a call on the clean chunk.
        bank: holds them; empty.
        switch: what a new prompt does to them. With a cut there are none: the video begins anew
            there, as far as memory goes.
        shots: what a cut does instead.
        observe, dense: see ``HeadAttention``.
    """

    def __init__(
        self,
        backbone: Backbone,
        bank: CacheBank,
        switch: Switch | None = None,
        shots: Shots | None = None,
        observe: Observer | None = None,
        dense: Dense | None = None,
    ):
        self.backbone, self.bank = backbone, bank
        self.switch, self.shots = switch or Switch(), shots
        self.observe, self.dense = observe, dense
        self._recent: deque[tuple[Chunk, Tensor]] = deque(maxlen=self._remembered)
        self._said: int | None = None
        self._cut = False
        self._attend: HeadAttention | None = None

    @property
    def device(self) -> torch.device:
        return self.bank.device

    @property
    def _remembered(self) -> int:
        """Chunks that a new prompt may compute again, the first one perhaps a short one."""
        again, chunk = self.switch.again, self.bank.plan.frames_per_chunk
        return 1 + ceil(again / chunk) if again else 0

    def calls_until(self, index: int) -> int:
        return index + 1

    def turn_to(self, chunk: Chunk, prompts: PromptSchedule) -> None:
        before, self._said = self._said, prompts.number(chunk.start)
        if before in (None, self._said) or prompts.starts[self._said] in prompts.same:
            return
        if not prompts.cuts_at(chunk.start):
            self._switch(chunk, prompts.at(chunk.start))
        elif self.shots is None:
            self.bank.begin_anew(chunk)
        else:
            self._recent.clear()  # their numbers are of another shot
            self.bank.begin_shot(chunk, self.shots.offset)
            self._cut = True

    def _switch(self, chunk: Chunk, text: object) -> None:
        """Forget, or compute the last chunks again under a new prompt."""
        self.bank.forget(chunk.start, self.switch)
        known = dict(self._recent)
        again = self.switch.recomputed(list(known), self.bank.sink_end)
        if again:
            self.bank.rewind(again[0].start)
        for past in again:
            self.open(past)
            self._commit(past, known[past], text)

    def open(self, chunk: Chunk) -> HeadAttention:
        self._attend = HeadAttention(self.bank.open(chunk), self.observe, dense=self.dense)
        return self._attend

    def open_window(self, window: Chunk) -> HeadAttention:
        """Return what attends to the past while several chunks are drafted together."""
        return HeadAttention(self.bank.open_window(window), self.observe, dense=self.dense)

    def keep(self, chunk: Chunk, clean: Tensor, text: object, made: bool = True) -> None:
        if self._cut and self.shots is not None and self.shots.recache:
            self.bank.leave_sink()
            self._attend = None
        self._cut = False
        if self._attend is None:
            self.open(chunk)
        self._commit(chunk, clean, text)
        self._recent.append((chunk, clean))

    def _commit(self, chunk: Chunk, clean: Tensor, text: object) -> None:
        self.backbone.predict_clean(clean, CLEAN, text, replace(self._attend, step=None))
        self.bank.commit(chunk, clean)
        self._attend = None


class RebuiltContext:
    """Keys and values computed anew, before every chunk, from a few clean frames.

    They are computed chunk by chunk, which is what a call with a mask that lets chunks see only
    themselves and those before computes. No key outlives a chunk; what is kept are latents.

    Args:
        backbone, bank, observe, dense: see ``KeptContext``.
        rule: which frames, and how much they count.
        recoder: makes the first of them, unless that is the first of the video.

    Source: Krea Realtime (krea-ai/realtime-video at commit acf4b7b), its ``GenerationSession``.
    """

    def __init__(
        self,
        backbone: Backbone,
        bank: CacheBank,
        rule: Rebuilt,
        recoder: Recoder | None = None,
        observe: Observer | None = None,
        dense: Dense | None = None,
    ):
        if recoder is None and not rule.keep_first:
            raise ValueError(
                "a past that is computed anew must have a VAE, which encodes its first frame, got "
                "none; give one, or set keep_first"
            )
        self.backbone, self.bank, self.rule, self.recoder = backbone, bank, rule, recoder
        self.observe, self.dense = observe, dense
        self._begin()

    def _begin(self) -> None:
        self._first: Tensor | None = None
        self._last: Tensor | None = None
        self._said: int | None = None
        self._text: object = None
        self._made = self._given = 0

    @property
    def device(self) -> torch.device:
        return self.bank.device

    def calls_until(self, index: int) -> int:
        most = self.rule.frames // self.bank.plan.frames_per_chunk
        few = min(index, most)
        # one chunk before the second, two before the third, and so on up to the most
        return few * (few + 1) // 2 + (index - few) * most

    def turn_to(self, chunk: Chunk, prompts: PromptSchedule) -> None:
        before, self._said = self._said, prompts.number(chunk.start)
        if before not in (None, self._said) and prompts.cuts_at(chunk.start):
            said = self._said
            self._begin()
            self._said = said

    def open(self, chunk: Chunk) -> HeadAttention:
        frames = self._frames()
        count, size = (0 if frames is None else frames.shape[2]), len(chunk)
        behind = count // size
        self.bank.begin_anew(Chunk(chunk.index - behind, chunk.start - count, chunk.stop - count))
        for number in range(behind):
            start = chunk.start - count + number * size
            past = Chunk(chunk.index - behind + number, start, start + size)
            attend = HeadAttention(self.bank.open(past), self.observe, step=None, dense=self.dense)
            clean = frames[:, :, number * size : (number + 1) * size]
            self.backbone.predict_clean(clean, CLEAN, self._text, attend)
            self.bank.commit(past, clean)
        opened = self.bank.open(chunk)
        return HeadAttention(opened, self.observe, dense=self.dense, fade=self.rule.fade)

    def keep(self, chunk: Chunk, clean: Tensor, text: object, made: bool = True) -> None:
        if self._first is None:
            self._first = clean[:, :, :1]
        # the first frame of all is never among the last ones
        known = clean[:, :, 1:] if self._last is None else torch.cat([self._last, clean], 2)
        self._last = known[:, :, max(0, known.shape[2] - self.rule.frames + 1) :]
        self._text = text
        self._made += len(chunk) if made else 0
        self._given += 0 if made else len(chunk)
        if self.recoder is not None and not self.rule.keep_first:
            self.recoder.add(clean)

    def _frames(self) -> Tensor | None:
        """Return the clean frames that the next chunk's past is computed from."""
        if self._first is None:
            return None
        return torch.cat([self._head(), self._last], 2)

    def _head(self) -> Tensor:
        """Return the first of them: it stands for what came before the others."""
        frames = self.rule.frames
        early = self._made < frames + self.bank.plan.frames_per_chunk and self._given <= frames
        return self._first if self.rule.keep_first or early else self.recoder.frame(frames - 1)
