import pytest
import torch

from headforcing.headforcing_core import CLEAN, noise_levels
from headforcing.headforcing_core.video import add_noise, warp
from headforcing.headforcing_core.video.schedule import sigma_at, sigma_table

SHIFTED = {  # published lists -> what the original code runs, shift 5
    (1000, 750, 500, 250): (1000, 937.5, 833.333313, 625),
    (1000, 500): (1000, 833.333313),
    (1000, 800, 600, 400, 200, 0): (1000, 952.381042, 882.352905, 769.230774, 555.555603, 0),
    (1000, 666, 333, 0): (1000, 908.842712, 713.979431, 0),
}


@pytest.mark.parametrize(("steps", "timesteps"), SHIFTED.items(), ids=str)
def test_timesteps_are_warped_and_never_rounded(steps, timesteps):
    assert warp(steps, 5).tolist() == pytest.approx(timesteps, rel=1e-7)


def test_sigma_is_a_thousandth_of_the_timestep_on_the_table():
    for sigma, timestep in noise_levels((1000, 750, 500, 250), 5):
        assert sigma == pytest.approx(timestep / 1000, rel=1e-6)


def test_off_the_table_sigma_is_that_of_the_nearest_entry():
    assert sigma_at(937, 5) == pytest.approx(0.936873734)
    assert sigma_at(0, 5) == pytest.approx(0.00498008)  # the original has no clean entry
    assert sigma_at(757, 8) == pytest.approx(0.756757, rel=1e-6)
    sigma, timestep = noise_levels((1000, 0), 5)[-1]
    assert (timestep, sigma) == (0, pytest.approx(0.00498008))


def test_shift_8_is_another_schedule():
    assert warp((1000, 750, 500, 250), 8).tolist() == pytest.approx(
        (1000, 960, 888.888916, 727.272766)
    )


def test_noise_is_mixed_linearly():
    clean, noise = torch.tensor([2.0]), torch.tensor([-4.0])
    level = noise_levels((1000, 500), 1)[1]
    assert add_noise(clean, noise, level).item() == pytest.approx(-1)
    assert add_noise(clean, noise, CLEAN).item() == 2


@pytest.mark.parametrize(
    "steps", [(), (1001,), (1000, -1), (250, 750), (1000, 500, 500), (1000, 1.5)]
)
def test_impossible_steps(steps):
    with pytest.raises(ValueError, match="steps must"):
        noise_levels(steps, 5)


@pytest.mark.parametrize("shift", [0, -5, float("nan"), float("inf")])
def test_impossible_shift(shift):
    with pytest.raises(ValueError, match=r"shift must be 0\.01 to 100"):
        sigma_table(shift)
