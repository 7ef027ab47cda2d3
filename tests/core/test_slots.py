import pytest
from hypothesis import given
from hypothesis import strategies as st

from headforcing.headforcing_core import Chunk, ChunkClock, SlotTable, WindowPolicy


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
    table = SlotTable(WindowPolicy.of_window(window, sink, per_chunk), per_chunk)
    contents, past = {}, []  # what a tensor would hold, slot by slot; the original's list
    for chunk in ChunkClock.covering(40, per_chunk, first):
        table.open(chunk)
        for frame, slot in zip(chunk.frames, table.chunk_slots, strict=True):
            contents[slot] = frame
        past = [*rolled(past, len(chunk), window, sink), *chunk.frames]
        assert sorted(table.frames) == sorted(past)
        assert [contents[slot] for slot in range(table.used)] == table.frames  # a prefix
        assert table.used <= table.size == window
        table.commit(chunk)


def test_the_sink_stays_in_the_first_slots():
    table = SlotTable(WindowPolicy(sink=1, recent=2), frames_per_chunk=3)
    for chunk in ChunkClock(300, 3):
        table.open(chunk)
        table.commit(chunk)
    assert list(table.past) == [0, 298, 299]
    assert table.past[0] == 0


def test_an_uncommitted_chunk_is_forgotten():
    table = SlotTable(WindowPolicy(sink=0, recent=6), frames_per_chunk=3)
    first, second = Chunk(0, 0, 3), Chunk(1, 3, 6)
    table.open(first)
    table.commit(first)
    table.open(second)
    table.open(second)
    assert table.frames == [0, 1, 2, 3, 4, 5]
    assert list(table.past) == [0, 1, 2]


def test_a_chunk_is_committed_once_and_in_order():
    table = SlotTable(WindowPolicy(sink=0, recent=6), frames_per_chunk=3)
    chunk = Chunk(0, 0, 3)
    table.open(chunk)
    table.commit(chunk)
    with pytest.raises(ValueError, match="must be the open one"):
        table.commit(chunk)
    with pytest.raises(ValueError, match="must follow the past, got frames 0 to 2 after frame 2"):
        table.open(chunk)
    with pytest.raises(ValueError, match="at most 6 frames here, got 7"):
        table.open(Chunk(1, 3, 10))
