"""What policies must know of tensors: computed on the device, fetched once per chunk."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from ..device import send
from ..methods import Commit, DummyTypes, Kind, Page, frame_page
from ..methods.middles import Bands, Descriptor, Episodes, Tokens
from ..video import Chunk, LatentGrid
from .layer_cache import LayerCache, Share
from .ledger import Ledger
from .novelty import Novelty, describe


class Decisions:
    """Scores of one video's frames, bands and tokens.

    Args:
        ledgers: of all heads.
        layers: what is looked at.
        grid: of tokens.
        online: tells the types of heads apart, if they are not known.
        types: what it told, after ``events`` of the chunk that decides.
    """

    def __init__(
        self,
        ledgers: Sequence[Ledger],
        layers: Sequence[LayerCache],
        grid: LatentGrid,
        online: DummyTypes | None = None,
    ):
        self.online, self.types = online, dict[Ledger, str]()
        self._masses: dict[Ledger, Tensor] = {}
        self._ledgers, self._layers, self._grid = ledgers, layers, grid
        self._novelty: dict[Ledger, Novelty] = {}
        self._keys: dict[Ledger, list[Tensor]] = {}
        self._band_scores: dict[Ledger, Share] = {}
        self._chosen: dict[tuple[Ledger, int], Tensor] = {}
        for ledger in ledgers:
            middle = ledger.rule.policy.middle
            if isinstance(middle, Episodes) and middle.looks:
                self._novelty[ledger] = Novelty(middle.centred)
            if isinstance(middle, Bands):
                self._band_scores[ledger] = self._share_of(ledger, middle.scored_in)

    def _share_of(self, ledger: Ledger, layer: int) -> Share:
        """Return the ledger's part of a layer, or of the next one that has heads of it."""
        shares = [
            (number, share)
            for number, cache in enumerate(self._layers)
            for share in cache.shares
            if share.ledger is ledger
        ]
        return next((share for number, share in shares if number >= layer), shares[-1][1])

    def study(self, layer: int, q: Tensor, k: Tensor, chunk: Chunk) -> None:
        """Look at a layer while the open chunk is clean.

        Args:
            q: ``[B, T, H, D]``, rotated.
            k: the same, unrotated.
        """
        for share in self._layers[layer].shares:
            middle, ledger = share.ledger.rule.policy.middle, share.ledger
            if self.online and chunk.index == self.online.after_chunk:
                own = share.own(q[:, :: self.online.every])
                self._masses[ledger] = _masses(share, own, chunk)
            if ledger in self._novelty and middle.descriptor is Descriptor.KEYS:
                described = self._describe_keys(share.own(k), len(chunk))
                self._keys.setdefault(ledger, []).append(described)
            if isinstance(middle, Tokens):
                candidates = self.candidates(ledger, chunk)
                if candidates:
                    count = middle.count * self._grid.tokens_per_frame
                    chosen = _most_wanted(share, share.own(q), candidates, count)
                    self._chosen[ledger, layer] = chosen

    def candidates(self, ledger: Ledger, chunk: Chunk) -> tuple[Page, ...]:
        """Return the pages that tokens will be taken from when ``chunk`` is committed."""
        past, policy = ledger.past, ledger.rule.policy
        if not isinstance(policy.middle, Tokens):
            return ()
        _, leaving, _ = policy.split(past, chunk)
        after = policy.middle.take(past.middle, leaving, Commit(chunk))
        if not any(page.kind is Kind.TOKENS and page not in past.middle for page in after):
            return ()
        return (*past.middle, *map(frame_page, leaving))

    def chosen(self, ledger: Ledger, layer: int) -> Tensor | None:
        """Return ``[B, n]``, which of the candidates' tokens are kept."""
        return self._chosen.get((ledger, layer))

    def events(self, chunk: Chunk, scene: int, latent: Tensor | None) -> list[Commit]:
        """Return what each ledger's policy may know. This is the one transfer from the device.

        Args:
            scene: first frame of the prompt that rules.
            latent: ``[B, C, len(chunk), Y, X]``, clean; needed where frames are compared by it.
        """
        for ledger, novelty in self._novelty.items():
            novelty.see(chunk.frames, self._descriptors(ledger, latent))
        scored = {
            ledger: ledger.rule.policy.split(ledger.past, chunk)[1] for ledger in self._band_scores
        }
        parts = [novelty.likeness().flatten() for novelty in self._novelty.values()]
        parts += [
            _band_likeness(self._band_scores[ledger], frames) for ledger, frames in scored.items()
        ]
        masses, self._masses = self._masses, {}
        fetched = iter(torch.cat([*masses.values(), *parts]).tolist() if masses or parts else ())
        told = [(next(fetched), next(fetched)) for _ in masses]
        self.types = dict(zip(masses, self.online.decide(told), strict=True)) if masses else {}
        likeness = {
            ledger: dict(zip(product(novelty.frames, repeat=2), fetched, strict=False))
            for ledger, novelty in self._novelty.items()
        }
        bands = {
            ledger: dict(
                zip(product(frames, range(ledger.rule.policy.middle.bands)), fetched, strict=False)
            )
            for ledger, frames in scored.items()
        }
        self._keys.clear()
        return [
            Commit(chunk, scene, likeness=likeness.get(ledger, {}), bands=bands.get(ledger, {}))
            for ledger in self._ledgers
        ]

    def forget(self) -> None:
        """Drop what no policy will ask for any more."""
        self._chosen.clear()
        for ledger, novelty in self._novelty.items():
            past = ledger.past
            novelty.keep((*past.sink, *(page.at for page in past.middle), *past.recent))

    def _descriptors(self, ledger: Ledger, latent: Tensor | None) -> Tensor:
        if ledger.rule.policy.middle.descriptor is Descriptor.KEYS:
            return torch.cat(self._keys[ledger], 1)
        assert latent is not None, "frames that are compared by their latents need them"
        (video,) = latent
        return describe(video.transpose(0, 1))

    def _describe_keys(self, k: Tensor, frames: int) -> Tensor:
        (video,) = k
        grid = (frames, self._grid.token_rows, self._grid.token_columns)
        return describe(video.flatten(1).unflatten(0, grid).permute(0, 3, 1, 2))


