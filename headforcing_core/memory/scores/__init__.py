"""What policies must know of tensors, measured where the tensors are."""

from .bands import BandScores
from .fetched import Scores, fetched
from .frames import FrameScores
from .heads import HeadScores
from .tokens import TokenChoice

__all__ = ["BandScores", "FrameScores", "HeadScores", "Scores", "TokenChoice", "fetched"]
