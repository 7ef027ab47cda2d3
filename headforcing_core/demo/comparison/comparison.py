"""Several methods on the same prompts and noise, scored as they are made."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import torch
from torch import Tensor

from ...bounds import check_week
from ...crews import Crew, Event, Kind, Task
from ...device import check_room
from ..networks import FAMILY, DemoModel
from ..scores import (
    LOOKING_BYTES,
    PICTURE_BYTES,
    SIGHT_BYTES,
    Away,
    Spread,
    Steady,
    Trial,
    average,
    average_away,
    recalled_by_absence,
    settled,
    spread_of,
)
from .methods import Compared
from .pieces import STEADY, TRUTH, Piece, Scored, Source, kinds_of, score, story_of
from .rollouts import finished, request_for, roll_side_by_side

log = logging.getLogger("headforcing")
# pictures per latent frame while the truth is drawn, coded and decoded; measured
IN_THE_MAKING = 20
# of a frame: one video at a time is looked at, or drawn, coded and decoded
BYTES = LOOKING_BYTES + SIGHT_BYTES + IN_THE_MAKING * PICTURE_BYTES


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
        return kinds_of(self.lengths)

    @property
    def work(self) -> int:
        """Frames to be made in all, those of the videos that are timed among them."""
        frames = request_for(self.methods[0], self.frames, 0).clock.total_frames
        return frames * (1 + len(self.kinds) * len(self.seeds)) * len(self.methods)

    @property
    def has_scores(self) -> bool:
        """Whether every method was scored on at least one seed."""
        return all(method.name in self.scores for method in self.methods)

    def run(
        self,
        crew: Crew,
        source: Source,
        watch: Callable[[int], None] = lambda frames: None,
        keep: Callable[[], None] = lambda: None,
    ) -> None:
        """Make and score everything; a method's videos of one seed are one task.

        Args:
            crew: who does it.
            source: the model, in a folder, and where finished videos are kept.
            watch: is told the frames made, as they are; fewer where a worker died.
            keep: is called whenever another seed is complete.

        Raises:
            RuntimeError: if a task cannot be done.
        """
        made: Counter[str] = Counter()
        done: dict[str, dict[str, list[Scored]]] = {}

        def take(event: Event) -> None:
            if event.kind is Kind.FAILED:
                raise RuntimeError(event.value)
            if event.kind is Kind.LOST:
                log.warning("%s: made again, %s", event.task, event.value)
            if event.kind is Kind.ADVANCED:
                made[event.task] += event.value
                watch(event.value)
            elif event.kind is Kind.STARTED:
                watch(-made.pop(event.task, 0))
            elif event.kind is Kind.DONE:
                done[event.task] = event.value
                while self._seed_is_there(done):
                    keep()

        crew.run(self.tasks(source), take)
        self._time(watch)
        self.complete = True

    def tasks(self, source: Source) -> list[Task]:
        """Return what there is to do, in the order in which seeds are complete first.

        Raises:
            RuntimeError: if the caches of a method find no room.
        """
        room = self._room()
        pieces = [*self._truth, *(piece for seed in self.seeds for piece in self._of(seed))]
        return [Task(piece.name, score, (piece, source), room) for piece in pieces]

    @property
    def _truth(self) -> list[Piece]:
        return [self._piece(kind, None, 0) for kind in self.kinds]

    def _of(self, seed: int) -> list[Piece]:
        return [self._piece(kind, m, seed) for kind in self.kinds for m in self.methods]

    def _piece(self, kind: str, method: Compared | None, seed: int) -> Piece:
        return Piece(kind, method, seed, tuple(self.trials), tuple(self.lengths))

    def _seed_is_there(self, done: Mapping[str, Mapping[str, list[Scored]]]) -> bool:
        """Take what was scored of the next seed, if all of it is there; first of all the truth."""
        if self.seeds_done == len(self.seeds):
            return False
        truth = [] if self.scores else self._truth
        pieces = [*truth, *self._of(self.seeds[self.seeds_done])]
        if any(piece.name not in done for piece in pieces):
            return False
        for piece in pieces:
            self._keep(piece.kind, done[piece.name])
        self.seeds_done += 1
        return True

    def _room(self) -> int:
        """Return the bytes of a task; refuse caches that do not fit beside each other."""
        most = max(self.cache_bytes(method, self.frames) for method in self.methods)
        most *= len(self.trials)
        remedy = "use fewer prompts, or shorter videos"
        check_room("the caches of a method", most, self.model.wan.device, remedy)
        return most + self.frames * BYTES

    def _time(self, watch: Callable[[int], None]) -> None:
        """Make one video with every method, alone: some methods make a batch one by one."""
        story, seed = story_of(STEADY, self.trials[0], self.frames), self.seeds[0]
        made = roll_side_by_side(self.model, [story], self.methods, self.frames, seed)
        for rolled in finished(made, watch):
            self.scores[rolled.method.name].seconds = rolled.seconds

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
    check_week(frames * methods * (1 + len(kinds_of(lengths)) * seeds * prompts), remedy)
    check_room("the pictures of a video", frames * BYTES, "cpu", "use shorter videos")
