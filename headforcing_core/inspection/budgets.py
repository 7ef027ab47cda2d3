"""What every method costs on a published model: frames attended, bytes kept, bytes in all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ..bounds import MOST_FRAMES
from ..generation import VideoRequest
from ..memory import ArenaPlan
from ..methods import (
    ALL_HEADS,
    NAMES,
    HeadMap,
    Kind,
    Method,
    head_forcing,
    online,
    published_map,
    settings_named,
)
from ..models import WAN_TEXT_TOKENS, Family, WanConfig
from ..video import ChunkClock, ModelGeometry, Rope
from .forecast import SETTLED, Forecast
from .model_sizes import ModelSizes
from .readings import ChunkInspected, inspect

# head types of Head Forcing as its shares give them, where no map is published: anchors a quarter
# of all heads, of the others a fifth local
ANCHORS, LOCALS = 0.25, 0.2
# any but the host, where latents would be counted, too
DEVICE = "cuda"


@dataclass(frozen=True)
class Budget:
    """The cost of one method.

    Args:
        attended: frames that a query reads, summed over all heads, the current chunk included.
        bytes: of all caches of one video, at any length; of ``full``, at the length asked for.
        in_all: on the device, weights, text and activations included.
        host_bytes: of the caches, what lies with the host.
        crossed: bytes that a chunk copies between them, at most, where all is full.
    """

    method: str
    attended: float
    bytes: int
    in_all: int
    host_bytes: int = 0
    crossed: int = 0


def budgets(
    sizes: ModelSizes, family: Family, rope: Rope, frames: int, offload: bool = False
) -> list[Budget]:
    """Return the cost of every method that ships and makes sense with a family's models.

    Args:
        sizes: of the model; caches are in the dtype that it computes in.
        family: how it is run.
        rope: on the grid of the video.
        frames: of the video, for the method that keeps everything.
        offload: memory that is read once per chunk lies with the host.
    """
    config, rows = sizes.config, []
    for name, request in requests_of(config, family, rope, frames):
        method, every = request.method, request.frames
        plans = {t: ArenaPlan(r, family.frames_per_chunk, rope) for t, r in method.rules.items()}
        counts = heads_of(method, config.geometry)
        settled = min(every, SETTLED * family.frames_per_chunk)
        clock = ChunkClock.covering(settled, family.frames_per_chunk)
        *_, late = inspect(method, clock, family.horizon, plans, sizes.dtype.itemsize)
        request = replace(request, method=method.offloading(offload))
        forecast = Forecast(request, sizes, WAN_TEXT_TOKENS, DEVICE)
        rows.append(
            Budget(
                name,
                sum(
                    n * (every if method.name == "full" else _attended(late, t, plans[t]))
                    for t, n in counts.items()
                ),
                forecast.plan.bytes,
                forecast.peak(DEVICE),
                forecast.plan.host_bytes,
                sum(way.bytes for way in forecast.crossed),
            )
        )
    return rows


def requests_of(
    config: WanConfig, family: Family, rope: Rope, frames: int
) -> Iterator[tuple[str, VideoRequest]]:
    """Yield a video of every method that ships and makes sense with a family's models.

    Its head map is ``map_of``. Args: see ``budgets``.
    """
    frames_per_chunk, grid = family.frames_per_chunk, rope.grid
    # what a budget costs is told even where there are no positions for all of it
    lenient = replace(family, horizon=MOST_FRAMES)
    every = ChunkClock.covering(frames, frames_per_chunk).total_frames
    for name in NAMES:
        try:
            method = family.fitting(settings_named(name).build(frames_per_chunk))
        except ValueError:  # of another kind, or of no such chunks
            continue
        method = method.fitted(every, frames_per_chunk)
        head_map = map_of(method, config.geometry)
        size = grid.rows, grid.columns
        yield name, VideoRequest(lenient, every, *size, 0, method=method, head_map=head_map)


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
    return _shared_out(published_map(f"{method.scheme}_self_forcing").counts, every)


def _shared_out(counts: Mapping[str, int], every: int) -> Mapping[str, int]:
    """Return counts of a model with so many heads in all, in the same shares."""
    known, shared, before, done = sum(counts.values()), {}, 0, 0
    for type_, count in counts.items():
        before += count
        shared[type_] = round(every * before / known) - done
        done += shared[type_]
    return shared


def map_of(method: Method, geometry: ModelGeometry) -> HeadMap | None:
    """Return a head map with as many heads of each type, in all layers alike; None if none is used.

    One that is published for a model of this size is taken as it is, else its shares.
    """
    if not method.needs_map:
        return None
    if method.scheme != head_forcing.SCHEME:
        published = published_map(f"{method.scheme}_self_forcing")
        if (len(published.types), len(published.types[0])) == (geometry.layers, geometry.heads):
            return published
    every = [type_ for type_, heads in heads_of(method, geometry).items() for _ in range(heads)]
    rows = (tuple(every[layer :: geometry.layers]) for layer in range(geometry.layers))
    return HeadMap(method.scheme, tuple(rows), "the shares that the paper gives")


def _attended(chunk: ChunkInspected, type_: str, plan: ArenaPlan) -> float:
    pages = chunk.heads[type_].readings[-1].pages
    small = plan.small_tokens / plan.tokens
    kept = sum(small if page.kind == Kind.BLOCK.value else 1 for page in pages)
    return len(chunk.frames) + kept
