"""How alike the frames of a memory are, by their latents or by their keys."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from ...methods.middles import Descriptor
from ...video import Chunk, LatentGrid
from ..layer_cache import Share
from ..ledger import Ledger
from .descriptors import Descriptors, describe
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
        self._keys: list[Tensor] = []

    def study(self, share: Share, k: Tensor, chunk: Chunk) -> None:
        """Look at the ledger's part of a layer.

        Args:
            k: ``[B, T, H, D]`` of the layer, clean and unrotated.
        """
        if self._by_keys:
            (video,) = share.own(k)
            grid = (len(chunk), self._grid.token_rows, self._grid.token_columns)
            pictures = video.flatten(1).unflatten(0, grid).permute(0, 3, 1, 2)
            self._keys.append(describe(pictures))

    def scores(self, chunk: Chunk, latent: Tensor | None) -> Scores:
        """Return the cosine of every two frames that may be kept, the chunk's among them.

        Args:
            latent: ``[1, C, len(chunk), Y, X]``, clean; needed unless keys are compared.
        """
        self._known.see(chunk.frames, self._descriptors(latent))
        pairs = list(product(self._known.frames, repeat=2))
        return Scores(pairs, self._known.likeness().flatten())

    def _descriptors(self, latent: Tensor | None) -> Tensor:
        if self._by_keys:
            keys, self._keys = self._keys, []
            return torch.cat(keys, 1)
        assert latent is not None, "frames that are compared by their latents need them"
        (video,) = latent
        return describe(video.transpose(0, 1))

    def forget(self) -> None:
        """Drop frames that are not held any more."""
        past = self._ledger.past
        self._known.keep((*past.sink, *(page.at for page in past.middle), *past.recent))
