import pytest
import torch

from headforcing.headforcing_core import WanConfig, WanModel
from headforcing.headforcing_core.checkpoint import build_wan
from headforcing.headforcing_core.demo.random_model import TINY, random_weights
from headforcing.headforcing_core.families import family_named
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.tensor_files import TensorDict

FAMILY = family_named("self_forcing").tuned(window=6, sink=1)
TEXT = torch.randn(1, 5, TINY.text_dim, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def model():
    return build_wan(TensorDict(random_weights(TINY)), heads=TINY.heads)


def video(model, rows=4, columns=6, frames=9, text=TEXT):
    request = VideoRequest(FAMILY, frames, rows, columns, seed=1)
    return torch.cat([done.latent for done in request.rollout(model, text).run()], 2)


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


def test_impossible_configurations():
    sizes = vars(TINY) if hasattr(TINY, "__dict__") else {}
    with pytest.raises(ValueError, match="heads must divide dim=96, got 5"):
        WanConfig(**{**sizes, "heads": 5})
    with pytest.raises(ValueError, match="patch must span one latent frame"):
        WanConfig(**{**sizes, "patch": (2, 2, 2)})
