"""A video made by the sampler: gone on from what there is of it, kept, shown, and ended."""

from __future__ import annotations

import logging
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import comfy.model_management
from comfy_execution.utils import get_executing_context
from torch import Tensor

from ...headforcing_core.files import claimed, library_versions
from ...headforcing_core.reel import (
    Film,
    KeptChunks,
    KeptClips,
    Reel,
    collect,
    key_of,
    latents_folder,
)
from ...headforcing_core.rollout import Begun
from . import unfinished
from .host_film import FilmSettings
from .pictures import HostDecoder
from .progress import Progress, tell
from .run_on_the_way import RunOnTheWay
from .sampling import HostVideo
from .steering import STEERING
from .stops import STOPS
from .told import Told
from .unfinished import Unfinished
from .video_name import Video
from .watched import origin_of_run

log = logging.getLogger("headforcing")


@dataclass(frozen=True)
class Screen:
    """How a video is shown while it is made.

    Args:
        decoder: latents to pictures.
        settings: of the file.
        keep_latents: they stay beside the file.
    """

    decoder: HostDecoder
    settings: FilmSettings
    keep_latents: bool = True


class Made(NamedTuple):
    """latent: ``[1, C, F, Y, X]``.

    path: the file of its pictures, if they were shown.
    told: what it was told, on the way, too.
    """

    latent: Tensor
    path: Path | None
    told: Told | None


@dataclass(frozen=True)
class Making:
    """A video to make, and to show if there is a screen.

    Args:
        told: where its words come from, to which others may come on the way; None: none may.
    """

    video: Video
    screen: Screen | None = None
    told: Told | None = None

    def run(self) -> Made:
        """Make it.

        What is finished of an interrupted or failed run is kept, and the next one goes on from it.

        Raises:
            RuntimeError: if a device has not enough memory; it says what to lower.
        """
        context = get_executing_context()
        STOPS.begin(context and context.node_id)
        if self.told is not None:
            STEERING.begin(origin_of_run(), self.told.check)
        told = None
        try:
            return self._made(context and context.prompt_id)
        except comfy.model_management.OOM_EXCEPTION as error:
            told = str(error).splitlines()[0]
        finally:
            STEERING.end()
            STOPS.end()
        # out of the block: what failed holds on to caches and weights as long as it is looked at
        comfy.model_management.soft_empty_cache()
        raise RuntimeError(
            "the device must have room for model, caches and pictures, got out of memory; what is "
            "finished is kept and gone on from: choose a tile size for the VAE, a method with "
            f"smaller caches, or less width and height ({told})"
        )

    def _made(self, prompt: str | None) -> Made:
        video = self.video
        left = Unfinished(video.name)
        unfinished.clear(left)
        chunks = KeptChunks(left.parts, video.request.clock, video.name)
        with ExitStack() as held:
            # what a longer one has begun is still to play, and to be gone on with
            film, before = None, None if chunks.beyond else left.film
            if self.screen is not None:
                request, decoder = video.request, self.screen.decoder
                size = decoder.size(request.rows, request.columns)
                film = held.enter_context(self.screen.settings.holding(*size, before))
            left.begin(left.film if chunks.beyond else film and film.path)
            made = self._filmed(left, chunks, film, prompt)
        if film is not None and before is not None and Path(before) != film.path:
            # of a run under another name, whose chunks are all in this one
            with suppress(ValueError, OSError), claimed(Path(before)):
                Film.growing_of(Path(before)).unlink(missing_ok=True)
        return made

    def _filmed(
        self, left: Unfinished, chunks: KeptChunks, film: Film | None, prompt: str | None
    ) -> Made:
        video = self.video
        clock, begun = video.request.clock, self._begun(chunks)
        if begun is not None and begun.made:
            there = sum(chunk.stop <= begun.frames.shape[2] for chunk in clock)
            log.info("Head Forcing: going on after %d chunks from %s", there, left.place)
        reel = None if film is None else self._reel(left, film)
        progress = Progress(video, begun, chunks, reel)
        run = RunOnTheWay(video, self.told, left, chunks, reel, progress)
        latent = path = None
        with progress.watched:
            try:
                latent = self._sampled(run, begun)
                path = None if reel is None else reel.end()
            finally:
                if reel is not None:
                    reel.close()
                if latent is None:
                    progress.interrupted()
        self._collect(run, path, latent.shape[2])
        if latent.shape[2] < clock.total_frames:
            tell(f"stopped as asked after {progress.done} of {len(clock)} chunks")
        elif not run.chunks.beyond:  # else a longer one has begun, and is to be gone on with
            run.left.ended(prompt)
        latent = latent.to(comfy.model_management.intermediate_device())
        return Made(latent, path, run.told)

    def _begun(self, chunks: KeptChunks) -> Begun | None:
        video = self.video
        network = video.model.get_model_object("diffusion_model")
        given = video.start
        if given is not None:
            given = video.model.model.process_latent_in(given.float())
        shape = (1, network.in_dim, video.request.rows, video.request.columns)
        return chunks.begun(shape, given)

    def _collect(self, run: RunOnTheWay, path: Path | None, frames: int) -> None:
        """Put the latents beside the video, so that it can go on."""
        if path is None or not self.screen.keep_latents:
            return
        try:
            # noted first: what is killed while it moves them is looked for in both places
            run.left.collected(latents_folder(path))
            collect(run.chunks, path, frames, copied=run.chunks.beyond)
        except OSError as error:
            log.warning("Head Forcing: not all latents are beside the video: %s", error)

    def _sampled(self, run: RunOnTheWay, begun: Begun | None) -> Tensor:
        video = self.video
        of = HostVideo(
            video.request,
            *run.said,
            video.start,
            begun,
            run.progress.finished,
            run.progress.called,
            decoder=None if self.screen is None else self.screen.decoder,
            steer=run.steer,
        )
        return of.sample(video.model)

    def _reel(self, left: Unfinished, film: Film) -> Reel:
        decoder, prompts = self.screen.decoder, self.video.prompts
        key = key_of(decoder.key, film.style, library_versions())
        return Reel(
            decoder,
            decoder.device,
            film,
            self.video.request.clock.total_frames,
            KeptClips(left.parts, key),
            prompts.cuts,
            frozenset(prompts.starts),
        )
