import pytest
from hypothesis import given
from hypothesis import strategies as st

from headforcing.headforcing_core import Chunk, ChunkClock, HeadPolicy, PositionRule
from headforcing.headforcing_core.memory.ledger import Ledger
from headforcing.headforcing_core.memory.slots import Move, SlotTable
from headforcing.headforcing_core.methods import Commit, HeadRule, frame_page


def ledger_of(policy: HeadPolicy, per_chunk: int) -> Ledger:
    return Ledger(HeadRule(policy, PositionRule.ABSOLUTE), per_chunk, 21)


def frames(ledger: Ledger) -> list[int]:
    return [page.at for page in ledger.slots.pages]


def rolled(past: list[int], frames: int, window: int, sink: int) -> list[int]:
    """The original's rule: when a new chunk does not fit, evict behind the sink."""
    evicted = max(0, len(past) + frames - window)
    return past[:sink] + past[sink + evicted :]


@given(
    sink=st.integers(0, 4),
    room=st.integers(0, 9),
    per_chunk=st.integers(1, 4),
    first=st.integers(1, 4),
)
def test_slots_hold_what_the_original_rolls(sink, room, per_chunk, first):
    window, first = sink + per_chunk + room, min(first, per_chunk)
    ledger = ledger_of(HeadPolicy.of_window(window, sink, per_chunk), per_chunk)
    table = ledger.slots
    contents, past = {}, []  # what a tensor would hold, slot by slot; the original's list
    for chunk in ChunkClock.covering(40, per_chunk, first):
        ledger.open(chunk)
        for frame, slot in zip(chunk.frames, table.chunk_slots, strict=True):
            contents[slot] = frame
        past = [*rolled(past, len(chunk), window, sink), *chunk.frames]
        assert sorted(frames(ledger)) == sorted(past)
        assert [contents[slot] for slot in range(table.used)] == frames(ledger)  # a prefix
        assert table.used <= table.size == window
        ledger.commit(Commit(chunk))


def test_the_sink_stays_in_the_first_slots():
    ledger = ledger_of(HeadPolicy(sink=1, recent=2), 3)
    for chunk in ChunkClock(300, 3):
        assert ledger.open(chunk) == []
        ledger.commit(Commit(chunk))
    assert sorted(frames(ledger)) == [0, 298, 299]
    assert ledger.slots.places[frame_page(0)] == 0


def test_an_uncommitted_chunk_is_forgotten():
    ledger = ledger_of(HeadPolicy(sink=0, recent=6), 3)
    first, second = Chunk(0, 0, 3), Chunk(1, 3, 6)
    ledger.open(first)
    ledger.commit(Commit(first))
    ledger.open(second)
    ledger.open(second)
    assert frames(ledger) == [0, 1, 2, 3, 4, 5]
    assert ledger.past.recent == (0, 1, 2)


def test_a_chunk_is_committed_once_and_in_order():
    ledger = ledger_of(HeadPolicy(sink=0, recent=6), 3)
    chunk = Chunk(0, 0, 3)
    ledger.open(chunk)
    ledger.commit(Commit(chunk))
    with pytest.raises(ValueError, match="must be the open one"):
        ledger.commit(Commit(chunk))
    with pytest.raises(ValueError, match="must follow the past, got frames 0 to 2 after frame 2"):
        ledger.open(chunk)
    with pytest.raises(ValueError, match="at most 6 frames here, got 7"):
        ledger.open(Chunk(1, 3, 10))


def test_gaps_are_closed_when_a_chunk_does_not_fill_them():
    table = SlotTable(6)
    table.keep([frame_page(f) for f in range(6)])
    table.keep([frame_page(f) for f in (2, 5)])
    assert table.open(Chunk(2, 6, 7)) == [Move(5, 1)]
    assert [page.at for page in table.pages] == [6, 5, 2]


def test_a_table_costs_what_lies_in_it():
    table = SlotTable(10**12)
    for index in range(20):
        table.open(Chunk(index, 3 * index, 3 * index + 3))
        table.close()
        table.keep([frame_page(f) for f in range(max(0, 3 * index - 3), 3 * index + 3)])
    assert sorted(table.places.values()) == [0, 1, 2, 3, 4, 5]
