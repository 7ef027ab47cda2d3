"""What a published file of a umT5 encoder holds, told and checked before a weight is read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..files import TensorDict, TensorSource, open_tensors, placed
from ..models import (
    StoredWeight,
    check_finite,
    check_scales,
    check_shapes,
    is_fp8,
    quantised_layers,
    read_weight,
    told_apart,
)
from .encoder_names import encoder_names

EMBEDDING, NORM = "token_embedding.weight", "norm.weight"
BIAS = "pos_embedding.embedding.weight"
QUERY, GATE = "blocks.0.attn.q.weight", "blocks.0.ffn.gate.0.weight"
# layers beyond any encoder
MOST_LAYERS = 100
# where an encoder lies in the folders its authors, and diffusers, publish
DIFFUSERS, AUTHORS = "text_encoder", "models_t5*.pth"


@dataclass(frozen=True)
class EncoderSizes:
    """Sizes of a umT5 encoder.

    Args:
        vocabulary: rows of the embedding.
        width: of the embedding, and of what comes out.
        inner: heads times their width.
        hidden: of the products that are gated.
        buckets: distances that heads tell apart, in both directions.
    """

    vocabulary: int
    width: int
    inner: int
    hidden: int
    heads: int
    buckets: int
    layers: int

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every weight, by the authors' names."""
        of_layer = {
            "norm1.weight": (self.width,),
            "norm2.weight": (self.width,),
            **{f"attn.{one}.weight": (self.inner, self.width) for one in "qkv"},
            "attn.o.weight": (self.width, self.inner),
            "ffn.gate.0.weight": (self.hidden, self.width),
            "ffn.fc1.weight": (self.hidden, self.width),
            "ffn.fc2.weight": (self.width, self.hidden),
            BIAS: (self.buckets, self.heads),
        }
        return {
            EMBEDDING: (self.vocabulary, self.width),
            NORM: (self.width,),
            **{f"blocks.{n}.{k}": s for n in range(self.layers) for k, s in of_layer.items()},
        }


@dataclass(frozen=True)
class PublishedEncoder:
    """A whole umT5 encoder in a file, of which a layer at a time is read.

    Args:
        weights: by the authors' names, all of them.
        tokenizer: name of the tensor that is its tokenizer's model; None: it is elsewhere.
    """

    source: TensorSource
    sizes: EncoderSizes
    weights: Mapping[str, StoredWeight]
    tokenizer: str | None

    def layer(self, number: int, device: torch.device | str) -> dict[str, Tensor]:
        """Read the weights of a layer, float32.

        Raises:
            ValueError: if they are no finite numbers.
        """
        prefix = f"blocks.{number}."
        names = [name for name in self.weights if name.startswith(prefix)]
        read = {name: self.weight(name, device) for name in names}
        check_finite(read)
        return {name.removeprefix(prefix): weight for name, weight in read.items()}

    def weight(self, name: str, device: torch.device | str) -> Tensor:
        """Read one weight, float32."""
        # a copy, or the file would stay mapped behind it
        return read_weight(self.weights[name], self.source).to(device).to(torch.float32, copy=True)

    def rows(self, tokens: Sequence[int]) -> Tensor:
        """Read the embeddings of tokens, ``[N, width]`` float32; the others stay in the file.

        Raises:
            ValueError: if they are no finite numbers.
        """
        weight, chosen = self.weights[EMBEDDING], torch.tensor(tokens)
        with self.source.reading(weight.at) as stored:
            if not stored.is_floating_point() or stored.layout is not torch.strided:
                raise ValueError(
                    f"{weight.at} must be floating point numbers, got {stored.dtype}; use the "
                    "bf16, fp16 or fp8 version"
                )
            few = {EMBEDDING: stored[chosen]}
        if weight.scale is not None:
            with self.source.reading(weight.scale) as scale:
                one_per_row = len(scale.shape) > 0 and len(scale) == self.sizes.vocabulary
                few["scale"] = scale[chosen] if one_per_row else scale.clone()
        # the same as a whole table, but of few rows
        own = StoredWeight(EMBEDDING, EMBEDDING, weight.scale and "scale", weight.must_scale)
        rows = read_weight(own, TensorDict(few)).float()
        check_finite({EMBEDDING: rows})
        return rows


def open_encoder(path: str | Path) -> PublishedEncoder:
    """Tell what a file holds; a folder may be that of its authors, of diffusers or transformers.

    Raises:
        ValueError: if it is no whole umT5 encoder, with the reason.
    """
    return read_encoder(open_tensors(_encoder_in(Path(path))))


def read_encoder(source: TensorSource) -> PublishedEncoder:
    """Tell what tensors are those of a umT5 encoder; only what says their formats is read.

    Raises:
        ValueError: if they are not those of a whole one, with the reason.
    """
    found = encoder_names(source.shapes)
    quantised = quantised_layers(found.tensors, source)
    weights, beside = told_apart(found.tensors, quantised)
    others = sorted({str(how.get("format")) for how in quantised.values() if not is_fp8(how)})
    if others:
        raise ValueError(
            f"an encoder's weights must be bf16, fp16, fp32 or fp8, got {', '.join(others)}; use "
            "the bf16, fp16 or fp8 version"
        )
    check_scales(weights, beside, quantised)
    shapes = {weight.name: source.shapes[weight.at] for weight in weights}
    sizes = _sizes(shapes)
    check_shapes("a umT5 encoder", sizes.shapes(), shapes)
    return PublishedEncoder(source, sizes, {w.name: w for w in weights}, found.tokenizer)


def _encoder_in(path: Path) -> Path:
    """Return the encoder of a folder that holds a whole repository; any other path as it is."""
    try:
        if (path / DIFFUSERS).is_dir():
            return path / DIFFUSERS
        found = sorted(path.glob(AUTHORS)) if path.is_dir() else []
    except (OSError, ValueError):  # the latter of a name with a zero byte; opening it will tell
        return path
    if len(found) > 1:
        raise ValueError(f"a folder must hold one text encoder, got {len(found)} in {placed(path)}")
    return found[0] if found else path


def _sizes(shapes: Mapping[str, tuple[int, ...]]) -> EncoderSizes:
    bias = f"blocks.0.{BIAS}"
    for name in (EMBEDDING, QUERY, GATE, bias):
        if len(shapes.get(name, ())) != 2 or 0 in shapes[name]:
            raise ValueError(
                f"the file must hold a whole umT5 encoder, but its {name} is "
                f"{list(shapes[name]) if name in shapes else 'missing'}"
            )
    numbers = {int(one[1]) for name in shapes if (one := re.match(r"blocks\.(\d{1,9})\.", name))}
    layers = 1 + max(number for number in numbers if number < MOST_LAYERS)
    if layers > 1 and [name for name in shapes if name.endswith(BIAS)] == [bias]:
        raise ValueError(
            f"the file must hold a umT5 encoder, whose {layers} layers each know positions, got "
            "one whose first layer alone does: a T5 encoder; give umt5_xxl"
        )
    (vocabulary, width), (inner, _), (hidden, _), (buckets, heads) = (
        shapes[name] for name in (EMBEDDING, QUERY, GATE, bias)
    )
    if inner % heads or buckets < 4 or buckets % 4:
        raise ValueError(
            f"heads of a umT5 encoder must share {inner} channels and tell a multiple of 4 "
            f"distances, got {heads} heads and {buckets} distances; the file is damaged"
        )
    return EncoderSizes(vocabulary, width, inner, hidden, heads, buckets, layers)
