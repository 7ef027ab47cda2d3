"""Finding things in pictures: the truth must score as truth, and mistakes as mistakes."""

import math

import pytest
import torch

from headforcing.headforcing_core.demo.scores import (
    Steady,
    average,
    delay,
    ground_change,
    held_out,
    look_at,
    mean_score,
    sampled,
    score_scene,
    score_steady,
    settled,
    shade_changes,
    trial,
)
from headforcing.headforcing_core.demo.scores.detect import colour_map, ground_of, name_ground
from headforcing.headforcing_core.demo.scores.memory import Disappearances, disappearances, obeys
from headforcing.headforcing_core.demo.training import trained_prompts
from headforcing.headforcing_core.demo.world import (
    COLOURS,
    SHAPES,
    TEXTURES,
    TINTS,
    Clip,
    Cut,
    Scene,
    Thing,
    draw,
    parse,
)
from headforcing.headforcing_core.demo.world.pictures import ground

RED, BLUE = "a red ball moving slowly on plain navy", "a blue square moving fast on dotted olive"
SHARES = ("found", "colour", "shape", "ground", "smooth", "speed", "alone")


def show(seed, *prompts, frames=21, every=9):
    story = tuple(Cut(every * i, parse(p)) for i, p in enumerate(prompts))
    return sampled(draw(Clip(seed, story, frames)))


def score(pictures, text):
    return score_scene(look_at(pictures), parse(text))


