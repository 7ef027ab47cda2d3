"""Every method: what caches compute is what the pages they name say, computed without caches."""

from dataclasses import dataclass, field

import pytest
import torch
from plans import DIM, GRID, HEADS, LAYERS, bank_for

from headforcing.headforcing_core import ChunkClock, HeadAttention, Rope
from headforcing.headforcing_core.methods import NAMES, Kind, settings_named, with_values
from headforcing.kernels import rotate

# what no preset has
EPISODES = (
    "update=merge_nearest rate=0.3",
    "unit=chunk",
    "pool=2",
    "unit=chunk pool=2 update=redundancy_evict",
    "scope=head descriptor=keys",
)
VARIANTS = [(name, "") for name in NAMES] + [("head_forcing", values) for values in EPISODES]
P = GRID.tokens_per_frame
ROPE = Rope(DIM, GRID)
CPU = torch.device("cpu")


@dataclass
class Tokens:
    """Tokens of a page: raw keys and values ``[G, n, D]``, place in the picture, own frame."""

    k: torch.Tensor
    v: torch.Tensor
    places: torch.Tensor
    frames: torch.Tensor


@dataclass
class ByHand:
    """The past of one group in one layer, from all keys and values there ever were."""

    k: torch.Tensor  # [G, F, P, D], raw
    v: torch.Tensor
    means: dict = field(default_factory=dict)
    chosen: dict = field(default_factory=dict)

    def tokens(self, page, middle) -> Tokens:
        frames = torch.tensor(page.frames)
        every = torch.arange(P)
        match page.kind:
            case Kind.FRAME | Kind.COPY:
                (f,) = page.frames
                return Tokens(self.k[:, f], self.v[:, f], every, torch.full((P,), f))
            case Kind.BLOCK:
                k, v = (self._pooled(x[:, frames].mean(1), middle.pool) for x in (self.k, self.v))
                corners = torch.tensor([r * 4 + c for r in (0, 2) for c in (0, 2)])
                return Tokens(k, v, corners, torch.full((4,), page.at))
            case Kind.MERGED:
                k, v = self.k[:, page.frames[0]], self.v[:, page.frames[0]]
                for f in page.frames[1:]:
                    k = (1 - middle.rate) * k + middle.rate * self.k[:, f]
                    v = (1 - middle.rate) * v + middle.rate * self.v[:, f]
                return Tokens(k, v, every, torch.full((P,), page.at))
            case Kind.AVERAGE:
                k, v = self.means[page.number]
                return Tokens(k[:, None].expand(-1, P, -1), v[:, None].expand(-1, P, -1), every,
                              torch.full((P,), page.at))  # fmt: skip
            case Kind.BANDS:
                size = P // middle.bands
                rows = [(f, band * size + i) for f, band in page.bands for i in range(size)]
                return self._rows(rows)
            case Kind.TOKENS:
                return self._rows(self.chosen[page.number])

    def _rows(self, rows) -> Tokens:
        f, p = (torch.tensor(x) for x in zip(*rows, strict=True))
        return Tokens(self.k[:, f, p], self.v[:, f, p], p, f)

    @staticmethod
    def _pooled(x, size):
        rows = [
            x.unflatten(1, (3, 4))[:, r : r + size, c : c + size].flatten(1, 2).mean(1)
            for r in range(0, 3, size)
            for c in range(0, 4, size)
        ]
        return torch.stack(rows, 1)

    def fold(self, before, after, middle):
        """Follow running means: each commit folds in the mean of what left."""
        if not after or after[0].kind is not Kind.AVERAGE or after == before:
            return
        known = before[0].frames[-1] if before else after[0].frames[0] - 1
        new = [f for f in after[0].frames if f > known]
        for number, rate in enumerate(middle.rates):
            x = tuple(y[:, new].mean((1, 2)) for y in (self.k, self.v))
            old = self.means.get(number, x)
            self.means[number] = tuple(
                (1 - rate) * o + rate * n for o, n in zip(old, x, strict=True)
            )


def turned(k, places, positions):
    """Rotate raw keys ``[G, n, D]`` to where they stand."""
    rows = [ROPE.frames([int(at)], CPU) for at in positions]
    turn = torch.stack([row[int(p), 0] for row, p in zip(rows, places, strict=True)])
    return rotate(k, turn).double()


