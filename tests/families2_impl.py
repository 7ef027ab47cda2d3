"""Causal-Forcing++, Krea, LongLive 2 and SGF behind the interface of check_families2.py.

python check_families2.py --impl tests/families2_impl.py --set set_krea
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

if "headforcing" not in sys.modules:
    sys.path.insert(0, str(Path(__file__).parent))
    import pack  # noqa: F401  loads the pack from this checkout

from recorded import Forced, RecordedNoise, Traced, bank_of

from headforcing.headforcing_core import (
    Chunk,
    ChunkClock,
    HeadAttention,
    KeptContext,
    PromptSchedule,
    RebuiltContext,
    Renoising,
    Rollout,
)
from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.headforcing_core.methods import (
    ALL_HEADS,
    HeadPolicy,
    HeadRule,
    KreaRealtime,
    LongLive2,
    Method,
    PositionRule,
)
from headforcing.headforcing_core.models.checkpoint import build_wan
from headforcing.headforcing_core.video import (
    Multistep,
    NoiseLevel,
    add_noise,
    noise_levels,
    truncated_levels,
    warp,
)

HORIZON = 1 << 20  # the checker's windows are of any size
POSITIONS = {
    "top_aligned": PositionRule.SPREAD,
    "contiguous": PositionRule.CONTIGUOUS,
    "absolute": PositionRule.ABSOLUTE,
}

warp_steps = warp


def schedule(num_steps: int, shift: float) -> tuple[Tensor, Tensor]:
    levels = truncated_levels(even(num_steps), shift)
    sigmas = torch.tensor([*(level.sigma for level in levels), 0.0])
    return sigmas, torch.tensor([float(level.timestep) for level in levels])


def even(steps: int) -> list[float]:
    return [1000 * (1 - i / steps) for i in range(steps)]


def build_model(config: dict, state_dict: dict[str, Tensor]) -> Family:
    model = build_wan(TensorDict(state_dict), heads=config["num_heads"], eps=config["eps"])
    kinds = {
        "causal_forcing_pp": CausalForcing,
        "krea_realtime": Krea,
        "longlive2": LongLive,
        "self_gradient_forcing": SelfGradientForcing,
    }
    return kinds[config["family"]](model)


class Family:
    """What all share: forced calls, traces, and how a recorded job becomes a rollout."""

    raw_keys = False

    def __init__(self, model):
        self.model = model

    def begin(self, spec: dict) -> None:
        self.spec, self.forced = spec, None

    def method(self, spec: dict, total: int) -> Method:
        raise NotImplementedError

    def bank(self, spec: dict, latents: Tensor, total: int):
        method, batch = self.method(spec, total), latents.shape[0]
        # only positions that reach as far as the trained range know of it
        spread = spec.get("position_mode") == "top_aligned"
        horizon = max(spec["train_frames"], spec["chunk"]) if spread else HORIZON
        return bank_of(self.model, method, latents.shape[3:], spec["chunk"], horizon, batch)

    def forward_chunk(self, latents, timesteps, context, start_frame, commit, **more) -> Tensor:
        if self.forced is None:
            self.forced = Forced(self.bank(self.spec, latents, self.spec["total_frames"]))
        attend = self.attend(start_frame, latents.shape[1], commit, **more)
        flow = self.flow(latents, timesteps, context, attend, commit)
        if commit:
            self.forced.end()
        return flow

    def attend(self, start: int, frames: int, commit: bool) -> HeadAttention:
        return self.forced.attend(start, frames)

    def flow(self, latents, timesteps, context, attend: HeadAttention, clean: bool) -> Tensor:
        text = self.model.prepare_text(context)
        return self.model(latents.transpose(1, 2), timesteps, text, attend).transpose(1, 2)

    def cache(self, layer: int) -> tuple[Tensor, Tensor]:
        held = self.forced.held(layer)
        return held.raw_k if self.raw_keys else held.k, held.v

    def traced(self, job: dict, before: int = 0) -> Traced:
        def tell(attend, noisy, levels, clean):
            chunk, last = attend.opened.chunk, levels[-1].timestep
            kind = "clean" if attend.step is None else "denoise"
            given = chunk.index < before
            number = -1 if given else chunk.index - before
            step = 0 if attend.step is None else attend.step
            start = chunk.index * job["chunk"]
            job["trace"](kind, number, step, start, len(chunk), last)

        return Traced(self.model, tell)

    def played(self, rollout, given) -> Tensor:
        given = None if given is None else given.transpose(1, 2)
        return torch.cat([done.latent for done in rollout.run(given)], 2).transpose(1, 2)

    def rollout(self, job: dict) -> Tensor:
        given = job["initial_latent"]
        frames = 0 if given is None else given.shape[1]
        clock = ChunkClock(frames + job["noise"].shape[1], job["chunk"])
        before = frames // job["chunk"]
        backbone = self.traced(job, before)
        first = job.get("first_step_list")
        rollout = Rollout(
            backbone,
            clock,
            PromptSchedule.constant(self.model.prepare_text(job["context"])),
            KeptContext(backbone, self.bank(job, job["noise"], clock.total_frames)),
            Renoising(noise_levels(job["step_list"], job["shift"])),
            RecordedNoise(job["noise"], job["draws"], frames, before),
            first=None if first is None else Renoising(noise_levels(first, job["shift"])),
        )
        return self.played(rollout, given)


def window_method(window: int, sink: int, chunk: int, positions: PositionRule) -> Method:
    policy = HeadPolicy.of_window(window, sink, chunk)
    return Method("recorded", "", {ALL_HEADS: HeadRule(policy, positions)})


class CausalForcing(Family):
    def method(self, spec: dict, total: int) -> Method:
        window = total if spec["window"] == -1 else spec["window"]
        return window_method(window, spec["sink"], spec["chunk"], PositionRule.ABSOLUTE)


class SelfGradientForcing(Family):
    def begin(self, spec: dict) -> None:
        super().begin(spec)
        self.raw_keys = spec["position_mode"] != "absolute"

    def method(self, spec: dict, total: int) -> Method:
        positions = POSITIONS[spec["position_mode"]]
        return window_method(spec["window"], spec["sink"], spec["chunk"], positions)

    def flow(self, latents, timesteps, context, attend: HeadAttention, clean: bool) -> Tensor:
        text, model = self.model.prepare_text(context), self.model
        if hasattr(model, "memory"):
            model, text = (model.memory, text[1]) if clean else (model.denoiser, text[0])
        return model(latents.transpose(1, 2), timesteps, text, attend).transpose(1, 2)


class LongLive(Family):
    def begin(self, spec: dict) -> None:
        super().begin(spec)
        self.offset, self.cut = 0, None

    def method(self, spec: dict, total: int) -> Method:
        settings = LongLive2(
            spec["window"],
            spec["sink"],
            spec["multi_shot_sink"],
            int(spec.get("rope_offset", 0)),
            self.recaches(spec),
        )
        return settings.build(spec["chunk"])

    @staticmethod
    def recaches(spec: dict) -> bool:
        """Whether a cut is recomputed: in the original only where a shot has a sink."""
        return bool(spec["recache"] and spec["multi_shot_sink"] and spec["sink"])

    def attend(self, start, frames, commit, rope_offset=0.0, scene_cut=False) -> HeadAttention:
        attend, bank = self.forced.attend(start, frames), self.forced.bank
        # positions jump before the first call of a shot; without a jump only its end tells
        if rope_offset != self.offset or (scene_cut and self.cut != start):
            bank.begin_shot(Chunk(0, start, start + frames), int(rope_offset - self.offset))
            self.offset, self.cut = rope_offset, start
            attend = self.forced.again()
        if scene_cut and self.recaches(self.spec):
            bank.leave_sink()
            attend = self.forced.again()
        return attend

    def rollout(self, job: dict) -> Tensor:
        clock, given = ChunkClock(job["noise"].shape[1], job["chunk"]), job["initial_latent"]
        starts = tuple(chunk.start for chunk in clock)
        texts = tuple(self.model.prepare_text(context) for context in job["contexts"])
        cuts = frozenset(s for s, cut in zip(starts, job["scene_cuts"], strict=True) if cut)
        backbone, bank = self.traced(job), self.bank(job, job["noise"], clock.total_frames)
        rollout = Rollout(
            backbone,
            clock,
            PromptSchedule(starts, texts, cuts),
            KeptContext(backbone, bank, shots=bank.plan.method.shots),
            Multistep(truncated_levels(even(job["num_steps"]), job["shift"])),
            RecordedNoise(job["noise"], job["draws"]),
            holds_image=True,
        )
        return self.played(rollout, given)


class Recoder:
    """The checker's stand-in for a VAE."""

    def __init__(self, decode, encode):
        self.decode, self.encode, self.pictures = decode, encode, []

    def add(self, latent: Tensor) -> None:
        self.pictures.append(self.decode(latent.transpose(1, 2)))

    def frame(self, back: int) -> Tensor:
        pictures = torch.cat(self.pictures, 1)
        at = pictures.shape[1] - 1 - 4 * back
        return self.encode(pictures[:, at : at + 1]).transpose(1, 2)


