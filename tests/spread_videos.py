"""Videos that ranks make together, and one process alone, for tests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import torch
from every_family import Recoder, whole
from plans import map_for
from random_model import TINY, random_weights
from torch import Tensor

from headforcing.headforcing_core import PromptSchedule
from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.methods import settings_named, with_values
from headforcing.headforcing_core.models import family_named
from headforcing.headforcing_core.models.checkpoint import build_wan
from headforcing.headforcing_core.models.experts import TwoExperts
from headforcing.headforcing_core.ranks import Ranks
from headforcing.headforcing_core.rollout import Begun

# a frame of 7 tokens: neither two nor three ranks have as many
SIDES = (2, 14)
HEAD_DIM = TINY.dim // TINY.heads


@dataclass(frozen=True)
class Case:
    """A video; see ``VideoRequest``.

    says: settings of the method.
    switch, cut: chunks with which a new prompt comes.
    """

    method: str | None = None
    family: str = "self_forcing"
    says: tuple[str, ...] = ()
    heads: int = 4
    layers: int = 2
    chunks: int = 10
    first_chunk: int | None = None
    switch: int | None = 4
    cut: int | None = None
    batch: int = 1

    @property
    def request(self) -> VideoRequest:
        family = family_named(self.family)
        if not (family.joint or family.first_steps or family.sigmas):
            family = family.tuned(steps=family.steps[::2])
        size = family.frames_per_chunk
        method = None
        if self.method is not None:
            method = with_values(settings_named(self.method), self.says).build(size)
        head_map = method and map_for(method, self.heads, self.layers)
        first = self.first_chunk
        return VideoRequest(family, self.chunks * size, *SIDES, 0, first, method, head_map)

    @property
    def prompts(self) -> PromptSchedule:
        rng = torch.Generator().manual_seed(2)
        texts = torch.randn(3, self.batch, 4, TINY.text_dim, generator=rng)
        size = family_named(self.family).frames_per_chunk
        at = {0: 0, **{size * c: n for n, c in enumerate((self.switch, self.cut), 1) if c}}
        cuts = frozenset({size * self.cut} if self.cut else ())
        starts = sorted(at)
        return PromptSchedule(tuple(starts), tuple(texts[at[s]] for s in starts), cuts)


class Made(NamedTuple):
    """What a rank has at the end. ``pasts``: what each group of heads holds."""

    latents: Tensor
    bytes: int
    planned: int
    sent: dict[str, int]
    collectives: dict[str, int]
    pasts: list[str]
    heads: int
    eight_bits: bool


@cache
def model_of(heads: int, layers: int, channels: int):
    sizes = {"dim": HEAD_DIM * heads, "heads": heads, "layers": layers}
    config = replace(TINY, in_dim=channels, out_dim=channels, **sizes)
    return build_wan(TensorDict(random_weights(config)), heads=heads)


def model_for(case: Case):
    family = family_named(case.family)
    model = model_of(case.heads, case.layers, family.channels)
    if not family.two_experts:
        return model
    other = build_wan(TensorDict(random_weights(model.config, 1)), heads=case.heads)
    return TwoExperts(model, other)


def made(ranks: Ranks | None, case: Case, begun: Begun | None = None) -> Made:
    """Make a video: on one of several ranks, or alone."""
    leads = ranks is None or ranks.leads
    recoder = Recoder() if leads else None
    rollout = case.request.rollout(model_for(case), case.prompts, recoder=recoder, ranks=ranks)
    latents = whole(list(rollout.run(begun)))
    held = sum(x.untyped_storage().nbytes() for x in rollout.bank.tensors)
    traffic = None if ranks is None else ranks.traffic
    return Made(
        latents,
        held,
        rollout.bank.plan.bytes,
        {} if traffic is None else dict(traffic.sent),
        {} if traffic is None else dict(traffic.collectives),
        [repr(ledger.past) for ledger in rollout.bank.ledgers],
        sum(len(s.heads) for layer in rollout.bank.layers for s in layer.shares),
        any(pool.scales is not None for layer in rollout.bank.layers for pool in layer.pools),
    )


def alike(rank: Made, alone: Made) -> bool:
    """Whether a rank has made what one process makes, and remembers the same."""
    # a number between two codes may go to either where sums are added up in another order
    off = 1e-3 if alone.eight_bits else 2e-5
    close = torch.allclose(rank.latents, alone.latents, atol=off, rtol=1e-4)
    return close and rank.pasts == alone.pasts
