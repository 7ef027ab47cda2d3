"""The video of a command: decoded and written chunk by chunk, while it is made."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import torch

from ..autoencoders import Autoencoder, PublishedVae, open_vae
from ..files import ABOUT, VideoStyle, check_place, library_versions
from ..generation import VideoRequest
from ..models import Family, WanConfig, fingerprint
from ..reel import (
    Film,
    KeptChunks,
    KeptClips,
    Reel,
    about_video,
    check_folder,
    collect,
    forget,
    key_of,
)
from ..rollout import FinishedChunk
from ..video import PromptSchedule, TimedPrompt
from .ending import end_after

log = logging.getLogger("headforcing")


class Showing:
    """Finished chunks go through an autoencoder into a file that grows.

    However a run ends, the file holds what was finished, and its latents are beside it.

    Args:
        frames: of the whole video.
        prompts: tell where scenes and prompts begin.
        chunks: of the run, whose parts are kept.
        beside: whether latents are put beside the video.
    """

    def __init__(
        self,
        vae: Autoencoder,
        film: Film,
        frames: int,
        device: torch.device,
        prompts: PromptSchedule,
        chunks: KeptChunks,
        beside: bool,
    ):
        self._vae, self._film, self._chunks, self._beside = vae, film, chunks, beside
        self._frames, self._done = frames, 0
        weights = vae.module.state_dict()
        # signs tell no norms and biases apart, and no dtypes
        values = {name: (str(x.dtype), float(x.double().sum())) for name, x in weights.items()}
        key = key_of(fingerprint(weights), values, film.style, library_versions())
        self._reel = Reel(
            vae.decoder,
            device,
            film,
            frames,
            KeptClips(chunks.parts, key),
            prompts.cuts,
            frozenset(prompts.starts),
        )

    def show(self, done: FinishedChunk) -> None:
        """Decode a chunk and hand it on."""
        self._reel.add(done.chunk, self._vae.taken(done.latent))
        self._done = done.chunk.stop

    def settle(self) -> None:
        """Wait until what was handed on is written; see ``Reel``."""
        self._reel.settle()

    def turn(self, film: Film, prompts: PromptSchedule, chunks: KeptChunks, beyond: bool) -> None:
        """Go on as another video that begins with the same chunks.

        Args:
            film: in the same place.
            prompts: see the class.
            chunks: that were moved.
            beyond: a longer video still needs the clips that were.
        """
        self._film, self._chunks = film, chunks
        clips = self._reel.kept.moved(chunks.parts, self._done, copied=beyond)
        self._reel.turn(film, clips, prompts.cuts, frozenset(prompts.starts))

    def close(self) -> None:
        """End the file, elsewhere if the place for it is gone.

        Raises:
            OSError: if it is not where it was meant to be; it says where it is.
        """
        if not self._done:
            self._reel.close()
            return
        forget(self._film.path)
        path = self._reel.end()
        log.info("wrote the video to %s", path)
        if self._beside:
            self._collect(path)

    def _collect(self, path: Path) -> None:
        """Put the latents beside the video; of a run that was stopped they are still needed."""
        try:
            self._chunks.save()
            collect(self._chunks, path, self._done, copied=self._done < self._frames)
        except OSError as error:
            raise OSError(
                f"the latents must be beside the video, got: {error}; they are in "
                f"{self._chunks.place}, and the same command goes on from them"
            ) from error

    def __enter__(self) -> Showing:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        end_after(self.close, error)


def add_video_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--video", metavar="FILE", help="video to write while it is made: .mp4, .mkv or .webm")
    add("--vae", metavar="FILE", help="what turns latents into pictures, for --video: Wan's VAE")
    add(
        "--no-latents",
        action="store_true",
        help="leave out the folder of latents beside the video, NAME.latents, without which "
        "--start cannot go on from it; --out is written or not, whatever this says",
    )


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


def film_of(options: argparse.Namespace, family: Family) -> Film:
    """Return the file that a video becomes; its place is tried.

    Raises:
        ValueError: if it cannot be written there, or is no video by its name.
    """
    path = Path(options.video).absolute()
    film = Film(path, VideoStyle(family.video.fps, container=path.suffix.lower().lstrip(".")))
    check_place(film.path)
    check_place(film.growing)
    if any(file.exists() and not _is_ours(file) for file in (path, film.growing)):
        raise ValueError(
            f"a video may replace only one that this command wrote, got {path}, which is something "
            "else; choose another name"
        )
    if not options.no_latents:
        check_folder(path)
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


def titled(
    film: Film,
    settings: Mapping[str, object],
    prompts: Sequence[TimedPrompt],
    schedule: PromptSchedule,
    request: VideoRequest,
    video: str,
) -> Film:
    """Return a film that says what made it, so that it can go on.

    Args:
        settings: as files of latents say them.
        prompts: none where an embedding is given in their place.
        schedule: when they begin.
        video: its name, which its chunks have as well.
    """
    # prompts are said with the times at which they begin
    own = {name: value for name, value in settings.items() if name != "schedule"}
    family, frames = request.family, request.clock.total_frames
    starts = [family.video.moment(start) for start in schedule.starts] if prompts else []
    about = about_video(own, family.channels, frames, prompts, starts, video)
    return replace(film, metadata={ABOUT: json.dumps(about)})


def _is_ours(path: Path) -> bool:
    from av import open as open_video
    from av.error import FFmpegError

    try:
        with open_video(str(path)) as video:
            # Matroska writes names in capitals
            return ABOUT in map(str.lower, video.metadata)
    except (FFmpegError, OSError, ValueError):
        return False
