"""The past of one video: committed chunk by chunk, in arenas allocated once."""

from __future__ import annotations

import torch
from torch import Tensor

from ..methods import Switch
from ..ranks import Ranks
from ..video import Chunk
from .arena import Arena
from .boundary import boundary_of
from .cache_plan import CachePlan
from .contents import Maker, fill
from .ferry import Ferry
from .layer_cache import LayerCache
from .ledger import Ledger
from .open_chunk import OpenChunk
from .open_window import OpenWindow
from .rotations import Rotations
from .scoring import Scoring
from .staging import Stagings


class CacheBank:
    """The caches of all layers of one video. It lives and dies with the video.

    Keys are stored fully rotated. A chunk is opened, drafted any number of times, which changes
    nothing that is remembered, and committed, which makes it part of the past.
    """

    def __init__(
        self,
        plan: CachePlan,
        device: torch.device | str = "cpu",
        ranks: Ranks | None = None,
    ):
        """Allocate everything the video will ever need.

        Args:
            ranks: that make the video, of which this one has the heads that ``plan`` says; None:
                this process has all.

        Raises:
            RuntimeError: if the device has not that much memory.
        """
        boundary = boundary_of(torch.device(device))
        plan = plan if boundary.apart else plan.in_place()
        self.plan, self._ranks, self._device = plan, ranks, boundary.device
        self.ledgers = tuple(
            Ledger(group.rule, plan.frames_per_chunk, plan.horizon) for group in plan.groups
        )
        self._rotations = Rotations(plan.rope, torch.device(device))
        with plan.room_on(device):
            self.layers = [
                LayerCache.allocated(plan, layer, self.ledgers, self._rotations, boundary)
                for layer in range(plan.geometry.layers)
            ]
            shape = (plan.batch, plan.window_rows, plan.geometry.head_dim)
            self.window = tuple(
                torch.zeros(shape, dtype=plan.dtype, device=device) for _ in range(2)
            )
            arenas = [[share.arena for share in layer.shares] for layer in self.layers]
            self._ferry = Ferry(arenas, plan.landing, plan.ahead is not None, boundary)
        self._arenas = {ledger: self._arenas_of(ledger) for ledger in self.ledgers}
        self._begin()

    def _begin(self, first: Chunk | None = None) -> None:
        self._scoring = Scoring(self.plan, self.ledgers, self.layers, self._ranks)
        self._first = first or Chunk(0, 0, 0)
        self._scenes: tuple[int, ...] = (0,)
        self._shot = self._shift = 0
        self._open: Chunk | None = None

    @property
    def _scene(self) -> int:
        """First frame of the prompt that rules."""
        return self._scenes[-1]

    def _numbered(self, chunk: Chunk) -> Chunk:
        """Return a chunk with the numbers it has here.

        They are those of the video that began with the last cut, and jump where a shot begins.
        """
        first = self._first.start - self._shift
        return Chunk(chunk.index - self._first.index, chunk.start - first, chunk.stop - first)

    def _arenas_of(self, ledger: Ledger) -> list[tuple[int, Arena]]:
        """Return where a ledger's pages lie: (layer, arena)."""
        return [
            (number, share.arena)
            for number, layer in enumerate(self.layers)
            for share in layer.shares
            if share.ledger is ledger
        ]

    @property
    def device(self) -> torch.device:
        return self._device

    @property
    def tensors(self) -> list[Tensor]:
        """Everything that is allocated on the device; together it has ``plan.bytes``."""
        kept = (x for layer in self.layers for x in layer.tensors)
        return [*kept, *self.window, *self._ferry.tensors]

    @property
    def away(self) -> list[Tensor]:
        """Everything that lies with the host; together it has ``plan.host_bytes``."""
        return [x for layer in self.layers for x in layer.away]

    def open(self, chunk: Chunk) -> OpenChunk:
        """Make room for a chunk and give the past its positions in front of it."""
        own, chunk = chunk, self._numbered(chunk)
        self._rotations.forget()
        stagings = Stagings(self._rotations, self.device)
        for ledger, arenas in self._arenas.items():
            moves = ledger.open(chunk)
            for _, arena in arenas:
                arena.move(moves)
        self._stage(stagings, chunk)
        self._open = chunk
        parts = (self.plan, self.layers, stagings, self._scoring, self._ferry)
        return OpenChunk(chunk, own, self._scene, *parts)

    def _stage(self, stagings: Stagings, chunk: Chunk) -> None:
        """Give positions to what all frames of a chunk read alike."""
        alike = [
            [
                (share.arena, stagings.of(share.ledger, chunk.start))
                for share in layer.shares
                if not share.ledger.rule.per_frame
            ]
            for layer in self.layers
        ]
        wanted = ([(arena, staging.wanted) for arena, staging in each] for each in alike)
        passage = self._ferry.passage(dict(enumerate(wanted)))
        for layer, each in enumerate(alike):
            fetched = passage.take(layer)
            for arena, staging in each:
                arena.stage(staging, fetched.get(arena))

    def open_window(self, window: Chunk) -> OpenWindow:
        """Return what several chunks read while they are denoised together.

        Args:
            window: all their frames; they follow the past.
        """
        self._rotations.forget()
        parts = (self.plan, self.layers, self.ledgers, self._rotations, self._ferry, *self.window)
        return OpenWindow(self._numbered(window), window, *parts)

    def commit(self, chunk: Chunk, latent: Tensor | None = None) -> None:
        """Make the open chunk part of the past; policies forget what they do not keep.

        Args:
            latent: ``[B, C, len(chunk), Y, X]``, clean; needed where frames are compared by it.

        Raises:
            ValueError: if ``chunk`` is not open; a chunk is committed once.
        """
        chunk = self._numbered(chunk)
        if chunk != self._open:
            raise ValueError(
                f"chunk to commit must be the open one, got {chunk} while {self._open} is open"
            )
        scored = self._scoring.score(chunk, self._scenes, latent, self._shot)
        for ledger, type_ in scored.types.items():
            ledger.adopt(self.plan.method.rules[type_])
        for ledger, event in scored.events.items():
            candidates = self._scoring.tokens.candidates(ledger, chunk, self._scene)
            before = ledger.places
            arrived = ledger.commit(event)
            for layer, arena in self._arenas[ledger]:
                chosen = self._scoring.tokens.chosen(ledger, layer)
                fill(arena, Maker(arena, before, candidates, chosen), ledger.places, arrived)
        self._scoring.forget()
        self._open = None

    def forget(self, scene: int, switch: Switch) -> None:
        """Forget what a new prompt does not want remembered.

        Args:
            scene: the frame from which it rules.
        """
        self._scenes = (*self._scenes, scene - self._first.start + self._shift)
        for ledger in self.ledgers:
            before = ledger.places
            arrived = ledger.forget(switch)
            for _, arena in self._arenas[ledger]:
                fill(arena, Maker(arena, before), ledger.places, arrived)

    def begin_shot(self, first: Chunk, offset: int) -> None:
        """Let a shot begin: positions jump, and first frames of it will stay, where they do.

        What is remembered keeps its positions.
        """
        self._shift += offset
        self._shot = self._numbered(first).start
        self._scenes = (*self._scenes, self._shot)

    def leave_sink(self) -> None:
        """Forget all but first frames that stay for ever."""
        for ledger in self.ledgers:
            ledger.leave_sink()

    def begin_anew(self, first: Chunk) -> None:
        """Forget everything: with this chunk a video begins that has nothing before it.

        Its frames are counted from here: RoPE sees differences only.
        """
        for ledger in self.ledgers:
            ledger.begin_anew()
        self._begin(first)

    @property
    def sink_end(self) -> int:
        """The first frame after all sinks, and none before the last cut."""
        return self._first.start - self._shift + max(ledger.sink_end for ledger in self.ledgers)

    def rewind(self, start: int) -> None:
        """Forget frames from ``start`` on, which are about to be committed again.

        The sink stays what it is.
        """
        for ledger in self.ledgers:
            ledger.rewind(start - self._first.start + self._shift)
