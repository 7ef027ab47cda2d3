"""From what heads look at to what type they are: the rules of four papers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from math import ceil, inf
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from ..bounds import MOST_FRAMES, check_frames, check_within
from ..methods import DummyTypes, forcing_kv, head_forcing, pyramid
from .head_profile import Sample

# frequencies between two lines of a spectrum
FINER = 16
# a spectrum of twenty frames has no more lines in which overtones could lie
MOST_HARMONICS = 200
Types = tuple[tuple[str, ...], ...]
Statistics = Mapping[str, Tensor]


class Aggregate(Enum):
    """How many samples become one type per head.

    MEAN     the rule is applied to the mean over all of them
    SAMPLES  to each; the most frequent type wins
    PROMPTS  to the mean over those of each prompt; the most frequent type wins
    """

    MEAN = "mean"
    SAMPLES = "samples"
    PROMPTS = "prompts"


class Classifier(Protocol):
    """A rule for telling heads apart, and its thresholds.

    scheme: whose types they are.
    unsure: the type of a head in doubt, one that forgets least; None: it keeps its own.
    aggregate: as the paper does it.
    recalls: the type of heads that turn to what comes back; None: it does not tell them apart.
    tau_return: least shift of attention that makes one; see ``Recalling``.
    """

    scheme: ClassVar[str]
    unsure: ClassVar[str | None]
    aggregate: ClassVar[Aggregate]
    recalls: ClassVar[str | None]
    tau_return: float

    def statistics(self, sample: Sample) -> dict[str, Tensor]:
        """Return what it looks at, each ``[L, H]`` or, per past frame, ``[L, H, F]``."""

    def types(self, statistics: Statistics) -> Types:
        """Return the type of every head. Of returns it says nothing: see ``voting``."""


def mean(statistics: Sequence[Statistics]) -> dict[str, Tensor]:
    """Average statistics of several samples; of curves over the past, the longest ones."""
    means = {}
    for name in statistics[0]:
        values = [each[name] for each in statistics]
        longest = max(value.shape[-1] for value in values)
        means[name] = torch.stack([v for v in values if v.shape[-1] == longest]).mean(0)
    return means


@dataclass(frozen=True)
class HeadForcingTypes:
    """Anchors look most at the sink; of the others, local heads look most at the present.

    Args:
        tau_anchor: share of all heads; or the least mass on the sink, if ``absolute``.
        tau_local: share of the others; or the least mass on the current chunk.
        absolute: both are masses, 0 to 1. Any type may then be empty.
        per_layer: ranked within each layer, not over all heads.
        sink_frames: oldest frames that count as the sink; inferred, as ``per_layer`` is.
        tau_return: least share of attention that a head turns to what comes back, if that was
            measured, to be one that recalls, whatever else it is; 1: none is, as in the paper.

    Source: Head Forcing (arXiv 2605.14487); shares and ranking as third parties report them.
    """

    scheme: ClassVar[str] = head_forcing.SCHEME
    unsure: ClassVar[str] = head_forcing.MEMORY
    aggregate: ClassVar[Aggregate] = Aggregate.MEAN
    recalls: ClassVar[str] = head_forcing.RECALL
    tau_anchor: float = 0.25
    tau_local: float = 0.2
    absolute: bool = False
    per_layer: bool = False
    sink_frames: int = 1
    tau_return: float = 0.1

    def __post_init__(self) -> None:
        check_within("tau_anchor", self.tau_anchor, 0, 1)
        check_within("tau_return", self.tau_return, 0, 1)
        check_within("tau_local", self.tau_local, 0, 1)
        check_frames("sink_frames", self.sink_frames, 1)

    def statistics(self, sample: Sample) -> dict[str, Tensor]:
        """Return ``sink``, ``middle`` and ``current``: shares of attention."""
        parts = (
            ("sink", slice(0, min(self.sink_frames, sample.past))),
            ("middle", slice(self.sink_frames, sample.past)),
            ("current", slice(sample.past, None)),
        )
        return {name: sample.mass[..., part].sum(-1) for name, part in parts}

    def types(self, statistics: Statistics) -> Types:
        sink, current = statistics["sink"], statistics["current"]
        if self.per_layer:
            pairs = zip(sink, current, strict=True)
            return tuple(self._ranked(s[None], c[None])[0] for s, c in pairs)
        return self._ranked(sink, current)

    def _ranked(self, sink: Tensor, current: Tensor) -> Types:
        layers, heads = sink.shape
        every = range(layers * heads)
        anchors = self._top(sink.flatten().tolist(), every, self.tau_anchor)
        rest = [head for head in every if head not in anchors]
        near = self._top(current.flatten().tolist(), rest, self.tau_local)
        return _rows(
            [
                head_forcing.ANCHOR
                if head in anchors
                else head_forcing.LOCAL
                if head in near
                else head_forcing.MEMORY
                for head in every
            ],
            heads,
        )

    def _top(self, values: Sequence[float], among: Sequence[int], threshold: float) -> set[int]:
        """Return those with the largest values; equals in the order of layers and heads."""
        if self.absolute:
            return {head for head in among if values[head] >= threshold}
        order = sorted(among, key=lambda head: (-values[head], head))
        return set(order[: ceil(threshold * len(among))])


@dataclass(frozen=True)
class ForcingKVTypes:
    """Static heads have their attention on the last frames.

    Its code does not group layer 0: all heads there see what static ones see.

    Args:
        threshold: attention on the last ``last`` key frames over that on all behind the sink.
        last: key frames, the current chunk's among them.
        sink_frames: oldest frames that do not count.

    Source: Forcing-KV (its code, commit 50ac1f4).
    """

    scheme: ClassVar[str] = forcing_kv.SCHEME
    unsure: ClassVar[str] = forcing_kv.DYNAMIC
    aggregate: ClassVar[Aggregate] = Aggregate.MEAN
    recalls: ClassVar[None] = None
    tau_return: ClassVar[float] = 1.0
    threshold: float = 0.8
    last: int = 4
    sink_frames: int = 1

    def __post_init__(self) -> None:
        check_within("threshold", self.threshold, 0, 1)
        check_frames("last", self.last, 1)
        check_frames("sink_frames", self.sink_frames)

    def statistics(self, sample: Sample) -> dict[str, Tensor]:
        """Return ``recent``: the share."""
        last = sample.mass[..., -self.last :].sum(-1)
        return {"recent": last / sample.mass[..., self.sink_frames :].sum(-1)}

    def types(self, statistics: Statistics) -> Types:
        static = (statistics["recent"] >= self.threshold).tolist()
        return tuple(
            tuple(
                forcing_kv.STATIC if layer == 0 or is_static else forcing_kv.DYNAMIC
                for is_static in row
            )
            for layer, row in enumerate(static)
        )


@dataclass(frozen=True)
class PyramidTypes:
    """Types by the sign, and the period, of a head's scores over past frames.

    Args:
        agreeing: share of frames with one sign that makes an anchor (+) or a veil (-).
        longest_wave: period in frames below which a head is a wave.
        harmonics, decay: inferred; overtones that are added to a frequency, each weighing less.

    Source: Pyramid Forcing (arXiv 2605.13111), which types heads per prompt and lets prompts vote.
    """

    scheme: ClassVar[str] = pyramid.SCHEME
    unsure: ClassVar[str] = pyramid.ANCHOR
    aggregate: ClassVar[Aggregate] = Aggregate.PROMPTS
    recalls: ClassVar[None] = None
    tau_return: ClassVar[float] = 1.0
    agreeing: float = 0.8
    longest_wave: float = 6.4
    harmonics: int = 4
    decay: float = 0.5

    def __post_init__(self) -> None:
        check_within("agreeing", self.agreeing, 0, 1)
        check_within("longest_wave", self.longest_wave, 0, MOST_FRAMES, "frames")
        check_within("harmonics", self.harmonics, 1, MOST_HARMONICS)
        check_within("decay", self.decay, 0, 1)

    def statistics(self, sample: Sample) -> dict[str, Tensor]:
        """Return ``scores``: the mean score against each past frame, oldest first."""
        return {"scores": sample.scores[..., : sample.past]}

    def types(self, statistics: Statistics) -> Types:
        scores = statistics["scores"].double()
        return _rows([self._type(curve) for curve in scores.flatten(0, 1)], scores.shape[1])

    def _type(self, curve: Tensor) -> str:
        if (curve > 0).double().mean() >= self.agreeing:
            return pyramid.ANCHOR
        if (curve < 0).double().mean() >= self.agreeing:
            return pyramid.VEIL
        if dominant_period(curve, self.harmonics, self.decay) < self.longest_wave:
            return pyramid.WAVE
        return pyramid.ANCHOR if curve.mean() > 0 else pyramid.VEIL


@dataclass(frozen=True)
class DummyHeads:
    """Dummy Forcing's rule, which its method applies during the video, on what was measured.

    Args:
        rule: shares of types; its chunk and rows do not count here.

    Source: Dummy Forcing (its code, commit 28128ed).
    """

    scheme: ClassVar[str] = "dummy"
    unsure: ClassVar[None] = None
    aggregate: ClassVar[Aggregate] = Aggregate.MEAN
    recalls: ClassVar[None] = None
    tau_return: ClassVar[float] = 1.0
    rule: DummyTypes = field(default_factory=DummyTypes)

    def statistics(self, sample: Sample) -> dict[str, Tensor]:
        """Return ``first`` and ``between``: shares of the oldest frame and of those after it."""
        past = sample.mass[..., : sample.past]
        return {"first": past[..., :1].sum(-1), "between": past[..., 1:].sum(-1)}

    def types(self, statistics: Statistics) -> Types:
        first, between = (statistics[name] for name in ("first", "between"))
        pairs = zip(first.flatten().tolist(), between.flatten().tolist(), strict=True)
        return _rows(self.rule.decide(list(pairs)), first.shape[1])


CLASSIFIERS: tuple[Classifier, ...] = (
    HeadForcingTypes(),
    PyramidTypes(),
    ForcingKVTypes(),
    DummyHeads(),
)


def dominant_period(curve: Tensor, harmonics: int = 4, decay: float = 0.5) -> float:
    """Return the period, in frames, that a curve ``[F]`` repeats itself with; infinity if none.

    The spectrum of its differences, each frequency with its overtones; read between its lines, too,
    which in a window of twenty frames are a frame and more apart.
    """
    change = curve.diff()
    change = change - change.mean()
    count = len(change)
    if count < 3:
        return inf
    windowed = change * torch.hann_window(count, periodic=False, dtype=change.dtype)
    power = torch.fft.rfft(windowed, count * FINER).abs().square()
    power[:FINER] = 0  # less than once in the whole curve is no period
    folded = torch.zeros_like(power)
    for overtone in range(1, harmonics + 1):
        reach = (len(power) - 1) // overtone
        index = torch.arange(1, reach + 1)
        folded[1 : reach + 1] += decay ** (overtone - 1) * power[index * overtone]
    folded[:FINER] = 0
    best = int(folded.argmax())
    return count * FINER / best if folded[best] > 0 else inf


def _rows(names: Sequence[str], heads: int) -> Types:
    return tuple(tuple(names[at : at + heads]) for at in range(0, len(names), heads))
