"""From a published checkpoint to a Wan model: sizes and weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from .families import WAN_EPS, WAN_HEAD_DIM, Family, choose_family
from .lora import Lora
from .tensor_files import TensorSource, open_tensors
from .wan import WanConfig, WanModel
from .weight_names import ROOT, wan_names

HEADS_KEY = "headforcing.heads"
# weights that, with the root, give the sizes of a model
SIZED = (
    "blocks.0.ffn.0.weight",
    "time_embedding.0.weight",
    "text_embedding.0.weight",
    "head.head.weight",
)
FP8 = (torch.float8_e4m3fn, torch.float8_e5m2)
SCALES = (".scale_weight", ".weight_scale")
# what quantised files carry beside the weights and a weight-only reader does not need
UNUSED = (".scale_input", ".input_scale", ".comfy_quant", "scaled_fp8")


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
    model = build_wan(source, heads=heads, lora=lora, dtype=dtype, device=device)
    return LoadedModel(model, chosen)


def build_wan(
    source: TensorSource,
    *,
    heads: int | None = None,
    eps: float = WAN_EPS,
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
        lora: merged in float32, before weights are cast.

    Raises:
        ValueError: if the tensors are not those of a Wan 2.1 text-to-video model, with the reason.
    """
    names = wan_names(source.shapes)
    scales = {n: names.pop(n) for n in list(names) if _is_scale(n, names)}
    names = {n: at for n, at in names.items() if not n.endswith(UNUSED)}
    shapes = {n: source.shapes[at] for n, at in names.items()}
    config = read_config(shapes, heads, eps)
    with torch.device("meta"):
        model = WanModel(config)
    _check_shapes({n: tuple(x.shape) for n, x in model.state_dict().items()}, shapes)
    adapted = lora.modules(n.removesuffix(".weight") for n in names) if lora else {}
    weights = {}
    for name, at in names.items():
        scale = _scale(name, scales, source)
        module = name.removesuffix(".weight")
        delta = lora.delta(adapted[module], shapes[name]) if module in adapted else None
        with source.reading(at) as stored:
            weights[name] = _weight(name, stored, scale, delta).to(device, dtype, copy=True)
        del stored  # or the file stays mapped behind it
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
    # distinct numbers, not the highest: a stray one shows as an unknown tensor
    layers = len({n.split(".")[1] for n in shapes if re.match(r"blocks\.\d+\.", n)})
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


def _is_scale(name: str, names: Mapping[str, str]) -> bool:
    return name.endswith(SCALES) and name.rpartition(".")[0] + ".weight" in names


def _scale(name: str, scales: Mapping[str, str], source: TensorSource) -> Tensor | None:
    stem = name.removesuffix(".weight")
    for suffix in SCALES:
        if stem + suffix in scales:
            with source.reading(scales[stem + suffix]) as stored:
                return stored.float().clone()
    return None


def _weight(name: str, stored: Tensor, scale: Tensor | None, delta: Tensor | None) -> Tensor:
    """Return a weight as trained: without per-tensor or per-row fp8 scaling, with its LoRA."""
    if not stored.is_floating_point():
        raise ValueError(
            f"weights must be floating point, got {stored.dtype} in {name}: a quantised file; "
            "use the bf16, fp16 or fp8 version"
        )
    if scale is not None:
        if stored.dtype not in FP8 or scale.numel() not in (1, stored.shape[0]):
            raise ValueError(
                f"scaled weights must be fp8 with one scale per tensor or row, got {stored.dtype} "
                f"with {tuple(scale.shape)} scales for {name}; use the bf16 or fp16 version"
            )
        stored = stored.float() * scale.reshape(-1, *[1] * (stored.ndim - 1))
    return stored if delta is None else stored.float() + delta


def _check_finite(weights: Mapping[str, Tensor]) -> None:
    # extremes pass NaN and infinity on and, unlike isfinite, need no memory
    bad = [name for name, w in weights.items() if not torch.stack(w.aminmax()).isfinite().all()]
    if bad:
        raise ValueError(
            f"weights must be finite numbers, got NaN or infinity in {len(bad)} tensors: "
            f"{', '.join(bad[:3])}; the file is damaged, or its numbers exceed the chosen dtype"
        )
