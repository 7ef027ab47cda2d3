"""Several methods on the same prompts and noise, scored as they are made."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import torch
from torch import Tensor

from ...bounds import check_week
from ...device import check_room
from ..networks import FAMILY, DemoModel, whole_video
from ..scores import (
    FIRST,
    FIRST_RETURN,
    LOOKING_BYTES,
    PICTURE_BYTES,
    SIGHT_BYTES,
    VISITS,
    Away,
    Sight,
    Spread,
    Steady,
    Trial,
    average,
    average_away,
    ground_change,
    look_at,
    recalled_by_absence,
    sampled,
    score_away,
    score_steady,
    settled,
    shade_changes,
    spread_of,
)
from ..world import Story, draw
from .methods import Compared
from .rollouts import request_for, roll_side_by_side

TRUTH, ROUND_TRIP = "truth", "autoencoder"
STEADY, AWAY = "steady", "away"
GROUND_DRIFT, SHADE_DRIFT = "ground drift", "shade drift"
# frames between two points of a curve, and between two pictures that are kept to be looked at
STEP, LOOK = 24, 15
# pictures that are kept of a visit: the one so many frames after its beginning
LOOK_AFTER = 5
# pictures per latent frame while the truth is drawn, coded and decoded; measured
IN_THE_MAKING = 20


@dataclass
class Scores:
    """What was scored of one method: a list of prompts for every seed.

    Args:
        steady, away: per length in frames.
        curves: per measure, one value per STEP.
        shown: per kind of story, pictures of the first prompt and seed, see ``moments``.
        seconds: of every chunk of one video made alone.
    """

    steady: dict[int, list[list[Steady]]] = field(default_factory=dict)
    away: dict[int, list[list[Away]]] = field(default_factory=dict)
    curves: dict[str, list[list[list[float]]]] = field(default_factory=dict)
    shown: dict[str, Tensor] = field(default_factory=dict)
    seconds: tuple[float, ...] = ()


@dataclass(frozen=True)
class Scored:
    """One video: its scores at every length, its curves, and pictures to look at."""

    lengths: dict[int, Steady | Away]
    curves: dict[str, list[float]]
    shown: Tensor


def moments(kind: str, frames: int) -> list[int]:
    """Return the frames of a kind of story that are kept to be looked at."""
    if kind == STEADY:
        return list(range(0, frames, LOOK))
    return [at for at in (visit.start + LOOK_AFTER for visit in VISITS) if at < frames]


@dataclass
class Comparison:
    """A comparison under way.

    Args:
        lengths: of the videos, in frames. Only the longest is made: the beginning of a long video
            is the short one, frame by frame.
        scores: per row of the table, filled by ``run``, a seed at a time.
        seeds_done: of which all methods are scored, of every kind of story.
        complete: whether ``run`` came to its end.
    """

    model: DemoModel
    methods: Sequence[Compared]
    trials: Sequence[Trial]
    seeds: Sequence[int]
    lengths: Sequence[int]
    scores: dict[str, Scores] = field(default_factory=dict)
    seeds_done: int = 0
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

        A method at a time, and a video at a time is looked at: memory does not grow with methods.

        Raises:
            RuntimeError: if the caches of a method find no room.
        """
        self._check_caches()
        for kind in self.kinds:
            self._keep(kind, self._truth(kind))
        for seed in self.seeds:
            for kind in self.kinds:
                done: dict[str, list[Scored]] = {}
                for method in self.methods:
                    done[method.name] = yield from self._made(kind, method, seed)
                self._keep(kind, done)
            self.seeds_done += 1
        yield from self._time()
        self.complete = True

    def _check_caches(self) -> None:
        """Refuse a method whose caches do not fit: its videos are made beside each other."""
        most = max(self.cache_bytes(method, self.frames) for method in self.methods)
        check_room(
            "the caches of a method",
            most * len(self.trials),
            self.model.wan.device,
            "use fewer prompts, or shorter videos",
        )

    def _made(self, kind: str, method: Compared, seed: int) -> Generator[int, None, list[Scored]]:
        """Make and score a method's videos of one seed."""
        stories = [self._story(kind, trial) for trial in self.trials]
        (made,) = yield from roll_side_by_side(self.model, stories, [method], self.frames, seed)
        pairs = zip(made.latents, self.trials, strict=True)
        return [self._scored(kind, look_at(self.model.snapshots(x)), trial) for x, trial in pairs]

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

    def _truth(self, kind: str) -> dict[str, list[Scored]]:
        done: dict[str, list[Scored]] = {TRUTH: [], ROUND_TRIP: []}
        for trial in self.trials:
            video = draw(trial.truth(self._story(kind, trial), self.frames))
            again = whole_video(self.model.decode(self.model.encode(video[None])))[0]
            for name, pictures in ((TRUTH, video), (ROUND_TRIP, again)):
                done[name].append(self._scored(kind, look_at(sampled(pictures)), trial))
        return done

    def _scored(self, kind: str, sight: Sight, trial: Trial) -> Scored:
        shown = sight.pictures[moments(kind, len(sight))].clone()
        if kind == STEADY:
            lengths = {n: score_steady(sight[:n], trial) for n in self.lengths}
            return Scored(lengths, _curves(sight, trial), shown)
        lengths = {n: score_away(sight[:n], trial) for n in self.lengths if scores_away(n)}
        return Scored(lengths, {}, shown)

    def _keep(self, kind: str, done: Mapping[str, Sequence[Scored]]) -> None:
        """Keep what was scored of a seed, or of the truth."""
        for name, prompts in done.items():
            scores = self.scores.setdefault(name, Scores())
            for frames in prompts[0].lengths:
                scored = [each.lengths[frames] for each in prompts]
                if kind == STEADY and name != TRUTH:
                    truths = self.scores[TRUTH].steady[frames][0]
                    scored = [settled(s, t) for s, t in zip(scored, truths, strict=True)]
                known = scores.steady if kind == STEADY else scores.away
                known.setdefault(frames, []).append(scored)
            scores.shown.setdefault(kind, prompts[0].shown)
            for measure in prompts[0].curves:
                by_prompt = [each.curves[measure] for each in prompts]
                scores.curves.setdefault(measure, []).append(by_prompt)

    def averages(self, frames: int) -> dict[str, dict[str, Spread]]:
        """Return, per row, the means of every measure at one length."""
        return {
            name: average(scores.steady[frames])
            | (average_away(scores.away[frames]) if frames in scores.away else {})
            for name, scores in self.scores.items()
        }

    def returns(self, frames: int) -> dict[str, dict[str, dict[str, float | None]]]:
        """Return, per row, what came back and how, return by return, at one length."""
        return {
            name: recalled_by_absence(scores.away[frames])
            for name, scores in self.scores.items()
            if frames in scores.away
        }

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
    # one video at a time is looked at, or drawn, coded and decoded
    size = LOOKING_BYTES + SIGHT_BYTES + IN_THE_MAKING * PICTURE_BYTES
    check_room("the pictures of a video", frames * size, "cpu", "use shorter videos")


def _kinds(lengths: Sequence[int]) -> list[str]:
    return [STEADY, AWAY] if any(map(scores_away, lengths)) else [STEADY]


def scores_away(frames: int) -> bool:
    """Return whether a video is long enough for something to leave, return and be looked at."""
    return frames >= FIRST_RETURN


def _curves(video: Sight, trial: Trial) -> dict[str, list[float]]:
    first, whole = video[:FIRST], len(video) // STEP * STEP
    parts = [video[start : start + STEP] for start in range(0, whole, STEP)]
    shades = [torch.tensor(shade_changes(first, part, trial.scene)).nanmean() for part in parts]
    return {
        GROUND_DRIFT: [ground_change(first, part) for part in parts],
        SHADE_DRIFT: [float(shade) for shade in shades],
    }
