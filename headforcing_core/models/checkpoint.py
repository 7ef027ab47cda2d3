"""From a published checkpoint to a Wan model: sizes and weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ..files import TensorSource, open_tensors
from .families import WAN_EPS, WAN_HEAD_DIM, Family, choose_family
from .lora import Lora
from .wan import FLOW, WanConfig, WanModel
from .weight_names import ROOT, wan_names

HEADS_KEY = "headforcing.heads"
PREDICTS_KEY = "headforcing.predicts"
# weights that, with the root, give the sizes of a model
SIZED = (
    "blocks.0.ffn.0.weight",
    "time_embedding.0.weight",
    "text_embedding.0.weight",
    "head.head.weight",
)
FP8 = (torch.float8_e4m3fn, torch.float8_e5m2)
SCALES = (".scale_weight", ".weight_scale")
# says that every fp8 weight of a file has a scale
SCALED = "scaled_fp8"
# what quantised files carry beside the weights and a weight-only reader does not need
UNUSED = (".scale_input", ".input_scale", ".comfy_quant", SCALED)


class StoredWeight(NamedTuple):
    """A parameter, the name under which a file stores it, and that of its fp8 scale."""

    name: str
    at: str
    scale: str | None
    must_scale: bool

    @property
    def module(self) -> str | None:
        return self.name.removesuffix(".weight") if self.name.endswith(".weight") else None


class LoadedModel(NamedTuple):
    """A model and how it is run."""

    model: WanModel
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
        heads: see ``build_wan``; a file's own metadata may tell.
        lora: merged into the weights.

    Raises:
        ValueError: if the file, the model or the family is not one that can be run, and why.
    """
    chosen = choose_family(path, family)
    source = open_tensors(path, prefer=chosen.weights)
    if heads is None and HEADS_KEY in source.metadata:
        heads = _heads(source.metadata[HEADS_KEY])
    predicts = source.metadata.get(PREDICTS_KEY, FLOW)
    model = build_wan(source, heads=heads, predicts=predicts, lora=lora, dtype=dtype, device=device)
    return LoadedModel(model, chosen)


