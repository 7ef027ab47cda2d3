"""What becomes of frames that are neither first nor recent: a rule per file."""

from .anchor import Anchor
from .averages import Averages
from .bands import Bands
from .chosen import Chosen
from .episodes import Descriptor, Episodes, EpisodeUpdate, Scope, Unit
from .mean_sink import MeanSink
from .middle import Middle
from .replay import Replay
from .strides import Blocks, Cyclic, Stride
from .tokens import Tokens

__all__ = [
    "Anchor",
    "Averages",
    "Bands",
    "Blocks",
    "Chosen",
    "Cyclic",
    "Descriptor",
    "EpisodeUpdate",
    "Episodes",
    "MeanSink",
    "Middle",
    "Replay",
    "Scope",
    "Stride",
    "Tokens",
    "Unit",
]
