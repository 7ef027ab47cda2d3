"""How often a model is called for a chunk, with what, and with which noise."""

from dataclasses import dataclass, field

import pytest
import torch

from headforcing.headforcing_core import CLEAN, Chunk, SeededNoise, noise_levels
from headforcing.headforcing_core.video import (
    Multistep,
    Renoising,
    add_noise,
    each_frame,
    truncated_levels,
)

CHUNK = Chunk(2, 6, 9)
LEVELS = noise_levels((1000, 750, 500, 250), 5)
WAYS = {
    "renoising": lambda n: Renoising(LEVELS[:n]),
    "multistep": lambda n: Multistep(truncated_levels((1000, 750, 500, 250)[:n], 5)),
}


@dataclass
class Watched:
    """A model and a noise that remember what they were asked."""

    calls: list = field(default_factory=list)
    draws: list = field(default_factory=list)

    def predict(self, noisy, level, step):
        self.calls.append((noisy, each_frame(level, noisy.shape[2]), step))
        return 0.5 * noisy + 0.1 * step

    def draw(self, chunk, step):
        self.draws.append((chunk, step))
        return SeededNoise(3, 1, 2, 2, 2).draw(chunk, step)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_every_level_is_one_call(way, steps):
    denoising, watched = WAYS[way](steps), Watched()
    denoising.draft(CHUNK, watched.predict, watched)
    assert [step for _, _, step in watched.calls] == list(range(steps))
    assert [told for _, told, _ in watched.calls] == [[level] * 3 for level in denoising.levels]


@pytest.mark.parametrize(("way", "steps"), [("renoising", [0, 1, 2, 3]), ("multistep", [0])])
def test_noise_is_drawn_when_it_is_needed(way, steps):
    watched = Watched()
    WAYS[way](4).draft(CHUNK, watched.predict, watched)
    assert watched.draws == [(CHUNK, step) for step in steps]


def test_renoising_mixes_the_estimate_with_fresh_noise():
    watched = Watched()
    clean = Renoising(LEVELS).draft(CHUNK, watched.predict, watched)
    noise = Watched()
    expected = noise.predict(noise.draw(CHUNK, 0), LEVELS[0], 0)
    for step, level in enumerate(LEVELS[1:], 1):
        noisy = add_noise(expected, noise.draw(CHUNK, step), level)
        expected = noise.predict(noisy, level, step)
    assert torch.equal(clean, expected)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("known", [1, 2])
def test_held_frames_are_shown_clean_in_every_call_and_come_out(way, known):
    watched, held = Watched(), torch.full((1, 2, known, 2, 2), 7.0)
    denoising = WAYS[way](4)
    clean = denoising.draft(CHUNK, watched.predict, watched, held)
    assert clean.shape == (1, 2, 3, 2, 2)
    assert torch.equal(clean[:, :, :known], held)
    for level, (noisy, told, _) in zip(denoising.levels, watched.calls, strict=True):
        assert torch.equal(noisy[:, :, :known], held)
        assert told == [CLEAN] * known + [level] * (3 - known)


@pytest.mark.parametrize("way", WAYS)
def test_held_frames_change_no_other(way):
    """This model looks at one frame at a time."""
    free, beside = (
        WAYS[way](4).draft(CHUNK, Watched().predict, Watched(), held)
        for held in (None, torch.zeros(1, 2, 1, 2, 2))
    )
    assert torch.equal(free[:, :, 1:], beside[:, :, 1:])
