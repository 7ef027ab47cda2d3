"""From a published checkpoint to a Wan model of ours, and how it is run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ..files import TensorSource, open_tensors
from .experts import TwoExperts
from .families import WAN_EPS, unlike_published
from .family import Family
from .lora import Lora, Merger
from .narrow import Narrow, check_narrow, narrow_layers, rounded
from .published import Published, read_published, weight_shapes
from .quantised import FP8, is_fp8
from .recognition import choose_family
from .stored_weights import StoredWeight, check_finite, read_stored, read_weight
from .wan import WanModel
from .weight_dtype import WeightDtype, narrow_names
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
    weight_dtype: WeightDtype = WeightDtype.SAME,
) -> LoadedModel:
    """Load a model file and say how it is run.

    Args:
        path: safetensors file, sharded folder or torch file in any published layout.
        family: name of its family; None when the file's name tells.
        heads: see ``read_published``; a file's own metadata may tell.
        lora: merged into the weights; of two models, into those of the denoiser.
        dtype: it computes in.
        weight_dtype: what its weights are kept in; those in fp8 that the adapter changes are
            rounded to it anew.

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
    return LoadedModel(_built(published, lora, dtype, device, weight_dtype), chosen)


def build_wan(
    source: TensorSource,
    *,
    heads: int | None = None,
    eps: float = WAN_EPS,
    predicts: str | None = None,
    lora: Lora | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    weight_dtype: WeightDtype = WeightDtype.SAME,
) -> WanModel | TwoExperts:
    """Build the model whose weights ``source`` holds, or both if it holds two.

    Sizes are read from the weights. Weights arrive one at a time in their final dtype and place.

    Args:
        source, heads, eps, predicts: see ``read_published``.
        lora: merged in float32, before weights are cast; of two models, into the denoiser.
        dtype, weight_dtype: see ``load_checkpoint``.

    Raises:
        ValueError: if the tensors are not those of a Wan 2.1 text-to-video model, with the reason.
    """
    published = read_published(source, heads, eps, predicts, two_experts=True)
    return _built(published, lora, dtype, device, weight_dtype)


def _built(
    published: Published,
    lora: Lora | None,
    dtype: torch.dtype,
    device: torch.device | str,
    kept: WeightDtype,
) -> WanModel | TwoExperts:
    narrow = narrow_names(published, kept)
    how = _Making(dtype, device, narrow.first, lora)
    first = how.model(published)
    if published.second is None:
        return first
    if lora is not None:
        log.debug("the LoRA changes the denoiser; the model that remembers is left as it is")
    how = _Making(dtype, device, narrow.second, called=memory_name)
    return TwoExperts(first, how.model(published.second))


@dataclass(frozen=True)
class _Making:
    """How a model is made of what a file holds.

    Args:
        dtype, device: of its weights.
        narrow: names of those that are kept in fp8 instead.
        lora: merged into them.
        called: says what its file calls a weight, where one must be named.
    """

    dtype: torch.dtype
    device: torch.device | str
    narrow: Collection[str]
    lora: Lora | None = None
    called: Callable[[str], str] = str

    def model(self, published: Published) -> WanModel:
        """Build the model, a weight at a time."""
        _check_quantised(published)
        if self.narrow:
            check_narrow(self.device)
        with torch.device("meta"):
            model = WanModel(published.config)
        merger = self.lora.on(weight_shapes(published.config)) if self.lora else None
        # all places first: what is freed between weights that stay leaves holes, which were seen
        # (glibc 2.36) to be of no use to what comes next, and up to four fifths of a model in fp8
        weights = self._places(published)
        extremes: dict[str, Tensor] = {}
        matrices: dict[str, Narrow] = {}
        for weight in published.weights:
            name, place = weight.name, weights[weight.name]
            called = self.called(name)
            if name in self.narrow:
                matrix = matrices[name] = self._narrow(weight, published.source, merger, place)
                weights |= matrix.state(name)
                extremes[called] = matrix.extremes(self.dtype)
            else:
                extremes[called] = place.copy_(self._wide(weight, published.source, merger))
        check_finite(extremes)
        narrow_layers(model, matrices)
        model.load_state_dict(weights, assign=True)
        return model.eval().requires_grad_(False)

    def _places(self, published: Published) -> dict[str, Tensor]:
        return {
            name: torch.empty(
                shape,
                dtype=torch.uint8 if name in self.narrow else self.dtype,
                device=self.device,
            )
            for name, shape in weight_shapes(published.config).items()
        }

    def _wide(self, weight: StoredWeight, source: TensorSource, merger: Merger | None) -> Tensor:
        value = read_weight(weight, source)
        return value if merger is None else merger.merged(weight.name, value)

    def _narrow(
        self, weight: StoredWeight, source: TensorSource, merger: Merger | None, place: Tensor
    ) -> Narrow:
        """Put a matrix in its place in fp8: as it is stored, or rounded."""
        if merger is not None and merger.changes(weight.name):
            return rounded(merger.merged(weight.name, read_weight(weight, source)), place)
        stored, scale = read_stored(weight, source)
        return Narrow(stored, scale).put(place) if stored.dtype in FP8 else rounded(stored, place)


def _check_quantised(published: Published) -> None:
    """Refuse what only a host's kernels read."""
    others = {m: how.get("format") for m, how in published.quantised.items() if not is_fp8(how)}
    if others:
        raise ValueError(
            f"weights must be bf16, fp16, fp32 or fp8, got {len(others)} of format "
            f"{', '.join(sorted({str(how) for how in others.values()}))}: "
            f"{', '.join(list(others)[:3])}; use the bf16, fp16 or fp8 version"
        )
