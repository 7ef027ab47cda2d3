"""What models of other families remember, written down a second time: lists of frames, no caches.

Each follows the original's own bookkeeping, slot by slot, and not how this project says it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import log
from typing import NamedTuple

import torch
from torch import Tensor


class Kept(NamedTuple):
    """A frame, and where RoPE was told it stands."""

    frame: int
    position: int


@dataclass
class LongLiveSlots:
    """LongLive 2.0's cache of one video (NVlabs/LongLive at commit 7860ad9).

    pin: first slot and length of what stands for the shot.
    """

    window: int
    sink: int
    shot_sink: bool
    offset: int
    recache: bool
    chunk: int
    slots: list[Kept] = field(default_factory=list)
    pin: tuple[int, int] | None = None

    @property
    def _front(self) -> int:
        """Slots that nothing is evicted from."""
        sink = self.sink if self.shot_sink else 0
        if self.pin is None or self.pin[0] < 0:
            return self.sink
        return sink + self.pin[1] if self.pin[0] == sink else sink

    def run(self, cuts: Sequence[bool]) -> Iterator[tuple[list[Kept], list[Kept]]]:
        """Yield what every chunk's drafts read of the past, and what its clean call reads."""
        shots = 0
        for number, cut in enumerate(cuts):
            shots += cut
            start = number * self.chunk
            own = [Kept(f, f + shots * self.offset) for f in range(start, start + self.chunk)]
            self._make_room()
            drafted = list(self.slots)
            pins = cut and self.shot_sink and self.sink > 0
            if pins and self.recache:
                self.slots, self.pin = [*self.slots, *own][: self.sink], None
            yield drafted, list(self.slots)
            self.slots += own
            if pins:
                self.pin = len(self.slots) - self.chunk, min(self.sink, self.chunk)

    def _make_room(self) -> None:
        evicted = max(0, len(self.slots) + self.chunk - self.window)
        if not evicted:
            return
        front = self._front
        del self.slots[front : front + evicted]
        del self.slots[self.window - self.chunk :]  # a front too large is written over
        if self.pin is not None and self.pin[0] >= front:
            self.pin = self.pin[0] - evicted, self.pin[1]


@dataclass
class RollingSlots:
    """Rolling Forcing's cache of one video (TencentARC/RollingForcing at commit a1477d0).

    As published it has room for one chunk more than is attended, and an anchor of one chunk.
    """

    attended: int
    chunk: int
    slots: list[Kept] = field(default_factory=list)

    def joint(self, window: range) -> list[tuple[Kept, int]]:
        """Return what a window reads of the past, each with where it stands there."""
        size = self.attended + self.chunk
        evicted = max(0, len(self.slots) + self.chunk - size)
        del self.slots[self.chunk : self.chunk + evicted]
        if not self.slots:
            return []
        most = self.attended - len(window) - self.chunk
        working = self.slots[max(self.chunk, len(self.slots) - most) :]
        begin = window.start - len(working) - self.chunk
        anchor = [(kept, begin + i) for i, kept in enumerate(self.slots[: self.chunk])]
        return [*anchor, *((kept, kept.position) for kept in working)]

    def clean(self, chunk: range) -> list[tuple[Kept, int]]:
        """Return what the clean call of a chunk reads of the past; the chunk is kept."""
        count = len(self.slots)
        self.slots += [Kept(frame, frame) for frame in chunk]
        begin = max(0, len(self.slots) - self.attended)
        return [(kept, kept.position) for kept in self.slots[begin:count]]


class Listed:
    """Attention over a list of frames, in float64: no caches, every key rotated when it is read.

    Args:
        grid: tokens in a row and in a column of a frame.
    """

    def __init__(self, rows: int, columns: int):
        self.grid = rows, columns
        self.known: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def attend(
        self,
        past: Sequence[tuple[int, int]],
        own: Sequence[tuple[int, int]],
        keep: bool = False,
        fade: float = 1.0,
    ) -> Callable[[int, Tensor, Tensor, Tensor], Tensor]:
        """Return what a model calls in place of its self-attention.

        Args:
            past, own: (frame, position).
            keep: keys and values of its own frames, unrotated, for later calls.
            fade: factor on what is given to the past, but for its first frame.
        """
        tokens = self.grid[0] * self.grid[1]

        def attention(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            parts = zip(k.double().split(tokens, 1), v.double().split(tokens, 1), strict=True)
            mine = {(layer, frame): kv for (frame, _), kv in zip(own, parts, strict=True)}
            held = {**self.known, **mine}
            read = [*past, *own]
            keys = torch.cat([self._turned(held[layer, f][0], [at]) for f, at in read], 1)
            values = torch.cat([held[layer, f][1] for f, _ in read], 1)
            queries = self._turned(q.double(), [at for _, at in own])
            scores = torch.einsum("bthd,bshd->bhts", queries, keys) * q.shape[-1] ** -0.5
            scores[..., tokens : len(past) * tokens] += log(fade)
            if keep:
                self.known |= mine
            return torch.einsum("bhts,bshd->bthd", scores.softmax(-1), values).to(q.dtype)

        return attention

    def _turned(self, x: Tensor, positions: Sequence[int]) -> Tensor:
        """Rotate ``[B, len(positions) * P, H, D]``, pair by pair."""
        dim, (rows, columns) = x.shape[-1], self.grid
        side = 2 * (dim // 6)
        angles = [
            [*_angles(at, dim - 2 * side), *_angles(y, side), *_angles(z, side)]
            for at in positions
            for y in range(rows)
            for z in range(columns)
        ]
        angle = torch.tensor(angles, dtype=torch.float64)[:, None]
        a, b = x[..., 0::2], x[..., 1::2]
        turned = a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()
        return torch.stack(turned, -1).flatten(-2)


def _angles(position: int, channels: int) -> list[float]:
    return [position * 10000.0 ** (-i / channels) for i in range(0, channels, 2)]
