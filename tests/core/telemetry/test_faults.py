"""Every planted fault moves its own measure out of its band and no other; no fault moves none."""

from functools import cache
from itertools import pairwise

import pytest
from faulty_videos import FAULTS, FPS, nature, starts, world

from headforcing.headforcing_core.telemetry import BANDS, Telemetry

COUNT = 117
VIDEOS = {
    "nature": lambda: nature(0, COUNT),
    "the world": lambda: world(3, COUNT),
}
# what a small picture cannot show: a blur of two pixels takes the things out of it, and what is
# nearly black has little to amplify
TOO_MUCH = {("blur", "the world"), ("amplified", "the world"), ("contrast about grey", "the world")}


@cache
def video(name):
    return VIDEOS[name]()


def measured(pictures, cuts=()):
    telemetry, marks = Telemetry(FPS), [*starts(len(pictures)), len(pictures)]
    return [telemetry.add(pictures[a:b], cut=a in cuts) for a, b in pairwise(marks)]


def out(chunks):
    return {name for chunk in chunks for name in chunk.out}


@pytest.mark.parametrize("name", VIDEOS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_moves_its_own_measure_alone(fault, name):
    if (fault, name) in TOO_MUCH:
        pytest.skip("not to be told in a picture of 64 x 64")
    planted = FAULTS[fault]
    assert out(measured(planted.plant(video(name)))) == {planted.measure}


def test_every_measure_but_motion_has_a_fault():
    assert {fault.measure for fault in FAULTS.values()} == set(BANDS) - {"motion"}


CLEAN = {
    **{f"pan {seed}": (nature, seed, {}) for seed in (20, 21)},
    **{f"slow pan {seed}": (nature, seed, {"pan": 0.1, "things": 1}) for seed in (22, 23)},
    "fast pan": (nature, 24, {"pan": 2.0, "pace": 2.0}),
    **{f"still {n}": (nature, n, {"pan": 0, "pace": 0.1, "things": 1}) for n in (25, 26)},
    "rough": (nature, 27, {"rough": 0.7}),
    "smooth": (nature, 28, {"rough": 1.4}),
    **{f"world {seed}": (world, seed, {}) for seed in range(20, 32)},
}


@pytest.mark.parametrize("name", CLEAN)
def test_no_fault_moves_nothing(name):
    make, seed, options = CLEAN[name]
    assert out(measured(make(seed, COUNT, **options))) == set()


@pytest.mark.parametrize("seed", range(4))
def test_a_cut_that_is_told_is_no_fault(seed):
    """The prompt changes at latent frame 15, which is where a chunk begins."""
    (cut,) = [at for at in starts(COUNT) if at == 57]
    chunks = measured(world(seed, COUNT, cuts=(15,)), cuts=(cut,))
    assert out(chunks) == set() and [c.first for c in chunks if c.cut] == [0, cut]


def test_what_slows_down_is_told_as_motion():
    way = [*range(60), *(60 + at / 8 for at in range(8 * 7))]
    wide = nature(5, 140, pan=1.0, things=0)
    slowed = wide[[round(at) for at in way]]
    blend = slowed.clone()
    for number, at in enumerate(way):
        part = at - int(at)
        blend[number] = (1 - part) * wide[int(at)] + part * wide[int(at) + 1]
    assert "motion" in out(measured(blend)) <= {"motion", "freeze"}
