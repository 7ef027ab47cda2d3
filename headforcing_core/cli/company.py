"""Whom a run makes a video for and with: a worker's, or processes that torchrun started."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..crews import Worker
from ..errors import FAILED, INTERRUPTED, TOLD, sentence
from ..ranks import End, Launched, LostRank, Ranks, device_of, joined, launched, local_ranks
from ..stopping import undisturbed

# what several processes can do together
COMMAND = "generate"


@dataclass(frozen=True)
class Company:
    """Who a video is made for, and with.

    Args:
        worker: is told the frames of every chunk, and keeps the model for the next; None: nobody.
        ranks: that make it together; None: this process makes it alone.
    """

    worker: Worker | None = None
    ranks: Ranks | None = None

    @property
    def size(self) -> int:
        """How many processes make it."""
        return 1 if self.ranks is None else self.ranks.size


def follows() -> bool:
    """Whether another process of this run leads: it prints, this one does not."""
    place = launched()
    return place is not None and not place.leads


@contextmanager
def together(options: argparse.Namespace) -> Iterator[Ranks | None]:
    """Be one of the processes that make a video together; lend None where this one is alone.

    ``options`` are told the device of this one. If one of them fails, all end, and one sentence
    says why.

    Raises:
        ValueError: if others were asked for something else, or a command is for one process.
        RuntimeError: if another one has failed; in its words.
    """
    place = launched()
    if place is None:
        yield None
        return
    if options.command != COMMAND:
        raise ValueError(
            f"torchrun must start headforcing {COMMAND}, got {options.command}; start that alone"
        )
    said = repr(sorted((k, v) for k, v in vars(options).items() if not callable(v)))
    try:
        with _telling(place):
            device = device_of(options.device, *local_ranks(place, said))
        with joined(place, device) as ranks, _telling(place):
            options.device = str(device)
            yield ranks
            place.ends(End.DONE)
    except (KeyboardInterrupt, *TOLD) as error:
        with undisturbed():  # by torchrun, which stops all as soon as one has ended
            if not place.leads:
                raise SystemExit(_left(place, error, options.command)) from error
            if (cause := _first_cause(place, error)) is not error:
                raise cause from error
            raise


@contextmanager
def _telling(place: Launched) -> Iterator[None]:
    """Tell the others why this one ends, before it leaves them."""
    try:
        yield
    except LostRank:
        place.ends(End.LOST)
        raise
    except KeyboardInterrupt:
        place.ends(End.STOPPED)
        raise
    except TOLD as error:
        place.ends(End.FAILED, sentence(error))
        raise


def _first_cause(place: Launched, error: BaseException) -> BaseException:
    """Return what the leading process ends with: what another one ended with, if that was first."""
    if place.heard() or not isinstance(error, LostRank | KeyboardInterrupt):
        place.hear()
        return error
    said = place.ended(range(1, place.size))
    place.hear()
    for rank, (end, why) in said.items():
        if end is End.FAILED:
            return RuntimeError(f"rank {rank}: {why}")
    for rank, (end, _) in said.items():
        if end is End.GONE or (end is End.SILENT and isinstance(error, LostRank)):
            return RuntimeError(_silent(rank))
    stopped = any(end is End.STOPPED for end, _ in said.values())
    return KeyboardInterrupt() if stopped else error


def _left(place: Launched, error: BaseException, command: str) -> int:
    """Return the exit code of a process that follows; say what ended it if the first one cannot."""
    said = None
    if isinstance(error, LostRank | KeyboardInterrupt):
        end, _ = place.ended([0])[0]
        if place.rank == 1 and end is End.GONE and not place.heard():
            said = _silent(0)
    elif not place.was_heard():
        said = f"rank {place.rank}: {sentence(error)}"
    if said is not None:
        place.hear()
        sys.__stderr__.write(f"headforcing {command}: {said}\n")
    return INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED


def _silent(rank: int) -> str:
    return (
        f"all ranks must go on until the video is made, but nothing is heard of rank {rank} any "
        "more; what is finished is kept, and the same command goes on from there"
    )
