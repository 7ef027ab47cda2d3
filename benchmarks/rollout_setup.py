"""Models with random weights, and videos with them that are begun where time shall be taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from setting import map_of

from headforcing.headforcing_core import PromptSchedule
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.methods import settings_named
from headforcing.headforcing_core.models import WanConfig, WanModel, family_named
from headforcing.headforcing_core.rollout import FinishedChunk

FAMILY = family_named("self_forcing")
CHUNK = FAMILY.frames_per_chunk
TEXT_TOKENS = 512
WAN = WanConfig(
    **{"dim": 1536, "ffn_dim": 8960, "freq_dim": 256, "text_dim": 4096, "in_dim": 16},
    **{"out_dim": 16, "heads": 12, "layers": 30, "patch": (1, 2, 2), "eps": 1e-6},
)
TINY = replace(WAN, dim=192, ffn_dim=384, freq_dim=32, text_dim=64, layers=2)


@dataclass(frozen=True)
class Setup:
    """What is measured where.

    Args:
        rows, columns: of the latent.
        at: numbers of chunks, from 1, at which time is taken.
        timed: chunks from there on; the median counts.
        compiler: of torch.compile.
    """

    config: WanConfig
    rows: int
    columns: int
    device: str
    dtype: torch.dtype
    at: tuple[int, ...]
    timed: int
    compiler: str = "inductor"

    def model(self) -> WanModel:
        torch.manual_seed(0)
        with torch.device(self.device):
            model = WanModel(self.config)
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=0.02)
        return model.to(self.dtype).eval().requires_grad_(False)

    def begun(self, model: WanModel, method: str, before: int) -> Iterator[FinishedChunk]:
        """Return the chunks of a video from number ``before`` on, from 0."""
        built = settings_named(method).build(CHUNK)
        frames = (before + self.timed + 1) * CHUNK  # one more is profiled
        request = VideoRequest(
            *(FAMILY, frames, self.rows, self.columns, 0),
            method=built,
            head_map=map_of(built, self.config.geometry),
        )
        rng = torch.Generator().manual_seed(0)
        text = torch.randn(1, TEXT_TOKENS, self.config.text_dim, generator=rng)
        rollout = request.rollout(model, PromptSchedule.constant(text))
        shape = (1, self.config.in_dim, before * CHUNK, self.rows, self.columns)
        chunks = rollout.run(torch.randn(shape, generator=rng) if before else None)
        for _ in range(before):
            next(chunks)
        return chunks


FULL = Setup(WAN, 60, 104, "cuda", torch.bfloat16, (8, 80), 3)
SMALL = Setup(TINY, 4, 4, "cpu", torch.float32, (2, 9), 2, "aot_eager")
LAYER = Setup(replace(WAN, layers=1), 32, 32, "cpu", torch.float32, (8,), 3)
