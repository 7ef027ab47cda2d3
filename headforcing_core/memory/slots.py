"""Which page lies in which place. Python integers; no tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from ..methods import Page, frame_page
from ..video import Chunk


class Move(NamedTuple):
    """The content of one slot goes to another."""

    source: int
    target: int


class Shelf:
    """Numbered places, each for one page.

    Args:
        size: places in all.
        first: number of the first place.
    """

    def __init__(self, size: int, first: int = 0):
        self.size, self.first = size, first
        self._places: dict[Page, int] = {}

    @property
    def places(self) -> Mapping[Page, int]:
        """Place of every page."""
        return dict(self._places)

    def keep(self, pages: Sequence[Page]) -> list[Page]:
        """Forget all pages but these, and give a place to each that has none.

        Returns:
            The pages that are new; what shall lie in their places is not there yet.
        """
        new = [page for page in pages if page not in self._places]
        wanted = set(pages)
        self._places = {page: at for page, at in self._places.items() if page in wanted}
        places = list(islice(self.free(), len(new)))
        assert len(new) == len(places), f"{len(pages)} pages for {self.size} places"
        self._places |= dict(zip(new, places, strict=True))
        return new

    def free(self) -> Iterator[int]:
        """Yield the places without a page, ascending; a large shelf costs what lies on it."""
        taken = set(self._places.values())
        return (at for at in range(self.first, self.first + self.size) if at not in taken)


class SlotTable(Shelf):
    """The slots of one arena: pages of the past and the chunk being denoised.

    While a chunk is open, slots in use are a prefix, so attention reads one run of memory; their
    order within it means nothing. A new chunk takes the slots that were freed, so that hardly ever
    anything has to move.

        window 6, chunk 3      slot  0 1 2 3 4 5
        chunk 6..8 open              6 7 8 3 4 5
        chunk 9..11 open             6 7 8 9 10 11
    """

    def __init__(self, size: int):
        super().__init__(size)
        self._chunk: dict[Page, int] = {}

    @property
    def places(self) -> Mapping[Page, int]:
        """Slot of every page, of the open chunk's frames too."""
        return self._places | self._chunk

    @property
    def chunk_slots(self) -> list[int]:
        return list(self._chunk.values())

    @property
    def used(self) -> int:
        return len(self._places) + len(self._chunk)

    @property
    def pages(self) -> list[Page]:
        """The page in each slot in use, in slot order."""
        return sorted(self.places, key=self.places.__getitem__)

    def open(self, chunk: Chunk) -> list[Move]:
        """Give ``chunk`` the lowest free slots and close the gaps that are left.

        An uncommitted chunk is forgotten.

        Raises:
            ValueError: if the chunk is larger than the arena allows.
        """
        free = self.free()
        own = list(islice(free, len(chunk)))
        if len(chunk) > len(own):
            raise ValueError(f"chunk must have at most {len(own)} frames here, got {len(chunk)}")
        self._chunk = dict(zip(map(frame_page, chunk.frames), own, strict=True))
        moves = []
        for gap in free:
            last = max(self._places, key=self._places.__getitem__, default=None)
            if last is None or self._places[last] < gap:
                break
            moves.append(Move(self._places[last], gap))
            self._places[last] = gap
        return moves

    def close(self) -> None:
        """Make the open chunk part of the past."""
        self._places |= self._chunk
        self._chunk = {}
