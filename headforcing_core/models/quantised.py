"""How a file says that its layers are quantised: in its header, or in bytes beside each."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import torch

from ..files import TensorSource, json_of, shown

FP8 = {torch.float8_e4m3fn: "float8_e4m3fn", torch.float8_e5m2: "float8_e5m2"}
# a layer of a Wan model, wherever it stands in a file
OF_WAN = re.compile(r"(^|\.)blocks\.\d+\.(self_attn|cross_attn|ffn|attn1|attn2)\b")
# where ComfyUI writes how layers are quantised: in the header, or as bytes beside each
HEADER, BESIDE = "_quantization_metadata", ".comfy_quant"
# bytes beside a layer, layers in a header, and letters of their names
MOST_BESIDE, MOST_LAYERS, LONGEST_NAME = 4096, 1 << 16, 250
LONGEST_FORMAT = 60


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
    found = _in_header(source.metadata[HEADER], modules) if HEADER in source.metadata else {}
    beside = {name: at for name, at in names.items() if name.endswith(BESIDE)}
    if beside:
        with source.kept_open():
            for name, at in beside.items():
                how = _parsed(_told(source, at, name), name)
                found[name.removesuffix(BESIDE)] = _with_format(how, name)
    return found


def _in_header(text: str, modules: Mapping[str, str]) -> dict[str, Mapping[str, object]]:
    found: dict[str, Mapping[str, object]] = {}
    own = set(modules.values())
    layers = _parsed(text, HEADER).get("layers", {})
    if not isinstance(layers, Mapping) or len(layers) > MOST_LAYERS:
        raise ValueError(
            f"layers in {HEADER} must be a JSON object of at most {MOST_LAYERS}, got "
            f"{shown(layers)}; the file is damaged"
        )
    for layer, how in layers.items():
        module = _module_named(layer, modules, own)
        if module is None and not OF_WAN.search(layer[:LONGEST_NAME]):
            continue  # of a text encoder in the same file
        if module is None or not isinstance(how, Mapping):
            raise ValueError(
                f"{HEADER} in the file's header must name weights that it holds, got "
                f"{_plain(layer)}; the file is incomplete or another model"
            )
        found[module] = _with_format(how, _plain(layer))
    return found


def _with_format(how: Mapping[str, object], layer: str) -> Mapping[str, object]:
    """Return how a layer is quantised, if that has a name or none."""
    form = how.get("format", "")
    if not isinstance(form, str) or len(form) > LONGEST_FORMAT or not form.isprintable():
        raise ValueError(
            f"the format of {layer} must be a name, got {shown(form)}; the file is damaged"
        )
    return how


def _plain(layer: str) -> str:
    return layer if layer.isprintable() and len(layer) <= LONGEST_NAME else shown(layer)


def _told(source: TensorSource, at: str, name: str) -> str:
    with source.reading(at) as stored:
        if stored.dtype != torch.uint8 or stored.numel() > MOST_BESIDE:
            raise ValueError(
                f"{name} must be at most {MOST_BESIDE} bytes, got {stored.numel()} of "
                f"{stored.dtype}; the file is damaged"
            )
        return bytes(stored.flatten().tolist()).decode("utf-8", "replace")


def _module_named(layer: str, modules: Mapping[str, str], own: Collection[str]) -> str | None:
    """Find the module of a layer that is written with the prefix of all weights, less or more."""
    if len(layer) > LONGEST_NAME:
        return None
    ends = (layer, *(layer[at + 1 :] for at, letter in enumerate(layer) if letter == "."))
    return modules.get(layer) or next((end for end in ends if end in own), None)


def _parsed(text: str, what: str) -> Mapping[str, object]:
    try:
        parsed = json_of(text)
    except ValueError:
        parsed = None
    if not isinstance(parsed, Mapping):
        raise ValueError(f"{what} must be a JSON object, got {shown(text)}; the file is damaged")
    return parsed
