"""Which model this is: a name made from its weights and what LoRAs make of them."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID
from weakref import WeakKeyDictionary

import comfy.lora
from comfy.model_patcher import ModelPatcher
from torch import Tensor, nn

from ...headforcing_core.models import fingerprint, memory_name
from .digests import digest_of
from .experts import second_of
from .restored import restore

ROOT = "diffusion_model."
# what names of the second model's weights begin with
PLAIN = (Tensor, nn.Parameter)
# a model with LoRAs is merged to be named, which takes a while: once per set of them
_names: WeakKeyDictionary[object, dict[UUID, str]] = WeakKeyDictionary()


def name_of(model: ModelPatcher) -> str:
    """Return the fingerprint of a model with its LoRAs, wherever and however its weights are kept.

    A weight that the host has as numbers counts by its signs, as in a file, with its LoRAs merged.
    One that is kept otherwise (GGUF, or only a shape) counts by what is kept and by its LoRAs.
    """
    if not model.patches:
        return _named(model)
    known = _names.setdefault(model.model, {})
    if model.patches_uuid not in known:
        known[model.patches_uuid] = _named(model)
    return known[model.patches_uuid]


def _named(model: ModelPatcher) -> str:
    weights: dict[str, Tensor] = {}
    others = []
    for name, own in _own_weights(model):
        key, plain = ROOT + name, _numbers(own)
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
    values = []
    for name, own in _own_weights(model):
        plain = _numbers(own)
        values.append([name, str(own.dtype), _stored(own) if plain is None else plain])
    return digest_of(values)


def _own_weights(model: ModelPatcher) -> Iterator[tuple[str, Tensor]]:
    """Yield the weights as they were loaded, without adapters; of a second model, too."""
    second = second_of(model)
    if second is not None:
        yield from ((memory_name(name), weight) for name, weight in _own_weights(second))
    restore(model)
    for name, weight in model.model.diffusion_model.named_parameters():
        # while a model is loaded its patches are in it, and the original is kept aside
        kept = model.backup.get(ROOT + name)
        yield name, weight if kept is None else kept.weight


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
