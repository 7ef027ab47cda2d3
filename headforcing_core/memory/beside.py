"""What an arena keeps beside what is read in every call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from .arena_plan import ArenaPlan, aligned
from .boundary import Boundary
from .rows import Rows

ALL = slice(None)


class Pages(NamedTuple):
    """Pages on the device, by number.

    turning: ``[B, G, pages, P, time]``, time channels of keys as they came.
    k, v: ``[B, G, pages, P, D]``, kept aside.
    """

    turning: Tensor
    k: Rows
    v: Rows


class Wanted(NamedTuple):
    """Places of the pages that are read."""

    turning: Sequence[int] = ()
    aside: Sequence[int] = ()


class Beside:
    """What is kept beside the pool, on the device.

    Args:
        plan: of each head.
        like: keys of the pool, ``[B, G, rows, D]``.
        dtype: of the model.
    """

    def __init__(self, plan: ArenaPlan, like: Rows, dtype: torch.dtype):
        batch, heads, _, dim = like.codes.shape
        time, _, _ = plan.rope.channels
        # of codes, what they count in lies with the rest of the page in its slot
        turning = like.codes.new_zeros(batch, heads, plan.turning, plan.tokens, time)
        aside = (batch, heads, plan.rule.policy.middle.kept_aside, plan.small_tokens, dim)
        k, v = (Rows.zeros(plan.rule.kv_dtype, aside, dtype, like.device) for _ in "kv")
        self.pages = Pages(turning, k, v)
        self._sums = torch.zeros(batch, heads, *plan.sum_shape, device=like.device)

    @property
    def tensors(self) -> list[Tensor]:
        """What it has on the device."""
        turning, k, v = self.pages
        return [turning, *k.tensors, *v.tensors, self._sums]

    @property
    def away(self) -> list[Tensor]:
        """What it has with the host."""
        return []

    def turning_at(self, place: int) -> Tensor:
        """Return unturned time channels of a page, ``[B, G, P, time]``."""
        return self.pages.turning[:, :, place]

    def put_turning(self, place: int, codes: Tensor) -> None:
        self.pages.turning[:, :, place] = codes

    def aside_at(self, place: int) -> tuple[Rows, Rows]:
        """Return keys and values of a page that is kept aside, ``[B, G, P, D]``."""
        _, k, v = self.pages
        return k.at(ALL, ALL, place), v.at(ALL, ALL, place)

    def put_aside(self, place: int, k: Rows, v: Rows) -> None:
        for mine, theirs in zip(self.aside_at(place), (k, v), strict=True):
            mine.copy_(theirs)

    def sum_at(self, number: int) -> Tensor:
        """Return a running mean, ``[B, G, P or 1, 2 D]``."""
        return self._sums[:, :, number]

    def put_sum(self, number: int, mean: Tensor) -> None:
        self.sum_at(number).copy_(mean)


class Stack(NamedTuple):
    """Pages with the host, ``[B, G, ...]`` each, and each in one piece."""

    pages: list[Tensor]
    shape: Sequence[int]
    dtype: torch.dtype

    @classmethod
    def of(cls, boundary: Boundary, pages: int, shape: Sequence[int], dtype: torch.dtype) -> Stack:
        return cls(boundary.room(pages, shape, dtype), shape, dtype)


class OutOfTheWay:
    """The same with the host: pages first, so that each of them is copied in one piece.

    Args:
        plan, like, dtype: see ``Beside``.
        boundary: between the device and the host.
    """

    pages = None  # none of them is on the device

    def __init__(self, plan: ArenaPlan, like: Rows, dtype: torch.dtype, boundary: Boundary):
        batch, heads, _, dim = like.codes.shape
        time, _, _ = plan.rope.channels
        own, pages = (batch, heads), plan.rule.policy.middle.kept_aside
        self.plan, self._boundary = plan, boundary
        turning = (*own, plan.tokens, time)
        self._turning = Stack.of(boundary, plan.turning, turning, like.codes.dtype)
        one = Rows.zeros(plan.rule.kv_dtype, (*own, plan.small_tokens, dim), dtype, "meta")
        # codes, and their scales
        self._k, self._v = (
            [Stack.of(boundary, pages, x.shape, x.dtype) for x in one.tensors] for _ in "kv"
        )
        means, *shape = plan.sum_shape
        self._sums = Stack.of(boundary, means, (*own, *shape), torch.float32)

    @property
    def tensors(self) -> list[Tensor]:
        """What it has on the device."""
        return []

    @property
    def away(self) -> list[Tensor]:
        """What it has with the host."""
        stacks = (self._turning, *self._k, *self._v, self._sums)
        return [page for stack in stacks for page in stack.pages]

    def turning_at(self, place: int) -> Tensor:
        return self._boundary.brought(self._turning.pages[place])

    def put_turning(self, place: int, codes: Tensor) -> None:
        self._boundary.store(self._turning.pages[place], codes)

    def aside_at(self, place: int) -> tuple[Rows, Rows]:
        k, v = (
            Rows(*(self._boundary.brought(stack.pages[place]) for stack in kept))
            for kept in (self._k, self._v)
        )
        return k, v

    def put_aside(self, place: int, k: Rows, v: Rows) -> None:
        for kept, own in ((self._k, k), (self._v, v)):
            for stack, x in zip(kept, own.tensors, strict=True):
                self._boundary.store(stack.pages[place], x)

    def sum_at(self, number: int) -> Tensor:
        return self._boundary.brought(self._sums.pages[number])

    def put_sum(self, number: int, mean: Tensor) -> None:
        self._boundary.store(self._sums.pages[number], mean)

    def landing(self, room: Tensor, start: int, joint: bool) -> tuple[Pages, int]:
        """Return where pages lie that were fetched, and where that ends.

        Args:
            room: bytes of the device, of which ``plan.landing`` are for this.
            start: the first of them.
            joint: see there.
        """
        (turning,), start = _cut(room, start, [self._turning], self.plan.turning)
        k, start = _cut(room, start, self._k, self.plan.fetched(joint))
        v, start = _cut(room, start, self._v, self.plan.fetched(joint))
        return Pages(turning, Rows(*k), Rows(*v)), start

    def pairs(self, landing: Pages, wanted: Wanted) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (target, source) of pages that are wanted, one behind the other."""
        aside = [*zip(landing.k.tensors, self._k, strict=True)]
        aside += zip(landing.v.tensors, self._v, strict=True)
        ways = ([(landing.turning, self._turning)], wanted.turning), (aside, wanted.aside)
        for tensors, places in ways:
            for number, place in enumerate(places):
                yield from ((x[:, :, number], stack.pages[place]) for x, stack in tensors)


def _cut(room: Tensor, start: int, kept: list[Stack], pages: int) -> tuple[list[Tensor], int]:
    """Return ``[B, G, pages, ...]`` for each of those kept, and where the next may begin."""
    found, at = [], start
    for stack in kept:
        end = at + pages * prod(stack.shape) * stack.dtype.itemsize
        whole = room[at:end].view(stack.dtype).view(pages, *stack.shape)
        found.append(whole.movedim(0, 2))
        at = end
    return found, start + aligned(at - start)
