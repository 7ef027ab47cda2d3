"""What becomes of frames that are neither first nor recent: a rule per file."""

from .averages import Averages
from .bands import Bands
from .episodes import Descriptor, Episodes, EpisodeUpdate, Scope, Unit
from .middle import Middle
from .replay import Replay
from .strides import Blocks, Cyclic, Stride
from .tokens import Tokens

__all__ = [
    "Averages",
    "Bands",
    "Blocks",
    "Cyclic",
    "Descriptor",
    "EpisodeUpdate",
    "Episodes",
    "Middle",
    "Replay",
    "Scope",
    "Stride",
    "Tokens",
    "Unit",
]
