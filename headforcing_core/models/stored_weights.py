"""Weights as files store them: with scales beside them, and what is no weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ..files import TensorSource
from .quantised import BESIDE, FP8, is_fp8

SCALES = (".scale_weight", ".weight_scale")
# says that every fp8 weight of a file has a scale
SCALED = "scaled_fp8"
# what quantised files carry beside the weights and a weight-only reader does not need
UNUSED = (".scale_input", ".input_scale", SCALED)


class StoredWeight(NamedTuple):
    """A parameter, the name under which a file stores it, and that of its fp8 scale."""

    name: str
    at: str
    scale: str | None
    must_scale: bool

    @property
    def module(self) -> str | None:
        return self.name.removesuffix(".weight") if self.name.endswith(".weight") else None


def told_apart(
    names: Mapping[str, str], quantised: Mapping[str, object]
) -> tuple[tuple[StoredWeight, ...], dict[str, str]]:
    """Tell weights from what lies beside them: scales, and what their products need.

    Args:
        names: of all tensors: the authors' name -> where it is stored.
        quantised: see ``quantised_layers``.

    Returns:
        weights, and the names of what lies beside them with where it is stored.

    Raises:
        ValueError: if a weight has two scales.
    """
    scales: dict[str, str] = {}
    beside: dict[str, str] = {}
    for name, at in names.items():
        module, _, kind = name.rpartition(".")
        if f".{kind}" in SCALES and f"{module}.weight" in names:
            if f"{module}.weight" in scales:
                raise ValueError(
                    f"a weight must have one scale, got {scales[f'{module}.weight']} and {at}"
                )
            scales[f"{module}.weight"] = at
            beside[name] = at
        elif name.endswith((*UNUSED, BESIDE)) or (
            module in quantised and kind not in ("weight", "bias")
        ):
            beside[name] = at
    # where one fp8 weight has a scale all have, and one that has none has lost it
    all_scaled = SCALED in names or any(name.endswith((*SCALES, *UNUSED)) for name in beside)
    weights = tuple(
        StoredWeight(name, at, scales.get(name), all_scaled)
        for name, at in names.items()
        if name not in beside
    )
    return weights, beside


def check_scales(
    weights: tuple[StoredWeight, ...],
    beside: Mapping[str, str],
    quantised: Mapping[str, Mapping[str, object]],
) -> None:
    """Refuse layers that are said to be quantised and have no scale: small numbers, not weights.

    Raises:
        ValueError: if there are such.
    """
    # formats call their scales what they like; a layer with nothing beside it has none
    accompanied = {name.rpartition(".")[0] for name in beside if not name.endswith(BESIDE)}
    bare = [
        w.module
        for w in weights
        if w.module in quantised
        and (w.scale is None if is_fp8(quantised[w.module]) else w.module not in accompanied)
    ]
    if bare:
        raise ValueError(
            f"quantised layers must have scales, got none for {len(bare)}: {', '.join(bare[:3])}; "
            "the file is incomplete"
        )


def check_shapes(
    model: str, expected: Mapping[str, tuple[int, ...]], got: Mapping[str, tuple[int, ...]]
) -> None:
    """Refuse weights that are not those of a whole model.

    Args:
        model: what it is.

    Raises:
        ValueError: how many are missing, unknown or of another shape, and the first names.
    """
    wrong = {n: s for n, s in got.items() if n in expected and s != expected[n]}
    for kind, names in (
        ("missing", sorted(expected.keys() - got.keys())),
        ("unknown", sorted(got.keys() - expected.keys())),
        ("of wrong shape", [f"{n} {got[n]} for {expected[n]}" for n in sorted(wrong)]),
    ):
        if names:
            raise ValueError(
                f"{model} must have {len(expected)} tensors, got {len(names)} {kind}: "
                f"{', '.join(names[:3])}; the file is incomplete or another model"
            )


def read_weight(weight: StoredWeight, source: TensorSource) -> Tensor:
    """Return a weight as trained, without per-tensor or per-row fp8 scaling; it may be mapped.

    Raises:
        ValueError: see ``read_stored``.
    """
    stored, scale = read_stored(weight, source)
    if scale is None:
        return stored
    return stored.float() * scale.reshape(-1, *[1] * (stored.ndim - 1))


def read_stored(weight: StoredWeight, source: TensorSource) -> tuple[Tensor, Tensor | None]:
    """Return a weight as it is stored, which may be mapped, and its scales.

    Returns:
        Of a weight that is scaled: fp8, and ``[1]`` or ``[rows]`` float32.

    Raises:
        ValueError: if it is quantised in another way.
    """
    with source.reading(weight.at) as stored:
        if not stored.is_floating_point() or stored.layout is not torch.strided:
            raise ValueError(
                f"weights must be dense floating point numbers, got {stored.dtype} in "
                f"{weight.name}: a quantised file; use the bf16, fp16 or fp8 version"
            )
        if weight.scale is None:
            if weight.must_scale and stored.dtype in FP8:
                raise ValueError(
                    f"fp8 weights of a scaled file must have scales, got none for {weight.name}; "
                    "the file is incomplete"
                )
            return stored, None
        with source.reading(weight.scale) as scale:
            one_per_row = tuple(scale.shape[1:]) in ((), (1,)) and scale.numel() == stored.shape[0]
            fits = scale.is_floating_point() and (scale.numel() == 1 or one_per_row)
            if stored.dtype not in FP8 or not fits or not (scale.float() > 0).all():
                raise ValueError(
                    "scaled weights must be fp8 with one positive scale per tensor or row, got "
                    f"{stored.dtype} with {scale.dtype} {tuple(scale.shape)} for {weight.name}; "
                    "use the bf16 or fp16 version"
                )
            return stored, scale.float().flatten()


def check_finite(weights: Mapping[str, Tensor]) -> None:
    """Refuse weights of which one is NaN or infinite.

    Raises:
        ValueError: how many, and the first names.
    """
    # extremes pass NaN and infinity on and, unlike isfinite, need no memory
    bad = [name for name, w in weights.items() if not torch.stack(w.aminmax()).isfinite().all()]
    if bad:
        raise ValueError(
            f"weights must be finite numbers, got NaN or infinity in {len(bad)} tensors: "
            f"{', '.join(bad[:3])}; the file is damaged, or its numbers exceed the chosen dtype"
        )
