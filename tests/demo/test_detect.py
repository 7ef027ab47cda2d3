"""Finding things in pictures: the truth must score as truth, and mistakes as mistakes."""

from dataclasses import replace

import pytest
import torch

from headforcing.headforcing_core.demo.detect import find, ground_of, name_ground
from headforcing.headforcing_core.demo.memory import (
    delay,
    ground_change,
    obeys,
    reappearances,
    shade_changes,
)
from headforcing.headforcing_core.demo.pictures import draw
from headforcing.headforcing_core.demo.scene import (
    COLOURS,
    SHAPES,
    TEXTURES,
    TINTS,
    Cut,
    Scene,
    Thing,
    parse,
)
from headforcing.headforcing_core.demo.score import mean_score, sampled, score_scene
from headforcing.headforcing_core.demo.stories import held_out, trial
from headforcing.headforcing_core.demo.world import Clip

RED, BLUE = "a red ball moving slowly on plain navy", "a blue square moving fast on dotted olive"
SHARES = ("found", "colour", "shape", "ground", "smooth", "speed", "alone")


def show(seed, *prompts, frames=21, every=9):
    story = tuple(Cut(every * i, parse(p)) for i, p in enumerate(prompts))
    return sampled(draw(Clip(seed, story, frames)))


def test_the_truth_scores_as_truth():
    scores = [
        score_scene(sampled(draw(Clip(i, (Cut(0, held_out(i)),), 21))), held_out(i))
        for i in range(40)
    ]
    mean = mean_score(scores)
    assert min(getattr(mean, share) for share in SHARES) > 0.93, mean


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_thing_is_found_where_it_is(colour, shape):
    scene = Scene((Thing(colour, shape),), "grey", "plain", "slowly")
    clip = Clip(3, (Cut(0, scene),), 6)
    (track,) = clip.tracks
    things = find(sampled(draw(clip)))
    it = things[COLOURS.index(colour)]
    assert it.present.all() and (it.shape == SHAPES.index(shape)).all()
    torch.testing.assert_close(it.x, torch.tensor(track.x[::4]).float(), atol=0.6, rtol=0)
    torch.testing.assert_close(it.y, torch.tensor(track.y[::4]).float(), atol=0.6, rtol=0)
    shade = torch.from_numpy(clip.look.colours[COLOURS.index(colour)])
    torch.testing.assert_close(it.rgb.median(0).values, shade, atol=0.05, rtol=0)
    others = [thing.present.any() for i, thing in enumerate(things) if i != COLOURS.index(colour)]
    assert not any(others)


@pytest.mark.parametrize("tint", TINTS)
@pytest.mark.parametrize("texture", TEXTURES)
def test_every_ground_is_named(tint, texture):
    scene = Scene((Thing("red", "ball"),), tint, texture, "fast")
    for seed in range(4):
        ground = ground_of(sampled(draw(Clip(seed, (Cut(0, scene),), 21))))
        assert name_ground(ground) == (TINTS.index(tint), TEXTURES.index(texture))


@pytest.mark.parametrize(
    ("wrong", "share"),
    [
        ("a green ball moving slowly on plain navy", "colour"),
        ("a red cross moving slowly on plain navy", "shape"),
        ("a red ball moving slowly on plain brown", "ground"),
        ("a red ball moving slowly on striped navy", "ground"),
        ("a red ball moving fast on plain navy", "speed"),
        ("a red ball and a green ring moving slowly on plain navy", "found"),
    ],
)
def test_what_is_wrong_is_marked_down(wrong, share):
    """Pictures of one scene, scored as another, lose just where they differ."""
    scores = [score_scene(show(seed, RED), parse(wrong)) for seed in range(6)]
    assert getattr(mean_score(scores), share) < 0.4
    right = [score_scene(show(seed, RED), parse(RED)) for seed in range(6)]
    assert getattr(mean_score(right), share) > 0.9


