"""Heads whose attention is known because their keys were planted."""

import math

import torch
from plans import plan_of

from headforcing.headforcing_core import (
    CacheBank,
    ChunkClock,
    HeadAttention,
    HeadPolicy,
    LatentGrid,
    ModelGeometry,
    PositionRule,
    Rope,
)
from headforcing.headforcing_core.heads import HeadProfile, ProfileSettings
from headforcing.headforcing_core.heads.profiling import Profiler

HEADS = ("present", "first", "uniform", "wave", "agreeing", "opposed")
GEOMETRY = ModelGeometry(layers=2, heads=len(HEADS), head_dim=24)
GRID = LatentGrid(2, 3, 1, 1)
FRAMES = 36
# of the time channels, the one that RoPE hardly turns
STEADY = 6


def planted_keys(frames: int) -> torch.Tensor:
    """Return ``[F, H]``: what each head's queries find in a frame."""
    at = torch.arange(frames)
    last = (at >= frames - 3).float()
    keys = {
        "present": 60 * last,
        "first": 60 * (at == 0).float(),
        "uniform": torch.zeros(frames),
        "wave": 2 * torch.cos(2 * math.pi * at / 6),
        "agreeing": torch.full((frames,), 1.5),
        "opposed": torch.full((frames,), -1.5),
    }
    return torch.stack([keys[name].float() for name in HEADS], 1)


def planted_profile(shifts=(0, 1)) -> HeadProfile:
    """Measure planted heads in the last chunk of a video; layers are the same, heads shifted."""
    tokens = GRID.tokens_per_frame
    rope = Rope(GEOMETRY.head_dim, GRID)
    policy = HeadPolicy(0, FRAMES - 3)
    bank = CacheBank(plan_of(GEOMETRY, rope, policy, PositionRule.ABSOLUTE, 3, FRAMES))
    last = FRAMES // 3 - 1
    profiler = Profiler(ProfileSettings(rows=0), 0, 0, [last])
    found = planted_keys(FRAMES)
    q = torch.zeros(1, 3 * tokens, len(HEADS), GEOMETRY.head_dim)
    q[..., STEADY] = GEOMETRY.head_dim**0.5
    for chunk in ChunkClock(FRAMES, 3):
        attend = HeadAttention(bank.open(chunk), profiler)
        for layer, shift in enumerate(shifts):
            k = torch.zeros_like(q)
            own = found[chunk.start : chunk.stop].roll(shift, 1)
            k[..., STEADY] = own.repeat_interleave(tokens, 0)[None]
            attend(layer, q, k, k)
        bank.commit(chunk)
    return HeadProfile(GEOMETRY, "planted", {}, tuple(profiler.samples))


# what heads look at while scenes take turns; "mixed" recalls a little
TURNING = ("recalls", "first", "uniform", "present", "mixed", "before")
PROMPTS = 5


class PlantedSubject:
    """A model whose heads look where they were planted, by what is said and by where frames are.

    Told of as ``profiling.Profiled``; it makes nothing, its calls are made up.

    Args:
        mixing: how much the mixed head looks for what is said.
    """

    prompts = PROMPTS
    size = (2, 3)

    def __init__(self, family, mixing: float = 0.3):
        self.family, self.mixing = family, mixing
        self.stories: list[tuple] = []

    def key(self, prompt: int) -> str:
        return str(prompt)

    def empty_profile(self, settings: ProfileSettings) -> HeadProfile:
        return HeadProfile(GEOMETRY, "planted", settings.plain, ())

    def roll(self, request, story, observe, watch, last) -> None:
        self.stories.append((story.starts, story.texts, request.seed))
        rope = Rope(GEOMETRY.head_dim, GRID)
        rule = request.fitted_method.rules["all"]
        frames, size = request.frames, request.family.frames_per_chunk
        bank = CacheBank(plan_of(GEOMETRY, rope, rule.policy, rule.positions, size, frames))
        for chunk in ChunkClock(frames, size):
            attend = HeadAttention(bank.open(chunk), observe)
            for layer in range(GEOMETRY.layers):
                q, k = self._looks(chunk, story.at(chunk.start), layer)
                attend(layer, q, k, k)
            bank.commit(chunk)
            watch(len(chunk))
            if chunk.index == last:
                return

    def _looks(self, chunk, said: int, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return queries and keys of a chunk: a prompt is a direction, likeness is its cosine."""
        angle = torch.tensor(2 * math.pi * said / PROMPTS)
        direction = torch.stack([angle.cos(), angle.sin()])
        first = torch.tensor([[1.0, 0.0]]) * (torch.arange(chunk.start, chunk.stop) == 0)[:, None]
        late = torch.tensor([0.0, 0.05]) * chunk.index
        frames = len(chunk)
        q, k = torch.zeros(2, frames, len(TURNING), 2)
        q[:], k[:] = torch.tensor([1.0, 0.0]), 0
        for head, name in enumerate(TURNING):
            if name == "recalls":
                q[:, head], k[:, head] = 30 * direction, direction
            elif name == "mixed":
                q[:, head], k[:, head] = self.mixing * direction, direction
            elif name == "first":
                k[:, head] = 30 * first
            elif name == "before":  # the later the more, whatever is said
                q[:, head], k[:, head] = torch.tensor([0.0, 20.0]), late
        shape = (1, frames * GRID.tokens_per_frame, len(TURNING), GEOMETRY.head_dim)
        wide = []
        for each, scale in ((q, GEOMETRY.head_dim**0.5), (k, 1.0)):
            tensor = torch.zeros(shape)
            rows = (scale * each).roll(layer, 1).repeat_interleave(GRID.tokens_per_frame, 0)
            tensor[..., STEADY : STEADY + 2] = rows[None]
            wide.append(tensor)
        return wide[0], wide[1]
