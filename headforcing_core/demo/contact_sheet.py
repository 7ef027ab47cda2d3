"""One picture of a whole video."""

from __future__ import annotations

import torch
from einops import rearrange
from PIL import Image
from torch import Tensor

COLUMNS = 10


def latent_sheet(latents: Tensor, every: int, zoom: int = 4) -> Image.Image:
    """Lay out one latent frame in ``every``, its first three channels as red, green and blue.

    Args:
        latents: ``[C, F, Y, X]``; the frames' own range becomes black to white.
    """
    frames = latents[:3, ::every]
    low, high = frames.amin((1, 2, 3), keepdim=True), frames.amax((1, 2, 3), keepdim=True)
    tiles = torch.nn.functional.pad((frames - low) / (high - low), (0, 1, 0, 1), value=1.0)
    missing = -tiles.shape[1] % COLUMNS
    tiles = torch.nn.functional.pad(tiles, (0, 0, 0, 0, 0, missing), value=1.0)
    sheet = rearrange(tiles, "c (r k) y x -> (r y) (k x) c", k=COLUMNS)
    image = Image.fromarray((sheet * 255).round().to(torch.uint8).numpy())
    return image.resize((image.width * zoom, image.height * zoom), Image.Resampling.NEAREST)
