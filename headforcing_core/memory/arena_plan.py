"""The room that a head needs, before anything is allocated."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..methods import HeadRule
from ..video import Rope
from .rows import CODES, row_bytes


@dataclass(frozen=True)
class ArenaPlan:
    """Room that each head of a rule needs.

    Args:
        rule: what it keeps.
        frames_per_chunk: of the largest chunk.
        rope: of the model on the grid of the video.
    """

    rule: HeadRule
    frames_per_chunk: int
    rope: Rope

    @property
    def tokens(self) -> int:
        """Of a page in a slot."""
        return self.rope.grid.tokens_per_frame

    @property
    def small_tokens(self) -> int:
        """Of a page kept aside, and of one in front."""
        return self.rope.grid.pooled_tokens(self.rule.policy.middle.pool_size)

    @property
    def front(self) -> int:
        """Tokens in front of the slots."""
        return self.rule.policy.middle.front * self.small_tokens

    @property
    def slots(self) -> int:
        return self.rule.policy.slots + self.frames_per_chunk

    @property
    def rows(self) -> int:
        """Tokens that can be read at a time."""
        return self.front + self.slots * self.tokens

    @property
    def turning(self) -> int:
        """Pages of which the time channels are kept a second time."""
        return self.rule.raw_sink + self.rule.turning

    @property
    def sum_shape(self) -> tuple[int, int, int]:
        """``[means, tokens, 2 D]`` in float32."""
        middle = self.rule.policy.middle
        tokens = self.tokens if middle.sums_per_token else 1
        return middle.sums, tokens, 2 * self.rope.head_dim

    def bytes(self, itemsize: int) -> int:
        """Return the bytes of one head of one video.

        Args:
            itemsize: of a number of the model.
        """
        middle, (means, tokens, width) = self.rule.policy.middle, self.sum_shape
        rows = self.rows + middle.kept_aside * self.small_tokens
        kept = 2 * rows * self.row_bytes(itemsize) + self.turning * self.turning_bytes(itemsize)
        return kept + means * tokens * width * torch.float32.itemsize

    def row_bytes(self, itemsize: int) -> int:
        """Return the bytes of a token's keys, or of its values."""
        return row_bytes(self.rule.kv_dtype, self.rope.head_dim, itemsize)

    def turning_bytes(self, itemsize: int) -> int:
        """Return the bytes of the time channels that are kept a second time, of one page."""
        codes = CODES[self.rule.kv_dtype]
        size = itemsize if codes is None else codes.itemsize
        return self.tokens * self.rope.channels[0] * size
