"""Files of one random model as people quantise and name them: tensors, header, what is true.

``numbers`` are the weights that a layout stands for, rounded as it rounds them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

PREFIX = "model.diffusion_model."


class PublishedFile(NamedTuple):
    """A file, and the weights it stands for; None where it is to be refused."""

    tensors: dict[str, Tensor]
    header: dict[str, str]
    numbers: dict[str, Tensor] | None


def linear(weights: Mapping[str, Tensor]) -> list[str]:
    """Return the modules that quantisers take: matrices of the blocks."""
    return [
        name.removesuffix(".weight")
        for name, weight in weights.items()
        if name.startswith("blocks.") and weight.ndim == 2 and name.endswith(".weight")
    ]


def rounded(weight: Tensor, dtype: torch.dtype, rows: bool) -> tuple[Tensor, Tensor]:
    """Return a weight in a small type and its scale, per tensor or per row."""
    most = weight.abs().amax(1, keepdim=True) if rows else weight.abs().max()
    top = torch.finfo(dtype).max if dtype.is_floating_point else torch.iinfo(dtype).max
    scale = most / top
    small = weight / scale
    return (small if dtype.is_floating_point else small.round()).to(dtype), scale


def scaled(
    weights: Mapping[str, Tensor],
    dtype: torch.dtype,
    suffix: str = "weight_scale",
    rows: bool = False,
    prefix: str = "",
) -> tuple[dict[str, Tensor], dict[str, Tensor], list[str]]:
    """Return (tensors of a file, the numbers they stand for, modules that were scaled)."""
    tensors = {prefix + name: weight.half() for name, weight in weights.items()}
    numbers = {name: weight.half().float() for name, weight in weights.items()}
    for module in linear(weights):
        name = f"{module}.weight"
        small, scale = rounded(weights[name], dtype, rows)
        tensors[prefix + name], tensors[f"{prefix}{module}.{suffix}"] = small, scale
        numbers[name] = small.float() * scale
    return tensors, numbers, linear(weights)


def header(modules: list[str], form: str, prefix: str = "") -> dict[str, str]:
    layers = {prefix + module: {"format": form} for module in modules}
    said = {"format_version": "1.0", "layers": layers}
    return {"_quantization_metadata": json.dumps(said)}


def beside(modules: list[str], form: str) -> dict[str, Tensor]:
    said = torch.tensor(list(json.dumps({"format": form}).encode()), dtype=torch.uint8)
    return {f"{module}.comfy_quant": said.clone() for module in modules}


def published_files(weights: Mapping[str, Tensor]) -> dict[str, PublishedFile]:
    """Return the layouts that were met, by name."""
    e4m3, e5m2 = torch.float8_e4m3fn, torch.float8_e5m2
    files = {"plain": PublishedFile(dict(weights), {}, dict(weights))}
    fp8, numbers, modules = scaled(weights, e4m3)
    files["fp8_header"] = PublishedFile(fp8, header(modules, "float8_e4m3fn"), numbers)
    files["fp8_beside"] = PublishedFile(fp8 | beside(modules, "float8_e4m3fn"), {}, numbers)
    files["fp8_said_nowhere"] = PublishedFile(fp8, {}, numbers)
    named, numbers, _ = scaled(weights, e4m3, prefix=PREFIX)
    said = header(modules, "float8_e4m3fn", PREFIX)
    files["fp8_header_prefixed"] = PublishedFile(named, said, numbers)
    said = header(modules, "float8_e4m3fn")
    files["fp8_header_without_its_prefix"] = PublishedFile(named, said, numbers)
    wide, numbers, _ = scaled(weights, e5m2)
    files["fp8_e5m2_header"] = PublishedFile(wide, header(modules, "float8_e5m2"), numbers)
    old, numbers, _ = scaled(weights, e4m3, "scale_weight")
    files["fp8_scaled"] = PublishedFile(
        old | {"scaled_fp8": torch.zeros(2, dtype=e4m3)}, {}, numbers
    )
    files["fp8_scaled_by_another_name"] = PublishedFile(
        fp8 | {"scaled_fp8": torch.zeros(2, dtype=e4m3)}, {}, files["fp8_header"].numbers
    )
    marked, numbers, _ = scaled(weights, e5m2, "scale_weight")
    files["fp8_e5m2_scaled"] = PublishedFile(
        marked | {"scaled_fp8": torch.zeros(2, dtype=e4m3)}, {}, numbers
    )
    files["fp8_header_of_another_fp8"] = PublishedFile(
        wide, header(modules, "float8_e4m3fn"), files["fp8_e5m2_header"].numbers
    )
    encoder = {"text_encoders.umt5xxl.block.0.q": {"format": "float8_e4m3fn"}}
    more = json.loads(said["_quantization_metadata"])
    files["fp8_header_of_an_encoder_too"] = PublishedFile(
        named,
        {"_quantization_metadata": json.dumps({**more, "layers": {**more["layers"], **encoder}})},
        files["fp8_header_prefixed"].numbers,
    )
    by_rows, numbers, _ = scaled(weights, e4m3, rows=True)
    files["fp8_rows"] = PublishedFile(by_rows, {}, numbers)

    def refused(name: str, tensors: dict[str, Tensor], said: dict[str, str] | None = None) -> None:
        files[name] = PublishedFile(tensors, said or {}, None)

    refused("int8", scaled(weights, torch.int8, rows=True)[0])
    short = {name: x for name, x in fp8.items() if name != f"{modules[0]}.weight_scale"}
    refused("header_without_a_scale", short, header(modules, "float8_e4m3fn"))
    first = f"{modules[0]}.weight_scale"
    refused("one_scale_lost", short)
    inputs = {f"{module}.input_scale": torch.ones(()) for module in modules}
    bare = {name: x for name, x in fp8.items() if not name.endswith("_scale")}
    refused("all_scales_lost", bare | inputs)
    columns = fp8[f"{modules[0]}.weight"].shape[1]
    refused("scales_of_columns", fp8 | {first: torch.ones(1, columns)})
    refused("unknown_format", fp8, header(modules, "int3_of_tomorrow"))
    refused("header_of_another_model", dict(weights), header(["blocks.77.ffn.0"], "float8_e4m3fn"))
    refused("header_damaged", fp8, {"_quantization_metadata": "{"})
    gone = "blocks.1.norm3.weight"
    refused("one_missing", {name: w for name, w in weights.items() if name != gone})
    refused("unknown", weights | {"blocks.0.memory_gate.weight": torch.zeros(4, 4)})
    refused("no_head", {name: w for name, w in weights.items() if not name.startswith("head.")})
    refused("not_a_number", weights | {gone: torch.full_like(weights[gone], torch.nan)})
    return files
