"""One video to generate: what is asked for, and the rollout that makes it."""

from __future__ import annotations

from dataclasses import dataclass

from .attention import Observer
from .cache import CacheBank, CachePlan
from .clock import ChunkClock
from .families import Family
from .noise import SeededNoise, check_seed
from .policy import WindowPolicy
from .prompts import PromptSchedule
from .rollout import Rollout
from .rope import Rope
from .version import VERSION
from .wan import WanModel


@dataclass(frozen=True)
class VideoRequest:
    """Everything that decides a video besides the weights and the text.

    Args:
        family: how the model is run.
        frames: latent frames, at least; rounded up to whole chunks.
        rows, columns: latent Y and X.
        seed: of all noise.
        first_chunk: frames of the first chunk, None for a whole one.
    """

    family: Family
    frames: int
    rows: int
    columns: int
    seed: int
    first_chunk: int | None = None

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"frames must be at least 1, got {self.frames}")
        check_seed(self.seed)
        # each of these refuses what cannot be run, before a model is loaded for it
        _ = self.clock, self.family.levels
        seen = self.policy.capacity + self.family.frames_per_chunk
        self.family.positions.check(seen, self.family.horizon)

    @property
    def clock(self) -> ChunkClock:
        return ChunkClock.covering(self.frames, self.family.frames_per_chunk, self.first_chunk)

    @property
    def settings(self) -> dict[str, object]:
        """The request as plain values, for the metadata of what it makes."""
        family = self.family
        return {
            "version": VERSION,
            "family": family.name,
            "frames_per_chunk": family.frames_per_chunk,
            "steps": list(family.steps),
            "shift": family.shift,
            "window": family.window,
            "sink": family.sink,
            "positions": family.positions.value,
            "horizon": family.horizon,
            "rows": self.rows,
            "columns": self.columns,
            "seed": self.seed,
            "first_chunk": self.first_chunk,
        }

    @property
    def policy(self) -> WindowPolicy:
        """Which frames are kept; a short video never fills the family's window."""
        family = self.family
        needed = max(self.clock.total_frames, family.sink + family.frames_per_chunk)
        window = min(family.window, needed)
        return WindowPolicy.of_window(window, family.sink, family.frames_per_chunk)

    def plan(self, model: WanModel, batch: int = 1) -> CachePlan:
        """Return what the caches will hold; nothing is allocated."""
        family, geometry = self.family, model.config.geometry
        return CachePlan(
            geometry=geometry,
            rope=Rope(geometry.head_dim, model.config.grid(self.rows, self.columns)),
            policy=self.policy,
            positions=family.positions,
            frames_per_chunk=family.frames_per_chunk,
            horizon=family.horizon,
            batch=batch,
            dtype=model.dtype,
        )

    def rollout(
        self, model: WanModel, prompts: PromptSchedule, observe: Observer | None = None
    ) -> Rollout:
        """Allocate the caches and return the rollout, ready to run once.

        Args:
            prompts: of text embeddings ``[B, S, text_dim]``; their batch is the video's.
            observe: sees the attention of every model call.
        """
        (batch,) = {embedding.shape[0] for embedding in prompts.texts}
        return Rollout(
            backbone=model,
            clock=self.clock,
            prompts=prompts.prepared(model.prepare_text),
            bank=CacheBank(self.plan(model, batch), model.device),
            levels=self.family.levels,
            noise=SeededNoise(self.seed, batch, model.config.in_dim, self.rows, self.columns),
            observe=observe,
        )
