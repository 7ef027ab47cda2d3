"""What lies in new pages: made out of what an arena held, and put in its place."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ...kernels import rotate
from ..methods import Kind, Page, frame_page, home_of
from .arena import Arena, Content
from .ledger import Arrivals, Places


def fill(arena: Arena, maker: Maker, places: Places, arrived: Arrivals) -> None:
    """Put the contents of new pages in their places. All are made before a place is overwritten."""
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


@dataclass(frozen=True)
class Maker:
    """Makes the contents of new pages out of what an arena held before a commit.

    Args:
        arena: not yet changed by the commit.
        before: where pages lay, the committed chunk among them.
        candidates: pages that TOKENS are taken from, oldest first.
        chosen: ``[B, n]`` which of the candidates' tokens.
    """

    arena: Arena
    before: Places
    candidates: tuple[Page, ...] = ()
    chosen: Tensor | None = None

    def content(self, page: Page) -> Content:
        """Return the content of a page."""
        match page.kind:
            case Kind.FRAME | Kind.COPY:
                kept = self._frame(page.frames[0])
                return Content(kept.k.clone(), kept.v.clone(), kept.home)
            case Kind.POOLED:
                return self._pooled(page.at)
            case Kind.BLOCK:
                return self._block(page)
            case Kind.MERGED:
                return self._merged(page)
            case Kind.AVERAGE:
                return self._average(page)
            case Kind.BANDS:
                return self._bands(page)
            case Kind.TOKENS:
                return self._tokens(page)

    def _frame(self, frame: int) -> Content:
        """Return a frame as it is kept aside, or as it lies where it was written."""
        page, arena = frame_page(frame), self.arena
        for aside in (page, page._replace(kind=Kind.COPY)):
            if aside in self.before.aside:
                at = self.before.aside[aside]
                return Content(arena.aside_k[:, :, at], arena.aside_v[:, :, at], frame)
        at = self.before.slots[page]
        return Content(arena.k[:, :, at], arena.v[:, :, at], frame)

    def _raw(self, frame: int) -> tuple[Tensor, Tensor]:
        """Return unrotated keys, float32, and values of a frame that stands at its own number."""
        content = self._frame(frame)
        turn = self.arena.rotations.frame(frame)
        return rotate(content.k.float(), turn.conj()), content.v.float()

    def _pooled(self, frame: int) -> Content:
        grid = self.arena.plan.rope.grid
        size = self.arena.plan.rule.policy.middle.pool_size
        k, v = (_pool(x, grid.token_rows, grid.token_columns, size) for x in self._raw(frame))
        return Content(k.to(self.arena.k.dtype), v.to(self.arena.k.dtype), 0)

    def _block(self, page: Page) -> Content:
        parts = [self._waiting(frame) for frame in page.frames]
        k, v = (torch.stack([part[i].float() for part in parts]).mean(0) for i in range(2))
        k = rotate(k, self.arena.rotations.pooled(self.arena.plan.rule.policy.middle.pool_size))
        return Content(k.to(self.arena.k.dtype), v.to(self.arena.k.dtype), 0)

    def _waiting(self, frame: int) -> Content:
        page = Page(Kind.POOLED, (frame,), frame)
        if page not in self.before.aside:
            return self._pooled(frame)
        at = self.before.aside[page]
        return Content(self.arena.aside_k[:, :, at], self.arena.aside_v[:, :, at], 0)

    def _merged(self, page: Page) -> Content:
        """Fold new frames into what was one page before, or the first of the frames."""
        arena, rate = self.arena, self.arena.plan.rule.policy.middle.rate
        old = [
            p for p in self.before.slots if p.kind is Kind.MERGED and p.frames[0] == page.frames[0]
        ]
        base = old[0] if old else frame_page(page.frames[0])
        k, v = self._unturned(base)
        for frame in page.frames[len(base.frames) :]:
            k, v = (
                torch.lerp(x, y, rate)
                for x, y in zip((k, v), self._unturned(frame_page(frame)), strict=True)
            )
        return Content(k.to(arena.k.dtype), v.to(arena.k.dtype), 0)

    def _unturned(self, page: Page) -> tuple[Tensor, Tensor]:
        """Return keys of a page in a slot, turned in space but not in time, and values; float32."""
        slot, time = self.before.slots[page], self.arena.time
        k = torch.cat([self._raw_time(page), self.arena.k[:, :, slot, :, time:]], -1)
        return k.float(), self.arena.v[:, :, slot].float()

    def _average(self, page: Page) -> Content:
        """Fold the frames that left into the running mean, which is kept here, and show that."""
        arena, middle = self.arena, self.arena.plan.rule.policy.middle
        sums = arena.sums[:, :, page.number]
        old = [p for p in self.before.slots if p.kind is Kind.AVERAGE and p.number == page.number]
        known = old[0].frames[-1] if old else page.frames[0] - 1
        # a new prompt may have had some of them forgotten before they left
        frames = [f for f in page.frames if f > known and frame_page(f) in self.before.slots]
        left = [torch.cat(self._raw(f), -1) for f in frames]
        mean = torch.stack(left).mean(0)
        if not middle.per_token:
            mean = mean.mean(2, keepdim=True)
        sums.copy_(torch.lerp(sums, mean, middle.rates[page.number]) if old else mean)
        k, v = sums.expand(-1, -1, arena.plan.tokens, -1).to(arena.k.dtype).chunk(2, -1)
        return Content(rotate(k, arena.rotations.frame(0)), v, 0)

    def _bands(self, page: Page) -> Content:
        """Put the bands of several frames together; each stays where its frame stood."""
        pieces = []
        for frame, band in page.bands:
            content = self._frame(frame)
            size = content.k.shape[2] // self.arena.plan.rule.policy.middle.pieces
            own = slice(band * size, (band + 1) * size)
            pieces.append((content.k[:, :, own], content.v[:, :, own]))
        k, v = (torch.cat(parts, 2) for parts in zip(*pieces, strict=True))
        return Content(k, v, page.at)

    def _tokens(self, page: Page) -> Content:
        """Gather the tokens that were chosen; without re-encoding each stays where it stood."""
        arena, tokens = self.arena, self.arena.plan.tokens
        slots = [self.before.slots[candidate] for candidate in self.candidates]
        k, v = arena.in_slots(slots)
        if arena.plan.rule.positions.re_encodes:
            raw = torch.cat([self._raw_time(candidate) for candidate in self.candidates], 2)
            k = torch.cat([raw, k[..., arena.time :]], -1)
        own = self.chosen[:, page.number * tokens : (page.number + 1) * tokens]
        index = own[:, None, :, None].expand(-1, k.shape[1], -1, k.shape[-1])
        home = 0 if arena.plan.rule.positions.re_encodes else page.at
        return Content(k.gather(2, index), v.gather(2, index), home)

    def _raw_time(self, page: Page) -> Tensor:
        """Return the unrotated time channels of a page, ``[B, G, P, time]``."""
        arena = self.arena
        if page in self.before.turning:
            kept, home = arena.turning[:, :, self.before.turning[page]], home_of(page)
        else:
            kept, home = arena.k[:, :, self.before.slots[page], :, : arena.time], page.at
        return rotate(kept, arena.rotations.temporal([-home]))


def _pool(x: Tensor, rows: int, columns: int, size: int) -> Tensor:
    """Average squares of tokens of ``[B, G, P, D]``; those at the edge have fewer."""
    picture = x.unflatten(2, (rows, columns)).permute(0, 1, 4, 2, 3)
    pooled = avg_pool2d(picture.flatten(0, 1), size, ceil_mode=True).unflatten(0, x.shape[:2])
    return pooled.permute(0, 1, 3, 4, 2).flatten(2, 3)
