"""Rollouts of the toy backbone under any method, for tests."""

import pytest
import torch
from plans import map_for
from toy_backbone import ToyBackbone

from headforcing.headforcing_core import (
    CacheBank,
    CachePlan,
    ChunkClock,
    KeptContext,
    PromptSchedule,
    Renoising,
    Rollout,
    Rope,
    SeededNoise,
    noise_levels,
)
from headforcing.headforcing_core.memory import group_heads
from headforcing.headforcing_core.methods import NAMES, setting_names, settings_named

Y, X = 3, 4
LEVELS = noise_levels((1000, 500), 5)
THREE_PROMPTS = ("rain", "sun", "snow")


def rollout_of(method, frames, prompts=None, head_map=None, seed=1):
    toy = ToyBackbone()
    fitted = method.fitted(frames, 3)
    head_map = head_map or map_for(method)
    rope = Rope(toy.geometry.head_dim, toy.grid(Y, X))
    groups = group_heads(fitted, head_map, toy.geometry)
    plan = CachePlan(toy.geometry, rope, groups, 3, 21, method=fitted)
    return Rollout(
        backbone=toy,
        clock=ChunkClock(frames, 3),
        prompts=prompts or PromptSchedule.constant("rain"),
        context=KeptContext(toy, CacheBank(plan), fitted.switch),
        denoising=Renoising(LEVELS),
        noise=SeededNoise(seed, 1, toy.channels, Y, X),
    )


def video(method, frames, given=None, **kwargs):
    rollout = rollout_of(method, frames, **kwargs)
    return torch.cat([done.latent for done in rollout.run(given)], 2)


every_method = pytest.mark.parametrize("name", NAMES)
# a past that is computed anew has nothing to forget
kept = [name for name in NAMES if "on_switch" in dict(setting_names(settings_named(name)))]
every_kept_method = pytest.mark.parametrize("name", kept)
