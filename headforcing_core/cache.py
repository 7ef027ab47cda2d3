"""Keys and values of the past, in arenas allocated once."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from ..kernels import Span
from .clock import Chunk
from .device import memory_of
from .geometry import ModelGeometry
from .policy import WindowPolicy
from .positions import PositionRule
from .rope import Rope, rotate
from .slots import SlotTable


@dataclass(frozen=True)
class CachePlan:
    """What the caches of one video will hold; its bytes are known before anything is allocated.

    Args:
        geometry: layers, heads and head_dim of the model.
        rope: its rotary embedding on the grid of this video.
        policy: which frames every head keeps.
        positions: where RoPE is told they stand.
        frames_per_chunk: frames of the largest chunk.
        horizon: temporal range the model was trained on, in frames; a rule that re-encodes
            positions never reaches past it.
        batch: videos generated side by side.
        dtype: of keys and values; the model's own.

    Raises:
        ValueError: if positions are re-encoded and a head would see more than ``horizon`` frames.
    """

    geometry: ModelGeometry
    rope: Rope
    policy: WindowPolicy
    positions: PositionRule
    frames_per_chunk: int
    horizon: int
    batch: int = 1
    dtype: torch.dtype = torch.float32

    def __post_init__(self) -> None:
        self.positions.check(self.slots, self.horizon)

    @property
    def slots(self) -> int:
        """Frames one head can read, the current chunk included."""
        return self.policy.capacity + self.frames_per_chunk

    @property
    def pool_shape(self) -> tuple[int, ...]:
        """``[B, H, slots, P, D]`` of the keys, and of the values, of one layer."""
        tokens = self.rope.grid.tokens_per_frame
        return (self.batch, self.geometry.heads, self.slots, tokens, self.geometry.head_dim)

    @property
    def unrotated_shape(self) -> tuple[int, ...]:
        """``[B, H, sink, P, time]``: time channels of keys whose position will move."""
        moving = self.policy.sink if self.positions.re_encodes else 0
        return (*self.pool_shape[:2], moving, self.pool_shape[3], self.rope.channels[0])

    @property
    def bytes(self) -> int:
        elements = 2 * prod(self.pool_shape) + prod(self.unrotated_shape)
        return self.geometry.layers * elements * self.dtype.itemsize


class CacheBank:
    """The caches of all layers of one video. It lives and dies with the video.

    Keys are stored fully rotated. A chunk is opened, drafted any number of times (each call
    overwrites the chunk's own slots, nothing else) and committed, which makes it part of the past.
    """

    def __init__(self, plan: CachePlan, device: torch.device | str = "cpu"):
        """Allocate everything the video will ever need.

        Raises:
            RuntimeError: if the device has not that much memory.
        """
        if plan.bytes > memory_of(device):
            raise _no_room(plan, device)
        self.plan = plan
        self._table = SlotTable(plan.policy, plan.frames_per_chunk)
        self._positions: dict[int, int] = {}
        self._spans: tuple[Span, ...] = ()
        try:
            self._k, self._v, self._unrotated = (
                [torch.zeros(shape, dtype=plan.dtype, device=device) for _ in self._layers]
                for shape in (plan.pool_shape, plan.pool_shape, plan.unrotated_shape)
            )
        except RuntimeError as error:  # torch.OutOfMemoryError on a GPU, RuntimeError on the CPU
            raise _no_room(plan, device) from error

    @property
    def _layers(self) -> range:
        return range(self.plan.geometry.layers)

    @property
    def device(self) -> torch.device:
        return self._k[0].device

    @property
    def frames(self) -> list[int]:
        """Frame number in each slot in use, in slot order; the open chunk included."""
        return self._table.frames

    @property
    def positions(self) -> dict[int, int]:
        """Position at which each cached frame stands now."""
        return dict(self._positions)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Rows of a layer's pool that each head reads while a chunk is open."""
        return self._spans

    def pools(self, layer: int) -> tuple[Tensor, Tensor]:
        """Return keys and values of a layer, each ``[B, H * slots * P, D]``."""
        return self._k[layer].flatten(1, 3), self._v[layer].flatten(1, 3)

    def open(self, chunk: Chunk) -> None:
        """Make room for a chunk and give the past its positions in front of it."""
        self._table.open(chunk)
        self._re_encode(chunk)
        tokens, slots = self.plan.rope.grid.tokens_per_frame, self.plan.slots
        self._spans = tuple(
            Span(head * slots * tokens, self._table.used * tokens)
            for head in range(self.plan.geometry.heads)
        )

    def write(self, layer: int, k: Tensor, v: Tensor, unrotated: Tensor) -> None:
        """Overwrite the open chunk's keys and values of one layer.

        Args:
            k, v: ``[B, len(chunk) * P, H, D]``, keys rotated.
            unrotated: the same keys before rotation.
        """
        tokens = self.plan.rope.grid.tokens_per_frame
        k, v, unrotated = (
            x.unflatten(1, (-1, tokens)).permute(1, 0, 3, 2, 4) for x in (k, v, unrotated)
        )  # [len(chunk), B, H, P, D]
        kept = self._unrotated[layer]
        for i, slot in enumerate(self._table.chunk_slots):
            self._k[layer][:, :, slot] = k[i]
            self._v[layer][:, :, slot] = v[i]
            if slot in self._moving_slots:
                kept[:, :, slot] = unrotated[i, ..., : kept.shape[-1]]

    def commit(self, chunk: Chunk) -> None:
        """Make the open chunk part of the past; the policy forgets what it does not keep.

        Raises:
            ValueError: if ``chunk`` is not open; a chunk is committed once.
        """
        self._table.commit(chunk)
        known = {**self._positions, **{frame: frame for frame in chunk.frames}}
        self._positions = {frame: known[frame] for frame in self._table.past}

    @property
    def _moving_slots(self) -> range:
        # the sink is the first frames to come and never leaves: frame f lies in slot f
        return range(self.plan.unrotated_shape[2])

    def _re_encode(self, chunk: Chunk) -> None:
        past = self._table.past
        placed = self.plan.positions.place(list(past), chunk)
        moved = [frame for frame in placed if placed[frame] != self._positions[frame]]
        self._positions = placed
        if not moved:
            return
        slots = torch.tensor([past[frame] for frame in moved], device=self.device)
        rotation = self.plan.rope.temporal([placed[f] for f in moved], self.device)
        for k, unrotated in zip(self._k, self._unrotated, strict=True):
            k[:, :, slots, :, : unrotated.shape[-1]] = rotate(unrotated[:, :, slots], rotation)


def _no_room(plan: CachePlan, device: torch.device | str) -> RuntimeError:
    return RuntimeError(
        f"the caches need {plan.bytes / 1024**3:.2f} GiB, which {device} does not have; "
        "use a smaller window or a smaller picture"
    )
