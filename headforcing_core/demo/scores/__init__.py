"""What is seen in pictures of the demo world, and how well it is what the prompt said."""

from .absences import HIDDEN, Hidden, absence
from .away_scores import Away, average_away, recalled_by_absence, score_away
from .detect import LOOKING_BYTES, PICTURE_BYTES, SIGHT_BYTES, Sight, look_at
from .ground_returns import ground_off, ground_returns
from .memory import delay, ground_change, shade_changes
from .recollection import Recollection, ground_shade, middle_ground, middle_thing, thing_shade
from .score import SceneScore, mean_score, sampled, score_scene, settled
from .stories import Trial, held_out, trial, trial_of
from .trial_scores import (
    FIRST,
    LAST,
    Spread,
    Steady,
    average,
    mean_of,
    score_steady,
    spread_of,
    stranger_shade,
)
from .visits import FIRST_RETURN, VISITS, Visit, right_frames

__all__ = [
    "FIRST",
    "FIRST_RETURN",
    "HIDDEN",
    "LAST",
    "LOOKING_BYTES",
    "PICTURE_BYTES",
    "SIGHT_BYTES",
    "VISITS",
    "Away",
    "Hidden",
    "Recollection",
    "SceneScore",
    "Sight",
    "Spread",
    "Steady",
    "Trial",
    "Visit",
    "absence",
    "average",
    "average_away",
    "delay",
    "ground_change",
    "ground_off",
    "ground_returns",
    "ground_shade",
    "held_out",
    "look_at",
    "mean_of",
    "mean_score",
    "middle_ground",
    "middle_thing",
    "recalled_by_absence",
    "right_frames",
    "sampled",
    "score_away",
    "score_scene",
    "score_steady",
    "settled",
    "shade_changes",
    "spread_of",
    "stranger_shade",
    "thing_shade",
    "trial",
    "trial_of",
]
