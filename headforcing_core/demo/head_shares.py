"""Where the heads of a small model look, measured with the whole attention matrix."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..cache import CacheBank
from ..classification import forcing_kv_map, head_forcing_map, pyramid_map
from ..head_map import HeadMap
from .methods import without_map
from .model import FAMILY, DemoModel
from .rollouts import request_for, schedule
from .stories import trial

# chunks that have a sink, a middle and a present
FIRST_CHUNK, VIDEOS = 3, 8
# key frames whose share Forcing-KV types heads by
LAST_KEYS = 4


@dataclass
class HeadShares:
    """An observer of a rollout in which all heads read all frames; it adds up their attention.

    Args:
        chunk: frames per chunk; the first chunk is the sink.
        first: frames before this one are not looked at.
    """

    chunk: int
    first: int
    calls: dict[int, int] = field(default_factory=dict)
    masses: dict[int, Tensor] = field(default_factory=dict)
    recent: dict[int, Tensor] = field(default_factory=dict)
    scores: dict[int, Tensor] = field(default_factory=dict)

    def __call__(self, layer: int, q: Tensor, bank: CacheBank, frame: int) -> None:
        frames = [page.at for page in bank.pages(layer, 0, frame)]
        if max(frames) < self.first:
            return
        keys, _ = bank.pools(layer)
        tokens = bank.plan.rope.grid.tokens_per_frame
        k = torch.stack([keys[:, s.start : s.start + s.length] for s in bank.spans(layer)], 1)
        scores = q.transpose(1, 2) @ k.transpose(2, 3) * q.shape[-1] ** -0.5
        mass = scores.softmax(-1).unflatten(-1, (-1, tokens)).sum(-1).mean((0, 2))
        present = max(frames) - self.chunk
        sink, middle, current, last = (
            [at for at, f in enumerate(frames) if low <= f < high]
            for low, high in (
                (0, self.chunk),
                (self.chunk, present + 1),
                (present + 1, max(frames) + 1),
                (max(frames) + 1 - LAST_KEYS, max(frames) + 1),
            )
        )
        shares = torch.stack([mass[:, part].sum(1) for part in (sink, middle, current)], 1)
        _add(self.masses, layer, shares)
        _add(self.recent, layer, mass[:, last].sum(1) / mass[:, [*middle, *current]].sum(1))
        self.calls[layer] = self.calls.get(layer, 0) + 1
        # of the longest past: the scores of the last query frame
        order = sorted(range(len(frames)), key=frames.__getitem__)[: -self.chunk]
        by_frame = scores[:, :, -tokens:].unflatten(-1, (-1, tokens)).mean((0, 2, 4))[:, order]
        if layer in self.scores and self.scores[layer].shape != by_frame.shape:
            del self.scores[layer]
        _add(self.scores, layer, by_frame)

    @property
    def shares(self) -> Tensor:
        """``[L, H, 3]``, on the CPU: mean attention on sink, middle and current chunk."""
        return self._mean(self.masses)

    @property
    def maps(self) -> dict[str, HeadMap]:
        """A head map of every scheme that needs one, by the rules of their papers."""
        sink, _, current = self.shares.unbind(-1)
        source = f"measured on {VIDEOS} videos of the demo model, all rows"
        made = (
            head_forcing_map(sink, current, source=source),
            forcing_kv_map(self._mean(self.recent), source=source),
            pyramid_map(torch.stack([self.scores[n] for n in sorted(self.scores)]), source=source),
        )
        return {head_map.scheme: head_map for head_map in made}

    def _mean(self, sums: dict[int, Tensor]) -> Tensor:
        return torch.stack([sums[at] / self.calls[at] for at in sorted(sums)]).cpu()


def _add(sums: dict[int, Tensor], layer: int, value: Tensor) -> None:
    sums[layer] = sums[layer] + value if layer in sums else value


def measure_shares(model: DemoModel, first_trial: int, seed: int) -> HeadShares:
    """Return where heads look within the horizon, over all model calls."""
    stories = [trial(first_trial + number).steady for number in range(VIDEOS)]
    request = request_for(without_map("rolling"), FAMILY.horizon, seed)
    observe = HeadShares(FAMILY.frames_per_chunk, FIRST_CHUNK * FAMILY.frames_per_chunk)
    for _ in request.rollout(model.wan, schedule(model, stories), observe).run():
        pass
    return observe
