"""Rotary position embedding of a latent grid: positions to angles, and the rotation itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from ..device import send
from .geometry import LatentGrid

# cos + i sin of every rotary pair, complex64; computed in float64 and rounded once
Rotation: TypeAlias = Tensor


@dataclass(frozen=True)
class Rope:
    """Wan's 3D RoPE: channels of a head split into time, row and column parts.

    Each part has its own geometric row of frequencies. Nothing is looked up in a table, so there
    is no last frame; angles are exact for any frame number.

    Args:
        head_dim: channels per head, even.
        grid: the latent grid of the video.
        theta: base of the frequencies.

    Source: Wan 2.1 (arXiv 2503.20314), 3D RoPE; split d - 4 (d // 6), 2 (d // 6), 2 (d // 6).
    """

    head_dim: int
    grid: LatentGrid
    theta: float = 10000.0

    @property
    def channels(self) -> tuple[int, int, int]:
        """Channels of the time, row and column part, in this order."""
        axis = 2 * (self.head_dim // 6)
        return self.head_dim - 2 * axis, axis, axis

    def frames(self, positions: Sequence[int], device: torch.device) -> Rotation:
        """Rotation of all tokens of frames at the given temporal positions.

        Returns:
            ``[len(positions) * P, 1, D / 2]``, tokens in (frame, row, column) order.
        """
        time, row, column = self.channels
        count, rows, columns = len(positions), self.grid.token_rows, self.grid.token_columns
        parts = (
            self._angles(positions, time)[:, None, None],
            self._angles(range(rows), row)[None, :, None],
            self._angles(range(columns), column)[None, None, :],
        )
        angles = torch.cat([p.expand(count, rows, columns, -1) for p in parts], -1)
        return self._rotation(angles.flatten(0, 2)[:, None], device)

    def temporal(self, positions: Sequence[int], device: torch.device) -> Rotation:
        """Rotation of the time channels alone: ``[len(positions), 1, time / 2]``."""
        return self._rotation(self._angles(positions, self.channels[0])[:, None], device)

    def _angles(self, positions: Sequence[int], channels: int) -> Tensor:
        exponents = torch.arange(0, channels, 2, dtype=torch.float64) / channels
        at = torch.tensor(list(positions), dtype=torch.float64)
        return torch.outer(at, self.theta**-exponents)

    def _rotation(self, angles: Tensor, device: torch.device) -> Rotation:
        return send(torch.complex(angles.cos().float(), angles.sin().float()), device)
