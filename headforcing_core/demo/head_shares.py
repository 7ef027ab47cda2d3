"""Where the heads of a small model look: shares of attention on sink, middle and current frames."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..cache import CacheBank
from .methods import method_named
from .model import FAMILY, DemoModel
from .rollouts import request_for, schedule
from .stories import trial

# chunks that have a sink, a middle and a present
FIRST_CHUNK, VIDEOS = 3, 8


@dataclass
class HeadShares:
    """An observer of a rollout that adds up attention. It forms the whole attention matrix.

    All heads must read the same whole frames.

    Args:
        chunk: frames per chunk; the first chunk is the sink.
        first: frames before this one are not looked at.
    """

    chunk: int
    first: int
    sums: dict[int, Tensor] = field(default_factory=dict)
    calls: dict[int, int] = field(default_factory=dict)

    def __call__(self, layer: int, q: Tensor, bank: CacheBank, frame: int) -> None:
        frames = [page.at for page in bank.pages(layer, 0, frame)]
        if max(frames) < self.first:
            return
        keys, _ = bank.pools(layer)
        grid = bank.plan.rope.grid
        k = torch.stack([keys[:, s.start : s.start + s.length] for s in bank.spans(layer)], 1)
        weights = (q.transpose(1, 2) @ k.transpose(2, 3) * q.shape[-1] ** -0.5).softmax(-1)
        mass = weights.unflatten(-1, (-1, grid.tokens_per_frame)).sum(-1).mean((0, 2))
        present = max(frames) - self.chunk
        parts = (
            [at for at, frame in enumerate(frames) if frame < self.chunk],
            [at for at, frame in enumerate(frames) if self.chunk <= frame <= present],
            [at for at, frame in enumerate(frames) if frame > present],
        )
        shares = torch.stack([mass[:, part].sum(1) for part in parts], 1)
        self.sums[layer] = self.sums.get(layer, 0) + shares
        self.calls[layer] = self.calls.get(layer, 0) + 1

    @property
    def shares(self) -> Tensor:
        """``[L, H, 3]``, on the CPU: mean attention on sink, middle and current chunk."""
        return torch.stack([self.sums[at] / self.calls[at] for at in sorted(self.sums)]).cpu()


def measure_shares(model: DemoModel, first_trial: int, seed: int) -> Tensor:
    """Return where heads look within the horizon, ``[L, H, 3]``: mean over all model calls."""
    stories = [trial(first_trial + number).steady for number in range(VIDEOS)]
    request = request_for(method_named("rolling"), FAMILY.horizon, seed)
    observe = HeadShares(FAMILY.frames_per_chunk, FIRST_CHUNK * FAMILY.frames_per_chunk)
    for _ in request.rollout(model.wan, schedule(model, stories), observe).run():
        pass
    return observe.shares
