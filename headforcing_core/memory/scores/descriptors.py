"""What frames look like: coarse descriptors, kept as long as somebody may compare them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, normalize

# rows and columns of cells; of 30 x 52 tokens, cells of 6 x 13
CELLS = (5, 4)


class Descriptors:
    """Descriptors of the frames that somebody may still want to compare.

    Args:
        centred: the mean of all frames seen is taken away before they are compared; without that
            everything is alike.
    """

    def __init__(self, centred: bool):
        self.centred = centred
        self._known: dict[int, Tensor] = {}
        self._sum: Tensor | None = None
        self._seen = 0

    @property
    def frames(self) -> list[int]:
        """The frames that can be compared, ascending."""
        return sorted(self._known)

    def see(self, frames: Sequence[int], descriptors: Tensor) -> None:
        """Take in descriptors ``[frames, any]``, float32."""
        for frame, descriptor in zip(frames, descriptors, strict=True):
            self._known[frame] = descriptor
            if frame >= self._seen:  # one that was computed again counts once
                self._sum = descriptor if self._sum is None else self._sum + descriptor
                self._seen = frame + 1

    def keep(self, frames: Iterable[int]) -> None:
        """Forget all frames but these."""
        wanted = set(frames)
        self._known = {f: known for f, known in self._known.items() if f in wanted}

    def likeness(self) -> Tensor:
        """Return the cosine of every two frames, ``[frames, frames]`` in float32, on the device."""
        stacked = torch.stack([self._known[frame] for frame in self.frames])
        if self.centred:
            stacked = stacked - self._sum / self._seen
        unit = normalize(stacked, dim=1)
        return unit @ unit.T


def describe(pictures: Tensor) -> Tensor:
    """Average ``[frames, C, rows, columns]`` over cells: ``[frames, C * cells]``, float32."""
    return adaptive_avg_pool2d(pictures.float(), _cells(*pictures.shape[2:])).flatten(1)


def cells_of(rows: int, columns: int) -> int:
    """Return how many cells a picture has."""
    return prod(_cells(rows, columns))


def _cells(rows: int, columns: int) -> tuple[int, ...]:
    return tuple(min(most, size) for most, size in zip(CELLS, (rows, columns), strict=True))
