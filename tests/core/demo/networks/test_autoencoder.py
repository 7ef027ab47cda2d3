"""The autoencoder: frame by frame, and back to the same pictures."""

import pytest
import torch

from headforcing.headforcing_core.demo.networks import Autoencoder, whole_video
from headforcing.headforcing_core.demo.networks.autoencoder import CHANNELS
from headforcing.headforcing_core.demo.training.training_data import random_clip
from headforcing.headforcing_core.demo.world import draw


@pytest.fixture(scope="module")
def video():
    return torch.stack([draw(random_clip(i)) for i in range(3)])


@pytest.fixture(scope="module")
def coder(video):
    torch.manual_seed(0)
    model = Autoencoder()
    model.measure(video)
    return model.requires_grad_(False)


def test_sizes(coder, video):
    latents = coder.encode(video)
    assert latents.shape == (3, CHANNELS, 21, 8, 8)
    assert whole_video(coder.decode(latents)).shape == video.shape


def test_latents_have_unit_size(coder, video):
    latents = coder.encode(video)
    assert latents.mean((0, 2, 3, 4)).abs().max() < 1e-4
    assert latents.std() == pytest.approx(1, abs=0.1)


def test_every_latent_frame_stands_alone(coder, video):
    """A video can be shown while it is made: a chunk decodes to the same pictures as the whole."""
    latents = coder.encode(video)
    whole = coder.decode(latents)
    torch.testing.assert_close(coder.decode(latents[:, :, 6:9]), whole[:, 24:36])
    longer = coder.encode(video[:, :41])
    torch.testing.assert_close(longer, latents[:, :, :11])


def test_an_untrained_decoder_is_the_coarse_picture(video):
    """What the formula keeps is a formula back; the network adds what is missing."""
    model = Autoencoder().requires_grad_(False)
    torch.nn.init.zeros_(model.narrow.weight)
    torch.nn.init.zeros_(model.narrow.bias)
    model.measure(video)
    coarse = whole_video(model.decode(model.encode(video)))
    assert (coarse - video).abs().mean() < 0.05
