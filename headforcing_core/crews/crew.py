"""Pieces of work, and what is told of them while a crew does them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from ..errors import TOLD, sentence
from ..stopping import stopping_once

log = logging.getLogger("headforcing")
# workers that may die over one task before it is given up: it may be what kills them
TRIES = 3
# for a worker that was told to stop to save what is finished, in seconds
GRACE = 120.0


@dataclass(frozen=True)
class Worker:
    """Who makes a call, as the call sees it.

    Args:
        tell: takes what was made since it was told last, in the task's units.
        device: where to run; None: the best one there is.
        kept: what one call leaves for the next one of this worker.
    """

    tell: Callable[[int], None]
    device: str | None = None
    kept: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """A call that some worker makes, perhaps more than once: workers die.

    Args:
        name: no other task has it.
        call: a function of a module, called with a ``Worker`` and the arguments; what it returns
            goes to whoever gave the task.
        arguments: what pickles.
        room: bytes it takes, where it runs.
    """

    name: str
    call: Callable[..., object]
    arguments: tuple = ()
    room: int = 0


class Kind(Enum):
    """What there is to tell of a task.

    STARTED    value: the number of the worker's process
    ADVANCED   value: what was made since, in the task's units
    DONE       value: what the call returned
    FAILED     value: why, in a sentence; it is not tried again
    LOST       value: how its worker died; it is tried again
    """

    STARTED = "started"
    ADVANCED = "advanced"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True)
class Event:
    """Something that became of a task."""

    kind: Kind
    task: str
    value: object = None


class Crew(Protocol):
    """Workers."""

    @property
    def says(self) -> str:
        """What it is, in words."""

    def run(self, tasks: Sequence[Task], take: Callable[[Event], None]) -> None:
        """Do all tasks, in whatever order; each ends DONE or FAILED.

        Whatever is raised meanwhile stops the workers: what calls save on a stop, they save first.

        Args:
            take: is told what becomes of them, in this thread.
        """


def called(task: Task, worker: Worker) -> Event:
    """Make the call of a task, and return what became of it.

    Raises:
        KeyboardInterrupt: if somebody asked to stop.
    """
    try:
        with stopping_once():
            return Event(Kind.DONE, task.name, task.call(worker, *task.arguments))
    except TOLD as error:
        log.debug("%s", task.name, exc_info=True)
        return Event(Kind.FAILED, task.name, sentence(error))


def given_up(task: Task, how: str) -> Event:
    """Return the end of a task that killed its workers."""
    return Event(
        Kind.FAILED,
        task.name,
        f"a worker must live until its work is done, got {TRIES} that died of it ({how}); the "
        "memory may be too small for as many workers",
    )
