"""The chunk that is being made, beside the past that it reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from math import log
from typing import NamedTuple

import torch
from torch import Tensor

from ...kernels import Span, span_table
from ..device import send
from ..methods import Page
from ..video import Chunk
from .cache_plan import CachePlan
from .ferry import Ferry, Needs
from .layer_cache import LayerCache
from .ledger import Ledger
from .pool import Share
from .scoring import Scoring
from .staging import Stagings


class HeadRows(NamedTuple):
    """The rows of a pool that each head reads, and the same as a table on the device."""

    spans: tuple[Span, ...]
    table: Tensor


class PoolRead(NamedTuple):
    """What heads of a layer read that are kept alike.

    k, v: ``[B, rows, D]``.
    scales: of both, where they are codes; see ``head_attention``.
    rows: of each head.
    index: which heads of the layer, on the device; None: all.
    """

    k: Tensor
    v: Tensor
    scales: tuple[Tensor, Tensor] | None
    rows: HeadRows
    index: Tensor | None = None

    def own(self, x: Tensor) -> Tensor:
        """Return the heads that read here, of ``[B, T, H, ...]`` of the layer."""
        return x if self.index is None else x.index_select(2, self.index)


class OpenChunk:
    """What a model call reads and writes while a chunk is open. It ends when that is committed.

    Every call overwrites the chunk's own keys and values and reads them with the past; the past
    itself changes only where its pages are shown and turned for the query frame that reads.

    Args:
        chunk: the chunk, for which there is room, as the caches number it.
        own: the chunk, as its video numbers it.
        scene: first frame of the prompt that rules it.
        layers: the caches of the video.
        stagings: of this chunk; those that hold for all its frames are done.
        scoring: what looks at clean calls.
        ferry: brings what lies with the host.
    """

    def __init__(
        self,
        chunk: Chunk,
        own: Chunk,
        scene: int,
        plan: CachePlan,
        layers: Sequence[LayerCache],
        stagings: Stagings,
        scoring: Scoring,
        ferry: Ferry,
    ):
        self.chunk, self.own, self.plan = chunk, own, plan
        self._layers, self._stagings = layers, stagings
        self._scoring, self._scene = scoring, scene
        device = stagings.device
        self.rotation = plan.rope.frames(chunk.frames, device)
        self._rows, self._own_rows = self._laid_out(device)
        self._passage = ferry.passage(dict(self._wanted()))
        self._frame: dict[int, int] = {}
        self._biases: dict[tuple[Ledger, float], Tensor] = {}

    def _laid_out(
        self, device: torch.device
    ) -> tuple[dict[tuple[int, int, int], HeadRows], list[Sequence[Tensor]]]:
        """Return what is read, by layer, pool and first query frame, and what is overwritten.

        The latter by layer, of each pool. It goes to the device together.
        """
        spans = {
            (number, at, frames.start): pool.spans(self._shown(layer, frames.start))
            for number, layer in enumerate(self._layers)
            for frames in self.query_frames(number)
            for at, pool in enumerate(layer.pools)
        }
        tables = [span_table(each, "cpu") for each in spans.values()]
        every = [pool for layer in self._layers for pool in layer.pools]
        tables += [torch.tensor(pool.chunk_rows(), dtype=torch.int32) for pool in every]
        # ranks of several may have more heads in one layer than in another
        sent = send(torch.cat([table.flatten() for table in tables]), device)
        parts = sent.split([table.numel() for table in tables])
        sent = [part.view(table.shape) for part, table in zip(parts, tables, strict=True)]
        at = dict(zip(spans, sent, strict=False))
        rows = {place: HeadRows(own, at[place]) for place, own in spans.items()}
        own = iter(sent[len(spans) :])
        return rows, [list(islice(own, len(layer.pools))) for layer in self._layers]

    def _wanted(self) -> Iterator[tuple[tuple[int, int], Needs]]:
        """Yield what reads need that differ between query frames, by layer and frame."""
        for number, layer in enumerate(self._layers):
            own = [share for share in layer.shares if share.ledger.rule.per_frame]
            for frames in self.query_frames(number) if own else ():
                staged = [(s.arena, self._stagings.of(s.ledger, frames.start)) for s in own]
                needs = [(arena, staging.wanted) for arena, staging in staged]
                yield (number, frames.start), needs

    def _shown(self, layer: LayerCache, frame: int) -> dict[Ledger, int]:
        """Return the tokens that lie in front of the slots, per ledger of a layer."""
        shown: dict[Ledger, int] = {}
        for share in layer.shares:
            at = frame if share.ledger.rule.per_frame else self.chunk.start
            front = self._stagings.of(share.ledger, at).shown
            pages = 0 if front is None else len(front.source)
            shown[share.ledger] = pages * share.arena.plan.small_tokens
        return shown

    def query_frames(self, layer: int) -> list[range]:
        """Return the chunk's frames in runs that read the same in a layer."""
        per_frame = any(share.ledger.rule.per_frame for share in self._layers[layer].shares)
        frames = self.chunk.frames
        return [range(f, f + 1) for f in frames] if per_frame else [frames]

    def write(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Overwrite the chunk's keys and values of one layer; return the queries rotated.

        Args:
            q, k, v: ``[B, len(chunk) * P, H, D]``, unrotated.
        """
        rows = self._own_rows[layer]
        return self._layers[layer].write(self.chunk, q, k, v, self.rotation, rows)

    def study(self, layer: int, q: Tensor, unrotated: Tensor) -> None:
        """Let policies look at a layer while the chunk is clean.

        Args:
            q: ``[B, T, H, D]``, rotated.
            unrotated: keys before rotation.
        """
        self._scoring.study(layer, q, unrotated, self.chunk, self._scene)

    def stage(self, layer: int, frame: int) -> None:
        """Let a query frame read a layer. What it reads stays until another frame is staged."""
        fetched = self._passage.take((layer, frame))
        for share in self._layers[layer].shares:
            if share.ledger.rule.per_frame:
                staging = self._stagings.of(share.ledger, frame)
                share.arena.stage(staging, fetched.get(share.arena))
        self._frame[layer] = frame

    def reads(self, layer: int) -> list[PoolRead]:
        """Return what the heads of a layer read, for the frame that was staged last."""
        frame = self._frame[layer]
        return [
            PoolRead(
                pool.k.codes, pool.v.codes, pool.scales, self._rows[layer, at, frame], pool.index
            )
            for at, pool in enumerate(self._layers[layer].pools)
        ]

    def shares(self, layer: int) -> list[Share]:
        """Return the groups of heads of a layer, each with what it has."""
        return self._layers[layer].shares

    def faded(self, ledger: Ledger, factor: float) -> Tensor:
        """Return what is added to scores where the past counts less, but for its first page.

        Returns:
            ``[rows]`` float32, of the slots in use; made once for all layers and calls.
        """
        if (ledger, factor) not in self._biases:
            pages = ledger.slots.pages
            past = [page for page in pages if page.at < self.chunk.start]
            less = {page: log(factor) for page in sorted(past, key=lambda page: page.at)[1:]}
            bias = torch.tensor([less.get(page, 0.0) for page in pages])
            tokens = self.plan.rope.grid.tokens_per_frame
            bias = bias.repeat_interleave(tokens)
            self._biases[ledger, factor] = send(bias, self._stagings.device)
        return self._biases[ledger, factor]

    def pages(self, layer: int, head: int, frame: int) -> list[Page]:
        """Return what a head's rows hold while a query frame is staged, in their order."""
        ledger = self._layers[layer].ledger_of(head)
        in_slots = ledger.slots.pages
        return [*(page for page in ledger.read(frame) if page not in in_slots), *in_slots]
