"""The project behind the interface of check_golden.py; run it with that checker.

Model, caches, attention and loop are the shipped ones. This file translates the checker's
[B, F, C, Y, X] latents and its recorded noise, and forms the attention weights the checker asks
for, from the shipped queries and cached keys: nothing shipped ever forms them. The masses per frame
are those that the profiler measures.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor

if "headforcing" not in sys.modules:
    sys.path.insert(0, str(Path(__file__).parent))
    import pack  # noqa: F401  loads the pack from this checkout

from plans import frames_held, plan_of

from headforcing.headforcing_core import (
    CacheBank,
    Chunk,
    ChunkClock,
    HeadAttention,
    HeadPolicy,
    KeptContext,
    PositionRule,
    PromptSchedule,
    Renoising,
    Rollout,
    Rope,
    WanModel,
    noise_levels,
)
from headforcing.headforcing_core.attention import Read
from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.headforcing_core.models.checkpoint import build_wan
from headforcing.headforcing_core.video import schedule
from headforcing.kernels import frame_logsumexp, frame_mass

RULES = {"absolute": PositionRule.ABSOLUTE, "relative": PositionRule.CONTIGUOUS}


def build_model(config: dict, state_dict: dict[str, Tensor]) -> GoldenModel:
    model = build_wan(TensorDict(state_dict), heads=config["num_heads"], eps=config["eps"])
    return GoldenModel(model)


def sigma_table(shift: float) -> tuple[Tensor, Tensor]:
    sigmas = schedule.sigma_table(shift)
    return sigmas, sigmas * schedule.TRAINING_STEPS


warp_steps = schedule.warp


def add_noise(clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    return torch.stack(
        [
            schedule.add_noise(c, n, _level(t))
            for c, n, t in zip(clean, noise, timesteps, strict=True)
        ]
    )


def flow_to_x0(flow: Tensor, noisy: Tensor, timesteps: Tensor) -> Tensor:
    return torch.stack(
        [
            schedule.remove_flow(x, f, _level(t))
            for f, x, t in zip(flow, noisy, timesteps, strict=True)
        ]
    )


def _level(timestep: Tensor) -> schedule.NoiseLevel:
    return schedule.NoiseLevel(schedule.sigma_at(timestep.item(), 5.0), timestep.item())


class RecordedNoise:
    """The numbers the original drew."""

    def __init__(
        self, noise: Tensor, draws: list[list[Tensor]], first_frame: int, first_chunk: int
    ):
        self.noise, self.draws = noise, draws
        self.first_frame, self.first_chunk = first_frame, first_chunk

    def draw(self, chunk: Chunk, step: int) -> Tensor:
        if step == 0:
            start = chunk.start - self.first_frame
            return self.noise[:, start : start + len(chunk)].transpose(1, 2)
        drawn = self.draws[chunk.index - self.first_chunk][step - 1]
        return drawn.unflatten(0, (-1, len(chunk))).transpose(1, 2)


class GoldenModel:
    rope_modes = tuple(RULES)

    def __init__(self, model: WanModel):
        self.model = model
        self.probabilities: list[Tensor] | None = None
        self.masses: list[Tensor] = []
        self.last_attention = self.last_frame_mass = None

    def capture_attention(self, on: bool) -> None:
        self.probabilities = [] if on else None

    def begin(self, spec: dict) -> None:
        self.spec = spec
        self.text = self.model.prepare_text(spec["context"])
        self.bank = None
        self.chunk = None

    def forward_chunk(
        self, latents: Tensor, timesteps: Tensor, context: Tensor, start_frame: int, commit: bool
    ) -> Tensor:
        latents = latents.transpose(1, 2)
        self.bank = self.bank or self._bank(latents, self.spec)
        chunk = Chunk(0, start_frame, start_frame + latents.shape[2])
        if chunk != self.chunk:
            self.opened = self.bank.open(chunk)
            self.chunk = chunk
        observe = None if self.probabilities is None else self._observe
        flow = self.model(latents, timesteps, self.text, HeadAttention(self.opened, observe))
        if observe:
            held = frames_held(self.bank)
            self.last_attention = {"probs": self.probabilities, "key_frames": held}
            self.last_frame_mass = {"mass": torch.stack(self.masses), "key_frames": held}
            self.probabilities, self.masses = [], []
        if commit:
            self.bank.commit(chunk)
        return flow.transpose(1, 2)

    def rollout(self, noise: Tensor, draws: list, context: Tensor, spec: dict) -> Tensor:
        given = spec["initial_latent"]
        given_frames = 0 if given is None else given.shape[1]
        first = 1 if spec["independent_first_frame"] else None
        clock = ChunkClock(spec["total_frames"], spec["chunk"], first)
        first_chunk = sum(chunk.stop <= given_frames for chunk in clock)
        rollout = Rollout(
            backbone=self.model,
            clock=clock,
            prompts=PromptSchedule.constant(self.model.prepare_text(context)),
            context=KeptContext(self.model, self._bank(noise.transpose(1, 2), spec)),
            denoising=Renoising(noise_levels(spec["step_list"], spec["shift"])),
            noise=RecordedNoise(noise, draws, given_frames, first_chunk),
        )
        chunks = rollout.run(None if given is None else given.transpose(1, 2))
        return torch.cat([done.latent for done in chunks], 2).transpose(1, 2)

    def _bank(self, latents: Tensor, spec: dict) -> CacheBank:
        geometry, chunk = self.model.config.geometry, spec["chunk"]
        window = spec["local_attn_size"] if spec["local_attn_size"] > 0 else spec["total_frames"]
        window = max(window, chunk)
        # asked for more sink than its window holds, the original keeps what fits; we refuse that
        sink = min(spec["sink_size"], window - chunk)
        rope = Rope(geometry.head_dim, self.model.config.grid(*latents.shape[3:]))
        policy = HeadPolicy.of_window(window, sink, chunk)
        rule = RULES[spec["rope_mode"]]
        return CacheBank(plan_of(geometry, rope, policy, rule, chunk, window, spec["batch"]))

    def _observe(self, read: Read) -> None:
        (pool,) = read.opened.reads(read.layer)
        keys, spans, heads = pool.k, pool.rows.spans, []
        for head, span in enumerate(spans):
            k = keys[:, span.start : span.start + span.length]
            scores = read.q[:, :, head] @ k.transpose(1, 2) * read.q.shape[-1] ** -0.5
            heads.append(scores.softmax(-1))
        self.probabilities.append(torch.stack(heads, 1))
        tokens = read.opened.plan.rope.grid.tokens_per_frame
        mass = frame_mass(frame_logsumexp(read.q, keys, spans, tokens))
        # [B, H, T, F] -> [H, query frame, F]: the mean over the tokens of a query frame
        self.masses.append(mass[0].unflatten(1, (-1, tokens)).mean(2))
