"""A process that torchrun has started beside others, where they meet, and what it ends with."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from socket import gethostname
from time import monotonic, sleep

from torch import distributed

# in which the others must have come: they start together, but import from disks of their own
WAIT = timedelta(minutes=10)
PLACE, WORD, HEARD = "head_forcing/place", "head_forcing/word", "head_forcing/heard"
# in which a rank that ends has said why, and in which the first one must have passed it on; seconds
SAID_WITHIN, HEARD_WITHIN = 3.0, 15.0
LOOK = 0.05


class End(Enum):
    """What a rank ends with.

    DONE     its part is made
    STOPPED  somebody stopped it
    LOST     another one was gone
    FAILED   something of its own, which it says
    GONE     it was killed, and says nothing any more
    SILENT   it says nothing yet: it is busy with its end, or was killed on another machine
    """

    DONE = "done"
    STOPPED = "stopped"
    LOST = "lost"
    FAILED = "failed"
    GONE = "gone"
    SILENT = "silent"


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

    def come(self, said: str) -> None:
        """Say that this rank is there, where, and what it was asked for."""
        self.store.set(f"{PLACE}/{self.rank}", json.dumps([gethostname(), os.getpid(), said]))

    def everyone(self) -> list[tuple[str, int, str]]:
        """Wait for all ranks; return the machine and the process of each, and what it was asked.

        Raises:
            RuntimeError: if they do not come.
        """
        places = [f"{PLACE}/{rank}" for rank in range(self.size)]
        try:
            self.store.wait(places, WAIT)
        except RuntimeError as error:  # a store's own errors are of this kind
            raise RuntimeError(
                f"all {self.size} ranks must come within {WAIT}, got fewer; start them together"
            ) from error
        return [tuple(json.loads(self.store.get(place))) for place in places]

    def ends(self, end: End, sentence: str = "") -> None:
        """Say what this rank ends with, if the place where ranks meet is still there."""
        try:
            self.store.set(f"{WORD}/{self.rank}", f"{end.value} {sentence}")
        except RuntimeError:
            return

    def ended(self, ranks: Sequence[int]) -> dict[int, tuple[End, str]]:
        """Return what some ranks ended with, and in which words; wait a little for them."""
        until, said = monotonic() + SAID_WITHIN, {rank: self._word(rank) for rank in ranks}
        while any(end is End.SILENT for end, _ in said.values()) and monotonic() < until:
            if any(end is End.FAILED for end, _ in said.values()):
                break
            sleep(LOOK)
            said = {rank: self._word(rank) for rank in ranks}
        return said

    def _word(self, rank: int) -> tuple[End, str]:
        try:
            if not self.store.check([f"{WORD}/{rank}"]):
                return (End.GONE if self._gone(rank) else End.SILENT), ""
            end, _, sentence = self.store.get(f"{WORD}/{rank}").decode().partition(" ")
        except RuntimeError:
            return End.SILENT, ""
        return End(end), sentence

    def _gone(self, rank: int) -> bool:
        """Whether a rank is known not to run any more: of those on this machine."""
        if sys.platform == "win32" or not self.store.check([f"{PLACE}/{rank}"]):
            return False
        host, process, _ = json.loads(self.store.get(f"{PLACE}/{rank}"))
        if host != gethostname():
            return False
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            # it may have said why meanwhile
            return not self.store.check([f"{WORD}/{rank}"])
        except PermissionError:  # somebody else's
            return True
        return False

    def hear(self) -> None:
        """Let others know that it is said why this run ends."""
        try:
            self.store.set(HEARD, "")
        except RuntimeError:
            return

    def heard(self) -> bool:
        """Whether it is said why this run ends, or the place where ranks meet is gone."""
        try:
            return self.store.check([HEARD])
        except RuntimeError:
            return True

    def was_heard(self) -> bool:
        """Wait a little for the first rank to say it; return whether it does."""
        until = monotonic() + HEARD_WITHIN
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
