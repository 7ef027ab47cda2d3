"""From a published checkpoint to a Wan model of ours, and how it is run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from ..files import TensorSource, open_tensors
from .experts import TwoExperts
from .families import WAN_EPS, unlike_published
from .family import Family
from .lora import Lora
from .published import Published, read_published, weight_shapes
from .quantised import is_fp8
from .recognition import choose_family
from .stored_weights import check_finite, read_weight
from .wan import WanModel
from .weight_names import memory_name

log = logging.getLogger("headforcing")


class LoadedModel(NamedTuple):
    """A model and how it is run."""

    model: WanModel | TwoExperts
    family: Family


def load_checkpoint(
    path: str | Path,
    *,
    family: str | None = None,
    heads: int | None = None,
    lora: Lora | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> LoadedModel:
    """Load a model file and say how it is run.

    Args:
        path: safetensors file, sharded folder or torch file in any published layout.
        family: name of its family; None when the file's name tells.
        heads: see ``read_published``; a file's own metadata may tell.
        lora: merged into the weights; of two models, into those of the denoiser.

    Raises:
        ValueError: if the file, the model or the family is not one that can be run, and why.
    """
    chosen = choose_family(path, family)
    source = open_tensors(path, prefer=chosen.weights)
    published = read_published(source, heads, two_experts=chosen.two_experts)
    chosen.check_config(published.config)
    unlike = unlike_published(chosen, published.config)
    if unlike:
        log.warning("%s", unlike)
    return LoadedModel(_built(published, lora, dtype, device), chosen)


def build_wan(
    source: TensorSource,
    *,
    heads: int | None = None,
    eps: float = WAN_EPS,
    predicts: str | None = None,
    lora: Lora | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> WanModel | TwoExperts:
    """Build the model whose weights ``source`` holds, or both if it holds two.

    Sizes are read from the weights. Weights arrive one at a time in their final dtype and place.

    Args:
        source, heads, eps, predicts: see ``read_published``.
        lora: merged in float32, before weights are cast; of two models, into the denoiser.

    Raises:
        ValueError: if the tensors are not those of a Wan 2.1 text-to-video model, with the reason.
    """
    published = read_published(source, heads, eps, predicts, two_experts=True)
    return _built(published, lora, dtype, device)


def _built(
    published: Published, lora: Lora | None, dtype: torch.dtype, device: torch.device | str
) -> WanModel | TwoExperts:
    first = _model(published, lora, dtype, device)
    if published.second is None:
        return first
    if lora is not None:
        log.debug("the LoRA changes the denoiser; the model that remembers is left as it is")
    return TwoExperts(first, _model(published.second, None, dtype, device, memory_name))


def _model(
    published: Published,
    lora: Lora | None,
    dtype: torch.dtype,
    device: torch.device | str,
    called: Callable[[str], str] = str,
) -> WanModel:
    """Build one model; ``called`` says what its file calls a weight, where one must be named."""
    _check_quantised(published)
    with torch.device("meta"):
        model = WanModel(published.config)
    merger = lora.on(weight_shapes(published.config)) if lora else None
    weights = {}
    for weight in published.weights:
        value = read_weight(weight, published.source)
        if merger is not None:
            value = merger.merged(weight.name, value)
        weights[weight.name] = value.to(device, dtype, copy=True)
        del value  # or the file stays mapped behind it
    check_finite({called(name): weight for name, weight in weights.items()})
    model.load_state_dict(weights, assign=True)
    return model.eval().requires_grad_(False)


def _check_quantised(published: Published) -> None:
    """Refuse what only a host's kernels read."""
    others = {m: how.get("format") for m, how in published.quantised.items() if not is_fp8(how)}
    if others:
        raise ValueError(
            f"weights must be bf16, fp16, fp32 or fp8, got {len(others)} of format "
            f"{', '.join(sorted({str(how) for how in others.values()}))}: "
            f"{', '.join(list(others)[:3])}; use the bf16, fp16 or fp8 version"
        )
