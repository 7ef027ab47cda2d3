"""A crew of one: this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .crew import Event, Kind, Task, Worker, called


@dataclass(frozen=True)
class Inline:
    """Tasks are done by whoever gives them, one after the other.

    Args:
        device: see ``Worker``.
        kept: what tasks find that is there already.
    """

    device: str | None = None
    kept: dict = field(default_factory=dict)

    @property
    def says(self) -> str:
        return "this process"

    def run(self, tasks: Sequence[Task], take: Callable[[Event], None]) -> None:
        for task in tasks:
            take(Event(Kind.STARTED, task.name, os.getpid()))

            def tell(made: int, name: str = task.name) -> None:
                take(Event(Kind.ADVANCED, name, made))

            take(called(task, Worker(tell, self.device, self.kept)))
