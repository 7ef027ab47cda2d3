"""What is written, and where: the arguments of the operator as one value."""

from __future__ import annotations

from typing import NamedTuple

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

    @property
    def page(self) -> int:
        """Tokens of a frame."""
        return self.q.shape[1] // self.rows.shape[0]
