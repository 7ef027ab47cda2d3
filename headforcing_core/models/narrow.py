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
# numbers that are made wide at a time where they need not be wide all at once
MOST_WIDENED = 1 << 16


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

    def extremes(self, dtype: torch.dtype) -> Tensor:
        """Return ``[n, 2]``: the least and the largest number of some rows after another.

        One that is not finite makes one of them so.

        Args:
            dtype: see ``widened``.
        """
        rows = _rows_at_once(self.numbers)
        parts = self.numbers.split(rows)
        if self.scale is None or self.scale.numel() == 1:
            scales = [self.scale] * len(parts)
        else:
            scales = list(self.scale.split(rows))
        found = [Narrow(*part).widened(dtype).aminmax() for part in zip(parts, scales, strict=True)]
        return torch.stack([torch.stack(each) for each in found])

    def put(self, into: Tensor) -> Narrow:
        """Return a copy of it whose numbers lie in a given place.

        Args:
            into: ``[O, I]`` uint8, on any device.
        """
        scale = None if self.scale is None else self.scale.to(into.device, copy=True)
        return Narrow(into.view(self.numbers.dtype).copy_(self.numbers), scale)

    def state(self, name: str) -> dict[str, Tensor]:
        """Return it as it lies in the state of a model, whose weight has that name."""
        scale = {} if self.scale is None else {f"{name.removesuffix('weight')}{SCALE}": self.scale}
        return {name: self.numbers, **scale}


def rounded(matrix: Tensor, into: Tensor) -> Narrow:
    """Round a matrix to fp8 (e4m3), the largest number of each row to the largest there is.

    Args:
        matrix: ``[O, I]``, any float.
        into: where its numbers shall lie, ``[O, I]`` uint8, on any device.
    """
    numbers = into.view(FP8_ROUNDED)
    scale = torch.empty(len(matrix), device=into.device)
    rows = _rows_at_once(matrix)
    parts = (matrix.split(rows), numbers.split(rows), scale.split(rows))
    for some, rounded_some, scale_of_some in zip(*parts, strict=True):
        wide = some.to(torch.float32, copy=True)
        largest = torch.linalg.vector_norm(wide, torch.inf, dim=1) / torch.finfo(FP8_ROUNDED).max
        # a row of zeros has no largest number, and one of the least is below all that can divide
        largest.clamp_(min=torch.finfo(torch.float32).tiny)
        rounded_some.copy_(wide.div_(largest[:, None]))
        scale_of_some.copy_(largest)
    return Narrow(numbers, scale)


def _rows_at_once(matrix: Tensor) -> int:
    return max(1, MOST_WIDENED // matrix.shape[1])


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
