"""Attention of the heads of one layer, each over a past of its own length."""

from .api import Impl, chosen_impl, head_attention
from .sdpa import Dense, decoded_bytes
from .spans import Span, span_table

__all__ = ["Dense", "Impl", "Span", "chosen_impl", "decoded_bytes", "head_attention", "span_table"]
