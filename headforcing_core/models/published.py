"""What a published file of a Wan model holds, told and checked before a weight is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from types import MappingProxyType
from typing import TypeVar

import torch

from ..files import TensorSource, shown
from .families import FAMILIES, WAN_EPS, WAN_HEAD_DIM
from .quantised import is_fp8, quantised_layers
from .stored_weights import SCALED, StoredWeight, check_scales, check_shapes, told_apart
from .wan import WanModel
from .wan_config import FLOW, WanConfig
from .weight_names import MEMORY, ROOT, memory_name, wan_names

T = TypeVar("T")

# weights that, with the root, give the sizes of a model
SIZED = (
    "blocks.0.ffn.0.weight",
    "time_embedding.0.weight",
    "text_embedding.0.weight",
    "head.head.weight",
)
MODEL, SECOND = "a Wan text-to-video model", "the second model of a file"
SECOND_OF = " or ".join(family.name for family in FAMILIES if family.two_experts)
# what LongLive 2.0's files of 4 bits call the numbers of a layer
PACKED = ".quantized_weight_values"
# tensors of a block, less than it has
LEAST_OF_BLOCK = 8
# layers and channels beyond any model: what is made of them before all weights are compared
MOST_LAYERS, MOST_CHANNELS = 100, 1 << 20
# what a file's metadata may say of its model
HEADS_KEY, PREDICTS_KEY = "headforcing.heads", "headforcing.predicts"


@dataclass(frozen=True)
class Published:
    """A whole Wan text-to-video model in a file, under the authors' names.

    Args:
        source: its tensors.
        config: its sizes.
        weights: of the model, all of them.
        beside: what lies beside them, such as scales: name -> where it is stored.
        quantised: module -> how the file says that its weight is quantised, with "format".
        second: a model of the same sizes that makes the calls on clean latents, see ``TwoExperts``.
    """

    source: TensorSource
    config: WanConfig
    weights: tuple[StoredWeight, ...]
    beside: Mapping[str, str]
    quantised: Mapping[str, Mapping[str, object]]
    second: Published | None = None


def read_published(
    source: TensorSource,
    heads: int | None = None,
    eps: float = WAN_EPS,
    predicts: str | None = None,
    two_experts: bool = False,
) -> Published:
    """Tell what a file holds; of its tensors only what says how they are quantised is read.

    Args:
        source: tensors under the names of a published checkpoint: the authors', with any prefix,
            or diffusers'.
        heads: attention heads. Weights do not tell; None takes what the file's metadata says, or
            the 128 channels per head that all published Wan models have.
        eps: of all norms.
        predicts: what the model gives, see ``WanConfig``; None: as the file's metadata says.
        two_experts: whether whoever asks runs a second model if there is one.

    Raises:
        ValueError: if the tensors are not those of a whole Wan 2.1 text-to-video model, or of one
            and a half, or of two where one is asked for, with the reason.
    """
    if heads is None and HEADS_KEY in source.metadata:
        heads = _heads(source.metadata[HEADS_KEY])
    predicts = predicts or source.metadata.get(PREDICTS_KEY, FLOW)
    names = wan_names(source.shapes)
    _check_packed(names)
    quantised = quantised_layers(names, source)
    weights, beside = told_apart(names, quantised)
    check_scales(weights, beside, quantised)
    second = tuple(weight for weight in weights if weight.name.startswith(MEMORY))
    if second and not two_experts:
        raise ValueError(
            f"the file must be run as {SECOND_OF}, which have a second model for clean latents, "
            f"got {len(second)} weights of one, such as {second[0].at}; choose one of these two"
        )
    own = tuple(weight for weight in weights if not weight.name.startswith(MEMORY))
    config = read_config({w.name: source.shapes[w.at] for w in own}, heads, eps, predicts)
    found = Published(source, config, own, _part(beside, False), _part(quantised, False))
    _check_whole(MODEL, found)
    if not second:
        return found
    plain = tuple(weight._replace(name=weight.name.removeprefix(MEMORY)) for weight in second)
    marks = {name: at for name, at in beside.items() if name == SCALED}  # of the whole file
    other = Published(source, config, plain, _part(beside, True) | marks, _part(quantised, True))
    _check_whole(SECOND, other, memory_name)
    return replace(found, second=other)


def _part(named: Mapping[str, T], of_second: bool) -> dict[str, T]:
    """Return what is of one of two models, without what tells them apart."""
    return {
        name.removeprefix(MEMORY): value
        for name, value in named.items()
        if name.startswith(MEMORY) == of_second
    }


def _check_whole(model: str, found: Published, called: Callable[[str], str] = str) -> None:
    expected = weight_shapes(found.config)
    # several numbers may share a byte: only whoever runs such a layer knows its size
    packed = {f"{module}.weight" for module, how in found.quantised.items() if not is_fp8(how)}
    shapes = {w.name: found.source.shapes[w.at] for w in found.weights}
    got = {n: expected.get(n, s) if n in packed else s for n, s in shapes.items()}
    check_shapes(model, *({called(n): s for n, s in named.items()} for named in (expected, got)))


def _check_packed(names: Collection[str]) -> None:
    packed = [name for name in names if name.endswith(PACKED)]
    if packed:
        raise ValueError(
            f"weights must be bf16, fp16, fp32 or fp8, got {len(packed)} layers packed to 4 bits "
            f"(NVFP4): {', '.join(packed[:3])}; use the bf16 version, such as model_bf16.pt"
        )


def _heads(text: str) -> int:
    # some thousands at most: int() takes no more than 4300 digits, and any alphabet's
    if not (text.isascii() and text.isdecimal() and len(text) <= 4):
        raise ValueError(f"{HEADS_KEY} in the file's metadata must be a number, got {shown(text)}")
    return int(text)


@lru_cache(maxsize=8)  # a page asks for each letter that is typed
def weight_shapes(config: WanConfig) -> Mapping[str, tuple[int, ...]]:
    """Return the shape of every weight of a model, by the authors' names."""
    with torch.device("meta"):
        weights = WanModel(config).state_dict()
    return MappingProxyType({name: tuple(weight.shape) for name, weight in weights.items()})


def read_config(
    shapes: Mapping[str, tuple[int, ...]],
    heads: int | None = None,
    eps: float = WAN_EPS,
    predicts: str = FLOW,
) -> WanConfig:
    """Read the sizes of a Wan text-to-video model from its weights' shapes.

    Raises:
        ValueError: if a weight that gives a size is missing or odd, or the model takes more than
            text.
    """
    _check_sized(shapes)
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
    most = min(len(shapes) // LEAST_OF_BLOCK, MOST_LAYERS - 1)
    layers = 1 + max(number for number in numbers if number <= most)
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
        predicts=predicts,
    )


def _check_sized(shapes: Mapping[str, tuple[int, ...]]) -> None:
    for name in (ROOT, *SIZED):
        if name not in shapes:
            raise ValueError(f"the file must hold a whole Wan video model, but it has no {name}")
    sized = [shapes[name] for name in (ROOT, *SIZED)]
    if [len(shape) for shape in sized] != [5, 2, 2, 2, 2] or not all(
        0 < length <= MOST_CHANNELS for shape in sized for length in shape
    ):
        raise ValueError(f"{ROOT} must be that of a video model, got {shapes[ROOT]}")
