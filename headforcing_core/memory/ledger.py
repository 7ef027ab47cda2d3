"""The past of heads that keep the same: what they hold, where it lies, where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..methods import Commit, HeadRule, Page, Past, Switch, frame_page, home_of
from ..video import Chunk
from .slots import Move, Shelf, SlotTable


@dataclass(frozen=True)
class Places:
    """Where pages lie: in slots, aside, and where their unturned time channels are kept."""

    slots: Mapping[Page, int]
    aside: Mapping[Page, int]
    turning: Mapping[Page, int]


@dataclass(frozen=True)
class Arrivals:
    """Pages that a commit brought, by where they lie; their contents are not there yet."""

    slots: list[Page]
    aside: list[Page]
    turning: list[Page]


class Ledger:
    """The bookkeeping of one group of heads through one video. Integers; no tensors.

    Args:
        rule: what they keep, and where it stands.
        frames_per_chunk: of the largest chunk.
        horizon: temporal range the model was trained on, in frames.
    """

    def __init__(self, rule: HeadRule, frames_per_chunk: int, horizon: int):
        self.rule, self.horizon = rule, horizon
        self._first_rule = rule
        policy = rule.policy
        self.past = Past()
        self.slots = SlotTable(policy.slots + frames_per_chunk)
        self._aside = Shelf(policy.middle.kept_aside)
        # the sink's own places come first: frame f lies in place f
        self._turning = Shelf(rule.turning, rule.raw_sink)
        self.chunk: Chunk | None = None

    @property
    def places(self) -> Places:
        sink = {frame_page(f): f for f in self.past.sink} if self.rule.raw_sink else {}
        return Places(self.slots.places, self._aside.places, self._turning.places | sink)

    def open(self, chunk: Chunk) -> list[Move]:
        """Make room for a chunk; return what has to move for it.

        Raises:
            ValueError: if the chunk does not follow the past.
        """
        newest = max((*self.past.sink, *self.past.recent), default=-1)
        if chunk.start <= newest:
            raise ValueError(
                f"chunk must follow the past, got frames {chunk.start} to {chunk.stop - 1} "
                f"after frame {newest}"
            )
        moves = self.slots.open(chunk)
        self.chunk = chunk
        return moves

    def home(self, page: Page) -> int:
        """Return the position to which a page's kept time channels are rotated."""
        raw = self.rule.raw_sink and page in self._sink
        return 0 if raw else home_of(page)

    @property
    def _sink(self) -> list[Page]:
        return [frame_page(f) for f in self.past.sink]

    @property
    def sink_end(self) -> int:
        """The first frame after the sink, those counted that will be it and still are recent."""
        policy = self.rule.policy
        coming = 0 if policy.scene_sink else policy.sink
        return max(coming, 1 + max(self.past.sink, default=-1))

    def read(self, frame: int) -> dict[Page, int]:
        """Return the pages of the past that a query frame of the open chunk reads, with positions.

        Where query frames do not differ, any of them tells.
        """
        policy, past = self.rule.policy, self.past
        return self.rule.positions.place(
            self._sink,
            policy.middle.read(past.middle, frame),
            [frame_page(f) for f in past.recent],
            self.chunk,
            self.horizon,
            frame,
        )

    def ahead(self, window: Chunk, reach: int) -> dict[Page, int]:
        """Return the pages of the past that a window of several chunks reads, with positions.

        Args:
            reach: frames it reads, its own included.
        """
        seen = self.rule.policy.ahead(self.past, len(window), reach, window.start)
        first, recent = ([frame_page(f) for f in part] for part in (seen.sink, seen.recent))
        rule = self.rule.ahead or self.rule.positions
        return rule.place(first, seen.middle, recent, window, self.horizon, window.start)

    def commit(self, event: Commit) -> Arrivals:
        """Make the open chunk part of the past.

        Raises:
            ValueError: if another chunk is open, or none; a chunk is committed once.
        """
        if event.chunk != self.chunk:
            raise ValueError(
                f"chunk to commit must be the open one, got {event.chunk} while {self.chunk} "
                "is open"
            )
        past = self.rule.policy.commit(self.past, event)
        self.slots.close()
        self.chunk = None
        return self._keep(past)

    def adopt(self, rule: HeadRule) -> None:
        """Follow another rule from now on; what is held stays until the next commit.

        The rule must not need more room than the one before.
        """
        self.rule = rule
        self.past = replace(self.past, sink=self.past.sink[: rule.policy.sink])

    def rewind(self, start: int) -> None:
        """Forget frames from ``start`` on: they are about to be committed again."""
        self._keep(self.rule.policy.rewind(self.past, start))

    def forget(self, switch: Switch) -> Arrivals:
        """Forget what a new prompt does not want remembered."""
        return self._keep(switch.left(self.past, self.rule.policy))

    def leave_sink(self) -> None:
        """Forget all but the first frames of the video, where they are kept."""
        held = sorted((*self.past.sink, *self.past.recent))
        self._keep(Past(tuple(held[: self.rule.policy.sink])))

    def begin_anew(self) -> None:
        """Forget everything, as if there had been no video yet."""
        self.rule, self.chunk = self._first_rule, None
        self._keep(Past())

    def _keep(self, past: Past) -> Arrivals:
        self.past = past
        middle = self.rule.policy.middle
        sink, recent = ([frame_page(f) for f in part] for part in (past.sink, past.recent))
        whole = middle.in_slots(past.middle)
        turning = [*([] if self.rule.raw_sink else sink), *whole]
        return Arrivals(
            self.slots.keep([*sink, *whole, *recent]),
            self._aside.keep(middle.aside(past.middle)),
            self._turning.keep(turning if self.rule.positions.re_encodes else []),
        )
