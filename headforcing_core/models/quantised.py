"""How a file says that its layers are quantised: in its header, or in bytes beside each."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import torch

from ..files import TensorSource

FP8 = {torch.float8_e4m3fn: "float8_e4m3fn", torch.float8_e5m2: "float8_e5m2"}
# a layer of a Wan model, wherever it stands in a file
OF_WAN = re.compile(r"(^|\.)blocks\.\d+\.(self_attn|cross_attn|ffn|attn1|attn2)\b")
# where ComfyUI writes how layers are quantised: in the header, or as bytes beside each
HEADER, BESIDE = "_quantization_metadata", ".comfy_quant"


def is_fp8(how: Mapping[str, object]) -> bool:
    """Whether a layer is quantised to fp8 with one scale, which every reader knows."""
    return how.get("format") in FP8.values()


def quantised_layers(
    names: Mapping[str, str], source: TensorSource
) -> dict[str, Mapping[str, object]]:
    """Return what the file itself says of its layers, by the authors' names.

    Raises:
        ValueError: if it says it of layers that it does not hold, or in no JSON.
    """
    modules = {at.removesuffix(".weight"): n.removesuffix(".weight") for n, at in names.items()}
    found: dict[str, Mapping[str, object]] = {}
    if HEADER in source.metadata:
        for layer, how in _parsed(source.metadata[HEADER], HEADER).get("layers", {}).items():
            module = _module_named(layer, modules)
            if module is None and not OF_WAN.search(layer):
                continue  # of a text encoder in the same file
            if module is None or not isinstance(how, Mapping):
                raise ValueError(
                    f"{HEADER} in the file's header must name weights that it holds, got {layer}; "
                    "the file is incomplete or another model"
                )
            found[module] = how
    for name, at in names.items():
        if name.endswith(BESIDE):
            with source.reading(at) as stored:
                told = bytes(stored.flatten().tolist()).decode("utf-8", "replace")
            found[name.removesuffix(BESIDE)] = _parsed(told, name)
    return found


def _module_named(layer: str, modules: Mapping[str, str]) -> str | None:
    """Find the module of a layer that is written with the prefix of all weights, less or more."""
    own = modules.values()
    ends = (layer, *(layer[at + 1 :] for at, letter in enumerate(layer) if letter == "."))
    return modules.get(layer) or next((end for end in ends if end in own), None)


def _parsed(text: str, what: str) -> Mapping[str, object]:
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    if not isinstance(parsed, Mapping):
        raise ValueError(f"{what} must be a JSON object, got {text[:40]!r}; the file is damaged")
    return parsed
