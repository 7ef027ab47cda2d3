"""Keys and values of the past, in arenas allocated once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ...kernels import Span, span_table
from ..device import memory_of, send
from ..methods import Page, SwitchRule
from ..video import Chunk, Rotation
from .arena import Arena, Staging, Turned
from .cache_plan import CachePlan
from .contents import Maker
from .decisions import Decisions
from .layer_cache import LayerCache, Share
from .ledger import Arrivals, Ledger, Places
from .rotations import Rotations


class HeadRows(NamedTuple):
    """The rows of a pool that each head reads, and the same as a table on the device."""

    spans: tuple[Span, ...]
    table: Tensor


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
        self.ledgers = tuple(
            Ledger(group.rule, plan.frames_per_chunk, plan.horizon) for group in plan.groups
        )
        self._rotations = Rotations(plan.rope, torch.device(device))
        try:
            self.layers = [self._allocate(layer, device) for layer in range(plan.geometry.layers)]
        except RuntimeError as error:  # torch.OutOfMemoryError on a GPU, RuntimeError on the CPU
            raise _no_room(plan, device) from error
        self._decisions = Decisions(self.ledgers, self.layers, plan.rope.grid, plan.online)
        self._scene = 0
        self._chunk: Chunk | None = None
        self._staged: dict[tuple[Ledger, int], Staging] = {}
        self._rows: dict[tuple[int, int], HeadRows] = {}
        self._chunk_rows: tuple[Tensor, ...] = ()
        self._frame: dict[int, int] = {}

    def _allocate(self, layer: int, device: torch.device | str) -> LayerCache:
        plan = self.plan
        shape = (plan.batch, plan.pool_rows(layer), plan.geometry.head_dim)
        k, v = (torch.zeros(shape, dtype=plan.dtype, device=device) for _ in range(2))
        shares, start = [], 0
        for ledger, group in zip(self.ledgers, plan.groups, strict=True):
            heads = group.heads.get(layer, ())
            if not heads:
                continue
            room = plan.arena(group)
            own = slice(start, start + len(heads) * room.rows)
            parts = (x[:, own].unflatten(1, (len(heads), room.rows)) for x in (k, v))
            whole = heads == tuple(range(plan.geometry.heads))
            index = None if whole else send(torch.tensor(heads), device)
            arena = Arena(room, *parts, self._rotations)
            shares.append(Share(ledger, heads, index, start, arena))
            start = own.stop
        return LayerCache(k, v, shares, plan.geometry.heads)

    @property
    def device(self) -> torch.device:
        return self.layers[0].k.device

    def pools(self, layer: int) -> tuple[Tensor, Tensor]:
        """Return keys and values of a layer, each ``[B, rows, D]``."""
        return self.layers[layer].k, self.layers[layer].v

    @property
    def tensors(self) -> list[Tensor]:
        """Everything that is allocated; together it has ``plan.bytes``."""
        pools = [x for layer in self.layers for x in (layer.k, layer.v)]
        arenas = [share.arena for layer in self.layers for share in layer.shares]
        return [*pools, *(x for arena in arenas for x in arena.beside)]

    def open(self, chunk: Chunk) -> None:
        """Make room for a chunk and give the past its positions in front of it."""
        self._chunk = chunk
        self._staged.clear()
        self._rotations.forget()
        for ledger in self.ledgers:
            moves = ledger.open(chunk)
            for _, arena in self._arenas(ledger):
                arena.move(moves)
                if not ledger.rule.per_frame:
                    arena.stage(self._staging(ledger, chunk.start))
        self._lay_out()

    @property
    def chunk(self) -> Chunk | None:
        """The open chunk."""
        return self._chunk

    def query_frames(self, layer: int) -> list[range]:
        """Return the open chunk's frames in runs that read the same in a layer."""
        per_frame = any(share.ledger.rule.per_frame for share in self.layers[layer].shares)
        frames = self._chunk.frames
        return [range(f, f + 1) for f in frames] if per_frame else [frames]

    def stage(self, layer: int, frame: int) -> HeadRows:
        """Let a query frame read a layer: return the rows of the pool for each head.

        What it reads stays until another frame is staged.
        """
        for share in self.layers[layer].shares:
            if share.ledger.rule.per_frame:
                share.arena.stage(self._staging(share.ledger, frame))
        self._frame[layer] = frame
        return self._rows[layer, frame]

    def rows(self, layer: int) -> HeadRows:
        """Return the rows that each head of a layer reads, for the frame that was staged last."""
        return self._rows[layer, self._frame[layer]]

    def _lay_out(self) -> None:
        """Tell what is read, by layer and first query frame, and what the open chunk overwrites.

        It goes to the device together.
        """
        spans = {
            (number, frames.start): layer.spans(self._shown(number, frames.start))
            for number, layer in enumerate(self.layers)
            for frames in self.query_frames(number)
        }
        tables = [span_table(each, "cpu") for each in spans.values()]
        tables += [torch.tensor(layer.chunk_rows(), dtype=torch.int32) for layer in self.layers]
        sent = send(torch.cat(tables), self.device).split([len(table) for table in tables])
        at = dict(zip(spans, sent, strict=False))
        self._rows = {place: HeadRows(own, at[place]) for place, own in spans.items()}
        self._chunk_rows = sent[len(spans) :]

    def _shown(self, layer: int, frame: int) -> dict[Ledger, int]:
        """Return the tokens that lie in front of the slots, per ledger of a layer."""
        shown: dict[Ledger, int] = {}
        for share in self.layers[layer].shares:
            at = frame if share.ledger.rule.per_frame else self._chunk.start
            front = self._staging(share.ledger, at).shown
            pages = 0 if front is None else len(front.source)
            shown[share.ledger] = pages * share.arena.plan.small_tokens
        return shown

    def pages(self, layer: int, head: int, frame: int) -> list[Page]:
        """Return what a head's rows hold while a query frame is staged, in their order."""
        ledger = self.layers[layer].ledger_of(head)
        in_slots = ledger.slots.pages
        return [*(page for page in ledger.read(frame) if page not in in_slots), *in_slots]

    def write(self, layer: int, q: Tensor, k: Tensor, v: Tensor, rotation: Rotation) -> Tensor:
        """Overwrite the open chunk's keys and values of one layer; return the queries rotated.

        Args:
            q, k, v: ``[B, len(chunk) * P, H, D]``, unrotated.
            rotation: of the tokens at the chunk's own frame numbers.
        """
        rows = self._chunk_rows[layer]
        return self.layers[layer].write(self._chunk, q, k, v, rotation, rows)

    def study(self, layer: int, q: Tensor, unrotated: Tensor) -> None:
        """Let policies look at a layer while the open chunk is clean.

        Args:
            q: ``[B, T, H, D]``, rotated.
            unrotated: keys before rotation.
        """
        self._decisions.study(layer, q, unrotated, self._chunk)

    def commit(self, chunk: Chunk, latent: Tensor | None = None) -> None:
        """Make the open chunk part of the past; policies forget what they do not keep.

        Args:
            latent: ``[B, C, len(chunk), Y, X]``, clean; needed where frames are compared by it.

        Raises:
            ValueError: if ``chunk`` is not open; a chunk is committed once.
        """
        if chunk != self._chunk:
            raise ValueError(
                f"chunk to commit must be the open one, got {chunk} while {self._chunk} is open"
            )
        events = self._decisions.events(chunk, self._scene, latent)
        for ledger, type_ in self._decisions.types.items():
            ledger.adopt(self.plan.method.rules[type_])
        for ledger, event in zip(self.ledgers, events, strict=True):
            candidates = self._decisions.candidates(ledger, chunk)
            before = ledger.places
            arrived = ledger.commit(event)
            for layer, arena in self._arenas(ledger):
                chosen = self._decisions.chosen(ledger, layer)
                _fill(arena, Maker(arena, before, candidates, chosen), ledger.places, arrived)
        self._decisions.forget()
        self._chunk = None

    def forget(self, scene: int, switch: SwitchRule, frames: int) -> None:
        """Forget what a new prompt does not want remembered.

        Args:
            scene: the frame from which it rules.
            frames: recent ones that FLUSH_RECENT leaves.
        """
        self._scene = scene
        for ledger in self.ledgers:
            ledger.flush(switch, frames)

    @property
    def sink_end(self) -> int:
        """The first frame after all sinks."""
        return max(ledger.sink_end for ledger in self.ledgers)

    def rewind(self, start: int) -> None:
        """Forget frames from ``start`` on, which are about to be committed again.

        The sink stays what it is.
        """
        for ledger in self.ledgers:
            ledger.rewind(start)

    def _arenas(self, ledger: Ledger) -> list[tuple[int, Arena]]:
        """Return where a ledger's pages lie: (layer, arena)."""
        return [
            (number, share.arena)
            for number, layer in enumerate(self.layers)
            for share in layer.shares
            if share.ledger is ledger
        ]

    def _staging(self, ledger: Ledger, frame: int) -> Staging:
        if (ledger, frame) not in self._staged:
            self._staged[ledger, frame] = self._made_staging(ledger, frame)
        return self._staged[ledger, frame]

    def _made_staging(self, ledger: Ledger, frame: int) -> Staging:
        reads, places = ledger.read(frame), ledger.places
        shown = [page for page in reads if page not in places.slots]
        turned = [page for page in reads if page in places.turning]

        def way(pages: list[Page], slots: Iterable[int], source: Mapping[Page, int]) -> Turned:
            turns = [reads[page] - ledger.home(page) for page in pages]
            to, of = (
                send(torch.tensor(list(places)), self.device)
                for places in (slots, (source[page] for page in pages))
            )
            return Turned(to, of, self._rotations.temporal(turns).squeeze(1))

        # against the slots: what is in front is read with them
        front = ledger.rule.policy.middle.front
        last = range(front - len(shown), front)
        return Staging(
            way(shown, last, places.aside) if shown else None,
            way(turned, map(places.slots.get, turned), places.turning) if turned else None,
        )


def _fill(arena: Arena, maker: Maker, places: Places, arrived: Arrivals) -> None:
    """Put the contents of new pages in their places. All are made before any is overwritten."""
    aside = [maker.content(page) for page in arrived.aside]
    made = [maker.content(page) for page in arrived.slots]
    for page, content in zip(arrived.aside, aside, strict=True):
        arena.put_aside(places.aside[page], content)
    for page, content in zip(arrived.slots, made, strict=True):
        arena.put(places.slots[page], content, page.at)
    times = dict(zip(arrived.slots, (content.k for content in made), strict=True))
    for page in arrived.turning:
        time = times.get(page, arena.k[:, :, places.slots[page]])
        arena.turning[:, :, places.turning[page]] = time[..., : arena.time]


def _no_room(plan: CachePlan, device: torch.device | str) -> RuntimeError:
    return RuntimeError(
        f"the caches need {plan.bytes / 1024**3:.2f} GiB, which {device} does not have; "
        "use a smaller window or a smaller picture"
    )
