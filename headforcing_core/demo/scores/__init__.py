"""What is seen in pictures of the demo world, and how well it is what the prompt said."""

from .detect import LOOKING_BYTES, PICTURE_BYTES, SIGHT_BYTES, Sight, look_at
from .memory import delay, ground_change, shade_changes
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
    "LAST",
    "LEAVES",
    "LOOKING_BYTES",
    "PICTURE_BYTES",
    "RETURNS",
    "SIGHT_BYTES",
    "Away",
    "SceneScore",
    "Sight",
    "Spread",
    "Steady",
    "Trial",
    "average",
    "delay",
    "ground_change",
    "held_out",
    "look_at",
    "mean_score",
    "sampled",
    "score_away",
    "score_scene",
    "score_steady",
    "settled",
    "shade_changes",
    "spread_of",
    "stranger_ground",
    "stranger_shade",
    "trial",
    "trial_of",
]
