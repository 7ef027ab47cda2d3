import pytest

from headforcing.headforcing_core import LatentGrid, ModelGeometry, VideoFormat
from headforcing.headforcing_core.models import FAMILIES, WAN_VIDEO


@pytest.mark.parametrize(
    ("seconds", "frames"), [(1e-9, 1), (0.1, 1), (0.25, 1), (5, 20), (30, 120), (60, 240)]
)
def test_seconds_count_four_pictures_a_frame(seconds, frames):
    assert WAN_VIDEO.latent_frames(seconds) == frames


def test_the_first_frame_is_one_picture():
    assert WAN_VIDEO.pixel_frames(21) == 81
    assert WAN_VIDEO.seconds(21) == 81 / 16


@pytest.mark.parametrize("video", {family.video for family in FAMILIES}, ids=lambda v: v.fps)
def test_a_moment_that_is_said_is_when_a_frame_has_ended(video):
    """However it is rounded: as a number is shown, or to the hundredth as widgets round it."""
    for frame in range(1, 2000):
        moment = video.moment(frame)
        for said in (moment, float(f"{moment:g}"), round(moment, 2)):
            assert video.frames_until(said) == frame
        assert video.frames_until(moment - 0.01) == frame - 1


def test_sizes():
    assert WAN_VIDEO.latent_size(832, 480) == (60, 104)
    assert LatentGrid(60, 104, 2, 2).tokens_per_frame == 1560
    assert LatentGrid(7, 5, 2, 2).tokens_per_frame == 4 * 3  # padded to whole patches


@pytest.mark.parametrize(("width", "height"), [(830, 480), (832, 0), (-8, 8)])
def test_impossible_pictures_name_the_nearest(width, height):
    with pytest.raises(ValueError, match=r"multiple of 8 pixels, got .*; the nearest is"):
        WAN_VIDEO.latent_size(width, height)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 1e308, 86_401])
def test_impossible_lengths(seconds):
    with pytest.raises(ValueError, match="seconds must be more than 0"):
        VideoFormat(4, 8, 16).latent_frames(seconds)


def test_impossible_models():
    with pytest.raises(ValueError, match="head_dim must be even"):
        ModelGeometry(1, 1, 7)
    with pytest.raises(ValueError, match="at least 1"):
        ModelGeometry(0, 1, 8)
    with pytest.raises(ValueError, match="positive sides"):
        LatentGrid(0, 1, 1, 1)
