"""Attention kernels. Knows torch; knows nothing of the rest of the project."""

from .attention_mass import MassImpl, frame_logsumexp, frame_mass
from .head_attention import Dense, Impl, Span, chosen_impl, head_attention, span_table
from .reencode import ReencodeImpl, reencode
from .rotation import rotate
from .write_rotated import WriteImpl, write_rotated

__all__ = [
    "Dense",
    "Impl",
    "MassImpl",
    "ReencodeImpl",
    "Span",
    "WriteImpl",
    "chosen_impl",
    "frame_logsumexp",
    "frame_mass",
    "head_attention",
    "reencode",
    "rotate",
    "span_table",
    "write_rotated",
]