def build_wan(
    source: TensorSource,
    *,
    heads: int | None = None,
    eps: float = WAN_EPS,
    predicts: str = FLOW,
    lora: Lora | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> WanModel:
    """Build the model whose weights ``source`` holds.

    Sizes are read from the weights. Weights arrive one at a time in their final dtype and place.

    Args:
        source: tensors under the names of a published checkpoint: the authors', with any prefix,
            or diffusers'.
        heads: attention heads. Weights do not tell; None takes the 128 channels per head that all
            published Wan models have.
        eps: of all norms.
        predicts: what the model gives, see ``WanConfig``.
        lora: merged in float32, before weights are cast.

    Raises:
        ValueError: if the tensors are not those of a Wan 2.1 text-to-video model, with the reason.
    """
    stored = _stored_weights(wan_names(source.shapes))
    shapes = {weight.name: source.shapes[weight.at] for weight in stored}
    config = replace(read_config(shapes, heads, eps), predicts=predicts)
    with torch.device("meta"):
        model = WanModel(config)
    _check_shapes({n: tuple(x.shape) for n, x in model.state_dict().items()}, shapes)
    adapted = lora.modules(w.module for w in stored if w.module) if lora else {}
    weights = {}
    for weight in stored:
        value = _read(weight, source)
        if weight.module in adapted:
            value = value.float() + lora.delta(adapted[weight.module], value.shape)
        weights[weight.name] = value.to(device, dtype, copy=True)
        del value  # or the file stays mapped behind it
    _check_finite(weights)
    model.load_state_dict(weights, assign=True)
    return model.eval().requires_grad_(False)


def read_config(
    shapes: Mapping[str, tuple[int, ...]], heads: int | None = None, eps: float = WAN_EPS
) -> WanConfig:
    """Read the sizes of a Wan text-to-video model from its weights' shapes.

    Raises:
        ValueError: if a weight that gives a size is missing or odd, or the model takes more than
            text.
    """
    for name in (ROOT, *SIZED):
        if name not in shapes:
            raise ValueError(f"the file must hold a whole Wan video model, but it has no {name}")
    if (
        len(shapes[ROOT]) != 5
        or not all(shapes[ROOT])
        or not all(len(shapes[n]) == 2 for n in SIZED)
    ):
        raise ValueError(f"{ROOT} must be that of a video model, got {shapes[ROOT]}")
    dim, in_dim, *patch = shapes[ROOT]
    (ffn_dim, _), (_, freq_dim), (_, text_dim), (out_rows, _) = (shapes[n] for n in SIZED)
    out_dim = out_rows / prod(patch)
    extra = next((n for n in shapes if n.startswith(("img_emb.", "vace_", "control_"))), None)
    if in_dim != out_dim or extra:
        raise ValueError(
            f"the model must be text-to-video, got one that takes {in_dim} and gives {out_dim:g} "
            f"latent channels{f' and has {extra}' if extra else ''}: an image-to-video or control "
            "model; image-to-video works with a text-to-video model by giving it first frames"
        )
    if heads is None and dim % WAN_HEAD_DIM:
        raise ValueError(
            f"heads must be given for a model of {dim} channels; published Wan models have "
            f"{WAN_HEAD_DIM} channels per head"
        )
    numbers = {int(n.split(".")[1]) for n in shapes if re.match(r"blocks\.\d{1,9}\.", n)}
    # a number no model of so few tensors can have is a stray one, and will be named as unknown
    layers = 1 + max(number for number in numbers if number < len(shapes))
    return WanConfig(
        dim=dim,
        ffn_dim=ffn_dim,
        freq_dim=freq_dim,
        text_dim=text_dim,
        in_dim=in_dim,
        out_dim=in_dim,
        heads=heads or dim // WAN_HEAD_DIM,
        layers=layers,
        patch=tuple(patch),
        eps=eps,
    )


def _check_shapes(
    expected: Mapping[str, tuple[int, ...]], got: Mapping[str, tuple[int, ...]]
) -> None:
    wrong = {n: s for n, s in got.items() if n in expected and s != expected[n]}
    for kind, names in (
        ("missing", sorted(expected.keys() - got.keys())),
        ("unknown", sorted(got.keys() - expected.keys())),
        ("of wrong shape", [f"{n} {got[n]} for {expected[n]}" for n in sorted(wrong)]),
    ):
        if names:
            raise ValueError(
                f"a Wan text-to-video model must have {len(expected)} tensors, got "
                f"{len(names)} {kind}: {', '.join(names[:3])}; the file is incomplete or another "
                "model"
            )


def _heads(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{HEADS_KEY} in the file's metadata must be a number, got {text!r}")
    return int(text)


def _stored_weights(names: Mapping[str, str]) -> list[StoredWeight]:
    """Tell weights from their scales and from what only an fp8 matrix product needs."""
    scales: dict[str, str] = {}
    for name, at in names.items():
        stem, _, kind = name.rpartition(".")
        if f".{kind}" in SCALES and f"{stem}.weight" in names:
            if f"{stem}.weight" in scales:
                raise ValueError(
                    f"a weight must have one scale, got {scales[f'{stem}.weight']} and {at}"
                )
            scales[f"{stem}.weight"] = at
    known = set(scales.values())
    return [
        StoredWeight(name, at, scales.get(name), SCALED in names)
        for name, at in names.items()
        if at not in known and not name.endswith(UNUSED)
    ]


def _read(weight: StoredWeight, source: TensorSource) -> Tensor:
    """Return a weight as trained, without per-tensor or per-row fp8 scaling; it may be mapped."""
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
            return stored
        with source.reading(weight.scale) as scale:
            fits = scale.is_floating_point() and scale.numel() in (1, stored.shape[0])
            if stored.dtype not in FP8 or not fits or not (scale.float() > 0).all():
                raise ValueError(
                    "scaled weights must be fp8 with one positive scale per tensor or row, got "
                    f"{stored.dtype} with {scale.dtype} {tuple(scale.shape)} for {weight.name}; "
                    "use the bf16 or fp16 version"
                )
            return stored.float() * scale.float().reshape(-1, *[1] * (stored.ndim - 1))


def _check_finite(weights: Mapping[str, Tensor]) -> None:
    # extremes pass NaN and infinity on and, unlike isfinite, need no memory
    bad = [name for name, w in weights.items() if not torch.stack(w.aminmax()).isfinite().all()]
    if bad:
        raise ValueError(
            f"weights must be finite numbers, got NaN or infinity in {len(bad)} tensors: "
            f"{', '.join(bad[:3])}; the file is damaged, or its numbers exceed the chosen dtype"
        )
