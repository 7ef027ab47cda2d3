"""The state of one video: told once, taken up where it was, of bounded size."""

import json
from itertools import pairwise

import pytest
import torch
from faulty_videos import FPS, flickering, nature, saturated, starts, world

from headforcing.headforcing_core.telemetry import BANDS, Measures, Telemetry, left
from headforcing.headforcing_core.telemetry.recurrence import Past

COUNT = 117


@pytest.fixture(scope="module")
def chunks():
    """A video whose colours grow and which goes back, chunk by chunk."""
    video = saturated(nature(1, COUNT), 2.2)
    marks = [*starts(COUNT), COUNT]
    return [video[a:b] for a, b in pairwise(marks)]


@pytest.fixture(scope="module")
def whole(chunks):
    telemetry = Telemetry(FPS)
    return [telemetry.add(chunk, cut=at == 5) for at, chunk in enumerate(chunks)]


@pytest.mark.parametrize("after", [1, 4, 5, 6, 8])
def test_a_run_that_was_interrupted_goes_on(chunks, whole, after):
    written = json.loads(json.dumps([measures.to_json() for measures in whole[:after]]))
    telemetry = Telemetry(FPS, [Measures.from_json(each) for each in written])
    telemetry.again(chunks[after - 1])
    rest = [telemetry.add(chunk, cut=at == 5) for at, chunk in enumerate(chunks) if at >= after]
    assert rest == whole[after:]


def test_measures_are_read_as_they_were_written(whole):
    for measures in whole:
        assert Measures.from_json(json.loads(json.dumps(measures.to_json()))) == measures


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"first": -1}, "first must be a whole number"),
        ({"cut": 1}, "cut must be true or false"),
        ({"values": []}, "values must be a JSON object"),
        ({"step": "x"}, "step must be a number"),
        ({"thumbs": [[1.5]]}, "thumbs must be a whole number"),
        ({"out": [3]}, "out must be a text"),
    ],
)
def test_what_is_no_measures_is_refused(whole, change, said):
    with pytest.raises(ValueError, match=said):
        Measures.from_json({**whole[0].to_json(), **change})


def test_a_measure_is_told_once_and_when_it_is_back():
    calm = nature(2, COUNT)
    video = torch.cat([calm[:57], flickering(calm, 0.05)[57:81], calm[81:]])
    telemetry, told = Telemetry(FPS), []
    for a, b in pairwise([*starts(COUNT), COUNT]):
        told += left(telemetry.add(video[a:b]))
    assert len(told) == 2 and told[1] == "flicker is back in its band"
    assert told[0].startswith("flicker +") and told[0].endswith("(band up to +0.7)")


def test_a_ratio_is_told_against_the_first_seconds():
    video = saturated(nature(2, COUNT), 2.2)
    telemetry = Telemetry(FPS)
    measured = [telemetry.add(video[a:b]) for a, b in pairwise([*starts(COUNT), COUNT])]
    (said,) = [sentence for each in measured for sentence in left(each)]
    low, high = BANDS["chroma"].low, BANDS["chroma"].high
    assert said.startswith("chroma 1.") and said.endswith(
        f" x the first seconds (band {low:g} to {high:g})"
    )


def test_the_state_does_not_grow():
    """Ten minutes of thumbnails are kept, whatever comes."""
    past = Past(FPS)
    for number in range(60):
        past.add([(number,) * 144] * 100)
    assert len(past._kept) == 600 * 8 and past._kept[0, 0] == 12 / 40


def test_nothing_is_compared_before_the_first_seconds_are_over(whole):
    early = [m for m in whole[:4] if m.first + m.count <= 3 * FPS]
    assert early and all(m.against["chroma"] is None for m in early)
    later = Telemetry(FPS, whole[:5]).add(torch.rand(12, 3, 24, 24))
    assert later.against["chroma"] is not None


def test_a_cut_has_first_seconds_of_its_own(whole):
    after = whole[5]
    assert after.cut and after.values["seam"] is None and after.against["chroma"] is None
    assert "chroma" not in after.out


@pytest.mark.parametrize("size", [(3, 3), (1, 200), (64, 64), (480, 832)])
def test_pictures_of_any_size_are_measured(size):
    telemetry = Telemetry(16.0)
    for count in (1, 4, 1, 2):
        measured = telemetry.add(torch.rand(count, 3, *size))
        json.dumps(measured.to_json(), allow_nan=False)
        assert measured.count == count


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_pictures_of_one_colour_are_measured(value):
    telemetry = Telemetry(FPS)
    for _ in range(6):
        measured = telemetry.add(torch.full((12, 3, 16, 24), value))
        json.dumps(measured.to_json(), allow_nan=False)
    assert measured.out == ()


def test_what_is_no_pictures_is_refused():
    for shape in ((3, 8, 8), (0, 3, 8, 8), (1, 4, 8, 8)):
        with pytest.raises(ValueError, match=r"pictures must be \[N, 3, Y, X\]"):
            Telemetry(16).add(torch.zeros(shape))
    for fps in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="fps must be a positive number"):
            Telemetry(fps)


def test_pictures_are_not_changed():
    pictures = world(0, 9)
    before = pictures.clone()
    Telemetry(FPS).add(pictures)
    assert torch.equal(pictures, before)


def test_a_leap_to_a_new_prompt_is_no_seam():
    """It was asked for; what it changes is compared with the first seconds all the same."""
    still, other = torch.rand(2, 1, 3, 24, 24)
    seams = []
    for changed in (False, True):
        telemetry = Telemetry(FPS)
        for _ in range(6):
            telemetry.add(still.expand(12, -1, -1, -1))
        measured = telemetry.add(other.expand(12, -1, -1, -1), changed=changed)
        seams.append("seam" in measured.out)
        assert not measured.cut and measured.against["chroma"] is not None
    assert seams == [True, False]
