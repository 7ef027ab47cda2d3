"""Which prompt rules which frames."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .clock import Chunk


@dataclass(frozen=True)
class Late:
    """A text that is prepared when it is asked for.

    Args:
        last: what was prepared last, and what it is: shared by all of a schedule.
    """

    text: object
    prepare: Callable[[Any], object]
    last: list[object]

    @property
    def value(self) -> object:
        if not self.last or self.last[0] is not self:
            self.last[:] = []  # first: two of them may be more than there is room for
            self.last[:] = [self, self.prepare(self.text)]
        return self.last[1]


@dataclass(frozen=True)
class PromptSchedule:
    """Prompts and the latent frame at which each begins.

    Args:
        starts: ascending frame numbers, the first is 0.
        texts: the backbone's own conditionings, one per start; this class only picks one.
        cuts: starts at which another scene begins, that shall not remember the one before.
        same: starts at which no new prompt begins: the one before goes on in other words.
    """

    starts: tuple[int, ...]
    texts: tuple[object, ...]
    cuts: frozenset[int] = frozenset()
    same: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if len(self.starts) != len(self.texts) or not self.starts:
            raise ValueError(
                f"starts must hold one frame number per prompt, got {self.starts} "
                f"for {len(self.texts)} prompts"
            )
        if not self.cuts <= set(self.starts):
            raise ValueError(f"cuts must be among starts, got {sorted(self.cuts)}")
        if self.starts[0] != 0 or list(self.starts) != sorted(set(self.starts)):
            raise ValueError(
                f"starts must be ascending frame numbers beginning at 0, got {self.starts}"
            )

    @classmethod
    def constant(cls, text: object) -> PromptSchedule:
        return cls((0,), (text,))

    def prepared(self, prepare: Callable[[Any], object]) -> PromptSchedule:
        """Return the schedule with every text replaced by what ``prepare`` makes of it, once."""
        return replace(self, texts=tuple(prepare(text) for text in self.texts))

    def with_shots(self, chunks: Sequence[Chunk], texts: Mapping[int, object]) -> PromptSchedule:
        """Return the schedule in which the first chunk of a shot is told a text of its own.

        Args:
            chunks: of the video.
            texts: number of the prompt that begins a shot -> its text.
        """
        told, same = dict(zip(self.starts, self.texts, strict=True)), set(self.same)
        ends = {chunk.start: chunk.stop for chunk in chunks}
        for number, text in texts.items():
            start = self.starts[number]
            if ends[start] not in told and ends[start] < chunks[-1].stop:
                told[ends[start]] = self.texts[number]
                same.add(ends[start])
            told[start] = text
        starts = tuple(sorted(told))
        texts = tuple(told[start] for start in starts)
        return PromptSchedule(starts, texts, self.cuts, frozenset(same))

    def blended(
        self, chunks: Sequence[Chunk], over: int, mix: Callable[[Any, Any, float], object]
    ) -> PromptSchedule:
        """Return the schedule in which every new prompt comes in over some chunks.

        The first of them still has the old one; where another prompt begins meanwhile, it comes
        in from what was said then. A cut comes at once.

        Args:
            chunks: of the video.
            over: how many, at least 2.
            mix: gives what lies between two texts, 0 the first and 1 the second.

        Source: Krea Realtime (krea-ai/realtime-video at commit acf4b7b).
        """
        starts, texts, cuts = [], [], set()
        old = new = now = self.texts[0]
        number, since = 0, over - 1
        for chunk in chunks:
            if self.number(chunk.start) != number:
                number, old, new, since = self.number(chunk.start), now, self.at(chunk.start), 0
                if self.cuts_at(chunk.start):
                    since = over - 1
                    cuts.add(chunk.start)
            done = since >= over - 1
            said = new if done else old if since == 0 else mix(old, new, since / (over - 1))
            if not texts or said is not now or chunk.start in cuts:
                starts.append(chunk.start)
                texts.append(said)
            now, since = said, since + 1
        return PromptSchedule(tuple(starts), tuple(texts), frozenset(cuts))

    def at(self, frame: int) -> object:
        text = self.texts[self.number(frame)]
        return text.value if isinstance(text, Late) else text

    def prepared_late(self, prepare: Callable[[Any], object]) -> PromptSchedule:
        """Return the schedule with every text replaced by what ``prepare`` makes of it, when asked.

        Of many, only what was asked for last is kept.
        """
        last: list[object] = []
        return replace(self, texts=tuple(Late(text, prepare, last) for text in self.texts))

    def cuts_at(self, frame: int) -> bool:
        """Whether what rules a frame began with a cut."""
        return self.starts[self.number(frame)] in self.cuts

    def number(self, frame: int) -> int:
        """Return which prompt rules a frame, counted from 0."""
        return bisect_right(self.starts, frame) - 1
