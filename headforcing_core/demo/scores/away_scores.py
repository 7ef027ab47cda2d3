"""Scores of one video in which grounds and a thing come and go, and their average."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from ..networks import FAMILY
from .absences import FirstThing, Ground, Hidden
from .detect import Sight
from .memory import delay
from .recollection import Recollection
from .stories import Trial
from .trial_scores import Spread, mean_of, spread_of
from .visits import GROUNDS_BACK, LOOKED_AT, THINGS_BACK, VISITS, Back

# frames, from which on it was away for long
LONG = 100
GROUND, THING = "ground", "thing"
SHADES: dict[str, tuple[Hidden, tuple[Back, ...]]] = {
    GROUND: (Ground(), GROUNDS_BACK),
    THING: (FirstThing(THING, replaced=False), THINGS_BACK),
}


class Shade(NamedTuple):
    """A shade as it was, as it came back, and the middle of what its word means; ``[3]`` each."""

    there: Tensor
    back: Tensor
    middle: Tensor


@dataclass(frozen=True)
class Away:
    """One video in which grounds and a thing come and go.

    Args:
        delay: chunks until a new prompt is obeyed, mean over the changes; one that never is counts
            with all its chunks.
        obeyed: share of the changes that are obeyed before the next one.
        shades: of whatever came back, by what it was and when.
    """

    delay: float
    obeyed: float
    shades: dict[tuple[str, Back], Shade]


def score_away(sight: Sight, trial: Trial) -> Away:
    """Score pictures, one per latent frame, of the trial's away story."""
    frames, chunk = len(sight), FAMILY.frames_per_chunk
    visits = [visit for visit in VISITS if visit.start + LOOKED_AT <= frames]
    ends = [*(visit.start for visit in visits[1:]), frames]
    parts = [sight[visit.start : end] for visit, end in zip(visits, ends, strict=True)]
    scenes = [trial.scene_of(visit) for visit in visits]
    delays = [
        min(delay(part, scene, chunk), len(part) / chunk)
        for part, scene in zip(parts[1:], scenes[1:], strict=True)
    ]
    obeyed = [late < len(part) / chunk for part, late in zip(parts[1:], delays, strict=True)]
    shades = {}
    for what, (hidden, backs) in SHADES.items():
        for back in (back for back in backs if back.visit < len(visits)):
            scene = scenes[back.visit]
            was = hidden.seen(parts[back.seen][-LOOKED_AT:], scene)
            now = hidden.seen(parts[back.visit][:LOOKED_AT], scene)
            shades[what, back] = Shade(was, now, hidden.middle(scene))
    return Away(mean_of(delays), mean_of(obeyed), shades)


def average_away(by_seed: Sequence[Sequence[Away]]) -> dict[str, Spread]:
    """Average scores ``[seed][prompt]``.

    Returns:
        ``obeyed`` and ``delay``; of ground and thing, each a mean over returns: ``_return``, the
        error; ``_slope``, of what came back on what was there; ``_stranger``, what a shade that is
        made anew scores; ``_lost``; and ``_late``, the error after LONG frames and more.
    """
    result = {
        name: spread_of([mean_of([getattr(score, name) for score in seed]) for seed in by_seed])
        for name in ("obeyed", "delay")
    }
    for what in SHADES:
        found = [_recollections(seed, what) for seed in by_seed]
        for name in ("error", "slope", "stranger", "lost"):
            means = [mean_of([getattr(r, name) for r in seed.values()]) for seed in found]
            result[f"{what}_{name}"] = spread_of(means)
        late = [[r.error for back, r in seed.items() if back.away >= LONG] for seed in found]
        result[f"{what}_late"] = spread_of([mean_of(errors) for errors in late])
    return result


def recalled_by_absence(by_seed: Sequence[Sequence[Away]]) -> dict[str, dict[str, float | None]]:
    """Return error, slope and stranger of every return, mean over seeds, by what and how long.

    What was not measured is None.
    """
    result = {}
    for what in SHADES:
        found = [_recollections(seed, what) for seed in by_seed]
        for back in found[0]:
            name = f"{what} from frame {VISITS[back.visit].start}, away for {back.away}"
            measures = ("error", "slope", "stranger")
            means = [mean_of([getattr(seed[back], m) for seed in found]) for m in measures]
            known = [None if math.isnan(mean) else round(mean, 5) for mean in means]
            result[name] = dict(zip(measures, known, strict=True))
    return result


def _recollections(videos: Sequence[Away], what: str) -> dict[Back, Recollection]:
    """Put the videos of a seed together, return by return."""
    backs = [back for kind, back in videos[0].shades if kind == what]
    return {back: Recollection.of([v.shades[what, back] for v in videos]) for back in backs}
