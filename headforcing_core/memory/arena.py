"""Keys and values of the heads of one layer that share a past."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from ...kernels import reencode
from ..device import send
from .arena_plan import ArenaPlan
from .beside import ALL, Beside, OutOfTheWay, Pages
from .boundary import Boundary
from .rotations import Rotations
from .rows import Rows
from .slots import Move
from .staging import Staging


class Content(NamedTuple):
    """What shall lie in a place: k, v ``[B, G, P, D]``, time channels of k rotated to ``home``."""

    k: Rows
    v: Rows
    home: int


class Arena:
    """Where the pages of one group of heads lie in one layer.

    Args:
        plan: of each head.
        k, v: ``[B, G, rows, D]``, this group's part of the layer's pool.
        rotations: that all arenas of a video share.
        dtype: of the model.
        boundary: between its device and the host.
    """

    def __init__(
        self,
        plan: ArenaPlan,
        k: Rows,
        v: Rows,
        rotations: Rotations,
        dtype: torch.dtype,
        boundary: Boundary,
    ):
        self.plan, self.rotations = plan, rotations
        time, _, _ = plan.rope.channels
        self.time = time
        front, slots = (plan.rule.policy.middle.front, plan.small_tokens), (plan.slots, plan.tokens)
        parts = [x.split([plan.front, plan.rows - plan.front], 2) for x in (k, v)]
        self.front_k, self.front_v = (x.unflatten(2, front) for x, _ in parts)
        self.k, self.v = (x.unflatten(2, slots) for _, x in parts)
        away = plan.rule.offload
        self.beside = OutOfTheWay(plan, k, dtype, boundary) if away else Beside(plan, k, dtype)

    def write(self, slot: int, k: Rows, v: Rows) -> None:
        """Fill a slot with ``[B, G, P, D]``."""
        self.k.at(ALL, ALL, slot).copy_(k)
        self.v.at(ALL, ALL, slot).copy_(v)

    def in_slots(self, slots: Sequence[int]) -> tuple[Rows, Rows]:
        """Return keys and values of slots, one after the other: ``[B, G, len(slots) * P, D]``."""
        index = send(torch.tensor(slots), self.k.device)
        k, v = (x.select(2, index).flatten(2, 3) for x in (self.k, self.v))
        return k, v

    def move(self, moves: Sequence[Move]) -> None:
        """Copy slots, one after the other."""
        for source, target in moves:
            k, v = (x.at(ALL, ALL, source).clone() for x in (self.k, self.v))
            self.write(target, k, v)

    def put(self, slot: int, content: Content, at: int) -> None:
        """Fill a slot, its time channels rotated to position ``at``."""
        k = content.k
        if at != content.home:
            k = k.turned(self.rotations.temporal([at - content.home]), self.time)
        self.write(slot, k, content.v)

    def stage(self, staging: Staging, fetched: Pages | None = None) -> None:
        """Put pages kept aside in front of the slots, and turn pages in slots to new positions.

        Args:
            fetched: the pages that are read, where they lie out of the way.
        """
        shown, turned = staging.shown, staging.turned
        pages = fetched or self.beside.pages
        if shown is not None:
            reencode(self.front_k.codes, pages.k.codes, *shown.way)
            unturned = shown.slots, shown.source, shown.rotation[:, :0]
            reencode(self.front_v.codes, pages.v.codes, *unturned)
            for front, aside in ((self.front_k, pages.k), (self.front_v, pages.v)):
                if front.scales is not None:
                    reencode(front.scales, aside.scales, *unturned)
        if turned is not None:
            reencode(self.k.codes, pages.turning, *turned.way)
