"""Tensors, latents and videos on disk."""

from .latent_file import (
    check_writable,
    is_latent_file,
    read_latents,
    read_settings,
    read_text_embedding,
    write_latents,
)
from .tensor_files import WRAPPERS, TensorSource, open_tensors
from .video_file import VideoWriter

__all__ = [
    "WRAPPERS",
    "TensorSource",
    "VideoWriter",
    "check_writable",
    "is_latent_file",
    "open_tensors",
    "read_latents",
    "read_settings",
    "read_text_embedding",
    "write_latents",
]
