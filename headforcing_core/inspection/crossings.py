"""What a video moves between a device and its host, chunk by chunk, said before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..memory import (
    CODES,
    CachePlan,
    Crossing,
    HeadGroup,
    Ledger,
    for_commit,
    for_reads,
    for_sink,
    together,
)
from ..video import Chunk, ChunkClock
from .readings import stand_in


class Crossed(NamedTuple):
    """Copies between device and host during one chunk, of all layers.

    Each is a page of the heads of one type in one layer, keys or values.
    """

    copies: int = 0
    bytes: int = 0

    def __add__(self, other: Crossed) -> Crossed:
        return Crossed(self.copies + other.copies, self.bytes + other.bytes)


def crossings(
    plan: CachePlan, clock: ChunkClock, first: int, calls: int
) -> Iterator[tuple[Crossed, Crossed]]:
    """Yield for every chunk what goes to the device, and what goes to the host.

    Prompts stay what they are. Scores stand in where a method looks at the video.

    Args:
        plan: of the caches.
        first, calls: of the model while the first chunk, and any other, is open, the call that
            keeps it included; of models that denoise several chunks together that call alone.
    """
    groups = [group for group in plan.own if group.rule.offload]
    ledgers = [Ledger(group.rule, plan.frames_per_chunk, plan.horizon) for group in groups]
    for chunk in clock:
        device = host = Crossed()
        for group, ledger in zip(groups, ledgers, strict=True):
            ways = _followed(plan, ledger, chunk, clock, calls if chunk.index else first)
            fetched, stored = (_in_all(plan, group, way) for way in ways)
            device, host = device + fetched, host + stored
        yield device, host


def _followed(
    plan: CachePlan, ledger: Ledger, chunk: Chunk, clock: ChunkClock, calls: int
) -> tuple[Crossing, Crossing]:
    """Return what a ledger has fetched and stored in each layer until a chunk is kept."""
    ahead = Crossing()
    if plan.ahead is not None:
        stop = min(clock.total_frames, chunk.start + plan.ahead.frames)
        ahead = for_reads(ledger, Chunk(chunk.index, chunk.start, stop), 1, plan.ahead.reach)
    ledger.open(chunk)
    read, sink = for_reads(ledger, chunk, calls), for_sink(ledger, chunk, calls)
    past, before = ledger.past, ledger.places
    arrived = ledger.commit(stand_in(chunk, (0,)))
    fetched, stored = for_commit(ledger, past, before, arrived)
    return together([ahead, read, fetched]), together([sink, stored])


def _in_all(plan: CachePlan, group: HeadGroup, way: Crossing) -> Crossed:
    """Return copies and bytes of all layers and videos."""
    layers = [heads for heads in group.heads.values() if heads]
    room, scaled = plan.arena(group), CODES[group.rule.kv_dtype] is not None
    heads = plan.batch * sum(map(len, layers))
    size = heads * way.bytes(room, plan.dtype.itemsize)
    return Crossed(len(layers) * way.copies(scaled), size)