class Krea(Family):
    def method(self, spec: dict, total: int) -> Method:
        fade = spec["attention_bias"] or 1.0
        keep_first = spec.get("keep_first_frame", False)
        return KreaRealtime(spec["kv_cache_num_frames"], keep_first, fade).build(spec["chunk"])

    def rebuild(self, latents: Tensor, context: Tensor) -> None:
        """Run the shipped context on the recording's frames."""
        self.forced = Forced(self.bank(self.spec, latents, 0))
        size = self.spec["chunk"]
        for start in range(0, latents.shape[1], size):
            attend = self.forced.attend(start, size)
            part = latents[:, start : start + size]
            self.flow(part, torch.zeros(1, size), context, attend, True)
            self.forced.end()

    def forward_chunk(self, latents, timesteps, context, start_frame, commit, **more) -> Tensor:
        if self.forced is None or start_frame == 0:
            self.forced = self.forced or Forced(self.bank(self.spec, latents, 0))
        attend = self.forced.attend(start_frame, latents.shape[1])
        fade = self.spec["attention_bias"] or 1.0
        attend = HeadAttention(attend.opened, fade=fade)
        return self.flow(latents, timesteps, context, attend, False)

    def traced(self, job: dict, before: int = 0) -> Traced:
        said = {"block": -1, "context": 0}

        def tell(attend, noisy, levels, clean):
            chunk, last = attend.opened.chunk, levels[-1].timestep
            if attend.step is None:
                said["context"] += len(chunk)
                return
            if attend.step == 0:
                said["block"] += 1
            if said["context"]:  # chunk by chunk here, one masked call in the original
                job["trace"]("context", said["block"], 0, 0, said["context"], 0.0)
                said["context"] = 0
            job["trace"]("denoise", said["block"], attend.step, chunk.start, len(chunk), last)

        return Traced(self.model, tell)

    def rollout(self, job: dict) -> Tensor:
        size, recoder, given = job["chunk"], Recoder(job["decode"], job["encode"]), None
        if job["start_image"] is not None:
            frames = 1 + 4 * (job["kv_cache_num_frames"] - 1)
            picture = 2 * job["start_image"][None, None] - 1
            given = job["encode"](picture.repeat(1, frames, 1, 1, 1))
        known = 0 if given is None else given.shape[1]
        total = known + size * job["blocks"] if given is None else job["noise"].shape[1]
        clock = ChunkClock(total, size)
        ends = [
            round(x)
            for x in torch.linspace(1000 * job["strength"], 0, job["num_denoising_steps"])
            .long()
            .tolist()
        ]
        levels = noise_levels(ends, job["shift"])
        backbone, noise = self.traced(job), self.noise(job, levels, known)
        past = RebuiltContext(
            backbone, bank := self.bank(job, job["noise"], 0), bank.plan.method.rebuilt, recoder
        )
        rollout = Rollout(
            backbone, clock, self.prompts(job, clock, known // size), past, Renoising(levels), noise
        )
        return self.played(rollout, given)

    def noise(self, job: dict, levels: Sequence[NoiseLevel], known: int) -> RecordedNoise:
        noise = job["noise"][:, known:]
        if job["video_latents"] is not None:
            level = NoiseLevel(levels[0].timestep / 1000, 0.0)
            noise = add_noise(job["video_latents"], job["video_noise"], level)
        return RecordedNoise(noise, job["draws"], known, known // job["chunk"])

    def prompts(self, job: dict, clock: ChunkClock, before: int) -> PromptSchedule:
        """Every change comes in, over chunks of its own, from what is said when it is asked for."""
        chunks = list(clock)
        texts = [job["prompts"][0]] * len(chunks)
        for block, prompt, over in job["prompt_changes"]:
            first = block + before
            now, left = texts[max(0, first - 1)], chunks[first:]
            if over < 2:  # the original's only weight is 0
                texts[first:] = [now] * len(left)
                continue
            begins = PromptSchedule((0, 1), (now, job["prompts"][prompt]))
            shifted = [Chunk(i, i, i + 1) for i in range(len(left) + 1)]
            blended = begins.blended(shifted, over, torch.lerp)
            texts[first:] = [blended.at(i + 1) for i in range(len(left))]
        starts = tuple(chunk.start for chunk in chunks)
        return PromptSchedule(starts, tuple(texts)).prepared(self.model.prepare_text)
