"""What comes back: the truth must be recall, another look a stranger, the middle a guess."""

import math
from dataclasses import replace

import pytest
import torch

from headforcing.headforcing_core.demo.scores import (
    VISITS,
    Recollection,
    average_away,
    look_at,
    recalled_by_absence,
    sampled,
    score_away,
    trial,
)
from headforcing.headforcing_core.demo.scores.visits import (
    FIRST_RETURN,
    GROUNDS_BACK,
    THINGS_BACK,
    right_frames,
)
from headforcing.headforcing_core.demo.world import draw

TRIALS = [trial(number) for number in range(4)]


def seen(trial, frames=240, number=None):
    clip = replace(trial, number=trial.number if number is None else number)
    return sampled(draw(clip.truth(clip.away, frames)))


@pytest.fixture(scope="module")
def truth():
    return [score_away(look_at(seen(this)), this) for this in TRIALS]


def test_the_truth_recalls(truth):
    assert all(away.obeyed == 1 and away.delay == 0 for away in truth)
    means = {name: score.mean for name, score in average_away([truth]).items()}
    assert means["ground_error"] < 0.002 and means["ground_slope"] == pytest.approx(1, abs=0.05)
    assert means["thing_error"] < 0.01 and means["thing_slope"] == pytest.approx(1, abs=0.1)
    assert means["ground_stranger"] > 0.03 and means["thing_stranger"] > 0.02
    assert means["ground_late"] < 0.002 and means["thing_lost"] == 0


def test_one_who_forgets_scores_as_a_stranger():
    """The same stories, in another clip's shades from the first return on."""
    forgot = []
    for this in TRIALS:
        pictures, other = seen(this), seen(this, number=this.number + 77)
        mixed = torch.cat([pictures[:72], other[72:]])
        forgot.append(score_away(look_at(mixed), this))
    first = recalled_by_absence([forgot])
    lost = first["ground from frame 72, away for 42"]
    assert lost["error"] > 0.5 * lost["stranger"] > 0.01 and lost["slope"] < 0.7
    # what is seen after that is remembered: both visits are the other clip's
    kept = first["ground from frame 120, away for 36"]
    assert kept["error"] < 0.003 and kept["slope"] == pytest.approx(1, abs=0.05)


def test_a_thing_that_stays_away_is_lost(truth):
    this = TRIALS[0]
    pictures = seen(this)
    gone = torch.cat([pictures[:84], pictures[72:84], pictures[96:]])
    away = score_away(look_at(gone), this)
    first = next(shade for (what, back), shade in away.shades.items() if what == "thing")
    assert first.back.isnan().all() and away.obeyed < 1
    means = average_away([[away, *truth[1:]]])
    assert means["thing_lost"].mean == pytest.approx(1 / 8)  # of two returns of four things


def test_short_videos_are_scored_as_far_as_they_go(truth):
    short = score_away(look_at(seen(TRIALS[0], 120)), TRIALS[0])
    assert {back.away for what, back in short.shades if what == "ground"} == {42, 66, 24}
    for key, shade in short.shades.items():
        whole = truth[0].shades[key]
        torch.testing.assert_close(shade.there, whole.there)
        torch.testing.assert_close(shade.middle, whole.middle)
    assert FIRST_RETURN == 78
    assert not score_away(look_at(seen(TRIALS[0], 72)), TRIALS[0]).shades


def ground_at(frame):
    return max(visit for visit in VISITS if visit.start <= frame).ground


@pytest.mark.parametrize("count", [0, 1, 4, 10, 16, 99])
def test_right_frames_are_of_every_ground_before_it_goes(count):
    frames = right_frames(count)
    shown = [ground_at(frame) for frame in frames]
    each = [shown.count(ground) for ground in range(4)]
    assert frames == tuple(sorted(set(frames))) and all(0 <= f < 72 for f in frames)
    if count <= 16:  # the shortest visits have four
        assert len(frames) == count and max(each) - min(each) <= 1
    # none is of the chunk in which a ground has just changed
    starts = [visit.start for visit in VISITS if visit.start]
    assert all(frame - start >= 1 for frame in frames for start in starts if frame >= start)


def test_visits_leave_a_memory_work():
    for back in GROUNDS_BACK:
        between = {VISITS[n].ground for n in range(back.seen + 1, back.visit)}
        assert between and VISITS[back.visit].ground not in between
        assert 24 <= back.away <= 200
    assert max(back.away for back in GROUNDS_BACK) > 180
    assert {back.away for back in THINGS_BACK} == {66, 84}
    for this in TRIALS:
        assert len(set(this.tints)) == 4 and this.tints[0] == this.scene.tint
        assert len(this.scene.things) == 2 and len(this.rest) == 1


def recollection(there, back, middle=0.5):
    there, back = torch.tensor(there), torch.tensor(back)
    return Recollection(there, back, torch.full_like(there, middle))


def test_recollections_are_what_they_say():
    there = [[0.6, 0.5, 0.5], [0.4, 0.5, 0.5], [0.5, 0.7, 0.5]]
    exact = recollection(there, there)
    assert (exact.error, exact.lost) == (0, 0) and exact.slope == pytest.approx(1)
    # 1/3 of each channel's difference, over all pairs of two: .2, .3 (.1 + .2), .3
    assert exact.stranger == pytest.approx((0.2 + 0.3 + 0.3) / 3 / 3)
    assert exact.guess == pytest.approx((0.1 + 0.1 + 0.2) / 3 / 3)
    middle = recollection(there, [[0.5] * 3] * 3)
    assert middle.slope == pytest.approx(0) and middle.error == pytest.approx(exact.guess)
    half = recollection(there, [[0.55, 0.5, 0.5], [0.45, 0.5, 0.5], [0.5, 0.6, 0.5]])
    assert half.slope == pytest.approx(0.5)


def test_what_is_lost_counts_as_a_stranger():
    there = [[0.6, 0.5, 0.5], [0.4, 0.5, 0.5]]
    one = recollection(there, [[0.6, 0.5, 0.5], [math.nan] * 3])
    assert one.lost == 0.5 and one.error == pytest.approx(one.stranger / 2)
    assert one.slope == pytest.approx(1)
    none = recollection(there, [[math.nan] * 3] * 2)
    assert none.lost == 1 and math.isnan(none.error) and math.isnan(none.slope)
    assert math.isnan(Recollection.of([]).error)