def read_by_hand(hand, ledger, chunk, frame, q, history):
    """Attend with one query frame's rows ``[G, P, D]``, raw, in float64."""
    middle, places = ledger.rule.policy.middle, ledger.read(frame)
    keys, values = [], []
    for page, at in places.items():
        own = page.kind is Kind.BANDS
        t = hand.tokens(page, middle)
        where = t.frames if own else torch.full_like(t.frames, at)
        keys.append(turned(t.k, t.places, where))
        values.append(t.v.double())
    for f in chunk.frames:
        keys.append(turned(hand.k[:, f], torch.arange(P), torch.full((P,), f)))
        values.append(hand.v[:, f].double())
    k, v = torch.cat(keys, 1), torch.cat(values, 1)
    rows = turned(q, torch.arange(P), torch.full((P,), frame))
    weights = (rows @ k.transpose(1, 2) * DIM**-0.5).softmax(-1)
    return weights @ v


def choose_by_hand(hand, ledger, chunk, candidates, q):
    """Take the tokens that the sum of the chunk's queries likes most."""
    if not candidates:
        return
    middle, places = ledger.rule.policy.middle, ledger.read(chunk.start)
    rows = torch.cat([turned(q[:, i], torch.arange(P), torch.full((P,), f))
                      for i, f in enumerate(chunk.frames)], 1).sum(1)  # fmt: skip
    names, scores = [], []
    for page in candidates:
        t = hand.tokens(page, middle)
        at = places.get(page, page.at)
        k = turned(t.k, t.places, torch.full_like(t.frames, at))
        scores.append(torch.einsum("gd,gnd->n", rows, k))
        names += list(zip(t.frames.tolist(), t.places.tolist(), strict=True))
    best = torch.cat(scores).topk(middle.count * P).indices.sort().values.tolist()
    kept = [names[i] for i in best]
    hand.chosen = {n: kept[n * P : (n + 1) * P] for n in range(middle.count)}


@pytest.mark.parametrize(("name", "values"), VARIANTS)
def test_caches_compute_what_their_pages_say(name, values):
    assignments = [f"episodes.{value}" for value in values.split()]
    method = with_values(settings_named(name), assignments).build()
    clock = ChunkClock(60, 3)
    bank = bank_for(method, 60)
    rng = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(LAYERS, 1, 60 * P, HEADS, DIM, generator=rng) for _ in range(3))
    latent = torch.randn(1, 16, 60, 6, 8, generator=rng)
    hands = {}
    for layer, cache in enumerate(bank.layers):
        for share in cache.shares:
            own = (x[layer, 0][:, share.heads].unflatten(0, (60, P)).permute(2, 0, 1, 3)
                   for x in (k, v))  # fmt: skip
            hands[layer, share.ledger] = ByHand(*own)
    for chunk in clock:
        attend = HeadAttention(bank.open(chunk), step=None)
        rows = slice(chunk.start * P, chunk.stop * P)
        for layer, cache in enumerate(bank.layers):
            got = attend(layer, *(x[layer][:, rows] for x in (q, k, v)))
            for share in cache.shares:
                own_q = q[layer, 0, rows][:, share.heads].unflatten(0, (3, P)).permute(2, 0, 1, 3)
                hand = hands[layer, share.ledger]
                if chunk.index % 3 == 0 or chunk.index < 8:
                    for i, f in enumerate(chunk.frames):
                        expected = read_by_hand(hand, share.ledger, chunk, f, own_q[:, i], None)
                        actual = got[0, i * P : (i + 1) * P][:, share.heads].transpose(0, 1)
                        torch.testing.assert_close(actual, expected.float(), atol=3e-5, rtol=1e-4)
                candidates = bank._scoring.tokens.candidates(share.ledger, chunk, 0)
                hand.pending = (candidates, own_q, share.ledger.past.middle)
                if candidates:
                    choose_by_hand(hand, share.ledger, chunk, candidates, own_q)
        bank.commit(chunk, latent[:, :, chunk.start : chunk.stop])
        for (_, ledger), hand in hands.items():
            hand.fold(hand.pending[2], ledger.past.middle, ledger.rule.policy.middle)
