"""What prompts can say, and which thing of one scene is which of the next."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headforcing.headforcing_core.demo.networks import tokenise
from headforcing.headforcing_core.demo.networks.text_encoder import TOKENS
from headforcing.headforcing_core.demo.world import (
    Cut,
    Scene,
    Thing,
    generator,
    parse,
    random_scene,
    random_story,
    scene_at,
)
from headforcing.headforcing_core.demo.world.scene import changed
from headforcing.headforcing_core.demo.world.world import cast_of

RED, BLUE, GREEN = Thing("red", "ball"), Thing("blue", "square"), Thing("green", "ball")
seeds = st.integers(0, 2**40)


@given(seeds)
def test_a_prompt_says_all_of_a_scene(seed):
    scene = random_scene(generator(seed))
    assert parse(scene.text) == scene
    assert len(tokenise(scene.text)) == TOKENS


@given(seeds)
def test_a_change_changes_one_part(seed):
    rng = generator(seed)
    scene = random_scene(rng)
    other = changed(scene, rng)
    parts = ("things", "tint", "texture", "speed")
    assert sum(getattr(scene, part) != getattr(other, part) for part in parts) == 1


def test_users_words():
    said = parse("A blue square and the red ball, moving fast, on a dotted olive ground")
    assert said == Scene((BLUE, RED), "olive", "dotted", "fast")
    assert parse("a red ball on navy") == Scene((RED,), "navy", "plain", "slowly")


@pytest.mark.parametrize(
    ("prompt", "rule"),
    [
        ("a red dog on navy", "words it was trained on"),
        ("red things on navy", "words it was trained on"),
        ("a ball on navy", "name things as"),
        ("red ball", "one of grey, navy"),
        ("a red ball on navy and olive", "one of grey, navy"),
        ("a red ball and a red ring on navy", "different colours"),
        ("a red ball, a green ball and a blue ball on navy", "1 to 2 things"),
        ("", "name things as"),
        ("a red ball and blue on navy", "name things as"),
        ("a red ball behind a blue square on navy", "words it was trained on"),
        ("2 red ball on navy", "no numbers"),
    ],
)
def test_what_the_model_cannot_show_is_refused(prompt, rule):
    with pytest.raises(ValueError, match=rule):
        parse(prompt)


def test_words_the_text_encoder_does_not_know_are_refused():
    with pytest.raises(ValueError, match="'dog'"):
        tokenise("a red dog")
    with pytest.raises(ValueError, match="got 21 in"):
        tokenise("a " * (TOKENS + 1))
    for nothing in ("", "  ", "!"):
        with pytest.raises(ValueError, match=r"must have 1 to 20 words out of .*; got 0 in"):
            tokenise(nothing)
    for strange in ("\u4e00\u53ea\u732b", "2 balls"):
        with pytest.raises(ValueError, match=r"must have 1 to 20 words out of .*; got '"):
            tokenise(strange)


@given(seeds)
def test_each_scene_of_a_story_differs_from_the_one_before(seed):
    scenes = [cut.scene for cut in random_story(generator(seed), [3, 6, 9])]
    assert all(a != b for a, b in pairwise(scenes))


@given(seeds)
def test_a_story_holds_its_scenes(seed):
    story = random_story(generator(seed), [3, 9])
    assert [cut.start for cut in story] == [0, 3, 9]
    assert [scene_at(story, f) for f in (0, 2, 3, 8, 9, 20)] == [
        story[i].scene for i in (0, 0, 1, 1, 2, 2)
    ]


def test_a_thing_that_comes_back_is_the_same():
    assert cast_of([(RED, BLUE), (BLUE,), (RED, BLUE)]) == [[RED, None, RED], [BLUE] * 3]


def test_a_thing_that_changes_takes_over():
    assert cast_of([(RED, BLUE), (GREEN, BLUE)]) == [[RED, GREEN], [BLUE, BLUE]]
    # something else altogether is another thing
    ring = Thing("yellow", "ring")
    assert cast_of([(RED,), (ring,)]) == [[RED, None], [None, ring]]


def test_cuts_are_values():
    assert Cut(0, parse("a red ball on navy")) == Cut(0, parse("a red ball on plain navy"))
