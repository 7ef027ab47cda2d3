import math
from dataclasses import replace

import pytest
import torch
from random_model import TINY, random_weights

from headforcing.headforcing_core import CLEAN, NoiseLevel, WanModel
from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.models import family_named
from headforcing.headforcing_core.models.checkpoint import build_wan
from headforcing.headforcing_core.models.wan import RMSNorm, sinusoid
from headforcing.headforcing_core.video import PromptSchedule

FAMILY = family_named("self_forcing").tuned(window=6, sink=1)
TEXT = torch.randn(1, 5, TINY.text_dim, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def model():
    return build_wan(TensorDict(random_weights(TINY)), heads=TINY.heads)


def video(model, rows=4, columns=6, frames=9, text=TEXT):
    request = VideoRequest(FAMILY, frames, rows, columns, seed=1)
    return torch.cat(
        [done.latent for done in request.rollout(model, PromptSchedule.constant(text)).run()], 2
    )


def test_published_names_and_count():
    with torch.device("meta"):
        state = WanModel(TINY).state_dict()
    assert len(state) == 27 * TINY.layers + 15
    assert "blocks.3.cross_attn.norm_k.weight" in state
    assert "blocks.0.norm3.bias" in state and "blocks.0.norm1.weight" not in state


@pytest.mark.parametrize(("rows", "columns"), [(4, 6), (5, 6), (7, 3), (1, 1)])
def test_any_latent_size(model, rows, columns):
    latents = video(model, rows, columns)
    assert latents.shape == (1, 16, 9, rows, columns)
    assert latents.isfinite().all()


def test_an_odd_size_is_a_padded_even_one(model):
    """The last column of an odd latent meets the first, as in ComfyUI."""
    odd = torch.randn(1, 16, 1, 4, 5)
    even = torch.cat([odd, odd[..., :1]], -1)
    torch.testing.assert_close(model._pad(odd), even)


def one_chunk(model, latent, noise_level=CLEAN):
    request = VideoRequest(FAMILY, 3, *latent.shape[3:], seed=1)
    rollout = request.rollout(model, PromptSchedule.constant(TEXT))
    chunk = next(iter(rollout.clock))
    return model.predict_clean(
        latent, noise_level, rollout.prompts.at(0), rollout.context.open(chunk)
    )


def test_an_odd_size_is_cut_from_the_padded_one(model):
    odd = torch.randn(1, 16, 3, 4, 5)
    even = torch.cat([odd, odd[..., :1]], -1)
    level = NoiseLevel(0.5, 500.0)
    torch.testing.assert_close(one_chunk(model, odd, level), one_chunk(model, even, level)[..., :5])


def test_the_model_hears_the_timestep_and_the_sum_uses_sigma(model):
    """They differ off the original's table: timestep 0 stands for sigma 0.00498."""
    latent = torch.randn(1, 16, 3, 4, 6)
    flow = latent - one_chunk(model, latent, NoiseLevel(1.0, 400.0))
    half = one_chunk(model, latent, NoiseLevel(0.25, 400.0))
    torch.testing.assert_close(half, latent - 0.25 * flow, atol=1e-5, rtol=1e-5)
    other = latent - one_chunk(model, latent, NoiseLevel(1.0, 900.0))
    assert not torch.allclose(flow, other, atol=1e-2)


def test_short_videos_allocate_no_window_they_cannot_fill(model):
    long = VideoRequest(FAMILY, 30, 4, 6, seed=1).plan(model)
    short = VideoRequest(FAMILY, 3, 4, 6, seed=1).plan(model)
    assert (long.seen, short.seen) == (6, 3)  # a single chunk has no past
    assert short.bytes < long.bytes


def test_dtype_islands():
    """As in the original: norms in float32, their weights and the rest in the model's dtype."""
    norm = RMSNorm(64, 1e-6).bfloat16()
    norm.weight.data = torch.rand(64).bfloat16() + 0.5
    x = torch.randn(5, 64).bfloat16()
    unit = x.float() * (x.float().square().mean(-1, keepdim=True) + 1e-6).rsqrt()
    assert torch.equal(norm(x), unit.bfloat16() * norm.weight)
    waves = sinusoid(torch.tensor([[937.5, 833.333313]]), 32)
    assert waves.dtype == torch.float64
    assert waves[0, 1, 0].item() == pytest.approx(math.cos(833.33331298828125), abs=1e-12)


def test_batch_entries_do_not_mix(model):
    other = torch.randn(1, 5, TINY.text_dim)
    two = video(model, text=torch.cat([TEXT, other]))
    torch.testing.assert_close(two[:1], video(model), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(two[0], two[1], atol=0.1)


def test_the_text_matters_and_so_do_its_empty_rows(model):
    padded = torch.nn.functional.pad(TEXT, (0, 0, 0, 3))
    assert not torch.allclose(video(model, text=padded), video(model), atol=1e-2)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_stays_near_float32(model, dtype):
    half = build_wan(TensorDict(random_weights(TINY)), heads=TINY.heads, dtype=dtype)
    got, exact = video(half), video(model)
    assert got.dtype == torch.float32  # latents are not rounded between calls
    assert (got - exact).abs().mean() < 0.05 * exact.abs().mean()


def test_another_text_encoder_is_refused(model):
    with pytest.raises(ValueError, match=r"must be \[B, S, 64\], got \(1, 5, 32\)"):
        model.prepare_text(torch.zeros(1, 5, 32))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": 5}, "heads must divide dim=96, got 5"),
        ({"heads": 0}, "heads must divide dim=96, got 0"),
        ({"heads": -4}, "heads must divide dim=96, got -4"),
        ({"freq_dim": 63}, "freq_dim must be even"),
        ({"patch": (2, 2, 2)}, "patch must span one latent frame"),
    ],
)
def test_impossible_configurations(change, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)
