"""Attention kernels. Knows torch; knows nothing of the rest of the project."""

from .attention_mass import MassImpl, frame_logsumexp, frame_mass
from .eight_bits import BLOCK, SCALES, blocks_of, codes_of, decoded, encoded, rounded
from .head_attention import (
    Dense,
    Impl,
    Span,
    chosen_impl,
    decoded_bytes,
    head_attention,
    span_table,
)
from .reencode import ReencodeImpl, reencode
from .rotation import rotate
from .write_rotated import WriteImpl, write_rotated

__all__ = [
    "BLOCK",
    "SCALES",
    "Dense",
    "Impl",
    "MassImpl",
    "ReencodeImpl",
    "Span",
    "WriteImpl",
    "blocks_of",
    "chosen_impl",
    "codes_of",
    "decoded",
    "decoded_bytes",
    "encoded",
    "frame_logsumexp",
    "frame_mass",
    "head_attention",
    "reencode",
    "rotate",
    "rounded",
    "span_table",
    "write_rotated",
]
