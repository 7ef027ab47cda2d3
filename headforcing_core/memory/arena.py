"""Keys and values of the heads of one layer that share a past."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...kernels import reencode, rotate
from ..device import send
from ..video import Rotation
from .arena_plan import ArenaPlan
from .rotations import Rotations
from .slots import Move
from .staging import Staging


class Content(NamedTuple):
    """What shall lie in a place: k, v ``[B, G, P, D]``, time channels of k rotated to ``home``."""

    k: Tensor
    v: Tensor
    home: int


class Arena:
    """Where the pages of one group of heads lie in one layer.

    Args:
        plan: of each head.
        k, v: ``[B, G, rows, D]``, this group's part of the layer's pool.
        rotations: that all arenas of a video share.
    """

    def __init__(self, plan: ArenaPlan, k: Tensor, v: Tensor, rotations: Rotations):
        self.plan, self.rotations = plan, rotations
        time, _, _ = plan.rope.channels
        batch, heads, _, dim = k.shape
        self.time = time
        front, slots = (plan.rule.policy.middle.front, plan.small_tokens), (plan.slots, plan.tokens)
        parts = [x.split([plan.front, plan.rows - plan.front], 2) for x in (k, v)]
        self.front_k, self.front_v = (x.unflatten(2, front) for x, _ in parts)
        self.k, self.v = (x.unflatten(2, slots) for _, x in parts)
        self.turning = k.new_zeros(batch, heads, plan.turning, plan.tokens, time)
        aside = (batch, heads, plan.rule.policy.middle.kept_aside, plan.small_tokens, dim)
        self.aside_k, self.aside_v = k.new_zeros(aside), k.new_zeros(aside)
        self.sums = k.new_zeros(batch, heads, *plan.sum_shape, dtype=torch.float32)

    @property
    def beside(self) -> list[Tensor]:
        """All it holds that is not part of the pool."""
        return [self.turning, self.aside_k, self.aside_v, self.sums]

    def write(self, slot: int, k: Tensor, v: Tensor) -> None:
        """Fill a slot with ``[B, G, P, D]``."""
        self.k[:, :, slot], self.v[:, :, slot] = k, v

    def in_slots(self, slots: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return keys and values of slots, one after the other: ``[B, G, len(slots) * P, D]``."""
        index = send(torch.tensor(slots), self.k.device)
        k, v = (x.index_select(2, index).flatten(2, 3) for x in (self.k, self.v))
        return k, v

    def move(self, moves: Sequence[Move]) -> None:
        """Copy slots, one after the other."""
        for source, target in moves:
            self.write(target, self.k[:, :, source].clone(), self.v[:, :, source].clone())

    def put(self, slot: int, content: Content, at: int) -> None:
        """Fill a slot, its time channels rotated to position ``at``."""
        k = content.k
        if at != content.home:
            k = self._turned(k, self.rotations.temporal([at - content.home]))
        self.write(slot, k, content.v)

    def put_aside(self, place: int, content: Content) -> None:
        self.aside_k[:, :, place], self.aside_v[:, :, place] = content.k, content.v

    def stage(self, staging: Staging) -> None:
        """Put pages kept aside in front of the slots, and turn pages in slots to new positions."""
        shown, turned = staging.shown, staging.turned
        if shown is not None:
            reencode(self.front_k, self.aside_k, *shown)
            unturned = shown.rotation[:, :0]
            reencode(self.front_v, self.aside_v, shown.slots, shown.source, unturned)
        if turned is not None:
            reencode(self.k, self.turning, *turned)

    def _turned(self, k: Tensor, rotation: Rotation) -> Tensor:
        time, space = k.split([self.time, k.shape[-1] - self.time], -1)
        return torch.cat([rotate(time, rotation), space], -1)
