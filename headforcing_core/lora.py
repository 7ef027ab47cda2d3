"""Low-rank adapters, merged into the weights of a model as it is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import prod
from pathlib import Path

from torch import Tensor

from .tensor_files import WRAPPERS, TensorSource, open_tensors
from .weight_names import from_diffusers

PAIRS = {"lora_A": "lora_B", "lora_down": "lora_up"}
FACTOR = re.compile(r"(?P<module>.+)\.(?P<factor>lora_A|lora_down)(\.default)?\.weight$")


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
        self._source, self._strength = source, strength
        self._factors: dict[str, tuple[str, str, str]] = {}
        used = set()
        for name in source.shapes:
            found = FACTOR.match(name)
            if found:
                if found["module"] in self._factors:
                    raise ValueError(f"a LoRA must name each layer once, got {name} again")
                module, down = found["module"], found["factor"]
                up, alpha = name.replace(down, PAIRS[down]), f"{module}.alpha"
                self._factors[module] = (name, up, alpha)
                used |= {name, up, alpha}
        rest = sorted(source.shapes.keys() - used)
        absent = sorted(up for _, up, _ in self._factors.values() if up not in source.shapes)
        if rest or absent or not self._factors:
            raise ValueError(
                "a LoRA must hold pairs of lora_A and lora_B (or lora_down and lora_up), got "
                f"{len(self._factors)} pairs, {len(absent)} halves and {len(rest)} other tensors: "
                f"{', '.join((absent + rest)[:3])}"
            )

    @classmethod
    def open(cls, path: str | Path, strength: float = 1.0) -> Lora:
        return cls(open_tensors(path, prefer=("generator_lora", *WRAPPERS)), strength)

    def modules(self, known: Iterable[str]) -> dict[str, str]:
        """Map names of ``known`` modules to the adapter's names for them.

        Raises:
            ValueError: if the adapter is for modules that the model does not have.
        """
        known = set(known)
        flat = {module.replace(".", "_"): module for module in known}
        found, strange = {}, []
        for stored in self._factors:
            parts = stored.split(".")
            tails = (from_diffusers(".".join(parts[i:]) + ".")[:-1] for i in range(len(parts)))
            module = next((tail for tail in tails if tail in known), None)
            module = module or flat.get(stored.removeprefix("lora_unet_"))
            if module in found:
                raise ValueError(
                    f"a LoRA must name each layer once, got {found[module]} and {stored}"
                )
            if module:
                found[module] = stored
            else:
                strange.append(stored)
        if strange:
            raise ValueError(
                f"a LoRA must be for this model, got {len(strange)} of {len(self._factors)} layers "
                f"that it does not have: {', '.join(sorted(strange)[:3])}"
            )
        return found

    def delta(self, stored: str, shape: tuple[int, ...]) -> Tensor:
        """Return what is added to a weight of ``shape``, in float32.

        Raises:
            ValueError: if the factors do not make that shape.
        """
        down, up, alpha = self._factors[stored]
        a_shape, b_shape = self._source.shapes[down], self._source.shapes[up]
        rank = prod(a_shape[:1])
        if (b_shape[:1], prod(b_shape[1:]), prod(a_shape[1:])) != (
            shape[:1],
            rank,
            prod(shape[1:]),
        ):
            raise ValueError(
                f"a LoRA must fit the model, got {b_shape} x {a_shape} for {stored} of {shape}"
            )
        with self._source.reading(down) as a, self._source.reading(up) as b:
            product = b.float().reshape(-1, rank) @ a.float().reshape(rank, -1)
        scale = self._strength
        if alpha in self._source.shapes:
            with self._source.reading(alpha) as value:
                scale *= float(value) / rank
        return scale * product.reshape(shape)
