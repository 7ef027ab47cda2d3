import pytest
from hypothesis import given
from hypothesis import strategies as st

from headforcing.headforcing_core import ChunkClock


@given(st.integers(1, 300), st.integers(1, 7), st.integers(1, 7))
def test_chunks_partition_the_video(frames, per_chunk, first):
    clock = ChunkClock.covering(frames, per_chunk, min(first, per_chunk))
    chunks = list(clock)
    assert [f for chunk in chunks for f in chunk.frames] == list(range(clock.total_frames))
    assert [len(chunk) for chunk in chunks[1:]] == [per_chunk] * (len(clock) - 1)
    assert frames <= clock.total_frames < max(frames, clock._first) + per_chunk


def test_a_first_chunk_of_one_frame():
    assert [len(c) for c in ChunkClock(10, 3, first_chunk=1)] == [1, 3, 3, 3]
    assert [len(c) for c in ChunkClock(9, 3)] == [3, 3, 3]


def test_what_is_no_whole_number_of_chunks_names_the_next():
    with pytest.raises(ValueError, match=r"total_frames must be 3 \+ a multiple of 3, got 10"):
        ChunkClock(10, 3)
    with pytest.raises(ValueError, match="frames_per_chunk must be 1 to 518400 frames"):
        ChunkClock(10, 0)
    with pytest.raises(ValueError, match="first_chunk must be 1 to"):
        ChunkClock(10, 3, first_chunk=4)
