"""What policies are told when a chunk is committed: scores, fetched in one transfer."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from ..methods import Commit, DummyTypes
from ..methods.middles import Bands, Episodes
from ..video import Chunk, LatentGrid
from .layer_cache import LayerCache, Share
from .ledger import Ledger
from .scores import BandScores, FrameScores, HeadScores, Scores, TokenChoice, fetched

HEADS = "types of heads"


class Scored(NamedTuple):
    """What a commit follows.

    events: what each ledger's policy may know.
    types: of heads that were told apart in this chunk.
    """

    events: Mapping[Ledger, Commit]
    types: Mapping[Ledger, str]


class Scoring:
    """The scores of one video: who needs which, and who is told what.

    Args:
        ledgers: of all heads.
        layers: what is looked at.
        grid: of tokens.
        online: tells the types of heads apart, if they are not known.
    """

    def __init__(
        self,
        ledgers: Sequence[Ledger],
        layers: Sequence[LayerCache],
        grid: LatentGrid,
        online: DummyTypes | None = None,
    ):
        self._ledgers, self._layers = ledgers, layers
        self._heads = None if online is None else HeadScores(online)
        self._frames: dict[Ledger, FrameScores] = {}
        self._bands: dict[Ledger, BandScores] = {}
        self.tokens = TokenChoice(grid)
        for ledger in ledgers:
            middle = ledger.rule.policy.middle
            if isinstance(middle, Episodes) and middle.looks:
                self._frames[ledger] = FrameScores(ledger, grid)
            if isinstance(middle, Bands):
                self._bands[ledger] = BandScores(self._share_of(ledger, middle.scored_in))

    def _share_of(self, ledger: Ledger, layer: int) -> Share:
        """Return the ledger's part of a layer, or of the next one that has heads of it."""
        shares = [
            (number, share)
            for number, cache in enumerate(self._layers)
            for share in cache.shares
            if share.ledger is ledger
        ]
        return next((share for number, share in shares if number >= layer), shares[-1][1])

    def study(self, layer: int, q: Tensor, k: Tensor, chunk: Chunk, scene: int) -> None:
        """Look at a layer while the open chunk is clean.

        Args:
            scene: first frame of the prompt that rules.
            q: ``[B, T, H, D]``, rotated.
            k: the same, unrotated.
        """
        for share in self._layers[layer].shares:
            if self._heads is not None:
                self._heads.study(share, q, chunk)
            if share.ledger in self._frames:
                self._frames[share.ledger].study(share, k, chunk)
            self.tokens.study(layer, share, q, chunk, scene)

    def score(
        self, chunk: Chunk, scenes: tuple[int, ...], latent: Tensor | None, shot: int = 0
    ) -> Scored:
        """Return what is known when ``chunk`` is committed.

        Args:
            scenes: first frames of all prompts so far; the last one rules.
            latent: ``[B, C, len(chunk), Y, X]``, clean; needed where frames are compared by it.
            shot: first frame of the shot that rules.
        """
        scene = scenes[-1]
        told = fetched(self._scores(chunk, scene, latent))
        types = self._heads.types(told[HEADS]) if HEADS in told else {}
        events = {
            ledger: Commit(
                chunk,
                scene,
                shot=shot,
                scenes=scenes,
                likeness=told.get((ledger, FrameScores), {}),
                bands=told.get((ledger, BandScores), {}),
            )
            for ledger in self._ledgers
        }
        return Scored(events, types)

    def _scores(self, chunk: Chunk, scene: int, latent: Tensor | None) -> dict[Hashable, Scores]:
        scores: dict[Hashable, Scores] = {}
        for ledger, frames in self._frames.items():
            scores[ledger, FrameScores] = frames.scores(chunk, latent)
        for ledger, bands in self._bands.items():
            scores[ledger, BandScores] = bands.scores(chunk, scene)
        heads = None if self._heads is None else self._heads.scores()
        return scores if heads is None else {HEADS: heads, **scores}

    def forget(self) -> None:
        """Drop what no policy will ask for any more."""
        self.tokens.forget()
        for frames in self._frames.values():
            frames.forget()
