"""What a model is told where a shot begins."""

import pytest

from headforcing.headforcing_core import ChunkClock, PromptSchedule
from headforcing.headforcing_core.models import family_named
from headforcing.headforcing_core.video import TimedPrompt, schedule_of, shot_texts, with_cuts

FAMILY = family_named("longlive2")
WORDS = FAMILY.shot_words
CLOCK = ChunkClock(40, 8)


def told(*prompts):
    """Return (first frame, text, whether a shot begins) of all that a video is told."""
    bare = with_cuts(prompts, WORDS)
    texts, shots = [prompt.text for prompt in bare], shot_texts(bare, WORDS)
    schedule = schedule_of(bare, texts, CLOCK, FAMILY.video).with_shots(list(CLOCK), shots)
    starts = zip(schedule.starts, schedule.texts, strict=True)
    return [(start, text, start in schedule.cuts) for start, text in starts]


def test_the_words_are_said_once_and_a_shot_begins():
    a, b = TimedPrompt("a", 0.0), TimedPrompt("b", 2.7, cut=True)
    assert told(a, b) == [(0, "a", False), (16, WORDS + "b", True), (24, "b", False)]


def test_a_prompt_that_begins_with_the_words_is_a_cut():
    a, b = TimedPrompt("a", 0.0), TimedPrompt("The scene transitions.  b", 2.7)
    assert told(a, b) == [(0, "a", False), (16, WORDS + "b", True), (24, "b", False)]
    # but the first, which has nothing before it
    assert told(TimedPrompt(WORDS + "a", 0.0)) == [(0, "a", False)]


def test_shots_of_a_chunk_and_at_the_end():
    prompts = [TimedPrompt(text, 4 / 3 * n, cut=n > 0) for n, text in enumerate("abc")]
    assert told(*prompts, TimedPrompt("d", 5.4, cut=True)) == [
        (0, "a", False),
        (8, WORDS + "b", True),
        (16, WORDS + "c", True),
        (24, "c", False),
        (32, WORDS + "d", True),
    ]


def test_a_new_prompt_without_a_cut_is_no_shot():
    a, b = TimedPrompt("a", 0.0), TimedPrompt("b", 2.7)
    assert told(a, b) == [(0, "a", False), (16, "b", False)]


@pytest.mark.parametrize("name", ["self_forcing", "krea_14b"])
def test_other_models_were_trained_with_no_words(name):
    prompts = (TimedPrompt("a", 0.0), TimedPrompt(WORDS + "b", 2.7, cut=True))
    words = family_named(name).shot_words
    assert with_cuts(prompts, words) == prompts and shot_texts(prompts, words) == {}
    schedule = PromptSchedule((0, 3), ("a", "b"), frozenset({3}))
    assert schedule.with_shots(list(ChunkClock(9, 3)), {}) == schedule
