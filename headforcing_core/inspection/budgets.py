"""What every method costs on a published model: frames attended, frames kept, bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..memory import ArenaPlan
from ..methods import (
    ALL_HEADS,
    NAMES,
    UNDECIDED,
    Kind,
    Method,
    head_forcing,
    online,
    published_map,
    settings_named,
)
from ..video import ChunkClock, ModelGeometry, Rope
from .readings import ChunkInspected, inspect

# head types of Head Forcing as its shares give them, where no map is published: anchors a quarter
# of all heads, of the others a fifth local
ANCHORS, LOCALS = 0.25, 0.2
# a chunk late enough that every cache is full
SETTLED = 60


@dataclass(frozen=True)
class Budget:
    """The cost of one method.

    Args:
        attended: frames that a query reads, summed over all heads, the current chunk included.
        bytes: of all caches of one video, at any length; of ``full``, at the length asked for.
    """

    method: str
    attended: float
    bytes: int


def budgets(
    geometry: ModelGeometry,
    rope: Rope,
    frames: int,
    frames_per_chunk: int,
    horizon: int,
    itemsize: int,
) -> list[Budget]:
    """Return the cost of every method that ships.

    Args:
        frames: of the video, for the method that keeps everything.
    """
    rows = []
    every = ChunkClock.covering(frames, frames_per_chunk).total_frames
    for name in NAMES:
        method = settings_named(name).build(frames_per_chunk).fitted(every, frames_per_chunk)
        plans = {t: ArenaPlan(rule, frames_per_chunk, rope) for t, rule in method.rules.items()}
        counts = heads_of(method, geometry)
        clock = ChunkClock.covering(min(every, SETTLED * frames_per_chunk), frames_per_chunk)
        *_, late = inspect(method, clock, horizon, plans, itemsize)
        room = {t: plans[UNDECIDED if method.online else t].bytes(itemsize) for t in counts}
        rows.append(
            Budget(
                name,
                sum(
                    n * (every if method.name == "full" else _attended(late, t, plans[t]))
                    for t, n in counts.items()
                ),
                sum(n * room[t] for t, n in counts.items()),
            )
        )
    return rows


def heads_of(method: Method, geometry: ModelGeometry) -> Mapping[str, int]:
    """Return how many heads each type has: as published, or as the paper's shares give them."""
    every = geometry.layers * geometry.heads
    if method.scheme is None:
        return {ALL_HEADS: every}
    if method.online:
        dummies = round(method.online.dummies * every)
        # how many of the others look at the first frame depends on the video
        return {
            online.FIRST: (every - dummies) // 2,
            online.LAST_CHUNK: -(-(every - dummies) // 2),
            online.LAST: dummies,
        }
    if method.scheme == head_forcing.SCHEME:
        anchors = round(ANCHORS * every)
        locals_ = round(LOCALS * (every - anchors))
        return {
            head_forcing.LOCAL: locals_,
            head_forcing.ANCHOR: anchors,
            head_forcing.MEMORY: every - anchors - locals_,
        }
    return published_map(f"{method.scheme}_self_forcing").counts


def _attended(chunk: ChunkInspected, type_: str, plan: ArenaPlan) -> float:
    pages = chunk.heads[type_].readings[-1].pages
    small = plan.small_tokens / plan.tokens
    kept = sum(small if page.kind == Kind.BLOCK.value else 1 for page in pages)
    return len(chunk.frames) + kept
