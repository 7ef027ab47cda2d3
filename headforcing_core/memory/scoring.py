"""What policies are told when a chunk is committed: scores, fetched in one transfer."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from ..methods import Commit
from ..methods.middles import Bands, Episodes
from ..ranks import Ranks
from ..video import Chunk
from .cache_plan import CachePlan
from .layer_cache import LayerCache
from .ledger import Ledger
from .pool import Share
from .scores import (
    BandScores,
    FrameScores,
    HeadScores,
    Place,
    Scores,
    Seen,
    Together,
    TokenChoice,
    fetched,
)

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

    What heads show is measured where they are. Where several ranks make the video, it is put
    together, so that all of them score what one process would have seen.

    Args:
        plan: of the caches.
        ledgers: of its groups.
        layers: what is looked at.
        ranks: that make the video; None: this process alone.
    """

    def __init__(
        self,
        plan: CachePlan,
        ledgers: Sequence[Ledger],
        layers: Sequence[LayerCache],
        ranks: Ranks | None = None,
    ):
        self._plan, self._ledgers, self._layers = plan, ledgers, layers
        self._ranks = ranks
        self._together = None if ranks is None else Together(plan.groups, plan.deal, ranks)
        self._heads = None if plan.online is None else HeadScores(plan.online)
        self._frames: dict[Ledger, FrameScores] = {}
        self._bands: dict[Ledger, tuple[int, BandScores]] = {}
        self.tokens = TokenChoice(plan.rope.grid, alone=ranks is None)
        for number, ledger in enumerate(ledgers):
            middle = ledger.rule.policy.middle
            if isinstance(middle, Episodes) and middle.looks:
                self._frames[ledger] = FrameScores(ledger, plan.rope.grid)
            if isinstance(middle, Bands):
                layer = self._layer_of(number, middle.scored_in)
                share = self._share_of(ledger, layer)
                self._bands[ledger] = layer, BandScores(ledger, share, plan.geometry.head_dim)

    def _layer_of(self, number: int, wanted: int) -> int:
        """Return a layer, or the next one that has heads of a group, or the last."""
        layers = sorted(self._plan.groups[number].heads)
        return next((layer for layer in layers if layer >= wanted), layers[-1])

    def _share_of(self, ledger: Ledger, layer: int) -> Share | None:
        shares = self._layers[layer].shares
        return next((share for share in shares if share.ledger is ledger), None)

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
                self._frames[share.ledger].study(layer, share, k, chunk)
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
        told = fetched(self._scores(chunk, scene, latent), self._ranks)
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
        seen = self._seen(chunk, scene)
        scores: dict[Hashable, Scores] = {}
        if heads := seen.get(HeadScores):
            scores[HEADS] = self._heads.scores({of: x for (of, _), x in heads.items()})
        for ledger, frames in self._frames.items():
            keys = [x for (of, _), x in seen.get(FrameScores, {}).items() if of is ledger]
            scores[ledger, FrameScores] = frames.scores(chunk, latent, keys)
        for (ledger, _), x in seen.get(BandScores, {}).items():
            _, bands = self._bands[ledger]
            scores[ledger, BandScores] = bands.scores(bands.leaving(chunk, scene), x)
        if self._ranks is not None:
            self.tokens.choose(seen.get(TokenChoice, {}), self._plan.batch, self._ranks)
        return scores

    def _seen(self, chunk: Chunk, scene: int) -> dict[type, dict[tuple[Ledger, int], Tensor]]:
        """Return what the heads of all ranks showed, by who asks, ledger and layer."""
        parts = dict(self._parts(chunk, scene))
        if self._together is None:
            whole = {place: one.own for place, one in parts.items() if one.own is not None}
        else:
            whole = self._together.whole(parts)
        seen: dict[type, dict[tuple[Ledger, int], Tensor]] = {}
        for place, x in whole.items():
            of = self._ledgers[place.group], place.layer
            seen.setdefault(place.kind, {})[of] = x
        return seen

    def _parts(self, chunk: Chunk, scene: int) -> Iterator[tuple[Place, Seen]]:
        """Yield what the heads of this rank showed, and how much others' must be."""
        page, dim = self._plan.rope.grid.tokens_per_frame, self._plan.geometry.head_dim
        heads = {} if self._heads is None else self._heads.seen()
        wanted = self.tokens.seen()
        for number, ledger in enumerate(self._ledgers):
            layers = sorted(self._plan.groups[number].heads)
            if self._heads is not None and self._heads.decides(chunk):
                (layer,) = layers
                yield Place(HeadScores, number, layer), Seen(heads.get(ledger), HeadScores.WIDTH)
            if ledger in self._frames and self._frames[ledger].by_keys:
                keys = self._frames[ledger].seen()
                width = self._frames[ledger].width(chunk, dim)
                for layer in layers:
                    yield Place(FrameScores, number, layer), Seen(keys.get(layer), width)
            if ledger in self._bands and (frames := self._bands[ledger][1].leaving(chunk, scene)):
                layer, bands = self._bands[ledger]
                own = bands.seen(chunk, frames)
                yield Place(BandScores, number, layer), Seen(own, 2 * len(frames) * page * dim)
            if self._ranks and (candidates := self.tokens.candidates(ledger, chunk, scene)):
                width = self._plan.batch * len(candidates) * page
                for layer in layers:
                    own = wanted.get((ledger, layer))
                    yield Place(TokenChoice, number, layer), Seen(own, width)

    def forget(self) -> None:
        """Drop what no policy will ask for any more."""
        self.tokens.forget()
        for frames in self._frames.values():
            frames.forget()