def test_the_truth_scores_as_truth():
    scores = [
        score_scene(look_at(sampled(draw(Clip(i, (Cut(0, held_out(i)),), 21)))), held_out(i))
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
    things = look_at(sampled(draw(clip))).things
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
        ground = ground_of(look_at(sampled(draw(Clip(seed, (Cut(0, scene),), 21)))))
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
    scores = [score(show(seed, RED), wrong) for seed in range(6)]
    assert getattr(mean_score(scores), share) < 0.4
    right = [score(show(seed, RED), RED) for seed in range(6)]
    assert getattr(mean_score(right), share) > 0.9


def test_a_thing_nobody_named_is_marked_down():
    pictures = show(0, "a red ball and a green ring moving slowly on plain navy")
    assert score(pictures, RED).alone < 0.2


def test_a_frozen_video_has_no_speed_and_a_jumping_one_is_not_smooth():
    pictures = show(0, RED)
    assert score(pictures[:1].expand(21, -1, -1, -1), RED).speed == 0
    jumping = torch.cat([show(seed, RED)[:1] for seed in range(21)])
    assert score(jumping, RED).smooth < 0.3


def test_grey_pictures_score_nothing():
    shares = score(torch.full((21, 3, 64, 64), 0.3), RED)
    assert shares.found == shares.colour == shares.shape == shares.ground == 0


def test_noise_scores_nothing_and_is_no_error():
    noise = torch.rand(21, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    shares = score(noise, RED)
    assert shares.found == shares.colour == shares.shape == 0
    sight = look_at(noise)
    assert disappearances(sight, parse(RED)) == Disappearances(0, 0)
    ground_change(sight, sight)


def test_a_shape_is_judged_wherever_it_can_be_seen():
    """Not only where it is largest, or where there is one."""
    ball, cross = show(0, RED), show(0, RED.replace("ball", "cross"))
    mostly = torch.cat([ball[:3], cross[3:]])
    assert score(mostly, RED).shape < 0.25
    missing = torch.cat([ball[:3], show(0, "a blue ball on navy")[3:]])
    assert score(missing, RED).shape < 0.25


def test_what_was_lost_is_not_excused():
    blank = score(torch.full((21, 3, 64, 64), 0.3), RED)
    truth = score(show(0, RED), RED)
    assert math.isnan(blank.speed) and settled(blank, truth).speed == 0
    assert math.isnan(settled(blank, blank).speed)


def test_drift_of_what_no_prompt_tells():
    steady = show(0, RED, frames=48)
    first, last = look_at(steady[:21]), steady[-24:]
    assert ground_change(first, look_at(last)) < 0.001
    assert max(shade_changes(first, look_at(last), parse(RED))) < 0.02
    warmer = (last * torch.tensor([1.2, 1.0, 1.0])[:, None, None]).clamp(0, 1)
    assert ground_change(first, look_at(warmer)) > 0.005
    # the red of a red ball is what fades
    paler = last * torch.tensor([0.85, 1.0, 1.0])[:, None, None]
    assert max(shade_changes(first, look_at(paler), parse(RED))) > 0.08


def test_a_lost_thing_has_no_shade():
    seen, gone = look_at(show(0, RED)), look_at(show(0, BLUE))
    (change,) = shade_changes(seen, gone, parse(RED))
    assert change != change  # NaN


def test_delay_counts_chunks():
    both = look_at(show(0, RED, BLUE, frames=21, every=9))
    assert delay(both[9:], parse(BLUE), 3) == 0
    assert delay(both[3:], parse(BLUE), 3) == 2
    assert delay(both[:9], parse(BLUE), 3) == float("inf")
    assert obeys(both[9:12], parse(BLUE)) and not obeys(both[9:12], parse(RED))


CROSSING = "a blue square and a red ball moving fast on plain grey"
SEEDS = range(24)


def crossing(seed, text=CROSSING, frames=60):
    return sampled(draw(Clip(seed, (Cut(0, parse(text)),), frames)))


def follow(pictures) -> Disappearances:
    """Follow the thing behind."""
    return disappearances(look_at(pictures), parse("a red ball on plain grey"))


def followed(change=lambda seed, pictures: pictures) -> Disappearances:
    """Follow it through several videos, each changed somehow."""
    each = [follow(change(seed, crossing(seed))) for seed in SEEDS]
    return Disappearances(sum(e.seen for e in each), sum(e.kept for e in each))


@pytest.fixture(scope="module")
def truth():
    return followed()


def hidden_at(pictures) -> int:
    return int(look_at(pictures).things[0].pixels.argmin())


def test_things_that_were_hidden_are_followed(truth):
    assert truth.seen > 20 and truth.kept >= 0.9 * truth.seen


def test_a_thing_that_comes_out_another_is_not_kept(truth):
    def swapped(seed, pictures):
        at = hidden_at(pictures)
        return torch.cat([pictures[:at], crossing(seed, CROSSING.replace("ball", "cross"))[at:]])

    assert followed(swapped).kept < 0.7 * truth.kept


def test_a_thing_that_comes_out_in_another_shade_is_not_kept(truth):
    def faded(seed, pictures):
        at, red = hidden_at(pictures), (colour_map(pictures) == 0)[:, None]
        paler = torch.where(red, 0.88 * pictures, pictures)
        return torch.cat([pictures[:at], paler[at:]])

    changed = followed(faded)
    assert changed.seen - changed.kept >= truth.seen - truth.kept + 8


def test_a_thing_that_never_comes_out_is_lost():
    for seed in SEEDS:
        pictures = crossing(seed, frames=90)
        sight = look_at(pictures[:40])
        at = int(sight.things[0].pixels.argmin())
        if at > 5 and follow(pictures[:40]).seen:
            frozen = torch.cat([pictures[:at], pictures[at : at + 1].expand(50, -1, -1, -1)])
            whole, lost = follow(pictures), follow(frozen)
            assert whole.kept > lost.kept and lost.seen >= 1 and lost.kept < lost.seen
            return
    raise AssertionError("no thing was ever hidden")


def test_what_vanishes_in_the_open_was_not_hidden():
    flickering = show(0, RED, frames=30)
    flickering[3::4] = ground(Clip(0, (), 1), parse(RED))
    gone = disappearances(look_at(flickering), parse(RED))
    assert gone.seen >= 5 and gone.kept == 0


def test_the_truth_of_a_trial_scores_as_truth():
    for number in (0, 3):
        this = trial(number)
        steady = score_steady(look_at(sampled(draw(this.truth(this.steady, 120)))), this)
        assert steady.ground_drift < 0.002 and steady.shade_drift < 0.03
        assert steady.colour > 0.9 and steady.seams < 1.3


def test_seeds_are_averaged_and_what_was_hidden_weighs():
    def steady(hidden, kept, colour):
        rest = {name: 0.0 for name in Steady.__dataclass_fields__}
        return Steady(**{**rest, "hidden": hidden, "kept": kept, "colour": colour})

    one = [steady(10, 9, 1.0), steady(0, 0, 0.0)]
    other = [steady(1, 0, 1.0), steady(1, 1, 1.0)]
    result = average([one, other])
    assert result["colour"].mean == 0.75
    assert result["colour"].seeds == pytest.approx(0.3536, abs=1e-3)
    assert result["kept"].mean == pytest.approx((0.9 + 0.5) / 2)
    assert math.isnan(average([[steady(0, 0, 1.0)]])["kept"].mean)


def test_trials_say_what_was_never_trained_on():
    trials = [trial(number) for number in range(40)]
    assert not {t.scene.text for t in trials} & trained_prompts()
    assert len(trained_prompts()) > 10_000
