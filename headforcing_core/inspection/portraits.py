"""A method drawn in words and numbers: what each type of head reads late in a video."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..memory import ArenaPlan
from ..methods import Method
from ..video import ChunkClock, Rope
from .readings import PageRead, inspect
from .work import check_work

# pages: some seconds of one CPU, while somebody turns a widget
MOST_WORK = 1_000_000


@dataclass(frozen=True)
class Piece:
    """Pages that lie beside each other: frames as they are, or one page made of several.

    Args:
        part: of the past: sink, middle or recent.
        kind: see ``Kind``.
        first, last: frame numbers.
        frames: that it is made of; between first and last others may be missing.
        pages: that are read.
    """

    part: str
    kind: str
    first: int
    last: int
    frames: int
    pages: int


@dataclass(frozen=True)
class Row:
    """What heads of one type read besides the current chunk.

    Args:
        pieces: in the order of their first frames.
        skipped: (first, last) of stretches of the past that nothing is read of.
        pages: that are read.
        held_bytes: of one head: what lies in its caches, the current chunk included.
        by_frame: whether query frames differ; this is what the last one reads.
    """

    type: str
    pieces: list[Piece]
    skipped: list[tuple[int, int]]
    pages: int
    held_bytes: int
    by_frame: bool


@dataclass(frozen=True)
class Portrait:
    """What a method reads while the last chunk of a video is made.

    Args:
        start, stop: of the chunk's frames.
    """

    start: int
    stop: int
    rows: list[Row]


def portrait(
    method: Method, clock: ChunkClock, horizon: int, rope: Rope, itemsize: int
) -> Portrait:
    """Follow a method to the last chunk of a video.

    Args:
        itemsize: bytes of a number in the caches.

    Raises:
        ValueError: if it cannot be followed chunk by chunk, or takes too long, or positions are
            missing.
    """
    if method.rebuilt is not None or method.reach is not None:
        raise ValueError(
            f"{method.name} must keep its past chunk by chunk to be drawn, got one that "
            "computes it anew, or is made for several chunks at once"
        )
    chunk, tokens = clock.frames_per_chunk, rope.grid.tokens_per_frame
    method = method.on_grid(tokens).fitted(clock.total_frames, chunk)
    method.check(chunk, horizon)
    for rule in method.rules.values():
        rule.policy.middle.check(tokens)
    check_work(method, clock, most=MOST_WORK)
    plans = {t: ArenaPlan(rule, chunk, rope) for t, rule in method.rules.items()}
    *_, last = inspect(method, clock, horizon, plans, itemsize)
    rows = []
    for type_, seen in last.heads.items():
        pages = seen.readings[-1].pages
        skipped = list(_skipped(pages, last.frames[0]))
        by_frame = len(seen.readings) > 1
        told = (list(pieces(pages)), skipped, len(pages), seen.held_bytes, by_frame)
        rows.append(Row(type_, *told))
    return Portrait(last.frames[0], last.frames[-1] + 1, rows)


def pieces(pages: Iterable[PageRead]) -> list[Piece]:
    """Return pages as pieces; single frames of one part that follow each other are one."""
    found: list[Piece] = []
    for page in sorted(pages, key=lambda page: (page.frames[0], page.frames[-1])):
        first, last, count = page.frames[0], page.frames[-1], len(page.frames)
        own, before = (page.part, page.kind), found[-1] if found else None
        follows = before and (before.part, before.kind, before.last + 1) == (*own, first)
        if follows and count == 1 and before.pages == before.frames:
            more = before.frames + 1
            found[-1] = Piece(*own, before.first, last, more, more)
        else:
            found.append(Piece(*own, first, last, count, 1))
    return found


def _skipped(pages: Sequence[PageRead], start: int) -> Iterable[tuple[int, int]]:
    """Yield what lies between the frames that are read, before the chunk that begins there."""
    read = {frame for page in pages for frame in page.frames}
    free = 0
    for frame in (*sorted(read), start):
        if frame > free:
            yield free, frame - 1
        free = frame + 1
