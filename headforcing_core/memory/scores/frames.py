"""How alike the frames of a memory are, by their latents or by their keys."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor

from ...methods.middles import Descriptor
from ...video import Chunk, LatentGrid
from ..ledger import Ledger
from ..pool import Share
from .descriptors import Descriptors, cells_of, describe
from .fetched import Scores


class FrameScores:
    """Likeness of the frames that the heads of one ledger choose from.

    Args:
        ledger: whose middle is made of episodes that are chosen by what they show.
        grid: of tokens.
    """

    def __init__(self, ledger: Ledger, grid: LatentGrid):
        middle = ledger.rule.policy.middle
        self._ledger, self._grid = ledger, grid
        self._by_keys = middle.descriptor is Descriptor.KEYS
        self._known = Descriptors(middle.centred)
        self._keys: dict[int, Tensor] = {}

    @property
    def by_keys(self) -> bool:
        """Whether keys are compared, which heads of several ranks may have."""
        return self._by_keys

    def width(self, chunk: Chunk, head_dim: int) -> int:
        """Return the numbers that describe a chunk by the keys of one head."""
        return len(chunk) * head_dim * cells_of(self._grid.token_rows, self._grid.token_columns)

    def study(self, layer: int, share: Share, k: Tensor, chunk: Chunk) -> None:
        """Look at the ledger's part of a layer.

        Args:
            k: ``[B, T, H, D]`` of the layer, clean and unrotated.
        """
        if self._by_keys:
            (video,) = share.own(k)
            grid = (len(chunk), self._grid.token_rows, self._grid.token_columns)
            pictures = video.flatten(1).unflatten(0, grid).permute(0, 3, 1, 2)
            described = describe(pictures).unflatten(1, (len(share.heads), -1))
            self._keys[layer] = described.transpose(0, 1).flatten(1)

    def seen(self) -> dict[int, Tensor]:
        """Return what describes the chunk by the keys of each layer, ``[G, width]``, once."""
        keys, self._keys = self._keys, {}
        return keys

    def scores(self, chunk: Chunk, latent: Tensor | None, keys: Sequence[Tensor]) -> Scores:
        """Return the cosine of every two frames that may be kept, the chunk's among them.

        Args:
            latent: ``[1, C, len(chunk), Y, X]``, clean; needed unless keys are compared.
            keys: what was seen of the heads of all ranks, layer by layer.
        """
        self._known.see(chunk.frames, self._descriptors(chunk, latent, keys))
        pairs = list(product(self._known.frames, repeat=2))
        return Scores(pairs, self._known.likeness().flatten())

    def _descriptors(self, chunk: Chunk, latent: Tensor | None, keys: Sequence[Tensor]) -> Tensor:
        if self._by_keys:
            heads = (of.unflatten(1, (len(chunk), -1)).transpose(0, 1) for of in keys)
            return torch.cat([of.flatten(1) for of in heads], 1)
        assert latent is not None, "frames that are compared by their latents need them"
        (video,) = latent
        return describe(video.transpose(0, 1))

    def forget(self) -> None:
        """Drop frames that are not held any more."""
        past = self._ledger.past
        self._known.keep((*past.sink, *(page.at for page in past.middle), *past.recent))
