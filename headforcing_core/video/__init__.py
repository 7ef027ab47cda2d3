"""What a video is made of: sizes, chunks, prompts, noise levels, noise, positions."""

from .clock import Chunk, ChunkClock
from .denoising import Denoising, Multistep, Predict, Renoising
from .drift import Drift, appearance, drift, seam_ratio
from .geometry import LatentGrid, ModelGeometry, VideoFormat
from .live_prompt import LivePrompt, as_ran, schedule_text
from .noise import NoiseSource, SeededNoise, check_seed
from .prompt_bars import prompt_bars
from .prompt_plan import plan_text, prompts_text, schedule_of, times_text
from .prompt_text import FORMS, parse_prompts, with_prefix
from .prompts import PromptSchedule
from .rope import Rope, Rotation
from .schedule import (
    CLEAN,
    TRAINING_STEPS,
    NoiseLevel,
    add_noise,
    each_frame,
    levels_at,
    noise_levels,
    remove_flow,
    shifted,
    truncated_levels,
    warp,
)
from .shot_words import shot_texts, with_cuts
from .timed_prompt import TimedPrompt, Unit

__all__ = [
    "CLEAN",
    "FORMS",
    "TRAINING_STEPS",
    "Chunk",
    "ChunkClock",
    "Denoising",
    "Drift",
    "LatentGrid",
    "LivePrompt",
    "ModelGeometry",
    "Multistep",
    "NoiseLevel",
    "NoiseSource",
    "Predict",
    "PromptSchedule",
    "Renoising",
    "Rope",
    "Rotation",
    "SeededNoise",
    "TimedPrompt",
    "Unit",
    "VideoFormat",
    "add_noise",
    "appearance",
    "as_ran",
    "check_seed",
    "drift",
    "each_frame",
    "levels_at",
    "noise_levels",
    "parse_prompts",
    "plan_text",
    "prompt_bars",
    "prompts_text",
    "remove_flow",
    "schedule_of",
    "schedule_text",
    "seam_ratio",
    "shifted",
    "shot_texts",
    "times_text",
    "truncated_levels",
    "warp",
    "with_cuts",
    "with_prefix",
]
