"""Stops from outside: Ctrl-C, a service's end, a terminal that is gone."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

Result = TypeVar("Result")

# those this system has; of time that is used up a batch system tells before it kills
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGXCPU", "SIGBREAK")
STOPS = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))
# after that many stops the process ends at once, saved or not
PATIENCE = 5


class Stop:
    """What happens on a stop: the first interrupts.

    Impatient ones while what is finished is saved are ignored, but not for ever. After one they
    stay ignored, because the process is about to end.

    Args:
        asked: how often somebody asked to stop.
        held: how many things are being done that are to be whole; the first stop waits for them.
    """

    def __init__(self) -> None:
        self.asked = self.held = 0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.asked += 1
        if self.asked == 1 and not self.held:
            raise KeyboardInterrupt
        if self.asked > PATIENCE:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)


@contextmanager
def stopping_once() -> Iterator[None]:
    """End orderly on Ctrl-C, a service's stop or a terminal that is closed."""
    before, stop = {number: signal.getsignal(number) for number in STOPS}, Stop()
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:  # as nohup and background jobs ask for
                signal.signal(number, stop)
        yield
    finally:
        for number, handler in before.items():
            # all is saved; the interpreter itself would let a late one end it with a signal's code
            signal.signal(number, signal.SIG_IGN if stop.asked else handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Do something that must be whole or not at all: a stop waits for its end."""
    stops = _stops()
    stopped = any(stop.asked for stop in stops)
    for stop in stops:
        stop.held += 1
    try:
        yield
    finally:
        for stop in stops:
            stop.held -= 1
    if not stopped:  # who was interrupted before is saving by now
        stop_if_asked()


def to_the_end(last: Callable[[], Result]) -> Result:
    """Do a last thing that must not be lost: once more, if it was interrupted all the same."""
    with undisturbed():
        try:
            return last()
        except KeyboardInterrupt:
            last()
            raise


def stop_if_asked() -> None:
    """Interrupt if somebody asked to stop, and the interrupt was lost.

    Where an extension calls Python and clears what is raised there, it is. Long work asks this
    once per step.
    """
    if any(stop.asked for stop in _stops()):
        raise KeyboardInterrupt


def _stops() -> set[Stop]:
    return {h for h in map(signal.getsignal, STOPS) if isinstance(h, Stop)}
