import pytest

from headforcing.headforcing_core import Chunk, PositionRule, WindowPolicy

CHUNK = Chunk(3, 9, 12)


@pytest.mark.parametrize(
    ("sink", "recent", "frames", "kept"),
    [
        (0, 3, [0, 1, 2], [0, 1, 2]),
        (0, 3, [0, 1, 2, 3, 4], [2, 3, 4]),
        (2, 3, [0, 1, 2, 3, 4, 5], [0, 1, 3, 4, 5]),
        (4, 3, [0, 1, 2], [0, 1, 2]),  # sink and window overlap: no frame twice
        (1, 1, [7], [7]),
        (0, 0, [0, 1, 2], []),  # sees nothing but its own chunk
        (1, 0, [0, 1, 2], [0]),
    ],
)
def test_window_policy_retains(sink, recent, frames, kept):
    policy = WindowPolicy(sink, recent)
    assert policy.retain(frames) == kept
    assert len(kept) <= policy.capacity


def test_the_fields_window_counts_sink_and_chunk():
    assert WindowPolicy.of_window(12, 3, 3) == WindowPolicy(sink=3, recent=6)
    assert WindowPolicy.of_window(4, 1, 3) == WindowPolicy(sink=1, recent=0)
    with pytest.raises(ValueError, match=r"at least 1 \+ 3 frames, got 3"):
        WindowPolicy.of_window(3, 1, 3)
    with pytest.raises(ValueError, match="must be >= 0"):
        WindowPolicy(-1, 3)


def test_absolute_positions_are_frame_numbers():
    assert PositionRule.ABSOLUTE.place([0, 7, 8], CHUNK) == {0: 0, 7: 7, 8: 8}


def test_contiguous_positions_close_the_gap_before_the_chunk():
    assert PositionRule.CONTIGUOUS.place([0, 7, 8], CHUNK) == {0: 6, 7: 7, 8: 8}
    assert PositionRule.CONTIGUOUS.place([], CHUNK) == {}
