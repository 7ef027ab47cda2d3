"""Several methods on the same held-out prompts, scored, in one run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

import torch
from PIL import Image
from torch import Tensor

from .autoencoder import whole_video
from .memory import ground_change, shade_changes
from .methods import Method
from .model import DemoModel
from .pictures import draw
from .report import Row
from .rollouts import Rolled, roll_side_by_side
from .scene import Story
from .score import sampled
from .stories import LEAVES, RETURNS, Trial
from .strips import strips
from .training_data import FRAMES
from .trial_scores import Away, Spread, Steady, score_away, score_steady, score_stranger, spread
from .world import FPS, STRIDE

TRUTH, ROUND_TRIP, STRANGER = "truth", "autoencoder", "stranger"
# frames between two points of a curve
STEP = 24
# frames between two pictures that are kept to be looked at
SHOWN = 15
Curve = list[float]


@dataclass
class Scores:
    """What was scored of one method: a list of prompts for every seed.

    Args:
        steady, away: per length in frames.
        curves: per measure; one value per STEP.
        shown: per kind of story, pictures of the first prompt and seed, one per SHOWN frames.
    """

    steady: dict[int, list[list[Steady]]] = field(default_factory=dict)
    away: dict[int, list[list[Away]]] = field(default_factory=dict)
    curves: dict[str, list[list[Curve]]] = field(default_factory=dict)
    shown: dict[str, Tensor] = field(default_factory=dict)
    cache_bytes: int | None = None
    seconds: list[float] = field(default_factory=list)


@dataclass
class Comparison:
    """A comparison under way.

    Args:
        lengths: of the videos, in frames. Only the longest is made: the beginning of a long video
            is the short one, frame by frame.
        scores: per row of the table, filled by ``run``.
        complete: whether ``run`` came to its end.
    """

    model: DemoModel
    methods: Sequence[Method]
    trials: Sequence[Trial]
    seeds: Sequence[int]
    lengths: Sequence[int]
    scores: dict[str, Scores] = field(default_factory=dict)
    complete: bool = False

    @property
    def frames(self) -> int:
        return max(self.lengths)

    @property
    def stories(self) -> list[tuple[str, Callable[[Trial], Story]]]:
        steady = ("steady", lambda trial: trial.steady)
        away = ("away", lambda trial: tuple(c for c in trial.away if c.start < self.frames))
        return [steady, away] if self.frames > RETURNS[0] else [steady]

    @property
    def work(self) -> int:
        """Frames to be made in all."""
        return self.frames * len(self.stories) * len(self.seeds) * len(self.methods)

    @property
    def has_scores(self) -> bool:
        """Whether every method was scored on at least one seed."""
        return all(self.scores.get(m.name, Scores()).steady for m in self.methods)

    def run(self) -> Iterator[int]:
        """Make and score everything; yield the frames made, as they are."""
        for kind, story in self.stories:
            stories = [story(trial) for trial in self.trials]
            self._score_truth(kind, stories)
            for seed in self.seeds:
                for done in roll_side_by_side(self.model, stories, self.methods, self.frames, seed):
                    if isinstance(done, int):
                        yield done
                    else:
                        self._score(kind, done)
        self.complete = True

    def _score_truth(self, kind: str, stories: Sequence[Story]) -> None:
        drawn, again = [], []
        for trial, story in zip(self.trials, stories, strict=True):
            video = draw(trial.truth(story, self.frames))
            coded = self.model.encode(video[None])
            drawn.append(sampled(video))
            again.append(sampled(whole_video(self.model.decode(coded))[0]))
        self._add(TRUTH, kind, drawn)
        self._add(ROUND_TRIP, kind, again)

    def _score(self, kind: str, made: Sequence[Rolled]) -> None:
        for rolled in made:
            videos = [self.model.decode(z[None])[0, STRIDE - 1 :: STRIDE] for z in rolled.latents]
            self._add(rolled.method.name, kind, videos)
            scores = self.scores[rolled.method.name]
            scores.cache_bytes = rolled.cache_bytes
            # once all windows are full
            scores.seconds += rolled.seconds[len(rolled.seconds) // 2 :]

    def _add(self, name: str, kind: str, videos: Sequence[Tensor]) -> None:
        scores = self.scores.setdefault(name, Scores())
        pairs = list(zip(videos, self.trials, strict=True))
        # a copy: a view would keep the whole video
        scores.shown.setdefault(kind, videos[0][::SHOWN].clone())
        for frames in self.lengths:
            if kind == "steady":
                done = [score_steady(video[:frames], trial) for video, trial in pairs]
                scores.steady.setdefault(frames, []).append(done)
            elif frames > RETURNS[0]:
                done = [score_away(video[:frames], trial) for video, trial in pairs]
                scores.away.setdefault(frames, []).append(done)
        if kind == "steady":
            curves = [_curves(video, trial) for video, trial in pairs]
            for measure in curves[0]:
                by_prompt = [curve[measure] for curve in curves]
                scores.curves.setdefault(measure, []).append(by_prompt)

    def rows(self, frames: int) -> list[Row]:
        """Return the table of one length."""
        timed_against = median(self.scores[self.methods[0].name].seconds)
        rows = []
        for name, scores in self.scores.items():
            values = spread(scores.steady[frames])
            if frames in scores.away:
                values |= spread(scores.away[frames])
            timed = median(scores.seconds) / timed_against if scores.seconds else None
            rows.append(Row(name, values, scores.cache_bytes, timed))
        if frames > RETURNS[0]:
            strange = [score_stranger(trial) for trial in self.trials]
            means = {n: sum(s[n] for s in strange) / len(strange) for n in strange[0]}
            rows.append(Row(STRANGER, {n: Spread(mean, math.nan) for n, mean in means.items()}))
        return rows

    def pictures(self) -> list[Image.Image]:
        """Draw what the first prompt became, a strip per method; one picture per story."""
        moments = [STRIDE * frame / FPS for frame in range(0, self.frames, SHOWN)]
        first = self.trials[0]
        titles = {
            "steady": first.scene.text,
            "away": f"{first.scene.text}; from {STRIDE * LEAVES[0] / FPS:.0f} s to "
            f"{STRIDE * RETURNS[0] / FPS:.0f} s and again: {first.elsewhere.text}",
        }
        rows = {
            kind: {n: s.shown[kind] for n, s in self.scores.items() if kind in s.shown}
            for kind, _ in self.stories
        }
        return [strips(rows[kind], moments, titles[kind]) for kind in rows if rows[kind]]

    def curves(self) -> dict[str, dict[str, list[tuple[float, Spread]]]]:
        """Return, per measure and method, (seconds, value) along the longest video."""
        drawn: dict[str, dict[str, list[tuple[float, Spread]]]] = {}
        for name, scores in self.scores.items():
            for measure, by_seed in scores.curves.items():
                means = torch.tensor(by_seed).nanmean(1)
                points = [
                    (STRIDE * STEP * (at + 1) / FPS, _spread(means[:, at]))
                    for at in range(means.shape[1])
                ]
                drawn.setdefault(measure, {})[name] = points
        return drawn


def _curves(video: Tensor, trial: Trial) -> dict[str, Curve]:
    first = video[:FRAMES]
    parts = [part for part in video.split(STEP) if len(part) == STEP]
    return {
        "ground drift": [ground_change(first, part) for part in parts],
        "shade drift": [
            float(torch.tensor(shade_changes(first, part, trial.scene)).nanmean()) for part in parts
        ],
    }


def _spread(means: Tensor) -> Spread:
    return Spread(float(means.mean()), float(means.std()) if len(means) > 1 else math.nan)
