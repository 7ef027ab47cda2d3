"""One of several processes that make a video together, and what it says to the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, distributed

from .traffic import SCORES, TOLD, Traffic

Thing = TypeVar("Thing")
LOST = (
    "all ranks must go on until the video is made, but another one has ended; what is finished is "
    "kept, and the same command goes on from there"
)


class LostRank(RuntimeError):
    """Another rank has ended, which ends all."""


class Ranks:
    """A process of the group that was joined; see ``joined``.

    Every method is a collective: all ranks call the same ones in the same order. Each raises
    ``LostRank`` if another rank has ended.

    Args:
        rank: its number; 0 leads: it alone reads, writes and prints.
        size: how many there are.
        device: it computes on.
    """

    def __init__(self, rank: int, size: int, device: torch.device | str = "cpu"):
        self.rank, self.size = rank, size
        self.device = torch.device(device)
        self.traffic = Traffic()

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def swapped(
        self, given: Tensor, sent: Sequence[int], received: Sequence[int], kind: str
    ) -> Tensor:
        """Give every rank its part of a tensor, and return the parts they gave, one behind another.

        Args:
            given: flat; parts lie in the order of ranks.
            sent, received: numbers of each part.
            kind: see ``Traffic``.
        """
        got = given.new_empty(sum(received))
        size = given.element_size()
        away = sum(sent) - sent[self.rank]
        with self._counted(kind, away * size):
            # as bytes: not every backend knows every dtype
            distributed.all_to_all_single(
                got.view(torch.uint8),
                given.contiguous().view(torch.uint8),
                [n * size for n in received],
                [n * size for n in sent],
            )
        return got

    def gathered(self, own: Tensor, kind: str = SCORES) -> Tensor:
        """Return the tensors of all ranks, alike in shape: ``[ranks, *shape]``."""
        flat = own.contiguous().flatten()
        got = flat.new_empty(self.size * flat.numel())
        with self._counted(kind, (self.size - 1) * flat.numel() * flat.element_size()):
            parts = list(got.view(torch.uint8).chunk(self.size))
            distributed.all_gather(parts, flat.view(torch.uint8))
        return got.unflatten(0, (self.size, *own.shape))

    def agreed(self, x: Tensor, kind: str = SCORES) -> Tensor:
        """Return the first rank's tensor; others give one of its shape and dtype."""
        x = x.clone(memory_format=torch.contiguous_format)
        sent = x.numel() * x.element_size() * (self.size - 1) if self.leads else 0
        with self._counted(kind, sent):
            distributed.broadcast(x.flatten().view(torch.uint8), 0)
        return x

    def told(self, thing: Thing | None = None) -> Thing:
        """Return what the first rank says; it alone gives something."""
        box = [thing]
        with self._counted(TOLD, 0):
            distributed.broadcast_object_list(box, 0, device=self.device)
        return box[0]

    def from_first(self, make: Callable[[], Thing]) -> Thing:
        """Return what the first rank makes; others do not make it."""
        return self.told(make() if self.leads else None)

    @contextmanager
    def _counted(self, kind: str, sent: int) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # of all backends, a connection that has closed
            raise LostRank(LOST) from error
        self.traffic.add(kind, sent)
