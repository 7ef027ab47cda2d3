"""What is seen in pictures of the demo world, and how well it is what the prompt said."""

from .absences import HIDDEN, Hidden, absence
from .detect import LOOKING_BYTES, PICTURE_BYTES, SIGHT_BYTES, Sight, look_at
from .memory import delay, ground_change, shade_changes
from .recollection import Recollection, ground_shade, middle_ground, middle_thing, thing_shade
from .score import SceneScore, mean_score, sampled, score_scene, settled
from .stories import LEAVES, RETURNS, Trial, held_out, trial, trial_of
from .trial_scores import (
    FIRST,
    LAST,
    Away,
    Spread,
    Steady,
    average,
    score_away,
    score_steady,
    spread_of,
    stranger_ground,
    stranger_shade,
)

__all__ = [
    "FIRST",
    "HIDDEN",
    "LAST",
    "LEAVES",
    "LOOKING_BYTES",
    "PICTURE_BYTES",
    "RETURNS",
    "SIGHT_BYTES",
    "Away",
    "Hidden",
    "Recollection",
    "SceneScore",
    "Sight",
    "Spread",
    "Steady",
    "Trial",
    "absence",
    "average",
    "delay",
    "ground_change",
    "ground_shade",
    "held_out",
    "look_at",
    "mean_score",
    "middle_ground",
    "middle_thing",
    "sampled",
    "score_away",
    "score_scene",
    "score_steady",
    "settled",
    "shade_changes",
    "spread_of",
    "stranger_ground",
    "stranger_shade",
    "thing_shade",
    "trial",
    "trial_of",
]
