"""One video on several ranks, foreseen: how even, how much is swapped, about how fast."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

from ..device import GIB
from ..memory import CachePlan, group_heads
from ..methods import HeadMap
from ..models import Family, WanConfig
from ..ranks import CallTraffic, by_count, imbalance
from ..video import Rope
from .budgets import heads_of, requests_of
from .model_sizes import ModelSizes

MIB = 2**20
# multiplications with an addition count twice
TWICE = 2
# of a token, in squares of the width: queries, keys, values and output of self-attention, queries
# and output of cross-attention
PROJECTIONS = 6
# ranks that a speed is estimated for
CREWS = (2, 4, 8)


@dataclass(frozen=True)
class Cards:
    """What an estimate assumes of cards and of what lies between them.

    Args:
        flops: per second and card: about what whole rollouts of ours reach on an H100 in bfloat16
            (benchmarks/results/rollout_nvidia_h100_80gb_hbm3.json).
        links: bytes per second that a card sends while it receives as many: about two thirds of
            what an H100's NVLink has, and what PCIe 4 gives.
        collective: seconds until one begins.
    """

    flops: float = 450e12
    links: tuple[float, ...] = (300e9, 25e9)
    collective: float = 3e-5


CARDS = Cards()


@dataclass(frozen=True)
class Shares:
    """A model call of full caches on several ranks.

    Args:
        config: of the model.
        plan: of the caches, dealt; see ``CachePlan.dealt``.
        text_tokens: rows of a prompt.
    """

    config: WanConfig
    plan: CachePlan
    text_tokens: int

    @property
    def ranks(self) -> int:
        return self.plan.ranks

    @cached_property
    def bytes(self) -> tuple[int, ...]:
        """Of the caches of each rank."""
        return tuple(replace(self.plan, rank=rank).bytes for rank in range(self.ranks))

    @property
    def balance(self) -> float:
        """What the fullest rank reads beside the mean, layer by layer; 1 is even."""
        return imbalance(self.plan.deal, self.plan.loads)

    @property
    def balance_by_count(self) -> float:
        """The same where heads are dealt in their order, as many to each rank."""
        geometry = self.plan.geometry
        plain = by_count(geometry.layers, geometry.heads, self.ranks)
        return imbalance(plain, self.plan.loads)

    @cached_property
    def traffic(self) -> CallTraffic:
        """What a call sends."""
        plan = self.plan
        return CallTraffic(
            plan.deal,
            plan.batch,
            self._frames,
            plan.rope.grid.tokens_per_frame,
            plan.geometry.head_dim,
            prod(self.config.patch) * self.config.out_dim,
            plan.dtype.itemsize,
        )

    @property
    def most_sent(self) -> int:
        """Bytes that the rank which sends most sends in a call."""
        return max(sum(self.traffic.sent(rank).values()) for rank in range(self.ranks))

    def faster(self, cards: Cards, link: float) -> float:
        """Return about how many times as fast a call is as on one card of these.

        What every rank does for itself (times, patches, steps between calls) is left out, and
        nothing is hidden behind anything else.

        Args:
            link: bytes per second, both ways at once.
        """
        every = self._tokens * self._per_token + sum(map(sum, self.plan.loads)) * self._per_row
        own = -(-self._tokens // self.ranks) * self._per_token
        layers = zip(self.plan.deal.heads, self.plan.loads, strict=True)
        fullest = sum(max(sum(load[h] for h in own) for own in ranks) for ranks, load in layers)
        computed = (own + fullest * self._per_row) / cards.flops
        calls = sum(self.traffic.collectives.values())
        swapped = self.most_sent / link + calls * cards.collective
        return every / cards.flops / (computed + swapped)

    @property
    def _frames(self) -> int:
        plan = self.plan
        return plan.frames_per_chunk if plan.ahead is None else plan.ahead.frames

    @property
    def _tokens(self) -> int:
        return self.plan.batch * self._frames * self.plan.rope.grid.tokens_per_frame

    @property
    def _per_token(self) -> float:
        """Operations of all layers for a token, self-attention left out."""
        config = self.config
        weights = PROJECTIONS * config.dim**2 + 2 * config.dim * config.ffn_dim
        cross = 2 * self.text_tokens * config.dim
        return TWICE * config.layers * (weights + cross)

    @property
    def _per_row(self) -> float:
        """Operations for a row that all queries of one head read: scores, then values."""
        return TWICE * 2 * self._tokens * self.plan.geometry.head_dim


def told_shares(shares: Shares, cards: Cards = CARDS) -> str:
    """Return all that is known of a run on several ranks, as lines of text."""
    plan, said = shares.plan, shares
    caches = ", ".join(f"{size / GIB:.2f}" for size in said.bytes)
    whole = replace(plan, deal=None)
    lines = [
        f"on {said.ranks} ranks, heads dealt by what they read:",
        f"  caches of each              {caches} GiB",
        f"  fullest rank, of the mean   {said.balance:.3f}; dealt by count "
        f"{said.balance_by_count:.3f}",
        f"  a call swaps                {said.most_sent / MIB:.1f} MiB per rank at most, in "
        f"{sum(said.traffic.collectives.values())} collectives",
        f"an estimate, not a measurement, for {cards.flops / 1e12:g} TFLOP/s a card and "
        f"{cards.collective * 1e3:g} ms a collective:",
    ]
    heads, tokens = plan.geometry.heads, plan.rope.grid.tokens_per_frame
    for ranks in (n for n in CREWS if n <= min(heads, tokens)):
        one = replace(shares, plan=whole.dealt(ranks))
        speeds = (
            f"{one.faster(cards, link):.2f} times as fast over {link / 1e9:g} GB/s"
            for link in cards.links
        )
        lines.append(f"  {ranks} ranks                     {', '.join(speeds)}")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Balance:
    """How even one method is on several ranks.

    Args:
        dealt: what the fullest rank reads beside the mean, where heads are dealt by what they read.
        by_count: the same where each rank has as many.
        bytes: of the caches of the fullest rank.
        share: of all caches that it has.
    """

    method: str
    dealt: float
    by_count: float
    bytes: int
    share: float


def balances(
    sizes: ModelSizes, family: Family, rope: Rope, frames: int, ranks: int
) -> Iterator[Balance]:
    """Yield how even every method that makes sense with a family's models is.

    Of a method that tells heads apart on the way it is told how even it is afterwards, with as many
    heads of each type as ``heads_of`` says: they are dealt before.

    Args:
        sizes, family, rope, frames: see ``budgets``.
        ranks: how many.
    """
    config = sizes.config
    for name, request in requests_of(config, family, rope, frames):
        whole = request.plan(sizes)
        plan = whole.dealt(ranks)
        shares = Shares(config, plan, 1)
        loads = plan.loads
        if plan.online is not None:
            known = [t for t, n in heads_of(plan.method, plan.geometry).items() for _ in range(n)]
            layers = plan.geometry.layers
            rows = tuple(tuple(known[layer::layers]) for layer in range(layers))
            types = HeadMap(plan.method.scheme, rows)
            groups = group_heads(plan.method, types, plan.geometry)
            loads = replace(whole, groups=groups).loads
        plain = by_count(plan.geometry.layers, plan.geometry.heads, ranks)
        fullest, every = max(shares.bytes), sum(shares.bytes)
        even = imbalance(plan.deal, loads), imbalance(plain, loads)
        yield Balance(name, *even, fullest, fullest / every)
