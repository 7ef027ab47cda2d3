"""Every method: what caches compute is what the pages they name say, computed without caches."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import torch
from plans import DIM, GRID, HEADS, LAYERS, bank_for, map_for

from headforcing.headforcing_core import (
    ChunkClock,
    KeptContext,
    PromptSchedule,
    Renoising,
    Rollout,
    Rope,
    noise_levels,
)
from headforcing.headforcing_core.methods import (
    NAMES,
    Kind,
    frame_page,
    settings_named,
    with_values,
)
from headforcing.kernels import rotate

# what no preset has
EPISODES = (
    "episodes.update=merge_nearest episodes.rate=0.3",
    "episodes.unit=chunk",
    "episodes.pool=2",
    "episodes.unit=chunk episodes.pool=2 episodes.update=redundancy_evict",
    "episodes.scope=head episodes.descriptor=keys",
    "scene_sink=true anchor_sink=2 anchor_recent=3",
)
# what is kept in eight bits is compared elsewhere: it is near what its pages say
VARIANTS = [(name, "") for name in NAMES if not name.startswith("krea") and "int8" not in name] + [
    ("head_forcing", values) for values in EPISODES
]
# one of every kind of page
FLUSHED = ["head_forcing", "pyramid", "memrope", "deep", "rolling_sink", "forcing_kv"]
FLUSHED += ["reward_forcing", "longlive2"]
P = GRID.tokens_per_frame
ROPE = Rope(DIM, GRID)
CPU = torch.device("cpu")
FRAMES, CHANNELS = 48, 16
# by position, from as far in front of the first frame, and place in the picture
TURNS = torch.stack([ROPE.frames([at], CPU)[:, 0] for at in range(-FRAMES, FRAMES)])
# while the first frames are recent still, in the middle of a full past, soon after that; then a cut
PROMPTS = PromptSchedule((0, 3, 18, 27, 30, 39), tuple("abcdef"), frozenset({39}))


@dataclass
class Tokens:
    """Tokens of a page: raw keys and values ``[G, n, D]``, place in the picture, own frame."""

    k: torch.Tensor
    v: torch.Tensor
    places: torch.Tensor
    frames: torch.Tensor


@dataclass
class ByHand:
    """The past of one group in one layer, from all keys and values there ever were.

    A page has the contents it had when it came, though its frames may be computed again later.
    """

    ledger: object
    heads: tuple[int, ...]
    k: torch.Tensor  # [G, F, P, D], raw
    v: torch.Tensor
    known: dict = field(default_factory=dict)
    means: dict = field(default_factory=dict)
    chosen: dict = field(default_factory=dict)
    middle: tuple = ()

    def follow(self) -> None:
        """Take in what has come, and forget what has gone."""
        past = self.ledger.past
        self._fold(past.middle)
        pages = [*past.middle, *map(frame_page, (*past.sink, *past.recent))]
        # a COPY or a frame that waits is what it was as a frame
        self.known = {page: self.known.get(page) or self._made(page) for page in pages}
        self.middle = past.middle

    def write(self, frames, k, v) -> None:
        self.k[:, frames], self.v[:, frames] = k, v

    def _made(self, page) -> Tokens:
        rule = self.ledger.rule.policy.middle
        frames = torch.tensor(page.frames)
        every = torch.arange(P)
        match page.kind:
            case Kind.FRAME | Kind.COPY | Kind.POOLED:
                (f,) = page.frames
                return Tokens(self.k[:, f].clone(), self.v[:, f].clone(), every, frames.expand(P))
            case Kind.BLOCK:
                k, v = (self._pooled(x[:, frames].mean(1), rule.pool) for x in (self.k, self.v))
                corners = torch.tensor([r * 4 + c for r in (0, 2) for c in (0, 2)])
                return Tokens(k, v, corners, torch.full((4,), page.at))
            case Kind.MERGED:
                before = [p for p in self.known if p.frames == page.frames[: len(p.frames)]]
                base = max(before, key=lambda p: len(p.frames))
                k, v = self.known[base].k, self.known[base].v
                for f in page.frames[len(base.frames) :]:
                    k = (1 - rule.rate) * k + rule.rate * self.k[:, f]
                    v = (1 - rule.rate) * v + rule.rate * self.v[:, f]
                return Tokens(k, v, every, torch.full((P,), page.at))
            case Kind.AVERAGE:
                k, v = self.means[page.number]
                return Tokens(k, v, every, torch.full((P,), page.at))
            case Kind.BANDS:
                size = P // rule.pieces
                f, p = torch.tensor(
                    [(f, band * size + i) for f, band in page.bands for i in range(size)]
                ).T
                return Tokens(self.k[:, f, p], self.v[:, f, p], p, f)
        return self.chosen[page.number]

    @staticmethod
    def _pooled(x, size):
        rows = [
            x.unflatten(1, (3, 4))[:, r : r + size, c : c + size].flatten(1, 2).mean(1)
            for r in range(0, 3, size)
            for c in range(0, 4, size)
        ]
        return torch.stack(rows, 1)

    def _fold(self, after) -> None:
        """Follow running means: each commit folds in the mean of what left."""
        if not after or after[0].kind is not Kind.AVERAGE:
            self.means.clear()
            return
        rule, before = self.ledger.rule.policy.middle, {p.number: p for p in self.middle}
        # all that leaves together is one, but where each frame of a chunk has a mean of its own
        for page in after:
            number, old = page.number, before.get(page.number)
            last = old.frames[-1] if old else page.frames[0] - 1
            new = [f for f in page.frames if f > last and frame_page(f) in self.known]
            if not new:
                continue
            x = [y[:, new].mean(1) for y in (self.k, self.v)]
            if not rule.per_token:
                x = [y.mean(1, keepdim=True).expand(-1, P, -1) for y in x]
            old = self.means.get(number, x) if old else x
            rate = rule.rates[number]
            self.means[number] = [(1 - rate) * o + rate * n for o, n in zip(old, x, strict=True)]
            self.known = {
                p: t for p, t in self.known.items() if p.number != number or p.kind is not page.kind
            }

    def choose(self, chunk, candidates, q) -> None:
        """Take the tokens that the sum of the chunk's queries ``[G, F, P, D]`` likes most."""
        if not candidates:
            return
        count, places = self.ledger.rule.policy.middle.count, self.ledger.read(chunk.start)
        rows = torch.cat([turned(q[:, i], torch.arange(P), torch.full((P,), f))
                          for i, f in enumerate(chunk.frames)], 1).sum(1)  # fmt: skip
        found = [self.known.get(page) or self._made(page) for page in candidates]
        scores = []
        for page, t in zip(candidates, found, strict=True):
            k = turned(t.k, t.places, torch.full_like(t.frames, places.get(page, page.at)))
            scores.append(torch.einsum("gd,gnd->n", rows, k))
        best = torch.cat(scores).topk(count * P).indices.sort().values
        parts = [torch.cat([getattr(t, x) for t in found], 1)[:, best] for x in ("k", "v")]
        parts += [torch.cat([getattr(t, x) for t in found])[best] for x in ("places", "frames")]
        split = [x.split(P, 1 if x.dim() > 1 else 0) for x in parts]
        self.chosen = {n: Tokens(*(x[n] for x in split)) for n in range(count)}

    def read(self, chunk, frame, q, k, v):
        """Attend with one query frame's rows ``[G, P, D]``, raw, in float64."""
        keys, values = [], []
        for page, at in self.ledger.read(frame).items():
            t = self.known[page]
            own = page.kind is Kind.BANDS
            where = t.frames if own else torch.full_like(t.frames, at)
            keys.append(turned(t.k, t.places, where))
            values.append(t.v.double())
        for i, f in enumerate(chunk.frames):
            keys.append(turned(k[:, i], torch.arange(P), torch.full((P,), f)))
            values.append(v[:, i].double())
        k, v = torch.cat(keys, 1), torch.cat(values, 1)
        rows = turned(q, torch.arange(P), torch.full((P,), frame))
        weights = (rows @ k.transpose(1, 2) * DIM**-0.5).softmax(-1)
        return weights @ v


