"""Attention of the heads of one layer, each over a past of its own length."""

from .api import Impl, Span, head_attention

__all__ = ["Impl", "Span", "head_attention"]
