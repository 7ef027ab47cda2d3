"""What a group of heads needs for a moment: pages on their way to where they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch

from ..memory import CELLS, CODES, ArenaPlan, CachePlan, HeadGroup
from ..methods.middles import Averages, Bands, Blocks, Descriptor, Episodes, EpisodeUpdate, Tokens

FLOAT = torch.float32.itemsize


@dataclass(frozen=True)
class Moments:
    """Bytes of one layer, the one that has most heads of a group; one layer follows the other.

    Args:
        plan: of all caches.
        group: of heads.
        frames: of the largest chunk.
    """

    plan: CachePlan
    group: HeadGroup
    frames: int

    def described(self, channels: int) -> int:
        """What frames look like, as long as others may be compared with them.

        Args:
            channels: of a latent.
        """
        middle, policy = self.group.rule.policy.middle, self.group.rule.policy
        if not (isinstance(middle, Episodes) and middle.looks):
            return 0
        if middle.descriptor is Descriptor.KEYS:
            channels = sum(map(len, self.group.heads.values())) * self._room.rope.head_dim
        # those of the chunk beside those held, and the sum of all
        frames = policy.sink + middle.count + policy.recent + self.frames + 1
        return frames * channels * prod(CELLS) * FLOAT

    @property
    def study(self) -> int:
        """What is looked at in the clean call of a chunk, beside the tokens themselves."""
        middle = self.group.rule.policy.middle
        if isinstance(middle, Tokens):
            return self._candidates(max(2 * self._size, 2 * FLOAT) + self._decoded)
        if isinstance(middle, Episodes) and middle.looks:
            by_keys = middle.descriptor is Descriptor.KEYS
            return self._page(self._size + 2 * FLOAT) * self.frames * by_keys
        if self.plan.online is not None:
            queries = -(-self.frames * self._room.tokens // self.plan.online.every)
            keys = (self._room.slots * self._room.tokens) * self.plan.geometry.head_dim
            weights = queries * self._room.slots * self._room.tokens
            return keys * (self._size + FLOAT + self._decoded) + 2 * weights * FLOAT
        return 0

    @property
    def stage(self) -> int:
        """What is turned, or put in front, before it is read."""
        front, time = self.group.rule.policy.middle.front, self._room.rope.channels[0]
        small = self._heads * front * self._room.small_tokens * self._room.rope.head_dim
        moved = self._heads * self._room.turning * self._room.tokens * time
        return max(small, moved) * (self._size + self._turned)

    @property
    def commit(self) -> int:
        """What is made of frames that leave."""
        # keys and values of a page on their way from the host, and of one on its way there
        moved = 4 * self._page(self._size) if self.group.rule.offload else 0
        return self._made + self._page(self._decoded) + moved

    @property
    def _made(self) -> int:
        middle, size = self.group.rule.policy.middle, self._size
        copied = 2 * self._left * self._page(size)
        match middle:
            case Averages():
                means = 2 * len(middle.rates) * self._page(size)
                return means + 4 * self._left * self._page(FLOAT) + self._page(2 * FLOAT)
            case Tokens():
                made = 2 * middle.count * self._page(size)
                return made + self._candidates(3 * size) + self._page(self._turned)
            case Bands():
                return copied + self._left * self._page(5 * FLOAT)
            case Blocks():
                return copied + self._page(4 * FLOAT)
            case Episodes() if middle.update is EpisodeUpdate.MERGE_NEAREST:
                return copied + self._page(8 * FLOAT)
        return copied + self._page(self._turned)

    @property
    def _left(self) -> int:
        """Frames that leave at once, at most."""
        policy = self.group.rule.policy
        # what is too many after a warm-up leaves together
        return self.frames + max(0, policy.warm_up - policy.recent - policy.sink)

    def _candidates(self, itemsize: int) -> int:
        """Return the bytes of keys from which tokens are chosen."""
        return (self.group.rule.policy.middle.slots + self.frames) * self._page(itemsize)

    def _page(self, itemsize: int) -> int:
        """Return the bytes of a frame's keys."""
        return self._heads * self._room.tokens * self._room.rope.head_dim * itemsize

    @property
    def _room(self) -> ArenaPlan:
        return self.plan.arena(self.group)

    @property
    def _heads(self) -> int:
        return self.plan.batch * max(map(len, self.group.heads.values()))

    @property
    def _size(self) -> int:
        return self.plan.dtype.itemsize

    @property
    def _decoded(self) -> int:
        """Bytes per number while codes become numbers: as a float, with its scale, multiplied."""
        return 0 if CODES[self.group.rule.kv_dtype] is None else 3 * FLOAT

    @property
    def _turned(self) -> int:
        """Bytes per number while it is turned: complex, from a float, and back."""
        return FLOAT if self._size == FLOAT else 2 * FLOAT + self._size
