"""What a rollout needs for a moment: of a model call, of a commit, beside what it keeps."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...kernels import decoded_bytes
from ..memory import CODES, CachePlan
from ..models import WanConfig
from ..ranks import CARRIED
from .moments import Moments

FLOAT = torch.float32.itemsize
INDEX = torch.int64.itemsize
# latents of a chunk that are alive during a call: noise, what was made of it, and the chunk before
LATENTS = 4
# numbers per channel and frame by which a block is told the time, and how often they are there
MODULATIONS, TIMES = 6, 4


@dataclass(frozen=True)
class Activations:
    """What is alive at once in the worst moment, in bytes, as PyTorch's eager code has it.

    A block keeps what it was given, ``x``, and works on copies of all tokens:

        writing the keys   x y q k v, and k once more turned
        reading            x y q k v, q turned, and what was read
        feed-forward       x and x after attention, what was read, what goes in, hidden twice

    Kernels of a GPU need less for writing; the feed-forward is the worst moment of models as wide
    there as published ones.

    Args:
        config: sizes of the model.
        plan: its caches.
        frames: of the largest chunk of the video.
        latent: bytes of that chunk's latents, float32, of all videos.
        remembered: chunks whose latents are kept to be computed again under a new prompt.
        widened: bytes of the largest matrix that is made wide when it is used.
    """

    config: WanConfig
    plan: CachePlan
    frames: int
    latent: int
    remembered: int = 0
    widened: int = 0

    @property
    def bytes(self) -> int:
        held = [group for group in self.plan.own if group.heads]
        moments = [Moments(self.plan, group, self.frames) for group in held]
        study = max(moment.study for moment in moments)
        stage = max(moment.stage for moment in moments)
        rotated = 6 * self._token + self._apart
        call = (
            self._write + self._apart + self._swapped,
            rotated + study,
            rotated + stage + (self._token if self._per_frame else 0),
            self._read + self._apart + self._decoded,
            self._feed_forward,
            # x y q k, and the matrix that makes v
            5 * self._token + self.widened,
        )
        # of the heads of all ranks: each of them compares frames
        every = [Moments(self.plan, group, self.frames) for group in self.plan.groups]
        described = sum(moment.described(self.config.in_dim) for moment in every)
        return self._kept + described + max(*call, *(moment.commit for moment in moments))

    @property
    def _swapped(self) -> int:
        """What ranks give and take before attention, beside what they have."""
        return 0 if self.plan.ranks == 1 else 4 * CARRIED * self._token

    @property
    def _apart(self) -> int:
        """Queries, keys and values of the heads that are kept alike, taken from all of them."""
        layers = range(self.plan.geometry.layers)
        return 2 * self._token * any(len(self.plan.pool_rows(layer)) > 1 for layer in layers)

    @property
    def _decoded(self) -> int:
        """Keys and values in eight bits that PyTorch reads; a kernel of a GPU does in registers."""
        size, dim = self.plan.dtype.itemsize, self.plan.geometry.head_dim
        rows = [
            self.plan.arena(group).rows
            for group in self.plan.own
            if group.heads and CODES[group.rule.kv_dtype] is not None
        ]
        heads = max((len(those) for g in self.plan.own for those in g.heads.values()), default=1)
        return decoded_bytes(self.plan.batch, heads, max(rows, default=0), dim, size)

    @property
    def _kept(self) -> int:
        """What is there in every moment."""
        tokens = self.frames * self.plan.rope.grid.tokens_per_frame
        angles = tokens * self.plan.geometry.head_dim * FLOAT
        times = TIMES * MODULATIONS * self.frames * self.plan.batch * self.config.dim
        latents = (LATENTS + max(0, self.remembered - 1)) * self.latent
        return latents + angles + times * self.plan.dtype.itemsize

    @property
    def _rows(self) -> int:
        page = -(-self.plan.rope.grid.tokens_per_frame // self.plan.ranks)
        return self.plan.batch * self.frames * page

    @property
    def _token(self) -> int:
        """Bytes of all tokens, once, in the model's dtype."""
        return self._rows * self.config.dim * self.plan.dtype.itemsize

    @property
    def _write(self) -> int:
        wide = self._rows * self.config.dim * FLOAT
        copies = wide + self._token if self.plan.dtype.itemsize < FLOAT else 0
        places = self.frames * self.plan.rope.grid.tokens_per_frame * self.config.heads * INDEX
        return 5 * self._token + wide + copies + places

    @property
    def _read(self) -> int:
        # what groups of heads read is put together
        alike = len(self.plan.groups) == 1 and not self._per_frame
        return (7 if alike else 8) * self._token

    @property
    def _feed_forward(self) -> int:
        hidden = self._rows * self.config.ffn_dim * self.plan.dtype.itemsize
        # hidden twice, or one beside the matrix that makes it
        return 4 * self._token + hidden + max(hidden, self.widened)

    @property
    def _per_frame(self) -> bool:
        return any(group.rule.per_frame for group in self.plan.groups)
