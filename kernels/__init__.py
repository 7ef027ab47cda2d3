"""Attention kernels. Knows torch; knows nothing of the rest of the project."""

from .head_attention import Impl, Span, head_attention

__all__ = ["Impl", "Span", "head_attention"]