def turned(k, places, positions):
    """Rotate raw keys ``[G, n, D]`` to where they stand."""
    return rotate(k, TURNS[positions + FRAMES, places]).double()


class Script:
    """A model whose queries, keys and values stand before it runs; it checks what it is answered.

    Every prompt has its own, so that what was computed again under another one is different. The
    first channel of a latent says which frame it begins with.
    """

    def __init__(self, bank, every):
        rng = torch.Generator().manual_seed(0)
        shape = (3, LAYERS, FRAMES, P, HEADS, DIM)
        self.said = {text: torch.randn(shape, generator=rng) for text in PROMPTS.texts}
        self.latents = torch.randn(1, CHANNELS, FRAMES, 6, 8, generator=rng)
        self.latents[:, 0] = torch.arange(FRAMES)[:, None, None]
        self.bank, self.every, self.checked, self.origin = bank, every, 0, 0
        self.hands = list(self._hands())

    def _hands(self) -> Iterator[tuple[int, ByHand]]:
        for layer, cache in enumerate(self.bank.layers):
            for share in cache.shares:
                empty = torch.full((len(share.heads), FRAMES, P, DIM), torch.nan)
                yield layer, ByHand(share.ledger, share.heads, empty, empty.clone())

    def draw(self, chunk, step):
        return self.latents[:, :, chunk.start : chunk.stop]

    def predict_clean(self, noisy, level, text, attend):
        first, chunk = int(noisy[0, 0, 0, 0, 0]), attend.opened.chunk
        if first - chunk.start != self.origin:  # a cut: frames are counted anew
            self.origin, self.hands = first - chunk.start, list(self._hands())
        for _, hand in self.hands:
            hand.follow()
        rows = slice(first, first + len(chunk))
        for layer in range(LAYERS):
            q, k, v = self.said[text][:, layer, rows]
            got = attend(layer, *(x.flatten(0, 1)[None] for x in (q, k, v)))[0]
            for of, hand in self.hands:
                if of == layer:
                    own = [x[:, :, hand.heads].permute(2, 0, 1, 3) for x in (q, k, v)]
                    answer = got.unflatten(0, (len(chunk), P))[:, :, hand.heads]
                    self._check(hand, chunk, answer, own, attend.step is None)
        return noisy

    def _check(self, hand, chunk, answer, own, commits) -> None:
        q, k, v = own
        if commits or chunk.index % self.every == 0 or chunk.index < 5:
            for i, f in enumerate(chunk.frames):
                expected = hand.read(chunk, f, q[:, i], k, v).float()
                actual = answer[i].transpose(0, 1)
                torch.testing.assert_close(actual, expected, atol=3e-5, rtol=1e-4)
                self.checked += 1
        if commits:
            hand.write(list(chunk.frames), k, v)
            tokens = self.bank._scoring.tokens
            hand.choose(chunk, tokens.candidates(hand.ledger, chunk, self.bank._scene), q)


