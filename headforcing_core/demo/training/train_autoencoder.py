"""How the demo's autoencoder is trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..networks import Autoencoder, by_frame, whole_video
from ..world import HELD_OUT, draw
from .training_data import random_clip

CLIPS = 128
BATCH = 32
RATE = 2e-3
# noise on the latents, in standard deviations: what a model generates is never exact
NOISE = 0.1
HELD_OUT_CLIPS = 8


def train_autoencoder(steps: int, seed: int, device: torch.device) -> tuple[Autoencoder, float]:
    """Train a decoder for the fixed encoder.

    Returns:
        The autoencoder, on the CPU, and the peak signal-to-noise ratio of held-out clips in dB.
    """
    torch.manual_seed(seed)
    video = torch.stack([draw(random_clip(i)) for i in range(CLIPS)])
    model = Autoencoder()
    nn.init.zeros_(model.narrow.weight)
    nn.init.zeros_(model.narrow.bias)
    model.measure(video)
    latents = model.encode(video).transpose(1, 2).flatten(0, 1)
    groups = by_frame(video).flatten(0, 1)
    model.to(device)
    optimiser = torch.optim.AdamW(model.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1, (step + 1) / 50, 2 * (1 - step / steps))
    )
    rng = torch.Generator().manual_seed(seed)
    for _ in tqdm(range(steps), desc="autoencoder", unit="step"):
        pick = torch.randint(len(latents), (BATCH,), generator=rng)
        clean = latents[pick][:, :, None]
        strength = NOISE * torch.rand(BATCH, 1, 1, 1, 1, generator=rng)
        noisy = clean + strength * torch.randn(clean.shape, generator=rng)
        error = model.decode(noisy.to(device)) - groups[pick].to(device)
        optimiser.zero_grad()
        error.square().mean().backward()
        optimiser.step()
        schedule.step()
    model.cpu().requires_grad_(False)
    return model, round_trip(model, HELD_OUT)


def round_trip(model: Autoencoder, first_seed: int) -> float:
    """Return the peak signal-to-noise ratio of clips that went through the autoencoder, in dB."""
    video = torch.stack([draw(random_clip(first_seed + i)) for i in range(HELD_OUT_CLIPS)])
    return _psnr(whole_video(model.decode(model.encode(video))), video)


def _psnr(video: Tensor, truth: Tensor) -> float:
    return float(-10 * (video.clamp(0, 1) - truth).square().mean().log10())
