"""Rolling and Reward Forcing behind the interface of check_families.py; run it with that checker.

python check_families.py --impl tests/families_impl.py --set set_rolling
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor

if "headforcing" not in sys.modules:
    sys.path.insert(0, str(Path(__file__).parent))
    import pack  # noqa: F401  loads the pack from this checkout

from recorded import Forced, RecordedNoise, Traced, attended, bank_of, number_of

from headforcing.headforcing_core import (
    ChunkClock,
    HeadAttention,
    JointRollout,
    KeptContext,
    PromptSchedule,
    Renoising,
    Rollout,
)
from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.headforcing_core.memory import Ahead
from headforcing.headforcing_core.methods import Method, RewardForcing, RollingForcing, SinkWindow
from headforcing.headforcing_core.models.checkpoint import build_wan
from headforcing.headforcing_core.video import noise_levels, warp
from headforcing.headforcing_core.video.schedule import NoiseLevel, sigma_at

HORIZON = 1 << 20  # the checker's windows are of any size


def build_model(config: dict, state_dict: dict[str, Tensor]) -> Rolling | Reward:
    model = build_wan(TensorDict(state_dict), heads=config["num_heads"], eps=config["eps"])
    return (Rolling if config["family"] == "rolling_forcing" else Reward)(model)


def schedule(step_list: list[int], shift: float, warped: bool) -> Tensor:
    return warp(step_list, shift) if warped else torch.tensor([float(step) for step in step_list])


def levels_of(job: dict) -> tuple[NoiseLevel, ...]:
    if job["warp"]:
        return noise_levels(job["step_list"], job["shift"])
    return tuple(NoiseLevel(sigma_at(t, job["shift"]), t) for t in map(float, job["step_list"]))


class Family:
    """What both share: prompts, traces, forced calls."""

    def __init__(self, model):
        self.model = model

    def begin(self, spec: dict) -> None:
        self.spec, self.forced = spec, None

    def cache(self, layer: int) -> dict:
        held = self.forced.held(layer)
        tokens = held.k.shape[1] // len(held.pages)
        return {
            "frames": [number_of(page) for page in held.pages],
            "k": held.raw_k.unflatten(1, (-1, tokens)),
            "v": held.v.unflatten(1, (-1, tokens)),
        }

    def flow(self, latents, timesteps, context, attend: HeadAttention) -> Tensor:
        text = self.model.prepare_text(context)
        return self.model(latents.transpose(1, 2), timesteps, text, attend).transpose(1, 2)

    def prompts(self, job: dict, clock: ChunkClock, first: int) -> PromptSchedule:
        texts = [self.model.prepare_text(job["context"])]
        if job["prompt_switch"] is None:
            return PromptSchedule.constant(texts[0])
        number, context = job["prompt_switch"]
        start = list(clock)[number + first].start
        return PromptSchedule((0, start), (*texts, self.model.prepare_text(context)))

    def traced(self, job: dict) -> Traced:
        def tell(attend, noisy, levels, clean):
            chunk = attend.opened.chunk
            job["trace"](
                "clean" if attend.step is None else "denoise",
                chunk.start,
                len(chunk),
                torch.tensor([float(level.timestep) for level in levels]),
                x0=None if attend.step is None else clean.transpose(1, 2),
                **attended(attend),
            )

        return Traced(self.model, tell)

    def played(self, rollout, given) -> Tensor:
        given = None if given is None else given.transpose(1, 2)
        return torch.cat([done.latent for done in rollout.run(given)], 2).transpose(1, 2)


class Rolling(Family):
    def bank(self, spec: dict, latents: Tensor, steps: int, batch: int):
        reach, chunk = spec["attention_frames"], spec["chunk"]
        method = RollingForcing(reach, spec["anchor_frames"]).build(chunk)
        ahead = Ahead(steps * chunk, reach)
        return bank_of(self.model, method, latents.shape[3:], chunk, HORIZON, batch, ahead)

    def forward_chunk(self, latents, timesteps, context, start_frame, commit) -> Tensor:
        frames, chunk = latents.shape[1], self.spec["chunk"]
        if self.forced is None:
            most = -(-self.spec["total_frames"] // chunk)  # a window may be the whole video
            self.forced = Forced(self.bank(self.spec, latents, most, latents.shape[0]))
        attend = self.forced.attend(start_frame, frames, None if commit else chunk)
        flow = self.flow(latents, timesteps, context, attend)
        if commit:
            self.forced.end()
        return flow

    def rollout(self, job: dict) -> Tensor:
        clock, levels = ChunkClock(job["noise"].shape[1], job["chunk"]), levels_of(job)
        bank = self.bank(job, job["noise"], len(levels), job["noise"].shape[0])
        backbone = self.traced(job)
        rollout = JointRollout(
            backbone,
            clock,
            self.prompts(job, clock, 0),
            KeptContext(backbone, bank),
            Renoising(levels),
            RecordedNoise(job["noise"], job["draws"]),
        )
        return self.played(rollout, None)


class Reward(Family):
    def method(self, spec: dict, total: int) -> Method:
        if spec["window"] == -1:  # nothing ever leaves
            return SinkWindow(total, 0).build(spec["chunk"])
        method = RewardForcing(spec["window"], spec["alpha"]).build(spec["chunk"])
        if spec["sink"] != spec["chunk"]:
            raise ValueError(f"the sink must be one chunk, got {spec['sink']}")
        return method

    def bank(self, spec: dict, latents: Tensor, total: int):
        method, batch = self.method(spec, total), latents.shape[0]
        return bank_of(self.model, method, latents.shape[3:], spec["chunk"], HORIZON, batch)

    def forward_chunk(self, latents, timesteps, context, start_frame, commit) -> Tensor:
        if self.forced is None:
            self.forced = Forced(self.bank(self.spec, latents, self.spec["total_frames"]))
        attend = self.forced.attend(start_frame, latents.shape[1])
        flow = self.flow(latents, timesteps, context, attend)
        if commit:
            self.forced.end()
        return flow

    def rollout(self, job: dict) -> Tensor:
        given = job["initial_latent"]
        frames = 0 if given is None else given.shape[1]
        clock = ChunkClock(frames + job["noise"].shape[1], job["chunk"])
        before = frames // job["chunk"]
        backbone = self.traced(job)
        rollout = Rollout(
            backbone,
            clock,
            self.prompts(job, clock, before),
            KeptContext(backbone, self.bank(job, job["noise"], clock.total_frames)),
            Renoising(levels_of(job)),
            RecordedNoise(job["noise"], job["draws"], frames, before),
        )
        return self.played(rollout, given)
