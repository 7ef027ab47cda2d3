"""Rotations that are needed more than once, computed and sent to a device once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import torch

from ..device import send
from ..video import Rope, Rotation


class Rotations:
    """What all layers turn pages by from one chunk to the next, by position.

    Args:
        rope: of the video.
        device: of its caches.
    """

    def __init__(self, rope: Rope, device: torch.device):
        self._rope, self._device = rope, device
        self._known: dict[Hashable, Rotation] = {}

    def frame(self, position: int) -> Rotation:
        """Rotation of all tokens of a frame: ``[P, D / 2]``."""
        return self._once(
            ("frame", position), lambda: self._rope.frames([position], self._device).squeeze(1)
        )

    def pooled(self, size: int) -> Rotation:
        """Rotation in space alone of squares of tokens, by their first: ``[squares, D / 2]``."""
        corners = self._rope.grid.corners(size)
        return self._once(
            ("pooled", size),
            lambda: self.frame(0).index_select(0, send(torch.tensor(corners), self._device)),
        )

    def temporal(self, positions: Sequence[int]) -> Rotation:
        """Rotation of the time channels alone: ``[len(positions), 1, time / 2]``."""
        return self._once(
            ("temporal", *positions), lambda: self._rope.temporal(positions, self._device)
        )

    def forget(self) -> None:
        self._known.clear()

    def _once(self, key: Hashable, make: Callable[[], Rotation]) -> Rotation:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]
