"""The self-attention of one chunk: past and present, through the caches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ..kernels import head_attention
from .cache import CacheBank
from .rope import Rotation, rotate

Observer = Callable[[int, Tensor, CacheBank], None]


@dataclass(frozen=True)
class HeadAttention:
    """What a model calls in place of its own self-attention while one chunk is open.

    Every call overwrites the chunk's own keys and values in the caches and reads them together
    with the past; the past itself is never written here.

    Args:
        bank: the caches, with the chunk open.
        rotation: of the chunk's tokens at its own frame numbers.
        observe: sees (layer, rotated q, bank) of every call, e.g. to measure attention.
    """

    bank: CacheBank
    rotation: Rotation
    observe: Observer | None = None

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend in one layer; q, k, v and the result are ``[B, T, H, D]``, unrotated."""
        q, rotated = rotate(q, self.rotation), rotate(k, self.rotation)
        self.bank.write(layer, rotated, v, unrotated=k)
        if self.observe is not None:
            self.observe(layer, q, self.bank)
        return head_attention(q, *self.bank.pools(layer), self.bank.spans)
