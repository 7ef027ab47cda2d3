"""Autoregressive video rollouts with bounded caches. Knows torch; knows no host."""

from .attention import HeadAttention
from .memory import CacheBank, CachePlan, SlotTable
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
    "PositionRule",
    "PromptSchedule",
    "Rollout",
    "Rope",
    "SeededNoise",
    "SlotTable",
    "VideoFormat",
    "WanConfig",
    "WanModel",
    "WanText",
    "noise_levels",
]
