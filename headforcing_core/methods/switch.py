"""What a new prompt does to the past."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from ..bounds import check_frames
from ..video import Chunk
from .pages import Past
from .policy import HeadPolicy


class SwitchRule(Enum):
    """What a new prompt does to the past. Text is never remembered, whatever the rule.

    KEEP           nothing
    RECACHE        the last frames are computed again under the new prompt; the sink stays
    FLUSH_RECENT   of the recent frames only the last stay
    FLUSH_MEMORY   what is neither sink nor recent goes
    FLUSH_ALL      everything goes but frame 0, of heads that have a sink

    A prompt that begins with a cut leaves nothing, whatever the rule: from there on the video is
    one that begins.
    """

    KEEP = "keep"
    RECACHE = "recache"
    FLUSH_RECENT = "flush_recent"
    FLUSH_MEMORY = "flush_memory"
    FLUSH_ALL = "flush_all"


@dataclass(frozen=True)
class Switch:
    """A rule and how far it reaches, in frames.

    Args:
        recache_frames: of RECACHE, last frames that are computed again, in whole chunks.
        flushed_to: of FLUSH_RECENT, recent frames that stay.

    Source: RECACHE is LongLive (arXiv 2509.22622), FLUSH_RECENT Infinity-RoPE (its code).
    """

    rule: SwitchRule = SwitchRule.KEEP
    recache_frames: int = 0
    flushed_to: int = 2

    def __post_init__(self) -> None:
        check_frames("recache_frames", self.recache_frames)
        check_frames("flushed_to", self.flushed_to)

    @property
    def again(self) -> int:
        """Frames that are computed again, if any are."""
        return self.recache_frames if self.rule is SwitchRule.RECACHE else 0

    def recomputed(self, done: Sequence[Chunk], sink_end: int) -> list[Chunk]:
        """Return the chunks to compute again: those that reach into the last frames.

        Args:
            done: all or the last chunks, in order.
            sink_end: first frame after the sink, which stays what it is.
        """
        if not self.again or not done:
            return []
        begin = done[-1].stop - self.again
        return [chunk for chunk in done if chunk.stop > begin and chunk.start >= sink_end]

    def left(self, past: Past, policy: HeadPolicy) -> Past:
        """Return what stays of a past. First frames that are recent still are the sink from now."""
        match self.rule:
            case SwitchRule.FLUSH_RECENT:
                count, middle = self.flushed_to, past.middle
            case SwitchRule.FLUSH_MEMORY:
                count, middle = policy.recent, ()
            case SwitchRule.FLUSH_ALL:
                held = policy.sink and 0 in (*past.sink, *past.recent)
                return Past((0,) if held else ())
            case _:
                return past
        recent = past.recent[max(0, len(past.recent) - count) :]
        first = range(0 if policy.scene_sink else policy.sink)
        sink = (*past.sink, *(f for f in past.recent if f in first and f not in recent))
        return Past(sink, middle, recent)


@dataclass(frozen=True, kw_only=True)
class Switching:
    """What can be chosen of a new prompt, in the settings of every method.

    Args:
        on_switch: what a new prompt does to the past: nothing (keep), compute the last frames again
            under it (recache), or forget (flush_recent, flush_memory, flush_all).
        recache_frames: frames that recache computes again, in whole chunks; None: one chunk, which
            still has recent frames in front of it. Further back there are none left.
        flushed_to: recent frames that flush_recent leaves.
    """

    on_switch: SwitchRule = SwitchRule.KEEP
    recache_frames: int | None = None
    flushed_to: int = 2

    def switch(self, frames_per_chunk: int) -> Switch:
        """Return the rule for chunks of so many frames."""
        frames = frames_per_chunk if self.recache_frames is None else self.recache_frames
        return Switch(self.on_switch, frames, self.flushed_to)
