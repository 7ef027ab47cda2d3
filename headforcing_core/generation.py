"""One video to generate: what is asked for, and the rollout that makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from ..kernels import Dense
from .attention import Observer
from .bounds import check_frames
from .contexts import KeptContext, RebuiltContext, Recoder
from .joint_rollout import JointRollout
from .leading import LedRecoder, LedSteer
from .memory import Ahead, CacheBank, CachePlan, check_map, group_heads
from .methods import HeadMap, Method
from .models import Backbone, Family, Spreading, WanConfig
from .ranks import Exchange, Ranks
from .rollout import Rollout, Steer
from .version import VERSION
from .video import Chunk, ChunkClock, PromptSchedule, Rope, SeededNoise, check_seed

# of two texts, 0 the first and 1 the second
Mix = Callable[[Any, Any, float], object]


class VideoModel(Backbone, Protocol):
    """A backbone whose sizes are known: our own module, or a host's."""

    config: WanConfig
    dtype: torch.dtype
    device: torch.device

    def prepare_text(self, embedding: Any) -> object:
        """Return what ``predict_clean`` takes as its text."""


@dataclass(frozen=True)
class VideoRequest:
    """Everything that decides a video besides the weights and the text.

    Args:
        family: how the model is run.
        frames: latent frames, at least; rounded up to whole chunks.
        rows, columns: latent Y and X.
        seed: of all noise.
        first_chunk: frames of the first chunk, None for a whole one.
        method: how the past is kept; None: as the family's authors do.
        head_map: which head is of which type, for methods that tell them apart.
    """

    family: Family
    frames: int
    rows: int
    columns: int
    seed: int
    first_chunk: int | None = None
    method: Method | None = None
    head_map: HeadMap | None = None

    def __post_init__(self) -> None:
        check_frames("frames", self.frames, 1)
        only = self.family.latent_size
        if only not in (None, (self.rows, self.columns)):
            stride = self.family.video.space_stride
            width, height = (stride * side for side in reversed(only))
            raise ValueError(
                f"width and height must be {width} and {height} for {self.family.title}, got "
                f"{stride * self.columns} and {stride * self.rows}"
            )
        check_seed(self.seed)
        # each of these refuses what cannot be run, before a model is loaded for it
        _ = self.clock, self.family.levels, self.family.first_denoising
        self.family.check_first_chunk(self.first_chunk, self.fitted_method)
        if len(self.clock) < self.fewest_chunks:
            raise ValueError(
                f"a video of {self.family.title} must have at least {self.fewest_chunks} "
                f"chunks, which are denoised together, got {len(self.clock)}; raise seconds"
            )
        self.fitted_method.check(self.family.frames_per_chunk, self.family.horizon)
        check_map(self.fitted_method, self.head_map)
        for rule in self.fitted_method.rules.values() if self.ahead else ():
            self.ahead.check(rule, self.family.horizon)

    @property
    def fewest_chunks(self) -> int:
        """Chunks that a video has at least: as many as are denoised together."""
        return len(self.family.steps) if self.family.joint else 1

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
            "first_steps": None if family.first_steps is None else list(family.first_steps),
            "shift": family.shift,
            "sigmas": None if family.sigmas is None else list(family.sigmas),
            "window": family.window,
            "sink": family.sink,
            "positions": family.positions.value,
            "method": self.fitted_method.name,
            "horizon": family.horizon,
            "rows": self.rows,
            "columns": self.columns,
            "seed": self.seed,
            "first_chunk": self.first_chunk,
            # the last chunks of such a video are denoised beside fewer others
            **({"frames": self.clock.total_frames} if family.joint else {}),
        }

    @property
    def fitted_method(self) -> Method:
        """How the past is kept, with no more room than this video needs."""
        method = self.family.fitting(self.method or self.family.method)
        frames, size = self.clock.total_frames, self.family.frames_per_chunk
        if method.rebuilt is not None:  # nothing is further back
            frames = min(frames, method.rebuilt.frames + size)
        return method.fitted(frames, size)

    @property
    def recodes(self) -> bool:
        """Whether pictures of the video are encoded while it is made: a VAE is needed."""
        rule = self.fitted_method.rebuilt
        return rule is not None and not rule.keep_first

    @property
    def ahead(self) -> Ahead | None:
        """The chunks that are denoised together, if any are."""
        family = self.family
        if not family.joint:
            return None
        frames = len(family.steps) * family.frames_per_chunk
        return Ahead(frames, self.fitted_method.reach or family.window)

    def plan(self, model: VideoModel, batch: int = 1, ranks: int = 1, rank: int = 0) -> CachePlan:
        """Return what the caches will hold; nothing is allocated.

        Args:
            batch: videos side by side.
            ranks: processes that make the video together.
            rank: the one whose caches are meant.

        Raises:
            ValueError: if there are more ranks than heads of a layer, or tokens of a frame.
        """
        family, geometry = self.family, model.config.geometry
        grid = model.config.grid(self.rows, self.columns)
        method = self.fitted_method.on_grid(grid.tokens_per_frame)
        plan = CachePlan(
            geometry=geometry,
            rope=Rope(geometry.head_dim, grid),
            groups=group_heads(method, self.head_map, geometry),
            frames_per_chunk=family.frames_per_chunk,
            horizon=family.horizon,
            batch=batch,
            dtype=model.dtype,
            method=method,
            ahead=self.ahead,
        )
        return plan.dealt(ranks, rank)

    def blended(self, prompts: PromptSchedule, mix: Mix) -> PromptSchedule:
        """Return prompts as the family's authors let them come in."""
        over = self.family.blend
        return prompts.blended(list(self.clock), over, mix) if over else prompts

    def rollout(
        self,
        model: VideoModel,
        prompts: PromptSchedule,
        observe: Observer | None = None,
        entry: int = 0,
        batch: int | None = None,
        dense: Dense | None = None,
        recoder: Recoder | None = None,
        mix: Mix | None = torch.lerp,
        steer: Steer | None = None,
        ranks: Ranks | None = None,
    ) -> Rollout | JointRollout:
        """Allocate the caches and return the rollout, ready to run once.

        Args:
            prompts: of text embeddings ``[B, S, text_dim]``; their batch is the video's.
            observe: sees the attention of every model call.
            entry: number of the first video, where a batch is made in parts.
            batch: videos side by side; None: as many as the prompts are.
            dense: see ``HeadAttention``.
            recoder: for a past that is computed anew from frames encoded once more.
            mix: gives what lies between two texts; None: prompts are ``blended`` already.
            steer: see ``Rollout``; its prompts are as ``prompts``.
            ranks: this process and others that make the video with it: all of them ask for the same
                rollout, run it, and are given all of it. Each keeps the caches of its own heads and
                observes those alone. What ``recoder`` and ``steer`` are, the first one says.
        """
        if batch is None:
            (batch,) = {embedding.shape[0] for embedding in prompts.texts}
        backbone, bank = self._spread(model, batch, ranks)
        if ranks is not None:
            recoder, steer = self._led(recoder, ranks), steer and LedSteer(ranks, steer)
        size = (model.config.in_dim, self.rows, self.columns)
        parts = {
            "backbone": backbone,
            "clock": self.clock,
            "prompts": self._told(model, prompts, mix),
            "steer": steer and self._steered(steer, model, mix),
            "denoising": self.family.denoising,
            "noise": SeededNoise(self.seed, batch, *size, entry),
        }
        method, watched = self.fitted_method, (observe, dense)
        if method.rebuilt is not None:
            past = RebuiltContext(backbone, bank, method.rebuilt, recoder, *watched)
        else:
            past = KeptContext(backbone, bank, method.switch, method.shots, *watched)
        if self.family.joint:
            return JointRollout(context=past, **parts)
        first, holds = self.family.first_denoising, self.family.holds_image
        return Rollout(context=past, first=first, holds_image=holds, **parts)

    def _spread(
        self, model: VideoModel, batch: int, ranks: Ranks | None
    ) -> tuple[Backbone, CacheBank]:
        """Return what computes this rank's tokens, and the caches of its heads."""
        if ranks is None:
            return model, CacheBank(self.plan(model, batch), model.device)
        plan = self.plan(model, batch, ranks.size, ranks.rank)
        exchange = Exchange(ranks, plan.deal, plan.rope.grid.tokens_per_frame)
        return Spreading(model, exchange), CacheBank(plan, model.device, ranks)

    def _led(self, recoder: Recoder | None, ranks: Ranks) -> Recoder | None:
        """Return what encodes pictures where the first rank alone can."""
        there = self.recodes and (recoder is not None or not ranks.leads)
        return LedRecoder(ranks, recoder) if there else None

    def _told(self, model: VideoModel, prompts: PromptSchedule, mix: Mix | None) -> PromptSchedule:
        """Return prompts as the model takes them."""
        if self.family.blend and mix is not None:
            # what lies between two prompts is many, and each has keys in every layer
            return self.blended(prompts, mix).prepared_late(model.prepare_text)
        return prompts.prepared(model.prepare_text)

    def _steered(self, steer: Steer, model: VideoModel, mix: Mix | None) -> Steer:
        """Return what steers with prompts as the model takes them."""

        def told(chunk: Chunk) -> PromptSchedule | None:
            said = steer(chunk)
            return None if said is None else self._told(model, said, mix)

        return told
