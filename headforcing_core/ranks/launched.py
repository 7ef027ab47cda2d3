"""A process that torchrun has started beside others, and where they meet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from time import monotonic, sleep

from torch import distributed

# in which the others must have come: they start together, but import from disks of their own
WAIT = timedelta(minutes=10)
ENDED, HEARD = "head_forcing/ended", "head_forcing/heard"
# in which the first rank must have said what another one ended with, seconds
PATIENCE = 15.0
LOOK = 0.05


@dataclass(frozen=True)
class Launched:
    """One of the processes that make a video together.

    Args:
        store: what all of them read and write.
        rank: its number.
        size: how many there are.
    """

    store: distributed.Store
    rank: int
    size: int

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def ends(self, sentence: str) -> None:
        """Say why this rank ends, unless another one has said so before; "": it was stopped."""
        try:
            self.store.compare_set(ENDED, "", f"{self.rank} {sentence}")
        except RuntimeError:  # the place where they meet is gone
            return

    def ended(self) -> tuple[int, str] | None:
        """Return which rank ended first, and why; None where nobody said so."""
        try:
            if not self.store.check([ENDED]):
                return None
            rank, _, sentence = self.store.get(ENDED).decode().partition(" ")
        except RuntimeError:
            return None
        return int(rank), sentence

    def hear(self) -> None:
        """Let others know that it is known why this run ends."""
        try:
            self.store.set(HEARD, "")
        except RuntimeError:
            return

    def heard(self) -> bool:
        """Whether it is known why this run ends, or the place where ranks meet is gone."""
        try:
            return self.store.check([HEARD])
        except RuntimeError:
            return True

    def was_heard(self) -> bool:
        """Wait a little for the first rank to know; return whether it does."""
        until = monotonic() + PATIENCE
        while not (heard := self.heard()) and monotonic() < until:
            sleep(LOOK)
        return heard


def launched() -> Launched | None:
    """Return what torchrun started this process as; None where it is alone.

    Raises:
        RuntimeError: if the others are not met.
    """
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        return None
    store, rank, size = next(distributed.rendezvous("env://", timeout=WAIT))
    return None if size == 1 else Launched(store, rank, size)
