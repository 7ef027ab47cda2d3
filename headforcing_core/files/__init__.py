"""Tensors, latents and videos on disk."""

from .claim import claimed, refuse_held, was_claimed
from .clip import CONTAINERS, ClipMaker, VideoStyle, library_versions
from .ended_video import Sound, end_video
from .growing_video import GrowingVideo
from .json_text import json_of, named, placed, shown
from .json_values import as_list, as_number, as_object, as_words, entry
from .latent_file import (
    NORMALISED,
    check_writable,
    is_latent_file,
    read_latents,
    read_settings,
    read_space,
    read_text_embedding,
    write_latents,
)
from .parts import PART_SUFFIX, Part, Parts, Written, refuges
from .picture_file import png_of, write_png
from .plain_file import check_file, read_text
from .replaced import (
    check_place,
    clear_leftovers,
    refuse_unlike_file,
    replacing,
    save_all,
    save_or_rescue,
    saved_elsewhere,
    write_bytes,
    write_text,
)
from .tensor_files import WRAPPERS, TensorDict, TensorSource, open_tensors
from .video_about import ABOUT, read_about
from .video_reader import OpenVideo, open_video

__all__ = [
    "ABOUT",
    "CONTAINERS",
    "NORMALISED",
    "PART_SUFFIX",
    "WRAPPERS",
    "ClipMaker",
    "GrowingVideo",
    "OpenVideo",
    "Part",
    "Parts",
    "Sound",
    "TensorDict",
    "TensorSource",
    "VideoStyle",
    "Written",
    "as_list",
    "as_number",
    "as_object",
    "as_words",
    "check_file",
    "check_place",
    "check_writable",
    "claimed",
    "clear_leftovers",
    "end_video",
    "entry",
    "is_latent_file",
    "json_of",
    "library_versions",
    "named",
    "open_tensors",
    "open_video",
    "placed",
    "png_of",
    "read_about",
    "read_latents",
    "read_settings",
    "read_space",
    "read_text",
    "read_text_embedding",
    "refuges",
    "refuse_held",
    "refuse_unlike_file",
    "replacing",
    "save_all",
    "save_or_rescue",
    "saved_elsewhere",
    "shown",
    "was_claimed",
    "write_bytes",
    "write_latents",
    "write_png",
    "write_text",
]
