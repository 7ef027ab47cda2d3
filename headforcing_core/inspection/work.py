"""What it takes to follow a method, before it is followed."""

from __future__ import annotations

from collections.abc import Sequence

from ..methods import HeadRule, Method
from ..methods.middles import Bands, Episodes, EpisodeUpdate, Tokens
from ..video import ChunkClock

# pages looked at in about a minute of one CPU
MOST_WORK = 10_000_000
# in pages: a chunk and a type of head, whatever they hold; a page written out as JSON
PER_CHUNK, PER_WRITTEN = 20, 4
# numbers that pass in the time of a page: of frames gone through, of bands, of frames written out
GONE_THROUGH, SORTED, WRITTEN = 50, 4, 5


def check_work(
    method: Method,
    clock: ChunkClock,
    switches: Sequence[int] = (),
    written: bool = False,
    most: int = MOST_WORK,
) -> None:
    """Refuse what would take more than about a minute.

    Args:
        written: all that is read is written out, the frames of means one by one.
        most: pages, where less time is given.

    Raises:
        ValueError: if it would.
    """
    work = work_of(method, clock, switches, written)
    if work > most:
        raise ValueError(
            f"a method must be followed through at most {most:,} pages, got {work:,}; use "
            "fewer frames or smaller budgets"
        )


def work_of(
    method: Method, clock: ChunkClock, switches: Sequence[int] = (), written: bool = False
) -> int:
    """Return about how many pages are looked at while a method is followed through a video."""
    anew = len(set(switches)) * -(-method.switch.again // clock.frames_per_chunk)
    work = 0
    for rule in method.rules.values():
        held = 0
        for chunk in clock:
            held = _held(rule, chunk.start, len(chunk))
            work += held + _read(rule, chunk.start, len(chunk), written)
        work += anew * held
    return work + len(set(switches)) * len(clock) // GONE_THROUGH


def _held(rule: HeadRule, past: int, chunk: int) -> int:
    """Return what a commit goes through."""
    policy, middle = rule.policy, rule.policy.middle
    held = PER_CHUNK + min(policy.slots + middle.kept_aside, past)
    if isinstance(middle, Bands):
        held += middle.pieces * chunk // SORTED
    if isinstance(middle, Episodes):
        if middle.update is EpisodeUpdate.MERGE_NEAREST:
            held += past // GONE_THROUGH
        if middle.looks:
            # every two of them, for every candidate
            held += middle.candidates * min(middle.count + policy.sink, past) ** 2 // 2
    return held


def _read(rule: HeadRule, past: int, chunk: int, written: bool) -> int:
    """Return what is read during a chunk."""
    policy, middle = rule.policy, rule.policy.middle
    read = 1 + min(policy.seen, past)
    if written:
        # pages that are made of all frames that left
        tokens = middle.count if isinstance(middle, Tokens) else 0
        merged = isinstance(middle, Episodes) and middle.update is EpisodeUpdate.MERGE_NEAREST
        read = PER_WRITTEN * read + (middle.sums + tokens + merged) * past // WRITTEN
    return read * (chunk if rule.per_frame else 1)
