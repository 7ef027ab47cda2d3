"""A toy whose estimates depend on what it is told, and rollouts of other families with it."""

from __future__ import annotations

import torch
from plans import map_for
from toy_backbone import ToyBackbone

from headforcing.headforcing_core import CacheBank, CachePlan, Rope
from headforcing.headforcing_core.memory import Ahead, group_heads
from headforcing.headforcing_core.methods import Method
from headforcing.headforcing_core.video import each_frame

Y, X = 2, 3
HORIZON = 1 << 20


class ToldBackbone(ToyBackbone):
    """It hears the level of every frame, and a text that is a number."""

    def predict_clean(self, noisy, level, text, attend):
        levels = each_frame(level, noisy.shape[2])
        sigmas = torch.tensor([each.sigma for each in levels]).view(-1, 1, 1)
        heard = noisy + 0.3 * sigmas + 0.2 * float(text)
        return super().predict_clean(heard, levels[-1], text, attend)


def bank_of(toy: ToyBackbone, method: Method, chunk: int, batch=1, ahead: Ahead | None = None):
    """Return empty caches of a method."""
    rope = Rope(toy.geometry.head_dim, toy.grid(Y, X))
    groups = group_heads(method, map_for(method), toy.geometry)
    parts = (toy.geometry, rope, groups, chunk, HORIZON, batch)
    return CacheBank(CachePlan(*parts, method=method, ahead=ahead))


def joined(chunks) -> torch.Tensor:
    """Return the video that finished chunks are."""
    return torch.cat([done.latent for done in chunks], 2)
