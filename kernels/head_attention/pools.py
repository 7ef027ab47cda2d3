"""Where the keys and values of heads lie: what the operator reads, as one value."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..eight_bits import decoded


class Pools(NamedTuple):
    """See ``head_attention``. Scales are None where the pools are no codes.

    k, v: ``[B, N, D]``.
    k_scales, v_scales: ``[B, N, D / 32]``.
    """

    k: Tensor
    v: Tensor
    k_scales: Tensor | None = None
    v_scales: Tensor | None = None

    @property
    def codes(self) -> torch.dtype | None:
        """The dtype of the codes, None where they are none."""
        return None if self.k_scales is None else self.k.dtype

    def rows(self, start: int, length: int) -> tuple[Tensor, Tensor]:
        """Return keys and values of some rows, ``[B, length, D]``; of codes what they stand for."""
        own = slice(start, start + length)
        k, v = self.k[:, own], self.v[:, own]
        if self.codes is None:
            return k, v
        return decoded(k, self.k_scales[:, own]), decoded(v, self.v_scales[:, own])
