"""Prompts that come in over some chunks."""

from hypothesis import given
from hypothesis import strategies as st

from headforcing.headforcing_core import ChunkClock, PromptSchedule

CHUNKS = list(ChunkClock(30, 3))


def lerp(old, new, weight):
    return old + weight * (new - old)


def said(schedule, over=4, chunks=CHUNKS):
    """What every chunk is told."""
    blended = schedule.blended(chunks, over, lerp)
    return [blended.at(chunk.start) for chunk in chunks]


def test_weights_go_from_none_to_all_in_even_steps():
    found = said(PromptSchedule((0, 6), (0.0, 3.0)))
    assert found == [0, 0, 0, 1, 2, 3, 3, 3, 3, 3]


def test_over_two_chunks_it_comes_at_once_a_chunk_late():
    assert said(PromptSchedule((0, 6), (0.0, 3.0)), 2) == [0, 0, 0, 3, 3, 3, 3, 3, 3, 3]


def test_a_change_during_a_change_begins_with_what_was_said():
    # 1 was said when 13 came, so it comes in by 4 a chunk
    found = said(PromptSchedule((0, 6, 12), (0.0, 3.0, 13.0)))
    assert found == [0, 0, 0, 1, 1, 5, 9, 13, 13, 13]


def test_a_cut_comes_at_once():
    schedule = PromptSchedule((0, 6, 9), (0.0, 3.0, 8.0), frozenset({9}))
    assert said(schedule) == [0, 0, 0, 8, 8, 8, 8, 8, 8, 8]
    blended = schedule.blended(CHUNKS, 4, lerp)
    assert blended.cuts == {9} and blended.cuts_at(9) and not blended.cuts_at(6)


def test_a_cut_to_the_same_words_is_a_cut():
    schedule = PromptSchedule((0, 6), (0.0, 0.0), frozenset({6})).blended(CHUNKS, 4, lerp)
    assert schedule.cuts == {6} and schedule.starts == (0, 6)


def test_nothing_changes_where_nothing_does():
    assert PromptSchedule.constant(1.0).blended(CHUNKS, 4, lerp) == PromptSchedule.constant(1.0)


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 99), st.booleans()), max_size=5),
    st.integers(2, 6),
)
def test_as_a_list_of_what_is_still_to_come(changes, over):
    """Krea's own bookkeeping: a queue of texts, filled when a prompt is asked for."""
    changes = {chunk: (float(text), cut) for chunk, text, cut in changes}
    starts = (0, *sorted(3 * chunk for chunk in changes))
    texts = (0.0, *(changes[start // 3][0] for start in starts[1:]))
    cuts = frozenset(3 * chunk for chunk, (_, cut) in changes.items() if cut)
    now, queue, expected = 0.0, [], []
    for chunk in CHUNKS:
        if chunk.index in changes:
            text, cut = changes[chunk.index]
            queue = [lerp(now, text, i / (over - 1)) for i in range(over)] if not cut else [text]
        now = queue.pop(0) if queue else now
        expected.append(now)
    found = said(PromptSchedule(starts, texts, cuts), over)
    assert all(abs(a - b) < 1e-9 for a, b in zip(found, expected, strict=True))