def check(name, values):
    method = with_values(settings_named(name), values.split()).build()
    bank = bank_for(method, FRAMES)
    script = Script(bank, every=3)
    head_map = map_for(method)
    for layer, cache in enumerate(bank.layers):
        for share in cache.shares if head_map else ():
            types = {head_map.types[layer][head] for head in share.heads}
            assert [share.ledger.rule] == [method.fitted(FRAMES, 3).rules[t] for t in types]
    rollout = Rollout(
        script, ChunkClock(FRAMES, 3), PROMPTS, KeptContext(script, bank, method.switch),
        Renoising(noise_levels((1000,), 5)), script,
    )  # fmt: skip
    assert len(list(rollout.run())) == FRAMES // 3 and script.checked


@pytest.mark.parametrize("frames", [3, 15])
@pytest.mark.parametrize(("name", "values"), VARIANTS)
def test_caches_compute_what_their_pages_say(name, values, frames):
    """Also after the past was computed again under a new prompt, twice, and after a cut."""
    check(name, f"{values} on_switch=recache recache_frames={frames}")


@pytest.mark.parametrize("rule", ["flush_recent", "flush_memory", "flush_all"])
@pytest.mark.parametrize(
    "name", [*FLUSHED, "head_forcing scene_sink=true anchor_sink=2 anchor_recent=3"]
)
def test_caches_compute_what_their_pages_say_after_they_forgot(name, rule):
    name, _, values = name.partition(" ")
    check(name, f"{values} on_switch={rule}")
