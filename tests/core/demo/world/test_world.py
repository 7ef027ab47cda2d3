"""The world and its pictures: the truth that everything else is scored against."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from headforcing.headforcing_core.demo.world import (
    COLOURS,
    PACE,
    SHAPES,
    SIDE,
    VIDEO,
    Clip,
    Cut,
    Look,
    Scene,
    Thing,
    draw,
    generator,
    outline,
    parse,
    pixel_centres,
    random_story,
)
from headforcing.headforcing_core.demo.world.world import ROOM

seeds = st.integers(0, 2**40)
STILL = "a red ball moving slowly on plain navy"


def clip(seed=0, *prompts, frames=9, every=3):
    prompts = prompts or (STILL,)
    return Clip(seed, tuple(Cut(every * i, parse(p)) for i, p in enumerate(prompts)), frames)


def test_pictures_of_latent_frames():
    assert [VIDEO.pixel_frames(f) for f in (1, 2, 21)] == [1, 5, 81]
    assert [VIDEO.first_picture(f) for f in (0, 1, 2, 3)] == [0, 1, 5, 9]


@settings(max_examples=20)
@given(seeds)
def test_the_same_seed_is_the_same_clip(seed):
    story = random_story(generator(seed), [3])
    first, second = Clip(seed, story, 6), Clip(seed, story, 6)
    torch.testing.assert_close(draw(first), draw(second), rtol=0, atol=0)
    for a, b in zip(first.tracks, second.tracks, strict=True):
        assert a.things == b.things and np.array_equal(a.x, b.x) and a.radius == b.radius


@settings(max_examples=20)
@given(seeds)
def test_a_longer_clip_begins_with_the_same_pictures(seed):
    story = random_story(generator(seed), [])
    short, long = draw(Clip(seed, story, 3)), draw(Clip(seed, story, 6))
    torch.testing.assert_close(long[: len(short)], short, rtol=0, atol=0)


@settings(max_examples=50)
@given(seeds)
def test_things_stay_in_the_picture_and_keep_their_pace(seed):
    fast = "a red ball and a blue ring moving fast on plain navy"
    for track in clip(seed, fast, frames=60).tracks:
        for axis in (track.x, track.y):
            assert axis.min() >= track.radius and axis.max() <= SIDE - track.radius
        steps = np.hypot(np.diff(track.x), np.diff(track.y))
        # a bounce within a step makes it shorter, nothing makes it longer
        assert steps.max() <= PACE["fast"] + 1e-9
        assert np.median(steps) == pytest.approx(PACE["fast"])


@settings(max_examples=50)
@given(seeds)
def test_what_appears_appears_in_the_open(seed):
    """Of two things that are named at first, the first begins on the left."""
    rng = generator(seed)
    one = Clip(seed, random_story(rng, [3, 9]), 12)
    tracks = one.tracks
    shown = np.array([[thing is not None for thing in track.things] for track in tracks])
    for number, (track, there) in enumerate(zip(tracks, shown, strict=True)):
        first = int(there.argmax())
        for other in (
            o for o, o_there in zip(tracks[:number], shown, strict=False) if o_there[first]
        ):
            apart = np.hypot(track.x[first] - other.x[first], track.y[first] - other.y[first])
            assert apart >= ROOM
    if len(one.story[0].scene.things) == 2:
        assert tracks[0].x[0] <= SIDE / 2 <= tracks[1].x[0]


def test_a_prompt_changes_what_it_says_and_nothing_else():
    one = clip(1, STILL, "a green ball moving slowly on plain navy")
    (track,) = one.tracks
    change = VIDEO.first_picture(3)
    assert {t.colour for t in track.things[:change]} == {"red"}
    assert {t.colour for t in track.things[change:]} == {"green"}
    steps = np.hypot(np.diff(track.x), np.diff(track.y))
    assert steps.max() < 1  # it did not jump


def test_speed_changes_on_command():
    (track,) = clip(1, STILL, STILL.replace("slowly", "fast"), frames=6).tracks
    steps = np.hypot(np.diff(track.x), np.diff(track.y))
    assert np.median(steps[9:]) / np.median(steps[:8]) == pytest.approx(
        PACE["fast"] / PACE["slowly"], rel=0.02
    )


def test_what_was_away_comes_back_with_its_shade():
    away = "a blue ring moving slowly on plain brown"
    both = "a red ball and a blue ring moving slowly on plain navy"
    video = draw(clip(5, both, away, both))
    before, gone, back = video[8], video[12], video[24]
    corner = (slice(None), 0, 0)
    assert torch.equal(before[corner], back[corner])
    assert not torch.equal(before[corner], gone[corner])
    red = torch.from_numpy(Look.of(5).colours[COLOURS.index("red")])
    for picture, there in ((before, True), (gone, False), (back, True)):
        near = (picture - red[:, None, None]).abs().amax(0) < 0.02
        assert bool(near.sum() > 100) == there


def test_the_first_thing_is_in_front():
    scene = Scene((Thing("red", "square"), Thing("blue", "square")), "navy", "plain", "slowly")
    for seed in range(200):
        one = Clip(seed, (Cut(0, scene),), 30)
        a, b = one.tracks
        meet = np.flatnonzero(np.hypot(a.x - b.x, a.y - b.y) < 3)
        if len(meet):
            at = int(meet[0])
            picture = draw(one)[at][:, int(a.y[at]), int(a.x[at])]
            red = torch.from_numpy(one.look.colours[COLOURS.index("red")])
            torch.testing.assert_close(picture, red, atol=1e-3, rtol=0)
            return
    raise AssertionError("no two things ever met")


def test_shapes_differ():
    y, x = pixel_centres()
    inside = [outline(shape, x - 32, y - 32, 12.0) < 0 for shape in SHAPES]
    for i, a in enumerate(inside):
        for b in inside[:i]:
            assert (a & b).sum() / (a | b).sum() < 0.9


def test_shades_are_the_clips_own():
    shades = np.stack([Look.of(seed).colours for seed in range(50)])
    assert shades.std(0).max() > 0.04
    assert len({shade.tobytes() for shade in shades}) == 50
