"""The weights of a published file in the forms that this ComfyUI loads."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from math import prod

import torch
from torch import Tensor

from ...headforcing_core.models import (
    FP8,
    ROOT,
    SCALED,
    Published,
    StoredWeight,
    check_finite,
    is_fp8,
    read_weight,
)

# what the host calls what lies beside a quantised weight, where others call it otherwise
HOST_NAMES = {"scale_weight": "weight_scale", "scale_input": "input_scale"}
DECLARED = "comfy_quant"
EXACT = "full_precision_matrix_mult"


def as_host_weights(published: Published, dtype: torch.dtype | None) -> dict[str, Tensor]:
    """Return a state dict for the host's loader, under the authors' names.

    What the host multiplies as it is stored stays so, declared in the host's own way, wherever the
    file declares it. Fp8 weights in a form that it does not know become the numbers they stand
    for.

    Args:
        dtype: that was asked for; None: as the host chooses.

    Raises:
        ValueError: if layers are quantised as this host cannot read them, or numbers are NaN.
    """
    runs, plain = _formats(), _plain_dtype(published, dtype)
    _check_formats(published, runs)
    weights: dict[str, Tensor] = {}
    extremes: dict[str, Tensor] = {}
    for weight in published.weights:
        how = _declared(weight, published, runs)
        if how is None or is_fp8(how):
            value = read_weight(weight, published.source)
            extremes[weight.name] = _extremes(value)
        if how is not None:
            weights |= _as_stored(weight, published, how)
        elif weight.scale is None:
            weights[weight.name] = _stored(weight.at, published)
        else:
            weights[weight.name] = value.to(plain)
    check_finite(extremes)
    _check_range(extremes, dtype)
    return weights


def _check_range(extremes: Mapping[str, Tensor], dtype: torch.dtype | None) -> None:
    """Refuse numbers that the dtype that was asked for does not hold: they become infinite."""
    most = None if dtype is None else torch.finfo(dtype).max
    wide = {n: float(x.abs().max()) for n, x in extremes.items() if most and x.abs().max() > most}
    if wide:
        name, largest = next(iter(wide.items()))
        raise ValueError(
            f"weights must fit the chosen dtype, {dtype} up to {most:g}, got {largest:g} in "
            f"{name}; choose bf16 or default"
        )


def _formats() -> Collection[str]:
    """Return the names of the formats of quantised layers that this host runs."""
    try:
        from comfy.quant_ops import QUANT_ALGOS
    except ImportError:  # hosts before 0.4
        return ()
    return QUANT_ALGOS.keys()


def _plain_dtype(published: Published, dtype: torch.dtype | None) -> torch.dtype:
    """Return what numbers are kept as that were small: as the file keeps others, unless told."""
    if dtype is not None and dtype.itemsize > 1:
        return dtype
    (root,) = (weight.at for weight in published.weights if weight.name == ROOT)
    others = published.source.dtypes.get(root)
    return torch.bfloat16 if others is None or others.itemsize == 1 else others


def _check_formats(published: Published, runs: Collection[str]) -> None:
    others = {
        module: str(how.get("format"))
        for module, how in published.quantised.items()
        if how.get("format") not in runs and not is_fp8(how)
    }
    if others:
        known = f"16 or 32 bits, or quantised as {', '.join(runs)}" if runs else "fp8 or larger"
        raise ValueError(
            f"weights must be what this ComfyUI runs, {known}, got {len(others)} layers of "
            f"{', '.join(sorted(set(others.values())))}: {', '.join(list(others)[:3])}; use "
            "another version of the file, or a newer ComfyUI"
        )


def _declared(
    weight: StoredWeight, published: Published, runs: Collection[str]
) -> Mapping[str, object] | None:
    """Return how a weight that is handed over as it is stored is quantised; None for others."""
    if weight.module is None:
        return None
    how = published.quantised.get(weight.module)
    if is_fp8(how or {}) or (how is None and weight.scale is not None):
        # which fp8 it is the numbers tell, whatever the file says
        how = {**(how or {}), "format": FP8.get(published.source.dtypes.get(weight.at))}
        if _marked_exact(published):
            how[EXACT] = True
    if how is None or how.get("format") not in runs:
        return None
    # the host knows one scale per tensor; more of them are for whoever reads row by row
    one_scale = weight.scale and published.source.shapes[weight.scale] in ((), (1,), (1, 1))
    return how if one_scale or not is_fp8(how) else None


def _marked_exact(published: Published) -> bool:
    """Whether a file's mark of two numbers says that products are made in full precision."""
    at = published.beside.get(SCALED)
    return at is not None and prod(published.source.shapes[at]) == 2


def _as_stored(
    weight: StoredWeight, published: Published, how: Mapping[str, object]
) -> dict[str, Tensor]:
    found = {weight.name: _stored(weight.at, published)}
    for name, at in published.beside.items():
        module, _, kind = name.rpartition(".")
        if module == weight.module and kind != DECLARED:
            value = _stored(at, published)
            one = is_fp8(how) and value.numel() == 1
            found[f"{module}.{HOST_NAMES.get(kind, kind)}"] = value.reshape(()) if one else value
    said = torch.tensor(list(json.dumps(dict(how)).encode()), dtype=torch.uint8)
    return found | {f"{weight.module}.{DECLARED}": said}


def _stored(at: str, published: Published) -> Tensor:
    with published.source.reading(at) as stored:
        return stored.clone()


def _extremes(value: Tensor) -> Tensor:
    """Return the least and the largest number, which pass NaN and infinity on."""
    wide = value.float() if value.dtype.itemsize == 1 else value
    return torch.stack(wide.aminmax())
