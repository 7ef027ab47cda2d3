"""Stories that return, and shades that no word tells."""

from itertools import pairwise

import numpy as np
import pytest

from headforcing.headforcing_core.demo.scores import ground_change, look_at
from headforcing.headforcing_core.demo.scores.detect import ground_of, name_ground
from headforcing.headforcing_core.demo.training import RETURNING, random_clip, returning_clip
from headforcing.headforcing_core.demo.world import (
    COLOURS,
    NARROW,
    PALETTE,
    TINTS,
    WIDE,
    Clip,
    Cut,
    Look,
    Scene,
    Thing,
    draw,
    generator,
    ground_index,
    parse,
    returning_story,
    returns_at,
)
from headforcing.headforcing_core.demo.world.pictures import ground

STORIES = [returning_story(generator(seed, 5), 7, 3) for seed in range(300)]


def test_something_comes_back_in_every_story():
    for story in STORIES:
        assert any(returns_at(story, start) for start in range(0, 21, 3))
        starts = [cut.start for cut in story]
        assert starts[0] == 0 and starts == sorted(set(starts)) and max(starts) <= 18
        assert all(start % 3 == 0 for start in starts)
        for one, other in pairwise(story):
            assert one.scene != other.scene


def test_grounds_and_things_of_all_kinds_come_back():
    tints = [len({cut.scene.tint for cut in story}) for story in STORIES]
    firsts = [{cut.scene.things[0] for cut in story} for story in STORIES]
    assert {1, 2, 3} == set(tints)
    assert {len(first) for first in firsts} >= {1, 2, 3}
    counts = [{len(cut.scene.things) for cut in story} for story in STORIES]
    assert {1, 2} in counts  # a thing that leaves
    shapes = [len({cut.scene.things[0].shape for cut in s}) for s in STORIES]
    assert 1 in shapes and max(shapes) > 1


def red(tint):
    return Scene((Thing("red", "ball"),), tint, "plain", "slowly")


def test_what_returns_is_told_from_what_is_new_and_what_stays():
    story = tuple(
        Cut(3 * at, red(tint)) for at, tint in enumerate(("navy", "olive", "navy", "brown"))
    )
    assert [returns_at(story, start) for start in (0, 3, 6, 9, 12)] == [0, 0, 1, 0, 0]
    with_ring = Scene((Thing("red", "ball"), Thing("blue", "ring")), "navy", "plain", "slowly")
    gone = (Cut(0, with_ring), Cut(6, red("navy")), Cut(12, with_ring))
    assert [returns_at(gone, start) for start in (6, 12)] == [False, True]


def test_clips_to_remember_from_are_new_and_the_same_again():
    clips = [returning_clip(RETURNING + number) for number in range(50)]
    assert all(clip.shades == WIDE for clip in clips)
    assert random_clip(3).shades == NARROW
    assert clips[7] == returning_clip(RETURNING + 7)
    kinds = [any(returns_at(c.story, s) for s in range(0, 21, 3)) for c in clips]
    assert 20 < sum(kinds) < 45


def test_a_wide_look_is_far_from_others_and_still_its_word():
    """A stranger is far off, and yet no tint is taken for another, no ground for a thing."""
    wrong = 0
    grounds = np.stack([Look.of(seed).grounds for seed in range(150)])
    assert np.abs(grounds[:75] - grounds[75:]).mean() > 0.055
    for seed in range(150):
        scene = red(TINTS[seed % 4])
        picture = ground(Clip(seed, (Cut(0, scene),), 1), scene)
        wrong += name_ground(picture) != ground_index(scene.tint, "plain")
    assert wrong <= 1
    for seed in range(60):
        for tint in TINTS:
            lit = parse(f"a red ball on checkered {tint}")
            picture = ground(Clip(seed, (Cut(0, lit),), 1), lit)
            assert not any(thing.present.any() for thing in look_at(picture[None]).things)


def test_colours_keep_their_names_in_every_look():
    for seed in range(40):
        scenes = [Scene((Thing(c, "square"),), "grey", "plain", "slowly") for c in COLOURS]
        pictures = [draw(Clip(seed, (Cut(0, scene),), 1)) for scene in scenes]
        for number, picture in enumerate(pictures):
            there = [bool(thing.present.all()) for thing in look_at(picture).things]
            assert there == [index == number for index in range(len(COLOURS))]


def test_narrow_looks_are_those_that_were_drawn_from_before():
    look, rng = Look.of(11, NARROW), generator(11, 1)
    colours = PALETTE * rng.uniform(0.8, 1.0, PALETTE.shape).astype(np.float32)
    assert np.array_equal(look.colours, colours)
    assert look.grounds.max() < 0.42


@pytest.mark.parametrize("tint", TINTS)
def test_a_ground_that_returns_is_what_it_was(tint):
    other = "navy" if tint != "navy" else "olive"
    story = (Cut(0, red(tint)), Cut(3, red(other)), Cut(9, red(tint)))
    pictures = draw(Clip(2, story, 12))
    first, last = (look_at(pictures[part]) for part in (slice(0, 8), slice(34, 45)))
    assert ground_change(first, last) < 0.002
    away = look_at(pictures[14:30])
    assert (ground_of(away) - ground_of(first)).abs().nanmean() > 0.03
