"""What the caches of one video will hold, before anything is allocated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from ..device import check_room, has_dtype, no_room
from ..methods import UNDECIDED, DummyTypes, HeadRule, KVDtype, Method
from ..methods.middles import Episodes
from ..ranks import Deal, balanced, check_ranks
from ..video import ModelGeometry, Rope
from .arena_plan import ArenaPlan
from .boundary import ALONE
from .groups import HeadGroup, own_groups
from .rows import CODES

# each is a number of Python's for a moment: all of them half a GiB, and seconds
MOST_PAIRS = 2_000_000
# for pages of the host: what is read, and what comes next
PLACES = 2


@dataclass(frozen=True)
class Ahead:
    """Chunks that are denoised together.

    Args:
        frames: of all of them.
        reach: frames they read, their own included.
    """

    frames: int
    reach: int

    def check(self, rule: HeadRule, horizon: int) -> None:
        """Refuse a head that would read more frames than there are positions for.

        Raises:
            ValueError: if so.
        """
        first = max(rule.policy.sink, rule.policy.middle.first)
        positions = rule.ahead or rule.positions
        positions.check(max(self.reach, self.frames + first), horizon)


@dataclass(frozen=True)
class CachePlan:
    """What the caches of one video will hold; its bytes are known before anything is allocated.

    Args:
        geometry: layers, heads and head_dim of the model.
        rope: its rotary embedding on the grid of this video.
        groups: which heads keep what; together they are all heads.
        frames_per_chunk: frames of the largest chunk.
        horizon: temporal range the model was trained on, in frames.
        batch: videos generated side by side.
        dtype: of keys and values; the model's own.
        method: whose rules heads may follow later, where their types are told apart online.
        ahead: chunks that are denoised together; None: one at a time.
        deal: which rank has which heads, where several make the video; None: this process has all.
        rank: whose heads are meant by everything that is said of rows and bytes.

    Raises:
        ValueError: if a head would see more frames than there are positions for.
    """

    geometry: ModelGeometry
    rope: Rope
    groups: tuple[HeadGroup, ...]
    frames_per_chunk: int
    horizon: int
    batch: int = 1
    dtype: torch.dtype = torch.float32
    method: Method | None = None
    ahead: Ahead | None = None
    deal: Deal | None = None
    rank: int = 0

    def __post_init__(self) -> None:
        self._check_pairs()
        for group in self.groups:
            rule = group.rule
            rule.positions.check(rule.policy.seen + self.frames_per_chunk, self.horizon)
            rule.policy.middle.check(self.rope.grid.tokens_per_frame)
            if self.ahead is not None:
                self.ahead.check(rule, self.horizon)
            if self.batch > 1 and rule.policy.middle.looks:
                raise ValueError(
                    f"batch must be 1 where {group.type} heads choose frames by what they show, "
                    f"got {self.batch}; make the videos one after the other"
                )
        if self.batch > 1 and self.online:
            raise ValueError(
                f"batch must be 1 where heads are told apart during the video, got {self.batch}; "
                "make the videos one after the other"
            )

    def _check_pairs(self) -> None:
        """Refuse to compare so many frames that comparing takes longer than making them."""
        pairs = sum(
            (group.rule.policy.seen + self.frames_per_chunk) ** 2
            for group in self.groups
            if isinstance(group.rule.policy.middle, Episodes) and group.rule.policy.middle.looks
        )
        if pairs > MOST_PAIRS:
            raise ValueError(
                f"heads that choose frames by what they show must compare at most {MOST_PAIRS:,} "
                f"pairs of frames after a chunk, got {pairs:,}; use a smaller window or a wider "
                "scope"
            )

    @property
    def online(self) -> DummyTypes | None:
        """The rule that will tell heads apart; None if they are known."""
        undecided = any(group.type == UNDECIDED for group in self.groups)
        return self.method.online if self.method and undecided else None

    @property
    def ranks(self) -> int:
        return 1 if self.deal is None else self.deal.ranks

    def dealt(self, ranks: int, rank: int = 0) -> CachePlan:
        """Return the plan of one of several ranks, dealt so that they read as much as each other.

        Raises:
            ValueError: if there are more ranks than heads of a layer, or tokens of a frame.
        """
        if ranks == 1:
            return self
        check_ranks(ranks, self.geometry.heads, self.rope.grid.tokens_per_frame)
        return replace(self, deal=balanced(self.loads, ranks, self._sizes), rank=rank)

    @cached_property
    def loads(self) -> list[list[int]]:
        """Most tokens that each head reads at a time, ``[layer][head]``, its chunk's own included.

        Of heads that are told apart online, before they are.
        """
        return self._by_head(lambda g: self._ahead_rows(g) if self.ahead else self.arena(g).rows)

    @property
    def _sizes(self) -> list[list[int]]:
        """Bytes of each head, ``[layer][head]``."""
        return self._by_head(lambda group: self.arena(group).bytes(self.dtype.itemsize))

    def _by_head(self, of: Callable[[HeadGroup], int]) -> list[list[int]]:
        found = [[0] * self.geometry.heads for _ in range(self.geometry.layers)]
        for group in self.groups:
            number = of(group)
            for layer, heads in group.heads.items():
                for head in heads:
                    found[layer][head] = number
        return found

    @cached_property
    def own(self) -> tuple[HeadGroup, ...]:
        """The groups with this rank's heads alone, numbered among themselves in every layer."""
        return self.groups if self.deal is None else own_groups(self.groups, self.deal, self.rank)

    def heads_in(self, layer: int) -> int:
        """Return how many heads this rank has in a layer."""
        if self.deal is None:
            return self.geometry.heads
        return self.deal.counts(layer)[self.rank]

    def arena(self, group: HeadGroup) -> ArenaPlan:
        """Return the room that each head of a group needs."""
        return ArenaPlan(group.rule, self.frames_per_chunk, self.rope)

    @property
    def bytes(self) -> int:
        """All that is allocated on the device, side buffers included; of this rank alone."""
        kept = self._of_heads(lambda arena: arena.bytes(self.dtype.itemsize))
        return self.batch * kept + self.window_bytes + self.landing_bytes

    @property
    def window_bytes(self) -> int:
        """Of what the heads of one layer read in a joint call."""
        rows = 2 * self.batch * self.window_rows
        return rows * self.geometry.head_dim * self.dtype.itemsize

    @property
    def landing_bytes(self) -> int:
        """Of the places on the device where pages of the host lie while they are read."""
        return PLACES * self.landing

    @property
    def host_bytes(self) -> int:
        """All that lies with the host, out of the way; of this rank alone."""
        return self.batch * self._of_heads(lambda arena: arena.host_bytes(self.dtype.itemsize))

    def _of_heads(self, of: Callable[[ArenaPlan], int]) -> int:
        return sum(of(self.arena(g)) * sum(map(len, g.heads.values())) for g in self.own)

    @property
    def landing(self) -> int:
        """Bytes that are fetched from the host for one layer, at most."""
        size, joint = self.dtype.itemsize, self.ahead is not None
        own = [(self.arena(group), group.heads) for group in self.own]
        return max(
            sum(
                arena.landing(self.batch * len(heads[layer]), size, joint)
                for arena, heads in own
                if layer in heads
            )
            for layer in range(self.geometry.layers)
        )

    def on(self, device: torch.device | str) -> CachePlan:
        """Return the plan as a device has it: on the host nothing can be out of the way."""
        return self.in_place() if torch.device(device).type in ALONE else self

    def in_place(self) -> CachePlan:
        """Return the plan with nothing out of the way."""
        if not any(group.rule.offload for group in self.groups):
            return self
        groups = tuple(replace(g, rule=replace(g.rule, offload=False)) for g in self.groups)
        method = None if self.method is None else self.method.offloading(False)
        return replace(self, groups=groups, method=method)

    @property
    def window_rows(self) -> int:
        """Tokens that the heads of one layer read in a joint call; 0 where there are none."""
        if self.ahead is None:
            return 0
        return max(
            sum(self._ahead_rows(g) * len(g.heads.get(layer, ())) for g in self.own)
            for layer in range(self.geometry.layers)
        )

    def _ahead_rows(self, group: HeadGroup) -> int:
        policy, tokens = group.rule.policy, self.rope.grid.tokens_per_frame
        first = max(policy.sink, policy.middle.first)
        return max(self.ahead.reach, self.ahead.frames + first) * tokens

    @contextmanager
    def room_on(self, device: torch.device | str) -> Iterator[None]:
        """Allocate within; say in a sentence where that is too much for a device.

        Raises:
            RuntimeError: if the device has not that much memory.
        """
        smaller = "use a smaller window or a smaller picture"
        self._check_codes(device)
        need = ("the caches", self.bytes, device, smaller)
        check_room(*need)
        check_room("caches out of the way", self.host_bytes, "cpu", smaller)
        try:
            yield
        except RuntimeError as error:  # torch.OutOfMemoryError on a GPU, RuntimeError on the CPU
            raise no_room(*need) from error

    def _check_codes(self, device: torch.device | str) -> None:
        """Refuse a device that has no such short floats: Apple's."""
        for kept in {group.rule.kv_dtype for group in self.own}:
            codes = CODES[kept]
            if codes is not None and not has_dtype(device, codes):
                raise RuntimeError(
                    f"keys and values in {kept.value} must lie on a device that has {codes}, got "
                    f"{device}; use {KVDtype.INT8.value}"
                )

    @property
    def seen(self) -> int:
        """Most frames a head sees, the current chunk included."""
        return self.frames_per_chunk + max(group.rule.policy.seen for group in self.groups)

    def pool_rows(self, layer: int) -> Mapping[KVDtype, int]:
        """Return the tokens that the heads of one layer can read, by what they are kept in."""
        found: dict[KVDtype, int] = {}
        for group in self.own:
            if heads := group.heads.get(layer):
                kept, rows = group.rule.kv_dtype, self.arena(group).rows * len(heads)
                found[kept] = found.get(kept, 0) + rows
        return found
