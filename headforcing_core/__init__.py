"""Autoregressive video rollouts with bounded caches. Knows torch; knows no host."""

from .attention import HeadAttention
from .generation import VideoRequest
from .memory import CacheBank, CachePlan, OpenChunk
from .methods import HeadPolicy, PositionRule
from .models import Attend, Backbone, WanConfig, WanModel, WanText
from .rollout import FinishedChunk, Rollout
from .video import (
    CLEAN,
    Chunk,
    ChunkClock,
    LatentGrid,
    ModelGeometry,
    NoiseLevel,
    NoiseSource,
    PromptSchedule,
    Rope,
    SeededNoise,
    VideoFormat,
    noise_levels,
)

__all__ = [
    "CLEAN",
    "Attend",
    "Backbone",
    "CacheBank",
    "CachePlan",
    "Chunk",
    "ChunkClock",
    "FinishedChunk",
    "HeadAttention",
    "HeadPolicy",
    "LatentGrid",
    "ModelGeometry",
    "NoiseLevel",
    "NoiseSource",
    "OpenChunk",
    "PositionRule",
    "PromptSchedule",
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
