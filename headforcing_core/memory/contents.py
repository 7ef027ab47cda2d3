"""What lies in new pages: made out of what an arena held, and put in its place."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ...kernels import rotate
from ..methods import Kind, Page, frame_page, home_of
from .arena import Arena, Content
from .beside import ALL
from .ledger import Arrivals, Places
from .rows import Rows, joined


def fill(arena: Arena, maker: Maker, places: Places, arrived: Arrivals) -> None:
    """Put the contents of new pages in their places. All are made before a place is overwritten."""
    aside = [maker.content(page) for page in arrived.aside]
    made = [maker.content(page) for page in arrived.slots]
    for page, content in zip(arrived.aside, aside, strict=True):
        arena.beside.put_aside(places.aside[page], content.k, content.v)
    for page, content in zip(arrived.slots, made, strict=True):
        arena.put(places.slots[page], content, page.at)
    times = dict(zip(arrived.slots, (content.k for content in made), strict=True))
    for page in arrived.turning:
        k = times[page] if page in times else arena.k.at(ALL, ALL, places.slots[page])
        arena.beside.put_turning(places.turning[page], k.codes[..., : arena.time])


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
                return Content(*arena.beside.aside_at(self.before.aside[aside]), frame)
        at = self.before.slots[page]
        return Content(arena.k.at(ALL, ALL, at), arena.v.at(ALL, ALL, at), frame)

    def _raw(self, frame: int) -> tuple[Tensor, Tensor]:
        """Return unrotated keys, float32, and values of a frame that stands at its own number."""
        content = self._frame(frame)
        turn = self.arena.rotations.frame(frame)
        return rotate(content.k.numbers().float(), turn.conj()), content.v.numbers().float()

    def _made(self, k: Tensor, v: Tensor) -> Content:
        """Return keys that stand at position 0, and values, as they are kept here."""
        return Content(self.arena.k.like(k, turns=True), self.arena.v.like(v, turns=False), 0)

    def _pooled(self, frame: int) -> Content:
        grid = self.arena.plan.rope.grid
        size = self.arena.plan.rule.policy.middle.pool_size
        k, v = (_pool(x, grid.token_rows, grid.token_columns, size) for x in self._raw(frame))
        return self._made(k, v)

    def _block(self, page: Page) -> Content:
        parts = [self._waiting(frame) for frame in page.frames]
        k, v = (torch.stack([part[i].numbers().float() for part in parts]).mean(0) for i in (0, 1))
        k = rotate(k, self.arena.rotations.pooled(self.arena.plan.rule.policy.middle.pool_size))
        return self._made(k, v)

    def _waiting(self, frame: int) -> Content:
        page = Page(Kind.POOLED, (frame,), frame)
        if page not in self.before.aside:
            return self._pooled(frame)
        return Content(*self.arena.beside.aside_at(self.before.aside[page]), 0)

    def _merged(self, page: Page) -> Content:
        """Fold new frames into what was one page before, or the first of the frames."""
        rate = self.arena.plan.rule.policy.middle.rate
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
        return self._made(k, v)

    def _unturned(self, page: Page) -> tuple[Tensor, Tensor]:
        """Return keys of a page in a slot, turned in space but not in time, and values; float32."""
        arena = self.arena
        k, v = (
            x.at(ALL, ALL, self.before.slots[page]).numbers().float() for x in (arena.k, arena.v)
        )
        time, home = self._time(page)
        time = rotate(time.numbers().float(), arena.rotations.temporal([-home]))
        return torch.cat([time, k[..., arena.time :]], -1), v

    def _average(self, page: Page) -> Content:
        """Fold the frames that left into the running mean, which is kept here, and show that."""
        arena, middle = self.arena, self.arena.plan.rule.policy.middle
        old = [p for p in self.before.slots if p.kind is Kind.AVERAGE and p.number == page.number]
        known = old[0].frames[-1] if old else page.frames[0] - 1
        # a new prompt may have had some of them forgotten before they left
        frames = [f for f in page.frames if f > known and frame_page(f) in self.before.slots]
        left = [torch.cat(self._raw(f), -1) for f in frames]
        mean = torch.stack(left).mean(0)
        if not middle.per_token:
            mean = mean.mean(2, keepdim=True)
        if old:
            mean = torch.lerp(arena.beside.sum_at(page.number), mean, middle.rates[page.number])
        arena.beside.put_sum(page.number, mean)
        k, v = mean.expand(-1, -1, arena.plan.tokens, -1).chunk(2, -1)
        if arena.k.scales is None:  # rounded before it is turned
            k = k.to(arena.k.codes.dtype)
        return self._made(rotate(k, arena.rotations.frame(0)), v)

    def _bands(self, page: Page) -> Content:
        """Put the bands of several frames together; each stays where its frame stood."""
        pieces = []
        for frame, band in page.bands:
            content = self._frame(frame)
            size = content.k.codes.shape[2] // self.arena.plan.rule.policy.middle.pieces
            own = slice(band * size, (band + 1) * size)
            pieces.append((content.k.at(ALL, ALL, own), content.v.at(ALL, ALL, own)))
        k, v = (joined(parts, 2) for parts in zip(*pieces, strict=True))
        return Content(k, v, page.at)

    def _tokens(self, page: Page) -> Content:
        """Gather the tokens that were chosen; without re-encoding each stays where it stood."""
        arena, tokens = self.arena, self.arena.plan.tokens
        slots = [self.before.slots[candidate] for candidate in self.candidates]
        k, v = arena.in_slots(slots)
        if arena.plan.rule.positions.re_encodes:
            raw = torch.cat([self._raw_time(candidate) for candidate in self.candidates], 2)
            k = Rows(torch.cat([raw, k.codes[..., arena.time :]], -1), k.scales)
        own = self.chosen[:, page.number * tokens : (page.number + 1) * tokens]
        home = 0 if arena.plan.rule.positions.re_encodes else page.at
        return Content(k.gathered(own), v.gathered(own), home)

    def _raw_time(self, page: Page) -> Tensor:
        """Return the unrotated time channels of a page as they are kept, ``[B, G, P, time]``."""
        time, home = self._time(page)
        if home == 0:
            return time.codes
        return time.turned(self.arena.rotations.temporal([-home]), self.arena.time).codes

    def _time(self, page: Page) -> tuple[Rows, int]:
        """Return the time channels of a page, and the position to which they are rotated."""
        arena = self.arena
        k = arena.k.at(ALL, ALL, self.before.slots[page])
        if page not in self.before.turning:
            return Rows(k.codes[..., : arena.time], k.scales), page.at
        return Rows(arena.beside.turning_at(self.before.turning[page]), k.scales), home_of(page)


def _pool(x: Tensor, rows: int, columns: int, size: int) -> Tensor:
    """Average squares of tokens of ``[B, G, P, D]``; those at the edge have fewer."""
    picture = x.unflatten(2, (rows, columns)).permute(0, 1, 4, 2, 3)
    pooled = avg_pool2d(picture.flatten(0, 1), size, ceil_mode=True).unflatten(0, x.shape[:2])
    return pooled.permute(0, 1, 3, 4, 2).flatten(2, 3)
