"""How much the bands of a frame are like those of the next one."""

from __future__ import annotations

from itertools import pairwise, product

import torch
from torch.nn.functional import cosine_similarity

from ...methods import frame_page
from ...video import Chunk
from ..layer_cache import Share
from .fetched import Scores


class BandScores:
    """Likeness of the bands of frames that leave, by their keys in one layer.

    Args:
        share: the heads of that layer that keep bands.
    """

    def __init__(self, share: Share):
        self._share = share

    def scores(self, chunk: Chunk, scene: int) -> Scores:
        """Return, of every frame that leaves with the chunk and every band, the mean cosine.

        Over tokens; of a token over the channels of all heads.

        Args:
            scene: first frame of the prompt that rules the chunk.
        """
        arena, ledger = self._share.arena, self._share.ledger
        policy, slots = ledger.rule.policy, ledger.slots.places
        bands = policy.middle.pieces
        _, frames, _ = policy.split(ledger.past, chunk, scene)
        if not frames:
            return Scores([], arena.k.new_zeros(0, dtype=torch.float32))
        # numbers jump where a shot begins: the next frame is the next there is
        next_of = dict(pairwise([*ledger.past.recent, *chunk.frames]))
        this, following = (
            arena.in_slots([slots[frame_page(frame)] for frame in those])[0][0]
            .unflatten(1, (len(frames), -1))
            .permute(1, 2, 0, 3)
            .flatten(2)
            .float()
            for those in (frames, [next_of[frame] for frame in frames])
        )  # [frames, P, G * D]
        alike = cosine_similarity(this, following, dim=-1)
        means = alike.unflatten(1, (bands, -1)).mean(2)
        return Scores(list(product(frames, range(bands))), means.flatten())
