"""Which frame lies in which slot of a cache arena. Python integers; no tensors."""

from __future__ import annotations

from collections.abc import Mapping

from .clock import Chunk
from .policy import WindowPolicy


class SlotTable:
    """Bookkeeping of one arena: the frames of the past and the chunk being denoised.

    Slots in use are always a prefix, so attention reads one run of memory; their order within it
    means nothing. A frame never moves: a new chunk takes the slots that were freed.

        window 6, chunk 3      slot  0 1 2 3 4 5
        chunk 6..8 open              6 7 8 3 4 5
        chunk 9..11 open             6 7 8 9 10 11
    """

    def __init__(self, policy: WindowPolicy, frames_per_chunk: int):
        self.policy = policy
        self.size = policy.capacity + frames_per_chunk
        self._past: dict[int, int] = {}
        self._chunk: Chunk | None = None
        self._chunk_slots: list[int] = []

    @property
    def past(self) -> Mapping[int, int]:
        """Slot of every cached frame, ascending by frame."""
        return dict(sorted(self._past.items()))

    @property
    def chunk_slots(self) -> list[int]:
        return list(self._chunk_slots)

    @property
    def used(self) -> int:
        return len(self._past) + len(self._chunk_slots)

    @property
    def frames(self) -> list[int]:
        """Frame number in each slot in use, in slot order."""
        current = self._chunk.frames if self._chunk else ()
        slot_of = {**self._past, **dict(zip(current, self._chunk_slots, strict=True))}
        return sorted(slot_of, key=slot_of.__getitem__)

    def open(self, chunk: Chunk) -> None:
        """Give ``chunk`` the lowest free slots; an uncommitted chunk is forgotten.

        Raises:
            ValueError: if the chunk is already past or larger than the arena allows.
        """
        if self._past and chunk.start <= max(self._past):
            raise ValueError(
                f"chunk must follow the past, got frames {chunk.start} to {chunk.stop - 1} "
                f"after frame {max(self._past)}"
            )
        taken = set(self._past.values())
        free = [slot for slot in range(self.size) if slot not in taken]
        if len(chunk) > len(free):
            raise ValueError(f"chunk must have at most {len(free)} frames here, got {len(chunk)}")
        self._chunk, self._chunk_slots = chunk, free[: len(chunk)]

    def commit(self, chunk: Chunk) -> None:
        """Make the open chunk part of the past and forget what the policy drops.

        Raises:
            ValueError: if ``chunk`` is not the open one; a chunk is committed once.
        """
        if chunk != self._chunk:
            raise ValueError(
                f"chunk to commit must be the open one, got {chunk} while {self._chunk} is open"
            )
        held = {**self.past, **dict(zip(chunk.frames, self._chunk_slots, strict=True))}
        self._past = {frame: held[frame] for frame in self.policy.retain(list(held))}
        self._chunk, self._chunk_slots = None, []
