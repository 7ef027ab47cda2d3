"""What a run will take, said before it: frames, and bytes of everything in every place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, prod

import torch

from ..device import GIB, MIB
from ..generation import VideoRequest
from ..memory import CachePlan
from ..video import ChunkClock
from .activations import Activations
from .crossings import Crossed, crossings
from .model_sizes import ModelSizes

HOST = "cpu"
FLOAT = torch.float32.itemsize
COLOURS = 3
# what one layer reads while several chunks are denoised together, beside what types of heads hold
WINDOW = "the window's"
# places on the device where pages of the host lie while they are read
LANDING = "on their way"
# a chunk late enough that every cache is full
SETTLED = 60
# latents lie chunk by chunk until the end, and once more while they are written or handed over
COPIES = 2


@dataclass(frozen=True)
class Row:
    """One thing that takes memory.

    Args:
        kind: what it is called in a sentence.
        what: what it is called in a table.
        place: the device it lies on.
    """

    kind: str
    what: str
    bytes: int
    place: str


@dataclass(frozen=True)
class Forecast:
    """All that is known of a run before it. Caches, text and latents are exact.

    Activations are those of our own model in eager PyTorch, see ``Activations``.

    Args:
        request: the video.
        sizes: the model.
        text_tokens: rows of all prompts whose keys are kept at a time.
        device: where the model runs.
        decoding: says for (rows, columns) of a latent what turning latents into pictures takes
            there, in bytes, weights included.
        images: whether all pictures are handed over at once, as ComfyUI's IMAGE.
        batch: videos side by side.
        ranks: processes that make the video together, each with a device of its own, unless that is
            the host. What is told of the device is told of the fullest.

    Raises:
        ValueError: if the request does not fit the model, or there are too many ranks.
    """

    request: VideoRequest
    sizes: ModelSizes
    text_tokens: int
    device: torch.device | str = HOST
    decoding: Callable[[int, int], int] | None = None
    images: bool = False
    batch: int = 1
    ranks: int = 1

    def __post_init__(self) -> None:
        _ = self.plan  # refuses what does not fit

    @cached_property
    def plan(self) -> CachePlan:
        plan = self.request.plan(self.sizes, self.batch, self.ranks).on(self.device)
        every = (replace(plan, rank=rank) for rank in range(self.ranks))
        return plan if self.ranks == 1 else max(every, key=lambda one: one.bytes)

    @property
    def frames(self) -> int:
        return self.request.clock.total_frames

    @property
    def seconds(self) -> float:
        return self.request.family.video.seconds(self.frames)

    @property
    def pictures(self) -> int:
        return self.request.family.video.pixel_frames(self.frames)

    @property
    def chunks(self) -> int:
        return len(self.request.clock)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        stride = self.request.family.video.space_stride
        return stride * self.request.columns, stride * self.request.rows

    @cached_property
    def caches(self) -> Mapping[str, int]:
        """Bytes of the caches on the device by type of head; together ``plan.bytes``."""
        found: dict[str, int] = {}
        for group in self.plan.own:
            heads = self.batch * sum(map(len, group.heads.values()))
            own = heads * self.plan.arena(group).bytes(self.sizes.dtype.itemsize)
            found[group.type] = found.get(group.type, 0) + own
        more = {WINDOW: self.plan.window_bytes, LANDING: self.plan.landing_bytes}
        return found | {what: size for what, size in more.items() if size}

    @cached_property
    def crossed(self) -> tuple[Crossed, Crossed]:
        """What a chunk moves to the device, and to the host, at most, once caches are full."""
        family = self.request.family
        settled = min(self.frames, SETTLED * family.frames_per_chunk)
        clock = ChunkClock.covering(settled, family.frames_per_chunk)
        calls = 1 if self.plan.ahead else 1 + len(family.levels)
        if not self.plan.host_bytes:
            return Crossed(), Crossed()
        ways = zip(*crossings(self.plan, clock, calls, calls), strict=True)
        late = (way[len(way) // 2 :] for way in ways)
        to_device, to_host = (max(way, key=lambda each: each.bytes) for way in late)
        return to_device, to_host

    @property
    def text_bytes(self) -> int:
        """Keys and values of the prompts in every layer's cross-attention."""
        numbers = 2 * self.sizes.config.layers * self.text_tokens * self.sizes.config.dim
        return self.batch * self.sizes.models * numbers * self.sizes.dtype.itemsize

    @property
    def latent_bytes(self) -> int:
        """Of all latents, once."""
        return self._latents(self.frames)

    @property
    def picture_bytes(self) -> int:
        """Of all pictures in float32."""
        return self.batch * self.pictures * prod(self.size) * COLOURS * FLOAT

    @property
    def decode_bytes(self) -> int:
        """What turning latents into pictures takes on the device, weights included."""
        request = self.request
        return 0 if self.decoding is None else self.decoding(request.rows, request.columns)

    @cached_property
    def activation_bytes(self) -> int:
        """What is alive at once in the worst moment, beside all that is kept; an estimate."""
        request, per_chunk = self.request, self.request.clock.frames_per_chunk
        together = per_chunk if self.plan.ahead is None else self.plan.ahead.frames
        # a video of one short chunk has no other
        frames = min(together, self.frames)
        again = request.fitted_method.switch.again
        remembered = min(1 + ceil(again / per_chunk), self.chunks - 1) if again else 0
        if request.fitted_method.rebuilt is not None:
            # its frames, and once more beside the first of them
            remembered += 1 + 2 * ceil(request.fitted_method.rebuilt.frames / per_chunk)
        if self.plan.ahead is not None:
            remembered += 3  # what is known of a window, and what is handed out of it
        latent = self._latents(frames)
        sizes = self.sizes
        wide = sizes.widened_bytes
        return Activations(sizes.config, self.plan, frames, latent, remembered, wide).bytes

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Everything that takes memory, in the order of the table."""
        resident, (place, *_) = self.sizes.resident_bytes, self.places
        weights = self.sizes.weights_bytes if resident is None else resident
        whole = resident in (None, self.sizes.weights_bytes)
        # ranks on one device: the host
        many = self.ranks if place == HOST else 1
        rows = [
            *(Row("caches", f"caches, {t}", many * n, place) for t, n in self.caches.items()),
            Row("text", "text in every layer", many * self.text_bytes, place),
            Row("weights", "weights" if whole else "weights, at least", many * weights, place),
            Row("activations", "activations, about", many * self.activation_bytes, place),
            Row("decoding", "decoding", self.decode_bytes, place),
            Row("caches", "caches, on the host", self.ranks * self.plan.host_bytes, HOST),
            Row("latents", "latents", COPIES * self.latent_bytes, HOST),
            Row("pictures", "pictures at once", self.picture_bytes * self.images, HOST),
        ]
        return tuple(row for row in rows if row.bytes)

    @property
    def places(self) -> tuple[str, ...]:
        """The device, and the host if that is another."""
        device = torch.device(self.device)
        return (HOST,) if device.type == HOST else (str(device), HOST)

    def peak(self, place: str) -> int:
        """Return the most bytes that are in use at once in a place."""
        return sum(row.bytes for row in self.rows if row.place == place)

    def _latents(self, frames: int) -> int:
        config, request = self.sizes.config, self.request
        return self.batch * frames * config.in_dim * request.rows * request.columns * FLOAT


def table(forecast: Forecast, free: Mapping[str, int | None]) -> str:
    """Return a forecast as lines of text.

    Args:
        free: bytes that are free in each of its places; None where that is not known.
    """
    said = forecast
    lines = [
        f"{said.seconds:.1f} s: {said.frames} latent frames, {said.pictures} pictures, "
        f"{said.chunks} chunk{'s' if said.chunks > 1 else ''}; {said.size[0]} x {said.size[1]}; "
        f"{said.request.fitted_method.name}"
    ]
    for place in said.places:
        rows = [row for row in said.rows if row.place == place]
        lines += [_line(row.what, row.bytes) for row in rows]
        left = free.get(place)
        there = "" if left is None else f" of {left / GIB:.2f} free"
        lines.append(_line(f"in all on {place}", said.peak(place)) + there)
    if said.plan.host_bytes:
        to_device, to_host = said.crossed
        lines.append(
            f"  a chunk copies up to {to_device.bytes / MIB:.0f} MiB to the device and "
            f"{to_host.bytes / MIB:.0f} MiB to the host"
        )
    return "\n".join(lines) + "\n"


def _line(what: str, size: int) -> str:
    return f"  {what:28}{size / GIB:9.2f} GiB"
