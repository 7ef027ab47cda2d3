"""Low-rank adapters, merged into the weights of a model as it is loaded."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from math import isfinite, prod
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ..files import WRAPPERS, TensorSource, open_tensors
from .adapter_names import flat_names, module_of

# what trainers call the adapter in a torch file
ADAPTER_WRAPPERS = ("generator_lora", *WRAPPERS)
PAIRS = {"lora_A": "lora_B", "lora_down": "lora_up"}
FACTOR = re.compile(r"(?P<layer>.+)\.(?P<factor>lora_A|lora_down)(\.default)?\.weight$")


class Lora:
    """An adapter file: ``W + strength * alpha / rank * B A`` for the weights it names.

    Reads the names of peft (LongLive's ``lora.pt``), ComfyUI, diffusers and kohya. Without an
    ``alpha`` the factor is the strength alone.

    Args:
        source: the adapter's tensors.
        strength: how much of it is added.

    Source: LoRA (arXiv 2106.09685).
    """

    def __init__(self, source: TensorSource, strength: float = 1.0):
        if not isfinite(strength):
            raise ValueError(f"the strength of a LoRA must be a finite number, got {strength}")
        self._source, self._strength = source, strength
        self._factors = _pairs(source.shapes)

    @classmethod
    def open(cls, path: str | Path, strength: float = 1.0) -> Lora:
        return cls(open_tensors(path, prefer=ADAPTER_WRAPPERS), strength)

    def modules(self, known: Iterable[str]) -> dict[str, str]:
        """Map names of ``known`` modules to the adapter's names for them.

        Raises:
            ValueError: if the adapter is for modules that the model does not have.
        """
        known = set(known)
        flat = flat_names(known)
        found: dict[str, str] = {}
        strange = []
        for stored in self._factors:
            module = module_of(stored, known, flat)
            if module in found:
                raise ValueError(
                    f"a LoRA must name each layer once, got {found[module]} and {stored}"
                )
            if module is None:
                strange.append(stored)
            else:
                found[module] = stored
        if strange:
            raise ValueError(
                f"a LoRA must be for this model, got {len(strange)} of {len(self._factors)} layers "
                f"that it does not have: {', '.join(sorted(strange)[:3])}"
            )
        return found

    def delta(self, stored: str, shape: torch.Size) -> Tensor:
        """Return what is added to a weight of ``shape``, in float32.

        Raises:
            ValueError: if the factors do not make that shape, or are no finite numbers.
        """
        factors = self._factors[stored]
        down, up = (self._source.shapes[name] for name in factors[:2])
        rank, width = prod(down[:1]), prod(shape[1:])
        if (up[:1], prod(up[1:]), prod(down[1:])) != (shape[:1], rank, width) or rank < 1:
            raise ValueError(
                f"a LoRA must fit the model, got {up} x {down} for {stored} of {tuple(shape)}"
            )
        b, a = self._read(factors.up), self._read(factors.down)
        product = b.reshape(-1, rank) @ a.reshape(rank, -1)
        delta = self._strength * self._scale(factors, rank) * product.reshape(shape)
        if not delta.isfinite().all():
            raise ValueError(f"a LoRA must hold finite numbers, got NaN or infinity for {stored}")
        return delta

    def _scale(self, factors: _Factors, rank: int) -> float:
        if factors.alpha not in self._source.shapes:
            return 1.0
        alpha = self._read(factors.alpha)
        if alpha.numel() != 1:
            raise ValueError(f"alpha must be one number, got {alpha.numel()} in {factors.alpha}")
        return alpha.item() / rank

    def _read(self, name: str) -> Tensor:
        with self._source.reading(name) as stored:
            if not stored.is_floating_point() or stored.layout is not torch.strided:
                raise ValueError(
                    f"a LoRA must hold dense floating point numbers, got {stored.dtype} in {name}"
                )
            return stored.to(torch.float32, copy=True)


class _Factors(NamedTuple):
    """Names of the tensors of one layer; alpha may be absent."""

    down: str
    up: str
    alpha: str


def _pairs(names: Collection[str]) -> dict[str, _Factors]:
    """Pair the factors of every layer, by the adapter's name of the layer."""
    factors: dict[str, _Factors] = {}
    for name in names:
        found = FACTOR.match(name)
        if found is None:
            continue
        layer, down = found["layer"], found["factor"]
        if layer in factors:
            raise ValueError(f"a LoRA must name each layer once, got {name} again")
        factors[layer] = _Factors(name, name.replace(down, PAIRS[down]), f"{layer}.alpha")
    used = {name for each in factors.values() for name in each}
    rest = sorted(set(names) - used)
    absent = sorted(each.up for each in factors.values() if each.up not in names)
    if rest or absent or not factors:
        raise ValueError(
            "a LoRA must hold pairs of lora_A and lora_B (or lora_down and lora_up), got "
            f"{len(factors)} pairs, {len(absent)} halves and {len(rest)} other tensors: "
            f"{', '.join((absent + rest)[:3])}"
        )
    return factors
