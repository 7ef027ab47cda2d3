"""A video on its way from latents to a file, chunk by chunk, and what is kept of a run."""

from .film import Film
from .kept_chunks import KeptChunks
from .kept_clips import KeptClips, key_of
from .made_video import MadeVideo, about_video, collect
from .reel import Reel

__all__ = [
    "Film",
    "KeptChunks",
    "KeptClips",
    "MadeVideo",
    "Reel",
    "about_video",
    "collect",
    "key_of",
]
