"""What heads look at whose types are not known yet."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ...device import send
from ...methods import DummyTypes
from ...video import Chunk
from ..ledger import Ledger
from ..pool import Share
from .fetched import Scores, Told

FIRST, BETWEEN = range(2)


class HeadScores:
    """Attention of every head on the first frame and on those after it, in one chunk.

    Args:
        rule: tells the types from it, and in which chunk.
    """

    # numbers of a head
    WIDTH = 2

    def __init__(self, rule: DummyTypes):
        self._rule = rule
        self._masses: dict[Ledger, Tensor] = {}

    def study(self, share: Share, q: Tensor, chunk: Chunk) -> None:
        """Look at one head, if this is the chunk.

        Args:
            share: of a single head.
            q: ``[B, T, H, D]`` of its layer, clean and rotated.
        """
        if self.decides(chunk):
            own = share.own(q[:, :: self._rule.every])
            self._masses[share.ledger] = _masses(share, own, chunk)

    def decides(self, chunk: Chunk) -> bool:
        """Whether heads are told apart in a chunk."""
        return chunk.index == self._rule.after_chunk

    def seen(self) -> dict[Ledger, Tensor]:
        """Return two numbers of each head of this rank, ``[1, 2]``, once."""
        masses, self._masses = self._masses, {}
        return {ledger: both[None] for ledger, both in masses.items()}

    def scores(self, seen: Mapping[Ledger, Tensor]) -> Scores:
        """Return two scores per head.

        Args:
            seen: of the heads of all ranks, in their order.
        """
        of = [(ledger, part) for ledger in seen for part in (FIRST, BETWEEN)]
        return Scores(of, torch.cat([both[0] for both in seen.values()]))

    def types(self, told: Told) -> dict[Ledger, str]:
        """Return the type of every head."""
        ledgers = list(dict.fromkeys(ledger for ledger, _ in told))
        masses = [(told[ledger, FIRST], told[ledger, BETWEEN]) for ledger in ledgers]
        return dict(zip(ledgers, self._rule.decide(masses), strict=True))


def _masses(share: Share, q: Tensor, chunk: Chunk) -> Tensor:
    """Return the attention of one head on the first frame and on those between: ``[2]``."""
    places = share.ledger.slots.places
    k = share.arena.in_slots(list(places.values()))[0].at(0, 0).numbers().float()
    weights = (q[0, :, 0].float() @ k.T * q.shape[-1] ** -0.5).softmax(-1).mean(0)
    frames = weights.unflatten(0, (len(places), -1)).sum(1)
    counted = [[page.at == 0 for page in places], [0 < page.at < chunk.start for page in places]]
    return send(torch.tensor(counted), frames.device).float() @ frames
