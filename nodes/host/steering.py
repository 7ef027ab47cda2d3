"""A prompt that was typed for a running video, on its way to the next chunk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from ...headforcing_core.video import LivePrompt
from .watched_run import Origin

LATE = "the run must have a chunk left to begin when a live prompt comes, got its end"
REPLACED = "a live prompt must wait until a chunk takes it, got another one before that"
# of a run: raises where it cannot take a prompt
Check = Callable[[LivePrompt], None]


@dataclass(frozen=True)
class Waiting:
    """A live prompt, and who waits to hear which chunk took it."""

    live: LivePrompt
    receipt: Future[Mapping[str, Any]] = field(default_factory=Future)


class Steering:
    """The live prompt that waits. The page asks, in the server's thread; a run takes it before a
    chunk.
    """

    def __init__(self) -> None:
        self._origin: Origin | None = None
        self._check: Check | None = None
        self._waiting: Waiting | None = None
        self._lock = Lock()

    def begin(self, origin: Origin, check: Check) -> None:
        """Note a run that can be told prompts."""
        with self._lock:
            self._origin, self._check, self._waiting = origin, check, None

    def end(self) -> None:
        """Note that it makes no more chunks."""
        with self._lock:
            self._origin, self._check = None, None
            late, self._waiting = self._waiting, None
        if late is not None:
            late.receipt.set_exception(ValueError(LATE))

    def ask(
        self, prompt_id: str, node: str, client: str, live: LivePrompt
    ) -> Future[Mapping[str, Any]] | None:
        """Let the next chunk of a run take a prompt, in the place of one that waits.

        Returns:
            its receipt, when a chunk has taken it; None: this page's run of that name is not
            being made.

        Raises:
            ValueError: if the run cannot be told.
        """
        with self._lock:
            asked, runs = (prompt_id, node, client), self._origin
            # of a subgraph that is used twice, two nodes differ in their paths alone
            if runs is None or asked != (runs.prompt_id, runs.node, runs.client):
                return None
            self._check(live)
            before, self._waiting = self._waiting, Waiting(live)
            found = self._waiting.receipt
        if before is not None:
            before.receipt.set_exception(ValueError(REPLACED))
        return found

    def taken(self) -> Waiting | None:
        """Return what waits; it waits no longer."""
        with self._lock:
            found, self._waiting = self._waiting, None
        return found


class SteeredWidgets:
    """How often nodes with these widgets were told prompts on the way. The host would answer the
    same graph, queued again, with what they then made; it is not what the graph says.
    """

    def __init__(self) -> None:
        self._counts: Counter[tuple[object, ...]] = Counter()

    def add(self, inputs: Mapping[str, Any]) -> None:
        """Count a node.

        Args:
            inputs: as a graph has them; what is connected is a list.
        """
        self._counts[_telling(*(inputs.get(name) for name in TELLING))] += 1

    def count(self, seed: object, seconds: object, width: object, height: object) -> int:
        """Return how often it was; what is connected is None."""
        return self._counts[_telling(seed, seconds, width, height)]


# widgets that tell runs apart well enough: one too many is made anew
TELLING = ("seed", "seconds", "width", "height")


def _telling(*widgets: object) -> tuple[object, ...]:
    return tuple(None if type(value) is list else value for value in widgets)


STEERED = SteeredWidgets()
# one for all: a host runs one node at a time
STEERING = Steering()
