"""The room that a head needs, before anything is allocated."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch

from ..methods import HeadRule
from ..video import Rope
from .rows import CODES, row_bytes

# bytes of a place in memory begin at multiples of that
ALIGNMENT = 16


def aligned(size: int) -> int:
    """Return the next multiple of what places in memory begin at."""
    return -(-size // ALIGNMENT) * ALIGNMENT


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
        """Return the bytes of one head of one video, on its device.

        Args:
            itemsize: of a number of the model.
        """
        pool = 2 * self.rows * self.row_bytes(itemsize)
        return pool + (0 if self.rule.offload else self._beside(itemsize))

    def host_bytes(self, itemsize: int) -> int:
        """Return the bytes of one head that lie with the host."""
        return self._beside(itemsize) if self.rule.offload else 0

    def _beside(self, itemsize: int) -> int:
        """Return the bytes of what is read once per chunk."""
        aside = self.rule.policy.middle.kept_aside * self.aside_bytes(itemsize)
        means = self.sum_shape[0] * self.sum_bytes
        return aside + self.turning * self.turning_bytes(itemsize) + means

    def fetched(self, joint: bool) -> int:
        """Return the most pages kept aside that are read at a time.

        Args:
            joint: windows of several chunks read them, too.
        """
        middle = self.rule.policy.middle
        return max(middle.front, middle.kept_aside * joint)

    def landing(self, heads: int, itemsize: int, joint: bool) -> int:
        """Return the bytes in which all pages lie that heads of a layer read at a time.

        Args:
            heads: of all videos.
            joint: see ``fetched``.
        """
        if not self.rule.offload:
            return 0
        aside = heads * self.fetched(joint) * self.aside_bytes(itemsize) // 2
        return aligned(heads * self.turning * self.turning_bytes(itemsize)) + 2 * aligned(aside)

    @property
    def sum_bytes(self) -> int:
        """Of a running mean, in float32."""
        return prod(self.sum_shape[1:]) * torch.float32.itemsize

    def aside_bytes(self, itemsize: int) -> int:
        """Return the bytes of keys and values of a page kept aside."""
        return 2 * self.small_tokens * self.row_bytes(itemsize)

    def row_bytes(self, itemsize: int) -> int:
        """Return the bytes of a token's keys, or of its values."""
        return row_bytes(self.rule.kv_dtype, self.rope.head_dim, itemsize)

    def turning_bytes(self, itemsize: int) -> int:
        """Return the bytes of the time channels that are kept a second time, of one page."""
        codes = CODES[self.rule.kv_dtype]
        size = itemsize if codes is None else codes.itemsize
        return self.tokens * self.rope.channels[0] * size
