"""Latents alone: what moves their measures, and what they do not claim."""

import json

import pytest
import torch

from headforcing.headforcing_core.telemetry import LATENT_BANDS, LatentTelemetry, Measures, left

FRAMES = 60


@pytest.fixture(scope="module")
def latents():
    """A pattern that moves, ``[1, 4, F, 12, 16]``."""
    rng = torch.Generator().manual_seed(0)
    wide = torch.randn(4, 12, 16 + FRAMES, generator=rng)
    wide = torch.nn.functional.avg_pool2d(wide, 3, 1, 1)
    return torch.stack([wide[:, :, at : at + 16] for at in range(FRAMES)], 1)[None]


def measured(latents, past=()):
    telemetry = LatentTelemetry(4.0, past)
    return [telemetry.add(chunk) for chunk in latents.split(3, 2)]


def out(latents):
    return {name for chunk in measured(latents) for name in chunk.out}


def grown(latents):
    at = (torch.arange(FRAMES) - 16).clamp_min(0) / (FRAMES - 17)
    return at[None, None, :, None, None]


@pytest.mark.parametrize(
    ("fault", "measure"),
    [
        (lambda x: x, None),
        (lambda x: x + 0.5 * grown(x), "mean"),
        (lambda x: x * (1 + grown(x)), "deviation"),
        (lambda x: torch.cat([x[:, :, :33], x[:, :, 33:34].repeat(1, 1, 27, 1, 1)], 2), "freeze"),
        (lambda x: torch.cat([x[:, :, :33], 3 - x[:, :, 33:]], 2), "seam"),
    ],
)
def test_a_fault_is_told(latents, fault, measure):
    found = out(fault(latents))
    assert (measure in found) if measure else found == set()
    assert measure == "seam" or found <= {measure}


def test_a_run_goes_on(latents):
    whole = measured(latents)
    past = [Measures.from_json(json.loads(json.dumps(m.to_json()))) for m in whole[:9]]
    telemetry = LatentTelemetry(4.0, past)
    telemetry.again(latents[:, :, 24:27])
    assert [telemetry.add(chunk) for chunk in latents[:, :, 27:].split(3, 2)] == whole[9:]


def test_it_says_that_latents_are_meant(latents):
    told = [s for m in measured(latents * (1 + grown(latents))) for s in left(m, LATENT_BANDS)]
    assert len(told) == 1 and told[0].startswith("deviation ")
    assert all("latent" in band.says for band in LATENT_BANDS.values())


def test_what_is_no_latents_of_one_video_is_refused():
    for shape in ((2, 4, 3, 8, 8), (4, 3, 8, 8), (1, 4, 0, 8, 8)):
        with pytest.raises(ValueError, match=r"latents must be \[1, C, F, Y, X\]"):
            LatentTelemetry(4.0).add(torch.zeros(shape))
