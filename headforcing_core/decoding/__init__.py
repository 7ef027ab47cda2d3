"""Latents into pictures while a video is made, in memory that does not grow."""

from .causal import CausalDecoder
from .decoder import Decoder, Decoding
from .framewise import FramewiseDecoder
from .memory_blocks import MemoryBlockDecoder
from .overlapped import OverlappedDecoder
from .recoder import PictureRecoder
from .tiled import TiledDecoder

__all__ = [
    "CausalDecoder",
    "Decoder",
    "Decoding",
    "FramewiseDecoder",
    "MemoryBlockDecoder",
    "OverlappedDecoder",
    "PictureRecoder",
    "TiledDecoder",
]
