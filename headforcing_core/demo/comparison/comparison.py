"""Several methods on the same prompts and noise, scored as they are made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import median

import torch
from torch import Tensor

from ...bounds import check_week
from ...device import check_room
from ..networks import FAMILY, DemoModel, whole_video
from ..scores import (
    FIRST,
    LAST,
    PICTURE_BYTES,
    RETURNS,
    SIGHT_BYTES,
    Away,
    Sight,
    Spread,
    Steady,
    Trial,
    average,
    ground_change,
    look_at,
    sampled,
    score_away,
    score_steady,
    settled,
    shade_changes,
    spread_of,
    stranger_ground,
    stranger_shade,
)
from ..world import Story, draw
from .methods import Compared
from .rollouts import Rolled, request_for, roll_side_by_side

TRUTH, ROUND_TRIP = "truth", "autoencoder"
STEADY, AWAY = "steady", "away"
GROUND_DRIFT, SHADE_DRIFT = "ground drift", "shade drift"
# frames between two points of a curve, and between two pictures that are kept to be looked at
STEP, LOOK = 24, 15
# pictures per latent frame while the truth is drawn, coded and decoded; measured
IN_THE_MAKING = 20


@dataclass
class Scores:
    """What was scored of one method: a list of prompts for every seed.

    Args:
        steady, away: per length in frames.
        curves: per measure, one value per STEP.
        shown: per kind of story, pictures of the first prompt and seed, one per LOOK frames.
        seconds: of every chunk of one video made alone.
    """

    steady: dict[int, list[list[Steady]]] = field(default_factory=dict)
    away: dict[int, list[list[Away]]] = field(default_factory=dict)
    curves: dict[str, list[list[list[float]]]] = field(default_factory=dict)
    shown: dict[str, Tensor] = field(default_factory=dict)
    seconds: tuple[float, ...] = ()


@dataclass
class Comparison:
    """A comparison under way.

    Args:
        lengths: of the videos, in frames. Only the longest is made: the beginning of a long video
            is the short one, frame by frame.
        scores: per row of the table, filled by ``run``, a seed at a time.
        beginnings: per seed, the first stretch of every prompt's video, in which methods are alike.
        complete: whether ``run`` came to its end.
    """

    model: DemoModel
    methods: Sequence[Compared]
    trials: Sequence[Trial]
    seeds: Sequence[int]
    lengths: Sequence[int]
    scores: dict[str, Scores] = field(default_factory=dict)
    beginnings: list[list[Sight]] = field(default_factory=list)
    complete: bool = False

    @property
    def frames(self) -> int:
        return max(self.lengths)

    @property
    def kinds(self) -> list[str]:
        return _kinds(self.lengths)

    @property
    def work(self) -> int:
        """Frames to be made in all, those of the videos that are timed among them."""
        frames = request_for(self.methods[0], self.frames, 0).clock.total_frames
        return frames * (1 + len(self.kinds) * len(self.seeds)) * len(self.methods)

    @property
    def has_scores(self) -> bool:
        """Whether every method was scored on at least one seed."""
        return all(method.name in self.scores for method in self.methods)

    def run(self) -> Iterator[int]:
        """Make and score everything; yield the frames made, as they are.

        Raises:
            RuntimeError: if the caches of all methods together find no room.
        """
        self._check_caches()
        for kind in self.kinds:
            stories = [self._story(kind, trial) for trial in self.trials]
            self._keep(kind, self._truth(stories))
            for seed in self.seeds:
                made = yield from roll_side_by_side(
                    self.model, stories, self.methods, self.frames, seed
                )
                self._score(kind, made)
        yield from self._time()
        self.complete = True

    def _check_caches(self) -> None:
        """Refuse methods that do not fit beside each other: they are made in turns."""
        one_each = sum(self.cache_bytes(method, self.frames) for method in self.methods)
        check_room(
            "the caches of all methods",
            one_each * len(self.trials),
            self.model.wan.device,
            "use fewer methods or prompts, or shorter videos",
        )

    def _score(self, kind: str, made: Sequence[Rolled]) -> None:
        """Look at a seed's videos, and let go of them."""
        videos = {r.method.name: self._videos(r) for r in made}
        self._keep(kind, videos)
        if kind == STEADY:
            first = videos[self.methods[0].name]
            self.beginnings.append([look_at(video.pictures[:FIRST].clone()) for video in first])

    def _time(self) -> Iterator[int]:
        """Make one video with every method, alone: some methods make a batch one by one."""
        story = self._story(STEADY, self.trials[0])
        seed = self.seeds[0]
        made = yield from roll_side_by_side(self.model, [story], self.methods, self.frames, seed)
        for rolled in made:
            self.scores[rolled.method.name].seconds = rolled.seconds

    def _story(self, kind: str, trial: Trial) -> Story:
        story = trial.steady if kind == STEADY else trial.away
        return tuple(cut for cut in story if cut.start < self.frames)

    def _videos(self, rolled: Rolled) -> list[Sight]:
        return [look_at(self.model.snapshots(latent)) for latent in rolled.latents]

    def _truth(self, stories: Sequence[Story]) -> dict[str, list[Sight]]:
        drawn, again = [], []
        for trial, story in zip(self.trials, stories, strict=True):
            video = draw(trial.truth(story, self.frames))
            coded = self.model.encode(video[None])
            drawn.append(look_at(sampled(video)))
            again.append(look_at(sampled(whole_video(self.model.decode(coded))[0])))
        return {TRUTH: drawn, ROUND_TRIP: again}

    def _keep(
        self,
        kind: str,
        videos: dict[str, list[Sight]],
    ) -> None:
        """Score a seed's videos of all methods, then keep the scores: all of them or none."""
        done = {name: self._scored(kind, of_one) for name, of_one in videos.items()}
        for name, by_length in done.items():
            scores = self.scores.setdefault(name, Scores())
            for frames, prompts in by_length.items():
                known = scores.steady if kind == STEADY else scores.away
                if kind == STEADY and name != TRUTH:
                    truths = self.scores[TRUTH].steady[frames][0]
                    prompts = [settled(s, t) for s, t in zip(prompts, truths, strict=True)]
                known.setdefault(frames, []).append(prompts)
            scores.shown.setdefault(kind, videos[name][0].pictures[::LOOK].clone())
            if kind == STEADY:
                curves = [_curves(v, t) for v, t in zip(videos[name], self.trials, strict=True)]
                for measure in curves[0]:
                    by_prompt = [curve[measure] for curve in curves]
                    scores.curves.setdefault(measure, []).append(by_prompt)

    def _scored(self, kind: str, videos: Sequence[Sight]) -> dict[int, list[Steady] | list[Away]]:
        score = score_steady if kind == STEADY else score_away
        pairs = list(zip(videos, self.trials, strict=True))
        lengths = [n for n in self.lengths if kind == STEADY or scores_away(n)]
        return {n: [score(video[:n], trial) for video, trial in pairs] for n in lengths}

    def averages(self, frames: int) -> dict[str, dict[str, Spread]]:
        """Return, per row, the means of every measure at one length."""
        return {
            name: average(scores.steady[frames])
            | (average(scores.away[frames]) if frames in scores.away else {})
            for name, scores in self.scores.items()
        }

    def strangers(self) -> dict[str, dict[str, Spread]]:
        """Return what a return scores if nothing is remembered.

        As the world draws shades, and as the model does: two videos of one prompt, of two seeds.
        """
        thing, ground = "thing_return", "ground_return"
        world = {
            thing: spread_of([_mean(stranger_shade(t, t.scene.things[0]) for t in self.trials)]),
            ground: spread_of([_mean(stranger_ground(trial) for trial in self.trials)]),
        }
        pairs = [
            (a, b, trial)
            for one, other in combinations(self.beginnings, 2)
            for a, b, trial in zip(one, other, self.trials, strict=True)
        ]
        if not pairs:
            return {"stranger (world)": world}
        shades = torch.tensor([shade_changes(a, b, trial.scene)[0] for a, b, trial in pairs])
        grounds = torch.tensor([ground_change(a, b) for a, b, _ in pairs])
        model = {
            thing: spread_of([float(shades.nanmean())]),
            ground: spread_of([float(grounds.nanmean())]),
        }
        return {"stranger (world)": world, "stranger (model)": model}

    def cache_bytes(self, method: Compared, frames: int) -> int:
        """Return the bytes of one video's caches."""
        return request_for(method, frames, 0).plan(self.model.wan).bytes

    def chunk_seconds(self, method: Compared, frames: int) -> float | None:
        """Return the median time of a chunk in the second half of a video; None if not timed."""
        chunks = frames // FAMILY.frames_per_chunk
        late = self.scores[method.name].seconds[chunks // 2 : chunks]
        return median(late) if late else None

    def curves(self) -> dict[str, dict[str, list[Spread]]]:
        """Return, per measure and row, the mean over prompts after every STEP frames."""
        drawn: dict[str, dict[str, list[Spread]]] = {}
        for name, scores in self.scores.items():
            for measure, by_seed in scores.curves.items():
                means = torch.tensor(by_seed).nanmean(1).T
                drawn.setdefault(measure, {})[name] = [spread_of(m.tolist()) for m in means]
        return drawn


def check_size(methods: int, prompts: int, seeds: int, lengths: Sequence[int]) -> None:
    """Refuse a comparison that takes more than a week, or more memory than there is.

    Args:
        methods, prompts, seeds: how many of them.
        lengths: see ``Comparison``.

    Raises:
        ValueError: if it takes too long.
        RuntimeError: if the pictures of all videos of a seed find no room.
    """
    remedy = "use fewer methods, prompts or seeds, or shorter videos"
    frames = max(lengths)
    check_week(frames * methods * (1 + len(_kinds(lengths)) * seeds * prompts), remedy)
    # what is seen of a seed's videos, of the truth and its round trip; one of these in the making
    size = SIGHT_BYTES * prompts * max(methods, 2) + IN_THE_MAKING * PICTURE_BYTES
    check_room("the pictures", frames * size, "cpu", remedy)


def _kinds(lengths: Sequence[int]) -> list[str]:
    return [STEADY, AWAY] if any(map(scores_away, lengths)) else [STEADY]


def scores_away(frames: int) -> bool:
    """Return whether a video is long enough for a thing to leave, return and be looked at."""
    return frames >= RETURNS[0] + LAST


def _curves(video: Sight, trial: Trial) -> dict[str, list[float]]:
    first, whole = video[:FIRST], len(video) // STEP * STEP
    parts = [video[start : start + STEP] for start in range(0, whole, STEP)]
    shades = [torch.tensor(shade_changes(first, part, trial.scene)).nanmean() for part in parts]
    return {
        GROUND_DRIFT: [ground_change(first, part) for part in parts],
        SHADE_DRIFT: [float(shade) for shade in shades],
    }


def _mean(values: Iterator[float]) -> float:
    known = list(values)
    return sum(known) / len(known)
