"""Adapters, merged into the weights of a model as it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..bounds import check_within
from ..files import WRAPPERS, TensorSource, open_tensors
from .adapter_changes import changed
from .adapter_names import AdapterName, adapter_names
from .adapter_shapes import by_module, check_adapter

# what trainers call the adapter in a torch file
ADAPTER_WRAPPERS = ("generator_lora", "lora_state_dict", *WRAPPERS)

STRONGEST = 100


class Adapter:
    """An adapter file, held against a model: every tensor of it is for a weight of that size.

    Reads the names of peft (LongLive's ``lora.pt``), ComfyUI, diffusers, kohya and LyCORIS; LoRA,
    DoRA, LoKr, LoHa and differences.

    Args:
        source: the adapter's tensors.
        shapes: of the model's weights, by the authors' names.

    Raises:
        ValueError: if any tensor is not for this model, or makes no change of it.
    """

    def __init__(self, source: TensorSource, shapes: Mapping[str, tuple[int, ...]]):
        self._source = source
        known = {name.removesuffix(".weight") for name in shapes if name.endswith(".weight")}
        self.names: list[AdapterName] = adapter_names(source.shapes, known)
        check_adapter(self.names, source.shapes, shapes)
        self._at = by_module(self.names)

    def parts(self, module: str) -> frozenset[str]:
        """Return what there is for a module."""
        return frozenset(self._at.get(module, ()))

    def read(self, module: str) -> dict[str, Tensor]:
        """Return the parts of a module as stored; none if it has none.

        Raises:
            ValueError: if they are no dense finite floating point numbers.
        """
        return {part: self._number(at, part) for part, at in self._at.get(module, {}).items()}

    def _number(self, at: str, part: str) -> Tensor:
        with self._source.reading(at) as stored:
            # whole numbers say as much as others what alpha is
            known = stored.is_floating_point() or (part == "alpha" and not stored.is_complex())
            if not known or stored.layout is not torch.strided:
                raise ValueError(
                    f"a LoRA must hold dense floating point numbers, got {stored.dtype} in {at}"
                )
            value = stored.clone()
        if not torch.isfinite(value.float()).all():
            raise ValueError(f"a LoRA must hold finite numbers, got NaN or infinity in {at}")
        return value


class Lora:
    """An adapter file and how much of it is added: ``W + strength * alpha / rank * B A``.

    Without an ``alpha`` the factor is the strength alone. Other kinds: ``adapter_changes``.

    Args:
        source: the adapter's tensors.
        strength: how much of it is added.
    """

    def __init__(self, source: TensorSource, strength: float = 1.0):
        check_strength(strength)
        self._source, self._strength = source, strength

    @classmethod
    def open(cls, path: str | Path, strength: float = 1.0) -> Lora:
        return cls(open_tensors(path, prefer=ADAPTER_WRAPPERS), strength)

    def on(self, shapes: Mapping[str, tuple[int, ...]]) -> Merger:
        """Hold the adapter against a model.

        Raises:
            ValueError: see ``Adapter``.
        """
        return Merger(Adapter(self._source, shapes), self._strength)


class Merger:
    """Adds an adapter to a model's weights, one by one."""

    def __init__(self, adapter: Adapter, strength: float):
        self._adapter, self._strength = adapter, strength

    def changes(self, name: str) -> bool:
        """Whether the adapter has a change of a weight or bias; with no strength it has none."""
        if self._strength == 0:
            return False
        module, _, kind = name.rpartition(".")
        parts = self._adapter.parts(module)
        return "diff_b" in parts if kind == "bias" else bool(parts - {"diff_b", "alpha"})

    def merged(self, name: str, value: Tensor) -> Tensor:
        """Return a weight or bias with the adapter's change of it, which is made in float32.

        Raises:
            ValueError: if the adapter's numbers are not finite.
        """
        if self._strength == 0:
            return value
        module, _, kind = name.rpartition(".")
        parts = {part: x.float() for part, x in self._adapter.read(module).items()}
        if not parts or kind not in ("weight", "bias"):
            return value
        value = value.float()  # fp8 can be neither added to nor told from infinity
        if kind == "weight":
            made = changed(value, parts, self._strength)
        else:
            made = value + self._strength * parts["diff_b"] if "diff_b" in parts else value
        if not torch.isfinite(made).all():
            raise ValueError(f"a LoRA must hold finite numbers, got NaN or infinity for {name}")
        return made


def check_strength(strength: float) -> None:
    """Refuse a strength with which weights would lose themselves in it.

    Raises:
        ValueError: if it is NaN, or larger than any host's widget has it.
    """
    check_within("the strength of a LoRA", strength, -STRONGEST, STRONGEST)
