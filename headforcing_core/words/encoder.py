"""A umT5 encoder at work: tokens in, embeddings out, one layer in memory at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import gelu, linear

from ..models import UMT5_EPS, UMT5_FAR, check_finite
from ..stopping import stop_if_asked
from .published_encoder import BIAS, NORM, EncoderSizes, PublishedEncoder

# of several heads that are held at once, for a text of thousands of tokens: 256 MiB
MOST_SCORES = 1 << 26


@torch.no_grad()
def encoded(
    encoder: PublishedEncoder, texts: Sequence[Sequence[int]], device: torch.device | str = "cpu"
) -> list[Tensor]:
    """Encode texts of tokens, all of them layer by layer.

    Every layer is read once and computed in float32 whatever the file's dtype, as ComfyUI does.
    What is held is the largest layer (0.75 GiB of umT5-xxl) and what the texts have become. No text
    is padded: what is masked changes nothing.

    Args:
        texts: tokens of each, the last is the one that ends it.

    Returns:
        per text ``[tokens, width]`` float32 on the CPU.

    Raises:
        ValueError: if weights, or what comes of them, are no finite numbers.
    """
    states = [encoder.rows(tokens).to(device) for tokens in texts]
    for number in range(encoder.sizes.layers):
        stop_if_asked()
        weights = encoder.layer(number, device)
        states = [_layer(x, weights, encoder.sizes) for x in states]
        del weights
    scale = encoder.weight(NORM, device)
    results = [_normed(x, scale).cpu() for x in states]
    check_finite({f"the embedding of prompt {n + 1}": x for n, x in enumerate(results)})
    return results


def _layer(x: Tensor, weights: Mapping[str, Tensor], sizes: EncoderSizes) -> Tensor:
    x = x + _attended(_normed(x, weights["norm1.weight"]), weights, sizes)
    y = _normed(x, weights["norm2.weight"])
    gate = gelu(linear(y, weights["ffn.gate.0.weight"]), approximate="tanh")
    return x + linear(gate * linear(y, weights["ffn.fc1.weight"]), weights["ffn.fc2.weight"])


def _attended(x: Tensor, weights: Mapping[str, Tensor], sizes: EncoderSizes) -> Tensor:
    """Return what tokens ``[N, width]`` read of each other; scores are not scaled."""
    query, key, value = (
        linear(x, weights[f"attn.{one}.weight"]).unflatten(-1, (sizes.heads, -1)).transpose(0, 1)
        for one in "qkv"
    )
    buckets = buckets_of(len(x), sizes.buckets).to(x.device)
    together = max(1, MOST_SCORES // len(x) ** 2)
    read = []
    for heads in zip(*(part.split(together) for part in (query, key, value)), strict=True):
        first = sum(map(len, read))
        bias = weights[BIAS][:, first : first + len(heads[0])][buckets].permute(2, 0, 1)
        scores = heads[0] @ heads[1].transpose(1, 2) + bias
        read.append(torch.softmax(scores, -1) @ heads[2])
    return linear(torch.cat(read).transpose(0, 1).flatten(1), weights["attn.o.weight"])


def _normed(x: Tensor, scale: Tensor) -> Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + UMT5_EPS) * scale


def buckets_of(tokens: int, buckets: int) -> Tensor:
    """Return which distance stands between each token and each other, ``[query, key]``.

    Half of the buckets are for what follows. Of each half, half are for one distance each, and the
    rest grow by a factor up to the farthest.

    Source: arXiv 1910.10683, section 2.1.
    """
    half, exact = buckets // 2, buckets // 4
    numbers = torch.arange(tokens)
    apart = numbers - numbers[:, None]
    distance = apart.abs()
    # float32, as the model was trained: some distances lie on an edge
    growth = torch.log(distance.float() / exact) / math.log(UMT5_FAR / exact)
    far = exact + (growth * (half - exact)).clamp(min=0).long().clamp(max=half - exact - 1)
    return torch.where(distance < exact, distance, far) + half * (apart > 0)
