"""Which model this is: a name made from its weights and what LoRAs make of them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from types import CellType, FunctionType, MethodType
from typing import Any
from weakref import WeakKeyDictionary

import comfy.lora
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor, nn

from ...headforcing_core.models import fingerprint
from .restored import restore

ROOT = "diffusion_model."
SAMPLES = 4096
# closures within closures that are looked into
DEEPEST = 8
PLAIN = (Tensor, nn.Parameter)
_tokens: WeakKeyDictionary[object, str] = WeakKeyDictionary()


def name_of(model: ModelPatcher) -> str:
    """Return the fingerprint of a model with its LoRAs, wherever and however its weights are kept.

    A weight that the host has as numbers counts by its signs, as in a file, with its LoRAs merged.
    One that is kept otherwise (GGUF, or only a shape) counts by what is kept and by its LoRAs.
    """
    restore(model)
    weights: dict[str, Tensor] = {}
    others = []
    for name, weight in model.model.diffusion_model.named_parameters():
        key = ROOT + name
        # while a model is loaded its patches are in it, and the original is kept aside
        kept = model.backup.get(key)
        own = weight if kept is None else kept.weight
        plain = _numbers(own)
        patches = model.patches.get(key)
        if plain is None:
            others.append([name, _stored(own), patches or []])
            continue
        if patches:
            plain = comfy.lora.calculate_weight(patches, plain.float().clone(), key)
        weights[name] = plain
    named = fingerprint(weights)
    return digest_of([named, others])[: len(named)] if others else named


def values_of(model: ModelPatcher) -> str:
    """Return a digest of a model's weights as they are kept, signs, sizes and dtypes.

    Frames tell models apart that a map of heads does not: fp8 from bf16, a norm that was moved.
    """
    restore(model)
    values = []
    for name, weight in model.model.diffusion_model.named_parameters():
        kept = model.backup.get(ROOT + name)
        own = weight if kept is None else kept.weight
        plain = _numbers(own)
        values.append([name, str(own.dtype), _stored(own) if plain is None else plain])
    return digest_of(values)


def _numbers(weight: Tensor) -> Tensor | None:
    """Return a weight as an ordinary tensor of floats, None where it is kept as something else."""
    if weight.device.type == "meta":
        return None
    if type(weight) not in PLAIN and hasattr(weight, "dequantize"):
        if not hasattr(weight, "tensor_type"):  # GGUF's own tensors have torch's, which is another
            weight = weight.dequantize()
    if type(weight) not in PLAIN or not weight.is_floating_point():
        return None
    return weight.detach()


def _stored(weight: Tensor) -> object:
    if weight.device.type == "meta":
        return [list(weight.shape)]
    return [weight.as_subclass(Tensor), str(getattr(weight, "tensor_type", None))]


def digest_of(value: Any) -> str:
    """Return a digest of plain values, tensors, patches of weights, functions, and other objects.

    A function counts by its code and what it has closed over. What has no value that could be
    looked at is itself and nothing else: it has another digest in another process, never one that
    another object has.
    """
    digest = sha256()
    _add(digest, value, 0)
    return digest.hexdigest()


def _add(digest: Any, value: Any, depth: int) -> None:
    if depth > DEEPEST:
        digest.update(token_of(value).encode())
    elif isinstance(value, FunctionType):
        code = value.__code__
        known = [value.__module__, value.__qualname__, code.co_code, value.__defaults__]
        _add(digest, [*known, [c for c in code.co_consts if not hasattr(c, "co_code")]], depth)
        closed = [cell.cell_contents for cell in value.__closure__ or () if _filled(cell)]
        _add(digest, closed, depth + 1)
    elif isinstance(value, partial):
        _add(digest, [value.func, value.args, value.keywords], depth + 1)
    elif isinstance(value, MethodType):
        _add(digest, [value.__func__, value.__self__], depth + 1)
    elif isinstance(value, Tensor):
        values = _sampled(value)
        digest.update(f"{tuple(value.shape)}{value.dtype}".encode() + values)
    elif value is None or isinstance(value, (str, bytes, int, float, torch.dtype)):
        digest.update(f"{type(value).__name__} {value!r};".encode())
    elif isinstance(value, Mapping):
        pairs = sorted(([str(key), each] for key, each in value.items()), key=lambda x: x[0])
        _add(digest, pairs, depth)
    elif isinstance(value, Sequence):
        digest.update(f"[{len(value)}".encode())
        for each in value:
            _add(digest, each, depth)
    elif hasattr(value, "weights"):  # an adapter of the host
        _add(digest, [type(value).__name__, value.weights], depth)
    else:
        digest.update(token_of(value).encode())


def _filled(cell: CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # nothing was put there yet
        return False


def _sampled(tensor: Tensor) -> bytes:
    if tensor.device.type == "meta":
        return b""
    # an odd step walks over rows and columns alike
    step = max(1, tensor.numel() // SAMPLES) | 1
    values = tensor.detach().flatten()[::step].cpu().contiguous()
    return values.view(torch.uint8).numpy().tobytes() if values.numel() else b""


def token_of(thing: object) -> str:
    """Return a name that a thing keeps while it lives in this process, and no other gets."""
    try:
        return _tokens.setdefault(thing, uuid.uuid4().hex)
    except TypeError:  # it cannot be remembered: nothing is like it
        return uuid.uuid4().hex