def test_a_thing_nobody_named_is_marked_down():
    pictures = show(0, "a red ball and a green ring moving slowly on plain navy")
    assert score_scene(pictures, parse(RED)).alone < 0.2


def test_a_frozen_video_has_no_speed_and_a_jumping_one_is_not_smooth():
    pictures = show(0, RED)
    assert score_scene(pictures[:1].expand(21, -1, -1, -1), parse(RED)).speed == 0
    jumping = torch.cat([show(seed, RED)[:1] for seed in range(21)])
    assert score_scene(jumping, parse(RED)).smooth < 0.3


def test_grey_pictures_score_nothing():
    score = score_scene(torch.full((21, 3, 64, 64), 0.3), parse(RED))
    assert score.found == score.colour == score.shape == score.ground == 0


def test_noise_scores_nothing_and_is_no_error():
    noise = torch.rand(21, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert score_scene(noise, parse(RED)).shape == 0
    reappearances(noise, parse(RED))
    ground_change(noise, noise)


def test_drift_of_what_no_prompt_tells():
    steady = show(0, RED, frames=48)
    first, last = steady[:21], steady[-24:]
    assert ground_change(first, last) < 0.001
    assert max(shade_changes(first, last, parse(RED))) < 0.02
    warmer = (last * torch.tensor([1.2, 1.0, 1.0])[:, None, None]).clamp(0, 1)
    assert ground_change(first, warmer) > 0.005
    # the red of a red ball is what fades
    paler = last * torch.tensor([0.85, 1.0, 1.0])[:, None, None]
    assert max(shade_changes(first, paler, parse(RED))) > 0.08


def test_a_lost_thing_has_no_shade():
    gone = show(0, BLUE)
    (change,) = shade_changes(show(0, RED), gone, parse(RED))
    assert change != change  # NaN


def test_delay_counts_chunks():
    both = show(0, RED, BLUE, frames=21, every=9)
    assert delay(both[9:], parse(BLUE), 3) == 0
    assert delay(both[3:], parse(BLUE), 3) == 2
    assert delay(both[:9], parse(BLUE), 3) == float("inf")
    assert obeys(both[9:12], parse(BLUE)) and not obeys(both[9:12], parse(RED))


def test_things_that_were_hidden_are_followed():
    scene = parse("a red ball and a blue square moving fast on plain grey")
    counts = [
        reappearances(sampled(draw(Clip(seed, (Cut(0, scene),), 60))), scene) for seed in range(12)
    ]
    assert sum(count.seen for count in counts) > 10
    assert sum(count.kept for count in counts) / sum(count.seen for count in counts) > 0.9


def test_a_thing_that_comes_out_another_is_not_kept():
    scene = parse("a red ball moving fast on plain grey behind a pillar")
    seen = kept = 0
    for seed in range(12):
        pictures = sampled(draw(Clip(seed, (Cut(0, scene),), 60)))
        again = reappearances(pictures, scene)
        pixels = find(pictures)[0].pixels
        hidden = int(pixels.argmin())
        cross = replace(scene, things=(Thing("red", "cross"),))
        changed = sampled(draw(Clip(seed, (Cut(0, cross),), 60)))
        swapped = reappearances(torch.cat([pictures[:hidden], changed[hidden:]]), scene)
        seen, kept = seen + again.kept, kept + swapped.kept
    assert seen > 5 and kept < 0.7 * seen


def test_trials_are_held_out_and_have_work_for_a_memory():
    trials = [trial(number) for number in range(40)]
    assert sum(t.scene.pillar for t in trials) == 10
    for t in trials:
        assert len(t.scene.things) == 2 and len(t.elsewhere.things) == 1
        assert t.elsewhere.tint != t.scene.tint
        assert [cut.scene for cut in t.away] == [t.scene, t.elsewhere] * 2 + [t.scene]
    assert trial(3) == trial(3) and len({t.scene.text for t in trials}) > 35
