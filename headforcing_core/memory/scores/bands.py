"""How much the bands of a frame are like those of the next one."""

from __future__ import annotations

from itertools import pairwise, product

from torch import Tensor
from torch.nn.functional import cosine_similarity

from ...methods import frame_page
from ...video import Chunk
from ..ledger import Ledger
from ..pool import Share
from .fetched import Scores


class BandScores:
    """Likeness of the bands of frames that leave, by their keys in one layer.

    Args:
        ledger: of the heads that keep bands.
        share: those of them in that layer; None: they are all on other ranks.
        head_dim: numbers of a key.
    """

    def __init__(self, ledger: Ledger, share: Share | None, head_dim: int):
        self._ledger, self._share, self._head_dim = ledger, share, head_dim

    def leaving(self, chunk: Chunk, scene: int) -> list[int]:
        """Return the frames that leave with a chunk.

        Args:
            scene: first frame of the prompt that rules the chunk.
        """
        _, frames, _ = self._ledger.rule.policy.split(self._ledger.past, chunk, scene)
        return frames

    def seen(self, chunk: Chunk, frames: list[int]) -> Tensor | None:
        """Return the keys of frames that leave, and of those behind each, ``[G, 2 * n * P * D]``.

        In float32; None where this rank has no such heads.
        """
        if self._share is None:
            return None
        slots = self._ledger.slots.places
        # numbers jump where a shot begins: the next frame is the next there is
        next_of = dict(pairwise([*self._ledger.past.recent, *chunk.frames]))
        both = [*frames, *(next_of[frame] for frame in frames)]
        keys, _ = self._share.arena.in_slots([slots[frame_page(frame)] for frame in both])
        return keys.numbers()[0].flatten(1).float()

    def scores(self, frames: list[int], seen: Tensor) -> Scores:
        """Return, of every frame that leaves and every band, the mean cosine.

        Over tokens; of a token over the channels of all heads.

        Args:
            seen: of the heads of all ranks.
        """
        bands = self._ledger.rule.policy.middle.pieces
        keys = seen.unflatten(1, (2, len(frames), -1, self._head_dim))
        this, following = keys.permute(1, 2, 3, 0, 4).flatten(3)  # [frames, P, G * D]
        alike = cosine_similarity(this, following, dim=-1)
        means = alike.unflatten(1, (bands, -1)).mean(2)
        return Scores(list(product(frames, range(bands))), means.flatten())
