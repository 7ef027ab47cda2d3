"""How much attention each head gives each group of keys, without the attention matrix."""

from .api import MassImpl, frame_logsumexp, frame_mass

__all__ = ["MassImpl", "frame_logsumexp", "frame_mass"]
