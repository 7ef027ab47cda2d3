"""The attention a chunk-causal model is trained with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from ....kernels import rotate
from ...video import Rotation


@dataclass(frozen=True)
class TeacherForcing:
    """Self-attention over a clean video followed by noisy copies of it.

        clean chunk i reads clean chunks 0 .. i
        noisy chunk i reads clean chunks 0 .. i - 1 and itself

    which is what the caches of a rollout hold when each chunk is drafted and committed; all chunks
    are trained in one pass. Copies share the clean video's keys, and so its cost. An ``Attend``.

    Args:
        rotation: of the tokens of the clean video.
        chunk: tokens per chunk.
        copies: noisy ones.

    Source: teacher forcing as in CausVid (arXiv 2412.07772) and Self-Forcing (arXiv 2506.08009).
    """

    rotation: Rotation
    chunk: int
    copies: int = 1

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        rotation = torch.cat([self.rotation] * (1 + self.copies))
        # bfloat16 attention is several times slower than float32 on a CPU, backwards
        with torch.autocast(q.device.type, enabled=False):
            q, k = rotate(q.float(), rotation), rotate(k.float(), rotation)
            q, k, v = (x.transpose(1, 2) for x in (q, k, v.float()))
            clean = k.shape[2] // (1 + self.copies)
            read = []
            for at in range(0, clean, self.chunk):
                own = slice(at, at + self.chunk)
                past = slice(0, at + self.chunk)
                read.append(
                    scaled_dot_product_attention(q[:, :, own], k[:, :, past], v[:, :, past])
                )
            for begin in range(clean, k.shape[2], self.chunk):
                own = slice(begin, begin + self.chunk)
                past = slice(0, begin % clean)
                keys, values = (torch.cat([x[:, :, past], x[:, :, own]], 2) for x in (k, v))
                read.append(scaled_dot_product_attention(q[:, :, own], keys, values))
            return torch.cat(read, 2).transpose(1, 2)
