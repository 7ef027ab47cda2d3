"""Autoregressive video rollouts with bounded caches. Knows torch; knows no host."""

from .attention import HeadAttention
from .backbone import Attend, Backbone
from .cache import CacheBank
from .cache_plan import CachePlan
from .clock import Chunk, ChunkClock
from .geometry import LatentGrid, ModelGeometry, VideoFormat
from .noise import NoiseSource, SeededNoise
from .policy import HeadPolicy
from .positions import PositionRule
from .prompts import PromptSchedule
from .rollout import FinishedChunk, Rollout
from .rope import Rope
from .schedule import CLEAN, NoiseLevel, noise_levels
from .slots import SlotTable
from .wan import WanConfig, WanModel, WanText

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
