"""What policies must know of tensors, measured where the tensors are."""

from .bands import BandScores
from .descriptors import CELLS
from .fetched import Scores, fetched
from .frames import FrameScores
from .heads import HeadScores
from .tokens import TokenChoice

__all__ = ["CELLS", "BandScores", "FrameScores", "HeadScores", "Scores", "TokenChoice", "fetched"]
