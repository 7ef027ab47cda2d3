"""What the parts of an adapter make of a weight, in float32 and as ComfyUI does it.

LoRA (arXiv 2106.09685), LoHa (arXiv 2108.06098), LoKr (arXiv 2309.14859). DoRA (arXiv 2402.09353)
as hosts have it: scales of rows are divided by the norm of the weight as it was, those of columns
by the norm of what it became.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from .adapter_shapes import PAIRS

Parts = Mapping[str, Tensor]


def changed(weight: Tensor, parts: Parts, strength: float) -> Tensor:
    """Return a weight with an adapter's change of it; parts of the right sizes."""
    if not any(part not in ("diff_b", "alpha") for part in parts):
        return weight
    delta = _delta(parts).reshape(weight.shape)
    if "dora_scale" not in parts:
        return weight + strength * delta
    scale = parts["dora_scale"]
    flat = weight.flatten(1)
    moved = flat + delta.flatten(1)
    by_rows = scale.shape[0] == flat.shape[0]
    norm = flat.norm(dim=1, keepdim=True) if by_rows else moved.norm(dim=0, keepdim=True)
    whole = moved * (scale / (norm + torch.finfo(weight.dtype).eps))
    return (flat + strength * (whole - flat)).reshape(weight.shape)


def _delta(parts: Parts) -> Tensor:
    if "diff" in parts:
        return parts["diff"]
    for up, down in PAIRS:
        if up in parts:
            rank = parts[down].shape[0]
            return _scale(parts, rank) * (parts[up].reshape(-1, rank) @ parts[down].flatten(1))
    if "hada_w1_a" in parts:
        one, two = (parts[f"hada_{w}_a"] @ parts[f"hada_{w}_b"] for w in ("w1", "w2"))
        return _scale(parts, parts["hada_w1_b"].shape[0]) * one * two
    one, two = (_factor(parts, f"lokr_{w}") for w in ("w1", "w2"))
    # the rank is that of a factor which is a product, the second's before the first's
    ranks = [parts[f"lokr_{w}_b"].shape[0] for w in ("w2", "w1") if f"lokr_{w}_b" in parts]
    return (_scale(parts, ranks[0]) if ranks else 1.0) * torch.kron(one, two)


def _factor(parts: Parts, name: str) -> Tensor:
    return parts[name] if name in parts else parts[f"{name}_a"] @ parts[f"{name}_b"]


def _scale(parts: Parts, rank: int) -> float:
    return parts["alpha"].item() / rank if "alpha" in parts else 1.0
