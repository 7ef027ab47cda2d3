"""What ranks send each other: counted while it is sent, and foretold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from .deal import Deal, runs_of

# kinds: before attention, after it, what a call gives, what policies compare, and all the rest
IN, OUT, WHOLE, SCORES, TOLD = "in", "out", "whole", "scores", "told"
# queries, keys and values
CARRIED = 3


@dataclass
class Traffic:
    """What one rank took part in and sent to others, by kind; what it keeps is not counted.

    Args:
        collectives: calls that all ranks make together.
        sent: bytes.
    """

    collectives: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, sent: int) -> None:
        self.collectives[kind] += 1
        self.sent[kind] += sent


@dataclass(frozen=True)
class CallTraffic:
    """What one model call sends, in bytes and collectives. With B videos, F frames of P tokens, H
    heads of D numbers of s bytes, of which rank r has P_r and in layer l H_lr:

        in    one collective a layer   3 B F P_r (H - H_lr) D s
        out   one collective a layer     B F (P - P_r) H_lr D s
        whole one collective a call      B F ceil(P / R) (R - 1) c s, c numbers a token

    Args:
        deal: of heads.
        batch, frames: of the call.
        page: tokens of a frame.
        head_dim: numbers of a head.
        width: numbers that the model's last layer gives per token.
        itemsize: bytes of a number.

    Source: the exchange is that of DeepSpeed-Ulysses (arXiv 2309.14509); there all heads weigh the
    same, and tokens are dealt in runs of the whole sequence, here of each frame.
    """

    deal: Deal
    batch: int
    frames: int
    page: int
    head_dim: int
    width: int
    itemsize: int

    @property
    def collectives(self) -> dict[str, int]:
        layers = len(self.deal.heads)
        return {IN: layers, OUT: layers, WHOLE: 1}

    def sent(self, rank: int) -> dict[str, int]:
        """Return the bytes that a rank sends to others."""
        layers = range(len(self.deal.heads))
        parts = [self.layer_sent(layer, rank) for layer in layers]
        most = -(-self.page // self.deal.ranks)
        whole = self.batch * self.frames * most * (self.deal.ranks - 1) * self.width
        return {
            IN: sum(before for before, _ in parts),
            OUT: sum(after for _, after in parts),
            WHOLE: whole * self.itemsize,
        }

    def layer_sent(self, layer: int, rank: int) -> tuple[int, int]:
        """Return the bytes that a rank sends before attention and after it."""
        counts = self.deal.counts(layer)
        own = runs_of(self.page, self.deal.ranks)[rank]
        token = self.batch * self.frames * self.head_dim * self.itemsize
        before = CARRIED * token * own * (sum(counts) - counts[rank])
        return before, token * (self.page - own) * counts[rank]
