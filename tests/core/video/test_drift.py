"""Measures of drift: every fault moves its own number, and no fault moves none."""

import math

import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from headforcing.headforcing_core.video import appearance, drift, seam_ratio
from headforcing.headforcing_core.video.drift import Drift, to_lab


@pytest.fixture(scope="module")
def texture():
    """A coloured texture that moves to the right, ``[24, 3, 48, 48]``."""
    rng = torch.Generator().manual_seed(0)
    cells = 0.25 + 0.4 * torch.rand(1, 3, 12, 24, generator=rng)
    wide = interpolate(cells, scale_factor=4, mode="bilinear")[0]
    return torch.stack([wide[:, :, at : at + 48] for at in range(24)])


def changed(video, fault) -> Drift:
    return drift(appearance(video), appearance(fault(video)))


def test_no_fault_is_no_drift(texture):
    same = changed(texture, lambda x: x)
    assert same == Drift(lightness=0, contrast=1, chroma=1, sharpness=1, motion=1, flicker=0)


def test_brightness(texture):
    assert changed(texture, lambda x: x + 0.1).lightness > 5
    assert changed(texture, lambda x: x - 0.1).lightness < -5


def test_saturation(texture):
    grey = texture.mean(1, keepdim=True)
    faded = changed(texture, lambda x: grey + 0.5 * (x - grey))
    assert faded.chroma == pytest.approx(0.5, abs=0.08) and abs(faded.lightness) < 3


def test_blur(texture):
    blurred = changed(texture, lambda x: avg_pool2d(x, 5, 1, 2, count_include_pad=False))
    assert blurred.sharpness < 0.7 and blurred.chroma > 0.7


def test_contrast_alone_is_not_sharpness(texture):
    middle = texture.mean((2, 3), keepdim=True)
    harder = changed(texture, lambda x: middle + 1.5 * (x - middle))
    assert harder.contrast > 1.3 and harder.sharpness == pytest.approx(1, abs=0.15)


def test_a_frozen_video_has_no_motion(texture):
    assert changed(texture, lambda x: x[:1].expand_as(x)).motion == 0
    assert math.isnan(appearance(texture[:1]).motion)


def test_colours_are_those_of_the_standard():
    """Published CIELAB values of sRGB colours under D65."""
    colours = torch.tensor([[1.0, 1, 1], [0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    lab = to_lab(colours[:, :, None, None])[..., 0, 0]
    expected = torch.tensor(
        [
            [100, 0, 0],
            [0, 0, 0],
            [53.24, 80.09, 67.20],
            [87.73, -86.18, 83.18],
            [32.30, 79.19, -107.86],
        ]
    )
    torch.testing.assert_close(lab, expected, atol=0.1, rtol=0)


def test_flicker(texture):
    light = torch.tensor([0.0, 0.1]).repeat(12)[:, None, None, None]
    assert changed(texture, lambda x: x + light).flicker > 5
    assert abs(changed(texture, lambda x: x * 0.8).flicker) < 0.2


def test_seams(texture):
    assert seam_ratio(texture, 3) == pytest.approx(1, abs=0.05)
    steps = 0.03 * (torch.arange(24) // 3)[:, None, None, None]
    assert seam_ratio(0.5 * texture + steps, 3) > 1.3
    assert seam_ratio(0.5 * texture + steps, 4) < seam_ratio(0.5 * texture + steps, 3)
