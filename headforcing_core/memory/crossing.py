"""What crosses between a device and its host where memory lies out of the way."""

from __future__ import annotations

from typing import NamedTuple

from ..methods import Kind, Page, Past
from ..video import Chunk
from .arena_plan import ArenaPlan
from .ledger import Arrivals, Ledger, Places


class Crossing(NamedTuple):
    """Pages that are copied one way, of all heads of a group in a layer.

    turning: unturned time channels.
    aside: keys and values of pages kept aside.
    sums: running means.
    """

    turning: int = 0
    aside: int = 0
    sums: int = 0

    def times(self, count: int) -> Crossing:
        return Crossing(*(count * pages for pages in self))

    def bytes(self, plan: ArenaPlan, itemsize: int) -> int:
        """Return the bytes of one head."""
        turning = self.turning * plan.turning_bytes(itemsize)
        return turning + self.aside * plan.aside_bytes(itemsize) + self.sums * plan.sum_bytes

    def copies(self, scaled: bool) -> int:
        """Return how many copies are made.

        Args:
            scaled: pages are codes, whose scales lie apart.
        """
        return self.turning + self.aside * (4 if scaled else 2) + self.sums


def together(crossings: list[Crossing]) -> Crossing:
    """Return the sum."""
    return Crossing(*map(sum, zip(*crossings, strict=True)))


def for_reads(ledger: Ledger, chunk: Chunk, calls: int, reach: int | None = None) -> Crossing:
    """Return what is fetched to read the past while a chunk is open.

    Args:
        calls: of the model; where query frames read alike, all of them read what one has fetched.
        reach: of a window of several chunks, which fetches in every call; ``chunk`` is the window.
    """
    if reach is not None:
        return _read(ledger, ledger.ahead(chunk, reach)).times(calls)
    if not ledger.rule.per_frame:
        return _read(ledger, ledger.read(chunk.start))
    return together([_read(ledger, ledger.read(frame)) for frame in chunk.frames]).times(calls)


def _read(ledger: Ledger, pages: dict[Page, int]) -> Crossing:
    places = ledger.places
    shown = sum(page not in places.slots for page in pages)
    turned = sum(page in places.slots and page in places.turning for page in pages)
    return Crossing(turned, shown)


def for_sink(ledger: Ledger, chunk: Chunk, calls: int) -> Crossing:
    """Return what is stored of first frames, with every call that writes them."""
    return Crossing(calls * max(0, min(chunk.stop, ledger.rule.raw_sink) - chunk.start))


def for_commit(
    ledger: Ledger, past: Past, before: Places, arrived: Arrivals
) -> tuple[Crossing, Crossing]:
    """Return what is fetched, and what is stored, to keep new pages.

    Args:
        ledger: after it.
        past, before: what was kept, and where, before it.
        arrived: the new pages.
    """
    made = [*arrived.aside, *arrived.slots]
    fetched = [_sources(page, ledger, past, before) for page in made]
    sums = sum(page.kind is Kind.AVERAGE for page in made)
    stored = Crossing(len(arrived.turning), len(arrived.aside), sums)
    return together([Crossing(), *fetched]), stored


def _sources(page: Page, ledger: Ledger, past: Past, before: Places) -> Crossing:
    """Return what is fetched to make a page."""
    match page.kind:
        case Kind.FRAME | Kind.COPY:
            return Crossing(aside=_aside(page.frames[0], before))
        case Kind.POOLED:
            return Crossing(aside=_aside(page.at, before))
        case Kind.BLOCK:
            waiting = (Page(Kind.POOLED, (frame,), frame) for frame in page.frames)
            return Crossing(aside=sum(one in before.aside for one in waiting))
        case Kind.MERGED:
            old = [p for p in before.slots if _same_mean(p, page)]
            base = old[0] if old else Page(Kind.FRAME, page.frames[:1], page.frames[0])
            others = [Page(Kind.FRAME, (f,), f) for f in page.frames[len(base.frames) :]]
            return Crossing(sum(one in before.turning for one in (base, *others)))
        case Kind.AVERAGE:
            old = any(p.kind is Kind.AVERAGE and p.number == page.number for p in before.slots)
            return Crossing(sums=int(old))
        case Kind.BANDS:
            return Crossing(aside=sum(_aside(frame, before) for frame, _ in page.bands))
        case Kind.TOKENS:
            re_encodes = ledger.rule.positions.re_encodes
            return Crossing(re_encodes * sum(one in before.turning for one in past.middle))


def _same_mean(old: Page, new: Page) -> bool:
    return old.kind is Kind.MERGED and old.frames[0] == new.frames[0]


def _aside(frame: int, before: Places) -> int:
    """Say whether a frame is kept aside."""
    return any(Page(kind, (frame,), frame) in before.aside for kind in (Kind.FRAME, Kind.COPY))
