"""Tensors, latents and videos on disk."""

from .json_text import json_of, named, placed, shown
from .json_values import as_list, as_number, as_object, as_words, entry
from .latent_file import (
    check_writable,
    is_latent_file,
    read_latents,
    read_settings,
    read_space,
    read_text_embedding,
    write_latents,
)
from .plain_file import check_file, read_text
from .tensor_files import WRAPPERS, TensorSource, open_tensors
from .video_file import VideoWriter

__all__ = [
    "WRAPPERS",
    "TensorSource",
    "VideoWriter",
    "as_list",
    "as_number",
    "as_object",
    "as_words",
    "check_file",
    "check_writable",
    "entry",
    "is_latent_file",
    "json_of",
    "named",
    "open_tensors",
    "placed",
    "read_latents",
    "read_settings",
    "read_space",
    "read_text",
    "read_text_embedding",
    "shown",
    "write_latents",
]
