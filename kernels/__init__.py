"""Attention kernels. Knows torch; knows nothing of the rest of the project."""

from .attention_mass import frame_logsumexp, frame_mass
from .head_attention import Impl, Span, head_attention

__all__ = ["Impl", "Span", "frame_logsumexp", "frame_mass", "head_attention"]
