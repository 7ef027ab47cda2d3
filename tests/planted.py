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
