"""What is done to an arena before a query frame reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..device import send
from ..methods import Page
from ..video import Rotation
from .beside import Wanted
from .ledger import Ledger
from .rotations import Rotations


class Turned(NamedTuple):
    """Pages that are turned on their way to a place: where to, where from, and how far.

    source: which of the pages that are kept; of those that were fetched for it, where they lie
        out of the way.
    rotation: ``[pages, time / 2]``.
    places: of all pages, where they are kept.
    """

    slots: Tensor
    source: Tensor
    rotation: Rotation
    places: tuple[int, ...]

    @property
    def way(self) -> tuple[Tensor, Tensor, Rotation]:
        return self.slots, self.source, self.rotation


class Staging(NamedTuple):
    """The pages that a query frame reads and that do not lie ready in their slots.

    shown: pages kept aside, on their way to the front.
    turned: pages in slots, from where their time channels are kept.
    """

    shown: Turned | None
    turned: Turned | None

    @property
    def wanted(self) -> Wanted:
        """The places that are read."""
        turned, shown = (() if way is None else way.places for way in (self.turned, self.shown))
        return Wanted(turned, shown)


class Stagings:
    """The stagings of one open chunk, each made once for all layers.

    Args:
        rotations: of the video.
        device: of its caches.
    """

    def __init__(self, rotations: Rotations, device: torch.device):
        self._rotations, self.device = rotations, device
        self._known: dict[tuple[Ledger, int], Staging] = {}

    def of(self, ledger: Ledger, frame: int) -> Staging:
        """Return what is done for a query frame in every arena of a ledger."""
        if (ledger, frame) not in self._known:
            self._known[ledger, frame] = self._made(ledger, frame)
        return self._known[ledger, frame]

    def _made(self, ledger: Ledger, frame: int) -> Staging:
        reads, places = ledger.read(frame), ledger.places
        turns = {page: position - ledger.home(page) for page, position in reads.items()}
        shown = [page for page in reads if page not in places.slots]
        turned = [page for page in reads if page in places.turning]
        # against the slots: what is in front is read with them
        front = ledger.rule.policy.middle.front
        last = range(front - len(shown), front)
        slots = [places.slots[page] for page in turned]
        return Staging(
            self._way(ledger, turns, shown, last, places.aside),
            self._way(ledger, turns, turned, slots, places.turning),
        )

    def _way(
        self,
        ledger: Ledger,
        turns: Mapping[Page, int],
        pages: Sequence[Page],
        slots: Sequence[int],
        source: Mapping[Page, int],
    ) -> Turned | None:
        if not pages:
            return None
        kept = tuple(source[page] for page in pages)
        read = range(len(kept)) if ledger.rule.offload else kept
        to, of = (send(torch.tensor(list(places)), self.device) for places in (slots, read))
        rotation = self._rotations.temporal([turns[page] for page in pages])
        return Turned(to, of, rotation.squeeze(1), kept)
