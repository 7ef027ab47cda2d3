"""Several chunks that are denoised together, beside what they read of the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ...kernels import Span, rotate, span_table, write_rotated
from ..device import send
from ..methods import Kind, Page
from ..video import Chunk, Rotation
from .beside import Pages, Wanted
from .cache_plan import CachePlan
from .ferry import Ferry
from .layer_cache import LayerCache
from .ledger import Ledger
from .open_chunk import HeadRows, PoolRead
from .pool import Share
from .rotations import Rotations


class _Gathered:
    """The pages that heads of one ledger read, by where they lie, and how far they are turned.

    Those kept aside come first, then those whose unturned time channels are kept, then the others.
    """

    def __init__(
        self,
        ledger: Ledger,
        reads: Mapping[Page, int],
        rotations: Rotations,
        device: torch.device,
    ):
        places = ledger.places
        aside = [page for page in reads if page not in places.slots]
        raw = [page for page in reads if page in places.slots and page in places.turning]
        plain = [page for page in reads if page in places.slots and page not in places.turning]
        self.pages = [*aside, *raw, *plain]
        self.small, self.raw, self.whole = len(aside), len(raw), len(raw) + len(plain)
        kept = [[places.turning[page] for page in raw], [places.aside[page] for page in aside]]
        self.wanted = Wanted(*kept)
        if ledger.rule.offload:  # they lie as they were fetched
            kept = [list(range(len(each))) for each in kept]
        turning, at = kept
        at += [places.slots[page] for page in (*raw, *plain)]
        at += turning
        parts = send(torch.tensor(at, dtype=torch.int64), device)
        self.aside, self.slots, self.turning = parts.split([self.small, self.whole, self.raw])
        homes = [ledger.home(page) for page in (*aside, *raw)] + [page.at for page in plain]
        turns = [reads[page] - home for page, home in zip(self.pages, homes, strict=True)]
        self.turns: Rotation | None = rotations.temporal(turns) if any(turns) else None


class OpenWindow:
    """What the joint call of several chunks reads and writes, in place of an ``OpenChunk``.

    Its keys and values are the caller's own, one layer after the other in the same place; the past
    is copied beside them, because a window reads other pages of it, at other positions, than a
    chunk does. Nothing that is remembered changes.

    Args:
        chunk: all frames of the window, as the caches number them.
        own: the same, as their video numbers them.
        layers: the caches of the video.
        ledgers: all of them.
        rotations: of the video.
        ferry: brings what lies with the host.
        k, v: ``[B, rows, D]``, room for the layer that reads most.
    """

    def __init__(
        self,
        chunk: Chunk,
        own: Chunk,
        plan: CachePlan,
        layers: Sequence[LayerCache],
        ledgers: Sequence[Ledger],
        rotations: Rotations,
        ferry: Ferry,
        k: Tensor,
        v: Tensor,
    ):
        self.chunk, self.own, self.plan = chunk, own, plan
        self._layers, self._k, self._v = layers, k, v
        self.rotation = plan.rope.frames(chunk.frames, k.device)
        self._gathered = {
            ledger: _Gathered(ledger, ledger.ahead(chunk, plan.ahead.reach), rotations, k.device)
            for ledger in ledgers
        }
        wanted = (
            [(share.arena, self._gathered[share.ledger].wanted) for share in layer.shares]
            for layer in layers
        )
        self._passage = ferry.passage(dict(enumerate(wanted)))
        spans, tables = zip(*map(self._laid_out, layers), strict=True)
        # for all layers in one transfer: of each its spans, then the rows of its own frames
        sent = send(torch.cat([table.flatten() for table in tables]), k.device)
        parts = zip(sent.split([table.numel() for table in tables]), tables, strict=True)
        sent = [part.view(table.shape).split([3, len(chunk)]) for part, table in parts]
        self._rows = [HeadRows(own, at) for own, (at, _) in zip(spans, sent, strict=True)]
        self._own = [rows for _, rows in sent]

    def _past(self, share: Share) -> int:
        """Return the tokens of the past that a head of a share reads."""
        gathered, plan = self._gathered[share.ledger], share.arena.plan
        return gathered.small * plan.small_tokens + gathered.whole * plan.tokens

    def _laid_out(self, layer: LayerCache) -> tuple[tuple[Span, ...], Tensor]:
        """Put the heads of a layer behind each other: the past of each, then its own frames.

        Returns:
            Their spans, and ``[3 + frames, H]`` int32: the table of these, and the first row of
            each of its own frames.
        """
        tokens = self.plan.rope.grid.tokens_per_frame
        spans: dict[int, Span] = {}
        own: dict[int, list[int]] = {}
        start = 0
        for share in layer.shares:
            past = self._past(share)
            for head in share.heads:
                spans[head] = Span(start, past + len(self.chunk) * tokens)
                own[head] = [start + past + i * tokens for i in range(len(self.chunk))]
                start += spans[head].length
        heads = range(layer.heads)
        in_order = tuple(spans[head] for head in heads)
        rows = [list(frame) for frame in zip(*(own[head] for head in heads), strict=True)]
        parts = span_table(in_order, "cpu"), torch.tensor(rows, dtype=torch.int32)
        return in_order, torch.cat(parts)

    def query_frames(self, layer: int) -> list[range]:
        """Return the window's frames in runs that read the same: all of them."""
        return [self.chunk.frames]

    def write(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Lay out what one layer reads, keys and values of the window included.

        Args:
            q, k, v: ``[B, len(window) * P, H, D]``, unrotated.

        Returns:
            The queries, rotated.
        """
        start, fetched = 0, self._passage.take(layer)
        for share in self._layers[layer].shares:
            past, heads = self._past(share), len(share.heads)
            stop = start + heads * (past + k.shape[1])
            if past:
                self._copy(share, slice(start, stop), past, fetched.get(share.arena))
            start = stop
        turned = self.rotation.squeeze(1)
        return write_rotated(q, k, v, turned, self._k, self._v, self._own[layer])

    def _copy(self, share: Share, own: slice, past: int, fetched: Pages | None) -> None:
        """Copy the pages that a share reads to where its heads read them, turned."""
        gathered, arena, heads = self._gathered[share.ledger], share.arena, len(share.heads)
        k, v = (x[:, own].unflatten(1, (heads, -1))[:, :, :past] for x in (self._k, self._v))
        small = gathered.small * arena.plan.small_tokens
        pages = fetched or arena.beside.pages
        if gathered.small:
            aside = pages.k.select(2, gathered.aside).numbers()
            k[:, :, :small] = self._turned(gathered, aside, 0, arena.time).flatten(2, 3)
            v[:, :, :small] = pages.v.select(2, gathered.aside).numbers().flatten(2, 3)
        if gathered.whole:
            kept = arena.k.select(2, gathered.slots)
            if gathered.raw:
                raw = pages.turning.index_select(2, gathered.turning)
                kept.codes[:, :, : gathered.raw, :, : arena.time] = raw
            keys = self._turned(gathered, kept.numbers(), gathered.small, arena.time)
            k[:, :, small:] = keys.flatten(2, 3)
            v[:, :, small:] = arena.v.select(2, gathered.slots).numbers().flatten(2, 3)

    @staticmethod
    def _turned(gathered: _Gathered, keys: Tensor, first: int, time: int) -> Tensor:
        """Turn, in place, the time channels of pages ``[B, G, pages, P, D]``.

        Args:
            first: number of the first of them.
        """
        if gathered.turns is not None:
            turns = gathered.turns[first : first + keys.shape[2]]
            keys[..., :time] = rotate(keys[..., :time], turns)
        return keys

    def study(self, layer: int, q: Tensor, unrotated: Tensor) -> None:
        """Policies look at clean chunks alone."""

    def stage(self, layer: int, frame: int) -> None:
        """Do nothing: what is read is there since ``write``."""

    def reads(self, layer: int) -> list[PoolRead]:
        """Return what the heads of the layer read that was written last."""
        return [PoolRead(self._k, self._v, None, self._rows[layer])]

    def pages(self, layer: int, head: int, frame: int) -> list[Page]:
        """Return what a head's rows hold, in their order."""
        own = [Page(Kind.FRAME, (f,), f) for f in self.chunk.frames]
        return [*self._gathered[self._layers[layer].ledger_of(head)].pages, *own]
