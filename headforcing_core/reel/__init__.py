"""A video on its way from latents to a file, chunk by chunk, and what is kept of a run."""

from .collected import check_folder, collect, forget
from .film import Film
from .kept_chunks import VIDEO, KeptChunks
from .kept_clips import KeptClips, key_of
from .made_video import GIVEN, MadeVideo, about_video, latents_folder
from .reel import Reel

__all__ = [
    "GIVEN",
    "VIDEO",
    "Film",
    "KeptChunks",
    "KeptClips",
    "MadeVideo",
    "Reel",
    "about_video",
    "check_folder",
    "collect",
    "forget",
    "key_of",
    "latents_folder",
]
