"""Matrices that stay in eight bits, and the layers that widen them as they are used."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from ..device import has_dtype

FP8_ROUNDED = torch.float8_e4m3fn
# what the state of a layer calls its scales
SCALE = "weight_scale"


class Narrow(NamedTuple):
    """A matrix in eight bits.

    Args:
        numbers: ``[O, I]`` fp8.
        scale: what they are multiplied by, ``[1]`` or ``[O]`` float32; None: nothing.
    """

    numbers: Tensor
    scale: Tensor | None

    def widened(self, dtype: torch.dtype) -> Tensor:
        """Return the numbers that it stands for: multiplied in float32, then rounded once.

        Args:
            dtype: any that holds every number of fp8: bfloat16, float16, float32.
        """
        wide = self.numbers.to(dtype)
        # a scale of two dimensions: with one of none the product would be made in ``dtype``
        return wide if self.scale is None else wide.mul_(self.scale[:, None])

    def to(self, device: torch.device | str) -> Narrow:
        """Return a copy of it there."""
        scale = None if self.scale is None else self.scale.to(device, copy=True)
        return Narrow(self.numbers.to(device, copy=True), scale)

    def state(self, name: str) -> dict[str, Tensor]:
        """Return it as it lies in the state of a model, whose weight has that name."""
        scale = {} if self.scale is None else {f"{name.removesuffix('weight')}{SCALE}": self.scale}
        return {name: self.numbers, **scale}


def rounded(matrix: Tensor) -> Narrow:
    """Round a matrix to fp8 (e4m3), the largest number of each row to the largest there is.

    Args:
        matrix: ``[O, I]``, any float.
    """
    wide = matrix.float()
    scale = wide.abs().amax(1) / torch.finfo(FP8_ROUNDED).max
    # a row of zeros has no largest number, and one of the least is below all that can be divided by
    scale = scale.clamp(min=torch.finfo(torch.float32).tiny)
    return Narrow((wide / scale[:, None]).to(FP8_ROUNDED), scale)


class NarrowLinear(nn.Linear):
    """A linear layer whose matrix is in fp8 and made wide for every product, in the input's dtype.

    Results are those of a layer that has the wide matrix, bit for bit. Its state has the scales
    beside the matrix, as ``weight_scale``.

    Args:
        plain: the layer in whose place it is; its numbers are not taken.
        matrix: its matrix.
    """

    def __init__(self, plain: nn.Linear, matrix: Narrow):
        super().__init__(plain.in_features, plain.out_features, plain.bias is not None, "meta")
        self.weight = nn.Parameter(matrix.numbers, requires_grad=False)
        self.register_buffer(SCALE, matrix.scale)

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, Narrow(self.weight, self.weight_scale).widened(x.dtype), self.bias)


def check_narrow(device: torch.device | str) -> None:
    """Refuse a device that has no fp8.

    Raises:
        RuntimeError: if it has none.
    """
    if not has_dtype(device, FP8_ROUNDED):
        raise RuntimeError(
            f"weights can be kept in fp8 on a CPU or a GPU that has it, got {device}; keep them "
            "in the dtype of the model"
        )


def narrow_layers(model: nn.Module, matrices: dict[str, Narrow]) -> None:
    """Put layers whose matrices stay narrow in the place of others.

    Args:
        model: changed; biases stay what they are.
        matrices: by the names of weights.
    """
    for name, matrix in matrices.items():
        module = name.removesuffix(".weight")
        above, _, own = module.rpartition(".")
        layer = NarrowLinear(model.get_submodule(module), matrix)
        setattr(model.get_submodule(above), own, layer)
