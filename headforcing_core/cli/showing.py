"""The video of a command: decoded and written chunk by chunk, while it is made."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import torch

from ..autoencoders import Autoencoder, PublishedVae, open_vae
from ..files import Parts, VideoStyle, check_place, library_versions
from ..models import WAN_VIDEO, WanConfig, fingerprint
from ..reel import Film, KeptClips, Reel, key_of
from ..rollout import FinishedChunk
from ..stopping import undisturbed

log = logging.getLogger("headforcing")
# what made a video is said in its metadata under this name
KEY = "headforcing"


class Showing:
    """Finished chunks go through an autoencoder into a file that grows.

    However a run ends, the file holds what was finished.
    """

    def __init__(
        self, vae: Autoencoder, film: Film, frames: int, device: torch.device, parts: Parts
    ):
        self._vae, self._film = vae, film
        weights = vae.module.state_dict()
        sizes = {name: str(weight.dtype) for name, weight in weights.items()}
        key = key_of(fingerprint(weights), sizes, film.style, library_versions())
        self._reel = Reel(vae.decoder, device, film, frames, KeptClips(parts, key))
        self._began = False

    def show(self, done: FinishedChunk) -> None:
        """Decode a chunk and hand it on."""
        self._reel.add(done.chunk, self._vae.taken(done.latent))
        self._began = True

    def close(self) -> None:
        """End the file, elsewhere if the place for it is gone.

        Raises:
            OSError: if it is not where it was meant to be; it says where it is.
        """
        if not self._began:
            self._reel.close()
            return
        log.info("wrote the video to %s", self._reel.end())

    def __enter__(self) -> Showing:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with undisturbed():
                self.close()
        except (OSError, RuntimeError) as failure:
            if error is None:
                raise
            log.warning("%s", failure)  # what went wrong first is the one to be raised


def add_video_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--video", metavar="FILE", help="video to write while it is made: .mp4, .mkv or .webm")
    add("--vae", metavar="FILE", help="what turns latents into pictures, for --video: Wan's VAE")


def check_video_options(options: argparse.Namespace) -> None:
    """Refuse a video without an autoencoder, and a run that writes nothing.

    Raises:
        ValueError: if it is one.
    """
    if options.video is None and options.out is None:
        raise ValueError("one of --video, --out must say where to write, got none")
    if (options.video is None) != (options.vae is None):
        one, other = ("--vae", "--video") if options.video is None else ("--video", "--vae")
        raise ValueError(f"{one} must come with {other}, got none")


def film_of(options: argparse.Namespace) -> Film:
    """Return the file that a video becomes; its place is tried.

    Raises:
        ValueError: if it cannot be written there, or is no video by its name.
    """
    path = Path(options.video).absolute()
    film = Film(path, VideoStyle(WAN_VIDEO.fps, container=path.suffix.lower().lstrip(".")))
    check_place(film.path)
    check_place(film.growing)
    if path.exists() and not _is_ours(path):
        raise ValueError(
            f"a video may replace only one that this command wrote, got {path}, which is something "
            "else; choose another name"
        )
    return film


def vae_of(options: argparse.Namespace) -> PublishedVae:
    """Look at the autoencoder that options name; none of its weights is read.

    Raises:
        ValueError: if it is none of Wan's.
        RuntimeError: if what runs it is not installed.
    """
    return open_vae(options.vae)


def check_vae(vae: PublishedVae, config: WanConfig) -> None:
    """Refuse an autoencoder of other latents than a model makes.

    Raises:
        ValueError: if it is one.
    """
    if vae.channels != config.in_dim:
        raise ValueError(
            f"--vae must take the {config.in_dim} latent channels that the model makes, got one "
            f"that takes {vae.channels}"
        )


def titled(film: Film, settings: Mapping[str, object]) -> Film:
    """Return a film that says what made it."""
    return replace(film, metadata={KEY: json.dumps(settings)})


def _is_ours(path: Path) -> bool:
    from av import open as open_video
    from av.error import FFmpegError

    try:
        with open_video(str(path)) as video:
            # Matroska writes names in capitals
            return KEY in map(str.lower, video.metadata)
    except (FFmpegError, OSError, ValueError):
        return False
