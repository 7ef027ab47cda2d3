"""The demo's text encoder: words of the demo world to rows the model attends to."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..world import WORDS

# words a prompt can have; shorter ones are padded with zero rows, as Wan's are
TOKENS = 20
PADDING = 0


def tokenise(prompt: str) -> list[int]:
    """Return the numbers of a prompt's words, padded to ``TOKENS``.

    Raises:
        ValueError: if a word is not one the model was trained on, or there are none or too many.
    """
    words = re.findall(r"\w+", prompt.lower())
    unknown = [word for word in words if word not in WORDS]
    if unknown or not 0 < len(words) <= TOKENS:
        raise ValueError(
            f"a prompt for the demo model must have 1 to {TOKENS} words out of "
            f"{', '.join(WORDS)}; got {unknown[0] if unknown else len(words)!r} in {prompt!r}"
        )
    numbers = [1 + WORDS.index(word) for word in words]
    return numbers + [PADDING] * (TOKENS - len(numbers))


class TextEncoder(nn.Module):
    """A small transformer over the words of a prompt.

    Args:
        width: of a row.
    """

    def __init__(self, width: int = 96, layers: int = 2, heads: int = 4):
        super().__init__()
        self.words = nn.Embedding(1 + len(WORDS), width)
        self.places = nn.Parameter(torch.zeros(TOKENS, width))
        layer = nn.TransformerEncoderLayer(
            width,
            heads,
            2 * width,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Encode ``[B, TOKENS]`` word numbers as ``[B, TOKENS, width]``, zero behind the prompt."""
        padding = tokens == PADDING
        rows = self.layers(self.words(tokens) + self.places, src_key_padding_mask=padding)
        return self.norm(rows) * ~padding[..., None]

    @torch.no_grad()
    def encode(self, prompts: Sequence[str]) -> Tensor:
        device = self.places.device
        return self(torch.tensor([tokenise(prompt) for prompt in prompts], device=device))
