"""Autoregressive video rollouts with bounded caches. Knows torch; knows no host."""

from .attention import HeadAttention
from .contexts import KeptContext, RebuiltContext, Recoder
from .generation import VideoRequest
from .joint_rollout import JointRollout
from .memory import CacheBank, CachePlan, OpenChunk
from .methods import HeadPolicy, PositionRule
from .models import Attend, Backbone, WanConfig, WanModel, WanText
from .rollout import Begun, FinishedChunk, Rollout
from .video import (
    CLEAN,
    Chunk,
    ChunkClock,
    LatentGrid,
    ModelGeometry,
    NoiseLevel,
    NoiseSource,
    PromptSchedule,
    Renoising,
    Rope,
    SeededNoise,
    VideoFormat,
    noise_levels,
)

__all__ = [
    "CLEAN",
    "Attend",
    "Backbone",
    "Begun",
    "CacheBank",
    "CachePlan",
    "Chunk",
    "ChunkClock",
    "FinishedChunk",
    "HeadAttention",
    "HeadPolicy",
    "JointRollout",
    "KeptContext",
    "LatentGrid",
    "ModelGeometry",
    "NoiseLevel",
    "NoiseSource",
    "OpenChunk",
    "PositionRule",
    "PromptSchedule",
    "RebuiltContext",
    "Recoder",
    "Renoising",
    "Rollout",
    "Rope",
    "SeededNoise",
    "VideoFormat",
    "VideoRequest",
    "WanConfig",
    "WanModel",
    "WanText",
    "noise_levels",
]