def _band_likeness(share: Share, frames: Sequence[int]) -> Tensor:
    """Compare each band of frames with the same one of the next frame, over all heads: ``[n]``."""
    if not frames:
        return share.arena.k.new_zeros(0, dtype=torch.float32)
    slots, bands = share.ledger.slots.places, share.ledger.rule.policy.middle.bands
    this, following = (
        share.arena.in_slots([slots[frame_page(f + step)] for f in frames])[0][0]
        .unflatten(1, (len(frames), -1))
        .permute(1, 2, 0, 3)
        .flatten(2)
        .float()
        for step in (0, 1)
    )  # [frames, P, G * D]
    alike = cosine_similarity(this, following, dim=-1)
    return alike.unflatten(1, (bands, -1)).mean(2).flatten()


def _masses(share: Share, q: Tensor, chunk: Chunk) -> Tensor:
    """Return the attention of one head on the first frame and on those between: ``[2]``."""
    places = share.ledger.slots.places
    k = share.arena.in_slots(list(places.values()))[0][0, 0].float()
    weights = (q[0, :, 0].float() @ k.T * q.shape[-1] ** -0.5).softmax(-1).mean(0)
    frames = weights.unflatten(0, (len(places), -1)).sum(1)
    counted = [[page.at == 0 for page in places], [0 < page.at < chunk.start for page in places]]
    return send(torch.tensor(counted), frames.device).float() @ frames


def _most_wanted(share: Share, q: Tensor, candidates: Sequence[Page], count: int) -> Tensor:
    """Return the tokens with the highest scores against the sum of all queries, in order."""
    slots = [share.ledger.slots.places[page] for page in candidates]
    k = share.arena.in_slots(slots)[0].float()
    scores = torch.einsum("bgd,bgnd->bn", q.float().sum(1), k)
    return scores.topk(min(count, scores.shape[1])).indices.sort().values
