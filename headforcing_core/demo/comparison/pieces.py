"""One method's videos of one seed, made and scored: what one worker of a comparison does."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

from ...crews import Inline, Worker
from ...device import choose_device
from ...files import read_latents, read_settings, write_latents
from ...models import fingerprint
from ...version import VERSION
from ..networks import CONFIG, LATENT_SIDE, SHIPPED, DemoModel, whole_video
from ..scores import (
    FIRST,
    FIRST_RETURN,
    VISITS,
    Away,
    Sight,
    Steady,
    Trial,
    ground_change,
    look_at,
    sampled,
    score_away,
    score_steady,
    shade_changes,
)
from ..world import Story, draw
from .methods import Compared
from .rollouts import finished, roll_side_by_side

log = logging.getLogger("headforcing")
TRUTH, ROUND_TRIP = "truth", "autoencoder"
STEADY, AWAY = "steady", "away"
GROUND_DRIFT, SHADE_DRIFT = "ground drift", "shade drift"
# frames between two points of a curve, and between two pictures that are kept to be looked at
STEP, LOOK = 24, 15
# pictures that are kept of a visit: the one so many frames after its beginning
LOOK_AFTER = 5
# letters of a name
KEY = 24


@dataclass(frozen=True)
class Scored:
    """One video: its scores at every length, its curves, and pictures to look at."""

    lengths: dict[int, Steady | Away]
    curves: dict[str, list[float]]
    shown: Tensor


@dataclass(frozen=True)
class Source:
    """What a worker needs besides: the model, and where finished videos are kept.

    Args:
        model: the folder of a demo model; None: the one that ships, wherever a worker has it.
        kept: of latents; None: they are kept nowhere.
    """

    model: Path | None
    kept: Path | None = None


@dataclass(frozen=True)
class Piece:
    """Videos of one kind of story, of all prompts side by side.

    Args:
        kind: STEADY or AWAY.
        method: None: the world itself, and what the autoencoder leaves of it.
        seed: of the noise.
        lengths: in frames; the longest is made, and the others are its beginnings.
    """

    kind: str
    method: Compared | None
    seed: int
    trials: tuple[Trial, ...]
    lengths: tuple[int, ...]

    @property
    def name(self) -> str:
        if self.method is None:
            return f"{self.kind}, {TRUTH}"
        return f"{self.kind}, seed {self.seed}, {self.method.name}"

    @property
    def frames(self) -> int:
        return max(self.lengths)

    @property
    def stories(self) -> list[Story]:
        return [story_of(self.kind, trial, self.frames) for trial in self.trials]

    def file(self, model: DemoModel) -> str:
        """Return the name of its latents, of all that decides them."""
        compared = self.method
        stories = [[(cut.start, cut.scene.text) for cut in story] for story in self.stories]
        how = [repr(compared.method), repr(compared.head_map and compared.head_map.types)]
        said = [VERSION, fingerprint(model.wan.state_dict()), self.frames, self.seed, stories, how]
        return sha256(json.dumps(said).encode()).hexdigest()[:KEY] + ".safetensors"


def with_model(model: DemoModel, folder: Path | None, device: str | None) -> Inline:
    """Return who scores in this process, with a model that is loaded already."""
    return Inline(device, {(folder, device): model})


def score(worker: Worker, piece: Piece, source: Source) -> dict[str, list[Scored]]:
    """Make the videos of a piece, or take those that are there, and score them.

    Returns:
        The videos of every row, in the order of the trials.
    """
    key = (source.model, worker.device)
    if key not in worker.kept:
        worker.kept[key] = DemoModel.load(source.model or SHIPPED, choose_device(worker.device))
    model = worker.kept[key]
    if piece.method is None:
        return _truth(piece, model)
    videos = zip(_latents(worker, piece, source, model), piece.trials, strict=True)
    scored = [_scored(piece, look_at(model.snapshots(x)), trial) for x, trial in videos]
    return {piece.method.name: scored}


def _latents(worker: Worker, piece: Piece, source: Source, model: DemoModel) -> Tensor:
    """Return latents ``[B, C, F, Y, X]``, from an earlier run if it finished them."""
    place = None if source.kept is None else source.kept / piece.file(model)
    there = None if place is None else _read(place, len(piece.trials))
    if there is not None:
        worker.tell(piece.frames)
        return there
    run = roll_side_by_side(model, piece.stories, [piece.method], piece.frames, piece.seed)
    (made,) = finished(run, worker.tell)
    if place is not None and place.parent.is_dir():  # a cluster may have other disks
        try:
            write_latents(place, made.latents, {"complete": True})
        except OSError as error:  # it is made again, if it comes to that
            log.warning("not kept: %s", error)
    return made.latents


def _read(place: Path, videos: int) -> Tensor | None:
    shape = (videos, CONFIG.in_dim, LATENT_SIDE, LATENT_SIDE)
    try:
        whole = place.is_file() and (read_settings(place) or {}).get("complete")
        return read_latents(place, shape) if whole else None
    except ValueError:  # damaged: it is made again
        return None


def _truth(piece: Piece, model: DemoModel) -> dict[str, list[Scored]]:
    done: dict[str, list[Scored]] = {TRUTH: [], ROUND_TRIP: []}
    for trial, story in zip(piece.trials, piece.stories, strict=True):
        video = draw(trial.truth(story, piece.frames))
        again = whole_video(model.decode(model.encode(video[None])))[0]
        for name, pictures in ((TRUTH, video), (ROUND_TRIP, again)):
            done[name].append(_scored(piece, look_at(sampled(pictures)), trial))
    return done


def _scored(piece: Piece, sight: Sight, trial: Trial) -> Scored:
    shown = sight.pictures[moments(piece.kind, len(sight))].clone()
    if piece.kind == STEADY:
        lengths = {n: score_steady(sight[:n], trial) for n in piece.lengths}
        return Scored(lengths, _curves(sight, trial), shown)
    lengths = {n: score_away(sight[:n], trial) for n in piece.lengths if scores_away(n)}
    return Scored(lengths, {}, shown)


def story_of(kind: str, trial: Trial, frames: int) -> Story:
    """Return a trial's story of a kind, as far as a video has frames for it."""
    story = trial.steady if kind == STEADY else trial.away
    return tuple(cut for cut in story if cut.start < frames)


def scores_away(frames: int) -> bool:
    """Return whether a video is long enough for something to leave, return and be looked at."""
    return frames >= FIRST_RETURN


def kinds_of(lengths: Sequence[int]) -> list[str]:
    """Return the kinds of stories that are told at such lengths."""
    return [STEADY, AWAY] if any(map(scores_away, lengths)) else [STEADY]


def moments(kind: str, frames: int) -> list[int]:
    """Return the frames of a kind of story that are kept to be looked at."""
    if kind == STEADY:
        return list(range(0, frames, LOOK))
    return [at for at in (visit.start + LOOK_AFTER for visit in VISITS) if at < frames]


def _curves(video: Sight, trial: Trial) -> dict[str, list[float]]:
    first, whole = video[:FIRST], len(video) // STEP * STEP
    parts = [video[start : start + STEP] for start in range(0, whole, STEP)]
    shades = [torch.tensor(shade_changes(first, part, trial.scene)).nanmean() for part in parts]
    return {
        GROUND_DRIFT: [ground_change(first, part) for part in parts],
        SHADE_DRIFT: [float(shade) for shade in shades],
    }
