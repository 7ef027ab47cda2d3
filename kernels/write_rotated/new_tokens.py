"""What is written, and where: the arguments of the operator as one value."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class NewTokens(NamedTuple):
    """See ``write_rotated``."""

    q: Tensor
    k: Tensor
    v: Tensor
    rotation: Tensor
    k_pool: Tensor
    v_pool: Tensor
    rows: Tensor
    k_scales: Tensor | None = None
    v_scales: Tensor | None = None

    @property
    def codes(self) -> torch.dtype | None:
        """The dtype of the codes that pools hold, None where they hold none."""
        return None if self.k_scales is None else self.k_pool.dtype

    @property
    def page(self) -> int:
        """Tokens of a frame."""
        return self.q.shape[1] // self.rows.shape[0]
