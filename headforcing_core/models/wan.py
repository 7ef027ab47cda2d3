"""The Wan 2.1 text-to-video backbone in plain torch, with its self-attention left to the caller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import linear, pad, rms_norm, scaled_dot_product_attention

from ..device import send
from ..video import NoiseLevel, each_frame, remove_flow
from .backbone import Attend
from .spreading import Spread
from .wan_config import CLEAN_LATENT, WanConfig


class WanText(NamedTuple):
    """Cross-attention keys and values of prompts, a ``[B * n, S, H, D]`` pair per layer.

    Frames fall into n equal runs, each with its own prompt; in a rollout n is 1.
    """

    layers: tuple[tuple[Tensor, Tensor], ...]


class RMSNorm(nn.Module):
    """Root-mean-square norm: float32 inside, scaled in the dtype of the input."""

    def __init__(self, dim: int, eps: float):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        unit = rms_norm(x, x.shape[-1:], None, self.eps)
        return unit.to(x.dtype) * self.weight


class Attention(nn.Module):
    """Projections of an attention layer; queries and keys are normed over the full width."""

    def __init__(self, config: WanConfig):
        super().__init__()
        self.heads = config.heads
        self.q, self.k, self.v, self.o = (nn.Linear(config.dim, config.dim) for _ in range(4))
        self.norm_q = RMSNorm(config.dim, config.eps)
        self.norm_k = RMSNorm(config.dim, config.eps)

    def queries(self, x: Tensor) -> Tensor:
        return self._split(self.norm_q(self.q(x)))

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self._split(self.norm_k(self.k(x))), self._split(self.v(x))

    def merge(self, x: Tensor) -> Tensor:
        return self.o(x.flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1))


class Block(nn.Module):
    """Self-attention, cross-attention, feed-forward; the first and last modulated by time."""

    def __init__(self, config: WanConfig):
        super().__init__()
        self.norm1 = nn.LayerNorm(config.dim, config.eps, elementwise_affine=False)
        self.self_attn = Attention(config)
        self.norm3 = nn.LayerNorm(config.dim, config.eps)
        self.cross_attn = Attention(config)
        self.norm2 = nn.LayerNorm(config.dim, config.eps, elementwise_affine=False)
        self.ffn = _mlp(config.dim, config.ffn_dim, nn.GELU("tanh"), config.dim)
        self.modulation = nn.Parameter(torch.empty(1, 6, config.dim))

    def forward(
        self, x: Tensor, time: Tensor, text: tuple[Tensor, Tensor], layer: int, attend: Attend
    ) -> Tensor:
        """Transform tokens ``[B, T, dim]``; ``time`` is ``[B, F, 6, dim]``."""
        modulation = (self.modulation[:, None] + time).chunk(6, 2)
        shift_a, scale_a, gate_a, shift_f, scale_f, gate_f = modulation
        y = modulate(self.norm1(x), shift_a, scale_a)
        y = attend(layer, self.self_attn.queries(y), *self.self_attn.keys_values(y))
        x = add_gated(x, self.self_attn.merge(y), gate_a)
        x = x + self._cross(self.norm3(x), *text)
        y = self.ffn(modulate(self.norm2(x), shift_f, scale_f))
        return add_gated(x, y, gate_f)

    def _cross(self, x: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q = self.cross_attn.queries(x).unflatten(1, (k.shape[0] // x.shape[0], -1))
        q, k, v = (y.transpose(1, 2) for y in (q.flatten(0, 1), k, v))
        # under autocast, as in training, a CPU would do this in bfloat16: far slower backwards
        with torch.autocast(x.device.type, enabled=False):
            y = scaled_dot_product_attention(q, k, v.to(q.dtype)).transpose(1, 2)
        return self.cross_attn.merge(y.reshape(x.shape[0], x.shape[1], *y.shape[2:]))


class Head(nn.Module):
    """Tokens to latent patches."""

    def __init__(self, config: WanConfig):
        super().__init__()
        rows, columns = config.patch[1:]
        self.norm = nn.LayerNorm(config.dim, config.eps, elementwise_affine=False)
        self.head = nn.Linear(config.dim, rows * columns * config.out_dim)
        self.modulation = nn.Parameter(torch.empty(1, 2, config.dim))

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        shift, scale = (self.modulation[:, None] + time[:, :, None]).chunk(2, 2)
        return self.head(modulate(self.norm(x), shift, scale))


class WanModel(nn.Module):
    """A causal Wan 2.1 model; parameter names are those of published checkpoints.

    Implements ``Backbone``. Text is a ``WanText`` of ``prepare_text``. Computes in the dtype of
    its weights; latents stay float32 outside.

    Source: Wan 2.1 (arXiv 2503.20314); per-frame timesteps as in Self-Forcing (arXiv 2506.08009).
    """

    def __init__(self, config: WanConfig):
        super().__init__()
        self.config = config
        dim = config.dim
        self.patch_embedding = nn.Conv3d(config.in_dim, dim, config.patch, config.patch)
        self.text_embedding = _mlp(config.text_dim, dim, nn.GELU("tanh"), dim)
        self.time_embedding = _mlp(config.freq_dim, dim, nn.SiLU(), dim)
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(dim, 6 * dim))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.head = Head(config)
        self._compiled = False

    def compile(self, backend: str = "inductor") -> None:
        """Have torch compile the blocks, around self-attention, which stays the caller's.

        Args:
            backend: of ``torch.compile``.
        """
        for block in self.blocks:
            block.compile(backend=backend)
        self._compiled = True

    @property
    def dtype(self) -> torch.dtype:
        return self.patch_embedding.weight.dtype

    @property
    def device(self) -> torch.device:
        return self.patch_embedding.weight.device

    @torch.no_grad()
    def prepare_text(self, embedding: Tensor) -> WanText:
        """Project a text embedding to the keys and values of every cross-attention, once.

        Args:
            embedding: ``[B, S, text_dim]``; rows behind the prompt are zero and are attended to, so
                S must be the length the model was trained with.

        Raises:
            ValueError: if the width is not the model's.
        """
        if embedding.ndim != 3 or embedding.shape[2] != self.config.text_dim:
            raise ValueError(
                f"text embedding must be [B, S, {self.config.text_dim}], "
                f"got {tuple(embedding.shape)}; it belongs to another text encoder"
            )
        return self.project_text(embedding)

    def project_text(self, embedding: Tensor) -> WanText:
        """Do the same where gradients are wanted, unchecked."""
        text = self.text_embedding(embedding.to(self.device, self.dtype))
        return WanText(tuple(block.cross_attn.keys_values(text) for block in self.blocks))

    @torch.no_grad()
    def predict_clean(
        self,
        noisy: Tensor,
        level: NoiseLevel | Sequence[NoiseLevel],
        text: WanText,
        attend: Attend,
        spread: Spread | None = None,
    ) -> Tensor:
        told = [float(each.timestep) for each in each_frame(level, noisy.shape[2])]
        timesteps = torch.tensor(told).expand(noisy.shape[0], -1)
        predicted = self(noisy, timesteps, text, attend, spread)
        if self.config.predicts == CLEAN_LATENT:
            return predicted
        return remove_flow(noisy, predicted, level)

    def forward(
        self,
        latent: Tensor,
        timesteps: Tensor,
        text: WanText,
        attend: Attend,
        spread: Spread | None = None,
    ) -> Tensor:
        """Return what the model predicts of a chunk.

        Args:
            latent: ``[B, in_dim, F, Y, X]``; odd sides are padded to whole patches and cropped.
            timesteps: ``[B, F]`` float32, 0 to 1000, on the CPU.
            spread: over ranks that compute a part of the tokens each; None: this process alone.

        Returns:
            ``[B, out_dim, F, Y, X]`` in the dtype of ``latent``.
        """
        frames, rows, columns = latent.shape[2:]
        latent = self._pad(latent)
        x = self._patch(latent.to(self.dtype))
        if spread is not None:
            x, attend = spread.own(x, frames), spread.around(attend, frames)
        waves = sinusoid(timesteps, self.config.freq_dim).to(self.dtype)
        time = self.time_embedding(send(waves, self.device))
        per_block = self.time_projection(time).unflatten(-1, (6, -1))
        if self._compiled:
            # caches differ from chunk to chunk: a compiler in there would begin anew each time
            attend = torch.compiler.disable(attend)
        for layer, block in enumerate(self.blocks):
            x = block(x, per_block, text.layers[layer], layer, attend)
        x = self.head(x, time)
        flow = self._unpatch(x if spread is None else spread.whole(x, frames), latent)
        return flow[..., :rows, :columns].to(latent.dtype)

    def _pad(self, latent: Tensor) -> Tensor:
        # wrapped around, as ComfyUI pads, so that both hosts of a model see the same edge
        _, rows, columns = self.config.patch
        bottom, right = -latent.shape[3] % rows, -latent.shape[4] % columns
        return pad(latent, (0, right, 0, bottom, 0, 0), "circular") if bottom or right else latent

    def _patch(self, latent: Tensor) -> Tensor:
        # the convolution's kernel is its stride: a matrix product, which a GPU does not round
        # to TF32 unless asked to
        _, p, q = self.config.patch
        patches = rearrange(latent, "b c f (r p) (k q) -> b (f r k) (c p q)", p=p, q=q)
        return linear(patches, self.patch_embedding.weight.flatten(1), self.patch_embedding.bias)

    def _unpatch(self, x: Tensor, latent: Tensor) -> Tensor:
        _, p, q = self.config.patch
        frames, rows, columns = latent.shape[2:]
        shape = {"f": frames, "r": rows // p, "k": columns // q, "p": p, "q": q}
        return rearrange(x, "b (f r k) (p q c) -> b c f (r p) (k q)", **shape)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Shift and scale tokens ``[B, T, dim]`` by their frame's ``[B, F, 1, dim]``."""
    frames = x.unflatten(1, (shift.shape[1], -1))
    return torch.addcmul(shift, frames, 1 + scale).flatten(1, 2)


def add_gated(x: Tensor, y: Tensor, factor: Tensor) -> Tensor:
    """Add ``y``, scaled by its frame's ``[B, F, 1, dim]``, to tokens ``[B, T, dim]``."""
    x, y = (part.unflatten(1, (factor.shape[1], -1)) for part in (x, y))
    return torch.addcmul(x, y, factor).flatten(1, 2)


def sinusoid(timesteps: Tensor, channels: int) -> Tensor:
    """Embed timesteps ``[B, F]`` as ``[B, F, channels]``: cosines, then sines, float64."""
    half = channels // 2
    exponents = torch.arange(half, dtype=torch.float64) / half
    angles = timesteps.double()[..., None] * 10000**-exponents
    return torch.cat([angles.cos(), angles.sin()], -1)


def _mlp(width_in: int, width: int, activation: nn.Module, width_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width_in, width), activation, nn.Linear(width, width_out))
