"""Text embeddings drawn at random, where none are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class RandomTexts(Sequence):
    """Embeddings ``[1, rows, width]``, each drawn when it is asked for: many would fill memory.

    Args:
        prompts: how many there are.
    """

    seed: int
    prompts: int
    rows: int
    width: int

    def __len__(self) -> int:
        return self.prompts

    def __getitem__(self, number: int) -> Tensor:
        if not 0 <= number < self.prompts:
            raise IndexError(number)
        generator = torch.Generator().manual_seed(self.seed)
        for _ in range(number + 1):
            text = torch.randn(1, self.rows, self.width, generator=generator)
        return text
