"""From what heads look at to what type they are: the rules of three papers."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import torch
from torch import Tensor

from .head_map import HeadMap
from .methods import forcing_kv, head_forcing, pyramid


def head_forcing_map(
    sink: Tensor,
    current: Tensor,
    anchors: float = 0.25,
    locals_: float = 0.2,
    source: str = "",
) -> HeadMap:
    """Call heads that look most at the sink anchors, of the rest those most at the present local.

    Ranked over all heads; equals in the order of layers and heads.

    Args:
        sink, current: ``[L, H]`` mean attention on the first frames and on the current chunk.
        anchors: share of all heads.
        locals_: share of the others.

    Source: Head Forcing (arXiv 2605.14487); shares and ranking as third parties report them.
    """
    layers, heads = sink.shape
    order = sink.flatten().argsort(descending=True, stable=True).tolist()
    first = set(order[: ceil(anchors * layers * heads)])
    rest = [i for i in current.flatten().argsort(descending=True, stable=True).tolist()]
    rest = [head for head in rest if head not in first]
    near = set(rest[: ceil(locals_ * len(rest))])
    names = [
        head_forcing.ANCHOR
        if i in first
        else head_forcing.LOCAL
        if i in near
        else head_forcing.MEMORY
        for i in range(layers * heads)
    ]
    return _map(head_forcing.SCHEME, names, heads, source)


def forcing_kv_map(recent: Tensor, threshold: float = 0.8, source: str = "") -> HeadMap:
    """Call heads static whose attention is on the last frames.

    Its code does not group layer 0: all heads there see what static ones see.

    Args:
        recent: ``[L, H]`` attention on the last four key frames over that on all behind the sink.

    Source: Forcing-KV (its code, commit 50ac1f4).
    """
    static = (recent >= threshold).tolist()
    names = [
        forcing_kv.STATIC if layer == 0 or is_static else forcing_kv.DYNAMIC
        for layer, row in enumerate(static)
        for is_static in row
    ]
    return _map(forcing_kv.SCHEME, names, recent.shape[1], source)


def pyramid_map(
    logits: Tensor,
    agreeing: float = 0.8,
    longest_wave: float = 6.4,
    harmonics: int = 4,
    decay: float = 0.5,
    source: str = "",
) -> HeadMap:
    """Type heads by the sign, and the period, of their scores over past frames.

    Args:
        logits: ``[L, H, F]`` mean score of a query frame against each past frame, oldest first.
        agreeing: share of frames with one sign that makes an anchor (+) or a veil (-).
        longest_wave: period in frames below which a head is a wave.
        harmonics, decay: inferred; overtones that are added to a frequency, each weighing less.

    Source: Pyramid Forcing (arXiv 2605.13111).
    """
    names = [
        _pyramid_type(curve, agreeing, longest_wave, harmonics, decay)
        for curve in logits.flatten(0, 1).double()
    ]
    return _map(pyramid.SCHEME, names, logits.shape[1], source)


def _pyramid_type(
    curve: Tensor, agreeing: float, longest_wave: float, harmonics: int, decay: float
) -> str:
    if (curve > 0).double().mean() >= agreeing:
        return pyramid.ANCHOR
    if (curve < 0).double().mean() >= agreeing:
        return pyramid.VEIL
    if dominant_period(curve, harmonics, decay) < longest_wave:
        return pyramid.WAVE
    return pyramid.ANCHOR if curve.mean() > 0 else pyramid.VEIL


def dominant_period(curve: Tensor, harmonics: int = 4, decay: float = 0.5) -> float:
    """Return the period, in frames, that a curve ``[F]`` repeats itself with; infinity if none.

    The spectrum of its differences, each frequency with its overtones.
    """
    change = curve.diff()
    change = change - change.mean()
    count = len(change)
    if count < 3:
        return float("inf")
    power = torch.fft.rfft(change * torch.hann_window(count, periodic=False, dtype=change.dtype))
    power = power.abs().square()
    folded = torch.zeros_like(power)
    for overtone in range(1, harmonics + 1):
        reach = (len(power) - 1) // overtone
        index = torch.arange(1, reach + 1)
        folded[1 : reach + 1] += decay ** (overtone - 1) * power[index * overtone]
    best = int(folded[1:].argmax()) + 1
    return count / best if folded[best] > 0 else float("inf")


def _map(scheme: str, names: Sequence[str], heads: int, source: str) -> HeadMap:
    rows = (tuple(names[at : at + heads]) for at in range(0, len(names), heads))
    return HeadMap(scheme, tuple(rows), source)
