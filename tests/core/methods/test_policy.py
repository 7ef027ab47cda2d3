import pytest

from headforcing.headforcing_core import Chunk, HeadPolicy
from headforcing.headforcing_core.methods import Commit, Past

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
    policy = HeadPolicy(sink, recent)
    past = policy.commit(
        Past(recent=tuple(frames[:-1])), Commit(Chunk(0, frames[-1], frames[-1] + 1))
    )
    assert [*past.sink, *past.recent] == kept
    assert len(kept) <= policy.slots


def test_the_fields_window_counts_sink_and_chunk():
    assert HeadPolicy.of_window(12, 3, 3) == HeadPolicy(sink=3, recent=6)
    assert HeadPolicy.of_window(4, 1, 3) == HeadPolicy(sink=1, recent=0)
    with pytest.raises(ValueError, match=r"at least 1 \+ 3 frames, got 3"):
        HeadPolicy.of_window(3, 1, 3)
    with pytest.raises(ValueError, match="sink must be 0 to 518400 frames, got -1"):
        HeadPolicy(-1, 3)
