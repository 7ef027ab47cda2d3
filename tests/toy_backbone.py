"""The smallest model with real attention: milliseconds on a CPU."""

import torch
from torch import Tensor, nn

from headforcing.headforcing_core import LatentGrid, ModelGeometry


class ToyBackbone(nn.Module):
    """One token per latent pixel, two layers, four heads of twelve channels."""

    geometry = ModelGeometry(layers=2, heads=4, head_dim=12)
    channels = 3

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        width = self.geometry.heads * self.geometry.head_dim
        self.embed = nn.Linear(self.channels, width)
        self.qkv = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(2))
        self.unembed = nn.Linear(width, self.channels)
        self.calls: list[tuple[float, object]] = []

    @staticmethod
    def grid(rows: int, columns: int) -> LatentGrid:
        return LatentGrid(rows, columns, 1, 1)

    @torch.no_grad()
    def predict_clean(self, noisy: Tensor, level, text: object, attend) -> Tensor:
        self.calls.append((level.sigma, text))
        x = self.embed(noisy.flatten(2).transpose(1, 2))
        for layer, qkv in enumerate(self.qkv):
            # sharp enough that what is attended to matters
            q, k, v = (3 * qkv(x)).unflatten(-1, (3, self.geometry.heads, -1)).unbind(2)
            x = x + attend(layer, q, k, v).flatten(2)
        clean = self.unembed(x).tanh()  # bounded, however long the video
        return clean.transpose(1, 2).unflatten(2, noisy.shape[2:])
