"""The solver against the one it is written after, and against a flow that is known."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from needs import needs

from headforcing.headforcing_core.video import truncated_levels
from headforcing.headforcing_core.video.unipc import UniPC

SPREAD = 0.4  # of the clean numbers, which are normal


def path(sigmas, clean_of, noisy):
    """Return the latents that a solver goes through, the first included."""
    solver, found = UniPC(sigmas), [noisy]
    for sigma in sigmas[:-1]:
        noisy = solver.step(clean_of(noisy, sigma), noisy)
        found.append(noisy)
    return found


def published(steps):
    even = [1000 * (1 - i / steps) for i in range(steps)]
    return [*(level.sigma for level in truncated_levels(even, 5)), 0.0]


def some_model(noisy, sigma):
    """Nothing that is easy to integrate."""
    return torch.sin(3 * noisy) * (1 - sigma) + 0.1 * noisy.roll(1)


@needs("diffusers")
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 8, 50])
def test_steps_are_those_of_diffusers(steps):
    from diffusers import UniPCMultistepScheduler

    sigmas = published(steps)
    theirs = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, solver_order=2, solver_type="bh2"
    )
    theirs.set_timesteps(steps)
    theirs.sigmas = torch.tensor(sigmas, dtype=torch.float64)
    noisy = torch.randn(1, 2, 3, 4, generator=torch.Generator().manual_seed(steps)).double()
    ours = path(sigmas, some_model, noisy)
    for step, (at, ahead) in enumerate(pairwise(ours)):
        flow = (noisy - some_model(noisy, sigmas[step])) / sigmas[step]
        # theirs keeps the latent that it corrected to itself, and is given what it returned
        noisy = theirs.step(flow, theirs.timesteps[step], noisy).prev_sample
        assert at.shape == ahead.shape
        torch.testing.assert_close(ahead, noisy, rtol=1e-9, atol=1e-9)


def size(sigma):
    """Of normal numbers, mixed with noise."""
    return ((1 - sigma) ** 2 * SPREAD**2 + sigma**2) ** 0.5


def expected(noisy, sigma):
    """The mean of the clean numbers that a noisy one may come from."""
    return (1 - sigma) * SPREAD**2 / size(sigma) ** 2 * noisy


def error(steps, begin=0.98, end=0.05):
    """Between where the flow leads from 1 and where so many steps do, even in log snr."""
    ends = [torch.logit(torch.tensor(1 - x, dtype=torch.float64)) for x in (begin, end)]
    sigmas = (1 - torch.linspace(*ends, steps + 1, dtype=torch.float64).sigmoid()).tolist()
    found = path(sigmas, expected, torch.ones(1, dtype=torch.float64))[-1]
    return abs(found.item() - size(sigmas[-1]) / size(sigmas[0]))


def test_the_error_of_a_known_flow_falls_with_the_square_of_the_step():
    errors = [error(steps) for steps in (256, 512, 1024, 2048)]
    assert error(16) < 2e-3 and errors[0] < 1e-5
    for coarse, fine in pairwise(errors):
        assert 3.4 < coarse / fine < 4.2


def test_a_clean_latent_that_is_known_is_reached():
    clean = torch.tensor([0.3, -2.0], dtype=torch.float64)
    found = path(published(4), lambda noisy, sigma: clean, torch.randn(2, dtype=torch.float64))
    torch.testing.assert_close(found[-1], clean, rtol=0, atol=1e-12)


@given(st.lists(st.integers(10, 990), min_size=1, max_size=9, unique=True))
def test_the_last_step_is_the_last_estimate(thousandths):
    """Whatever the levels, what is left of the noise at 0 is nothing."""
    sigmas = [number / 1000 for number in thousandths]
    seen = []

    def watched(noisy, sigma):
        seen.append(some_model(noisy, sigma))
        return seen[-1]

    sigmas = [*sorted(sigmas, reverse=True), 0.0]
    found = path(sigmas, watched, torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(found[-1], seen[-1], rtol=0, atol=0)
