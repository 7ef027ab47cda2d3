"""What policies must know of tensors, measured where the tensors are."""

from .bands import BandScores
from .descriptors import CELLS
from .fetched import Scores, fetched
from .frames import FrameScores
from .heads import HeadScores
from .together import Place, Seen, Together
from .tokens import TokenChoice

__all__ = [
    "CELLS",
    "BandScores",
    "FrameScores",
    "HeadScores",
    "Place",
    "Scores",
    "Seen",
    "Together",
    "TokenChoice",
    "fetched",
]
