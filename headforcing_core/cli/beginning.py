"""What a command's video begins with: frames that are given, or left by an earlier run."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping

from ..autoencoders import Autoencoder
from ..decoding import PictureRecoder
from ..generation import VideoRequest
from ..reel import KeptChunks
from ..rollout import Begun
from .earlier import Earlier
from .start import cut_at, read_start
from .unfinished import Unfinished
from .words import words_said

log = logging.getLogger("headforcing")


def recoder(request: VideoRequest, pictures: Autoencoder | None) -> PictureRecoder | None:
    """Return what a past that is computed anew encodes its first frame with, if it has to."""
    if pictures is None or not request.recodes:
        return None
    return pictures.recoder(request.fitted_method.rebuilt.frames)


def given_frames(
    options: argparse.Namespace,
    request: VideoRequest,
    sizes: tuple[int, int],
    settings: Mapping[str, object],
    earlier: Earlier | None,
) -> Begun | None:
    """Return the first frames that are given; those of a video of ours are its own."""
    shape = (*sizes, request.rows, request.columns)
    if earlier is not None:
        begun = earlier.read(shape, settings)
        # made anew is what comes after, what was in flight with it
        other = words_said(options) is not None or settings["seed"] != earlier.made.seed
        return begun._replace(ahead=None) if other else begun
    if options.start is None:
        return None
    latents = read_start(options.start, shape, settings)
    second, video = options.from_second or 0.0, request.family.video
    return Begun(cut_at(latents, request.clock, second, video))


def gone_on(
    left: Unfinished, request: VideoRequest, given: Begun | None, sizes: tuple[int, int]
) -> tuple[KeptChunks, Begun | None]:
    """Return where chunks are kept, and the frames that are there: of an earlier run, if any."""
    chunks = left.chunks(request.clock)
    begun = chunks.begun((*sizes, request.rows, request.columns), given)
    if begun is not None and begun is not given:
        done = sum(chunk.stop <= begun.frames.shape[2] for chunk in request.clock)
        log.info("going on after %d chunks from %s", done, left.folders[0])
    return chunks, begun
