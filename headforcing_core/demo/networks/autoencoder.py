"""The demo's autoencoder: a formula to latents, a small network back to pictures."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, pixel_shuffle, pixel_unshuffle, silu

from ..world import STRIDE

CHANNELS = 16
COLOUR_CHANNELS = 12
# how the three colours' change over time is summed up in one number
CHANGE = (1.0, 0.5, -0.8)
CELL = 4


class Residual(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(silu(self.first(silu(x))))


class Autoencoder(nn.Module):
    """Pack pictures 4 in time and 8 in space into 16 channels, as Wan's autoencoder does.

    A latent frame holds the mean colour of every 4 x 4 cell of its pictures (12 channels) and how
    the cell changes from the first to the last two of them (4 channels). The first latent frame
    stands for one picture. Every latent frame is decoded by itself, so a video can be shown while
    it is made.
    """

    def __init__(self, width: int = 64, blocks: int = 3):
        super().__init__()
        self.register_buffer("mean", torch.zeros(CHANNELS))
        self.register_buffer("std", torch.ones(CHANNELS))
        self.widen = nn.Conv2d(4, width, 3, padding=1)
        self.blocks = nn.Sequential(*(Residual(width) for _ in range(blocks)))
        self.narrow = nn.Conv2d(width, STRIDE * 3 * CELL**2, 3, padding=1)

    @torch.no_grad()
    def measure(self, video: Tensor) -> None:
        """Set mean and deviation of the latents from pictures ``[B, pictures, 3, Y, X]``."""
        packed = self._pack(video)
        self.mean.copy_(packed.mean((0, 2, 3, 4)))
        deviation = (packed - self.mean[:, None, None, None]).square().mean((0, 2, 3, 4)).sqrt()
        # one scale for all cells of a kind: they are the same quantity at four places
        for part in (slice(0, COLOUR_CHANNELS), slice(COLOUR_CHANNELS, CHANNELS)):
            self.std[part] = deviation[part].mean()

    @torch.no_grad()
    def encode(self, video: Tensor) -> Tensor:
        """Encode pictures ``[B, 4 (F - 1) + 1, 3, Y, X]``, 0 to 1, as ``[B, 16, F, Y/8, X/8]``."""
        packed = self._pack(video)
        return (packed - self.mean[:, None, None, None]) / self.std[:, None, None, None]

    def decode(self, latent: Tensor) -> Tensor:
        """Decode ``[B, 16, F, Y, X]`` to pictures ``[B, 4 F, 3, 8 Y, 8 X]``, about 0 to 1.

        Of a video's first latent frame only the last picture counts: see ``whole_video``.
        """
        x = latent * self.std[:, None, None, None] + self.mean[:, None, None, None]
        batch, frames = x.shape[0], x.shape[2]
        x = x.transpose(1, 2).flatten(0, 1)
        colour = pixel_shuffle(x[:, :COLOUR_CHANNELS], 2)
        cells = torch.cat([colour, pixel_shuffle(x[:, COLOUR_CHANNELS:], 2)], 1)
        detail = pixel_shuffle(self.narrow(silu(self.blocks(self.widen(cells)))), CELL)
        base = interpolate(colour, scale_factor=CELL, mode="bilinear")
        video = detail.unflatten(1, (STRIDE, 3)) + base[:, None]
        return (video.unflatten(0, (batch, frames)).flatten(1, 2) + 1) / 2

    def _pack(self, video: Tensor) -> Tensor:
        video = 2 * video - 1
        groups = by_frame(video)
        cells = avg_pool2d(groups.flatten(0, 2), CELL).unflatten(0, groups.shape[:3])
        change = cells[:, :, 2:].mean(2) - cells[:, :, :2].mean(2)
        change = torch.einsum("bfcyx,c->bfyx", change, video.new_tensor(CHANGE))[:, :, None]
        packed = torch.cat([pixel_unshuffle(cells.mean(2), 2), pixel_unshuffle(change, 2)], 2)
        return packed.transpose(1, 2)


def by_frame(video: Tensor) -> Tensor:
    """Group pictures ``[B, 4 (F - 1) + 1, ...]`` by latent frame: ``[B, F, 4, ...]``.

    The first frame is its one picture, four times.
    """
    first = video[:, :1].expand(-1, STRIDE - 1, *video.shape[2:])
    return torch.cat([first, video], 1).unflatten(1, (-1, STRIDE))


def whole_video(pictures: Tensor) -> Tensor:
    """Drop the pictures ``[B, 4 F, ...]`` that the first latent frame of a video does not have."""
    return pictures[:, STRIDE - 1 :]
