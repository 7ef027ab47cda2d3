"""A finished latent decoded into a file, gone on from where it was interrupted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import comfy.model_management
import comfy.utils
from comfy_execution.utils import get_executing_context
from torch import Tensor

from ...headforcing_core.files import ABOUT, library_versions
from ...headforcing_core.reel import VIDEO, KeptClips, Reel, key_of
from ...headforcing_core.video import Chunk
from . import unfinished
from .host_film import FilmSettings
from .pictures import HostDecoder
from .progress import tell
from .unfinished import Unfinished

# latent frames that are encoded together: a second at 16 pictures
AT_ONCE = 4


def write_latent(latent: Tensor, decoder: HostDecoder, settings: FilmSettings) -> Path:
    """Decode a latent ``[1, C, F, Y, X]`` into a file; return it.

    Raises:
        OSError: if the disk is full; it says where the video is.
        RuntimeError: if the device has not enough memory.
    """
    left = Unfinished(_name(latent))
    unfinished.clear(left)
    decoder.load(latent.shape)
    told = None
    if settings.metadata:  # else none is wanted
        about = {ABOUT: json.dumps({VIDEO: left.name})}
        settings = replace(settings, metadata=settings.metadata | about)
    with settings.holding(*decoder.size(*latent.shape[3:]), left.film) as film:
        left.begin(film.path)
        key = key_of(decoder.key, film.style, library_versions())
        frames, kept = latent.shape[2], KeptClips(left.parts, key)
        reel = Reel(decoder, decoder.device, film, frames, kept)
        try:
            _decode(latent, reel)
            path = reel.end()
        except comfy.model_management.OOM_EXCEPTION as error:
            told = str(error).splitlines()[0]
        finally:
            reel.close()
    if told is not None:
        comfy.model_management.soft_empty_cache()
        raise RuntimeError(
            "the device must have room to decode a frame, got out of memory; choose a tile size, "
            f"what is decoded is kept ({told})"
        )
    context = get_executing_context()
    left.ended(context and context.prompt_id)
    tell(f"{frames} latent frames are in {path}")
    return path


def _decode(latent: Tensor, reel: Reel) -> None:
    bar = comfy.utils.ProgressBar(latent.shape[2])
    for chunk in _chunks(latent.shape[2]):
        comfy.model_management.throw_exception_if_processing_interrupted()
        reel.add(chunk, latent[:, :, chunk.start : chunk.stop])
        bar.update_absolute(chunk.stop)


def _chunks(frames: int) -> Iterator[Chunk]:
    for index, start in enumerate(range(0, frames, AT_ONCE)):
        yield Chunk(index, start, min(frames, start + AT_ONCE))


def _name(latent: Tensor) -> str:
    """Return a digest of a latent, read frame by frame."""
    digest = hashlib.sha256(f"{list(latent.shape)}{latent.dtype}".encode())
    for frame in latent.split(1, 2):
        digest.update(frame.detach().float().cpu().contiguous().numpy())
    return digest.hexdigest()
