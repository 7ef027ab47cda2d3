"""What users see of a run, and what is kept of it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

import latent_preview
import torch
from comfy.latent_formats import LatentFormat
from comfy.utils import ProgressBar
from comfy_execution.utils import get_executing_context
from latent_preview import LatentPreviewer
from torch import Tensor

from ...headforcing_core.models import video_format
from ...headforcing_core.reel import KeptChunks, Reel
from ...headforcing_core.rollout import Begun, FinishedChunk
from ...headforcing_core.telemetry import LATENT_BANDS, LatentTelemetry, left
from .calls import calls_of
from .stops import STOPS
from .video_name import Video

log = logging.getLogger("headforcing")


def _quick_previewer(latents: LatentFormat) -> LatentPreviewer | None:
    """Return what shows latents where a host was asked for no previews, as it is by default.

    A video of minutes is not to be waited for blind.
    """
    if latents.latent_rgb_factors is None:
        return None
    factors = latents.latent_rgb_factors, latents.latent_rgb_factors_bias
    reshape = getattr(latents, "latent_rgb_factors_reshape", None)
    return latent_preview.Latent2RGBPreviewer(*factors, reshape)


@dataclass
class Progress:
    """Follows one run: bar, previews, a line of text on the node, its chunks and its pictures.

    Args:
        begun: frames that are there already: they are remembered, not made.
        kept: every chunk that is made goes there; None: nowhere.
        reel: every chunk is shown in it; None: nowhere.
        done: chunks that are finished.
    """

    video: Video
    begun: Begun | None = None
    kept: KeptChunks | None = None
    reel: Reel | None = None
    done: int = 0
    calls: int = field(default=0, init=False)
    made: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        _ = self.video.name  # now: naming a model takes off what a run has put on it
        self.given = 0 if self.begun is None else self.begun.frames.shape[2]
        self.total = calls_of(self.video.request, self.video.prompts.cuts, self.begun)
        self.begin = time.monotonic()
        self._bar = ProgressBar(self.total)
        model = self.video.model
        self._chosen = latent_preview.get_previewer(model.load_device, model.model.latent_format)
        self._quick = None if self._chosen else _quick_previewer(model.model.latent_format)
        self._told, self._drift = False, ""
        form = video_format(model.model.latent_format.latent_channels)
        self._latents = LatentTelemetry(form.fps / form.time_stride)

    def called(self, clean: Tensor) -> None:
        """Count a model call, and show its newest frame where previews were asked for."""
        # a new prompt may have the recent past computed again: those calls are not in the total
        self.calls = min(self.calls + 1, self.total)
        # of chunks that are denoised together the first is the least noisy
        self._show(self._chosen, clean[:, :, : self.video.request.family.frames_per_chunk])

    def _show(self, previewer: LatentPreviewer | None, clean: Tensor) -> None:
        picture = None
        if previewer is not None:
            picture = previewer.decode_latent_to_preview_image("JPEG", clean[:, :, -1:])
        self._bar.update_absolute(self.calls, self.total, picture)

    def finished(self, done: FinishedChunk) -> bool:
        """Keep and show a chunk, and say how long the rest will take.

        Returns:
            whether somebody asked to stop here.

        Raises:
            RuntimeError: if the chunk is NaN or infinite: all that follows would be too.
        """
        latent = done.latent.cpu()
        if not torch.isfinite(latent).all():
            raise RuntimeError(
                f"latents must stay finite, got NaN or infinity from frame {done.chunk.start} on; "
                "the dtype may be too narrow for this model: load it as bf16"
            )
        new = done.chunk.stop > self.given
        if self.kept is not None:
            self._keep(done, latent)
        self.done += 1
        if self._quick is not None:  # once per chunk: a look at every call would wait for the GPU
            self._show(self._quick, latent)
        self._look(done, latent)
        if not new:
            self.begin = time.monotonic()
            return False
        self.made += 1
        self._say((time.monotonic() - self.begin) / self.made)
        return STOPS.asked()

    def interrupted(self) -> None:
        """Say on the node that and where the work is kept."""
        if self.kept is None or not self.done:
            return
        chunks = len(self.video.request.clock)
        said = f"stopped after {self.done} of {chunks} chunks"
        try:
            self.kept.save()
        except OSError as error:
            tell(f"{said}; the last {len(self.kept.waiting)} could not be saved: {error}")
            return
        tell(
            f"{said}; they are kept in {self.kept.place}, and the same video goes on from there "
            "when it is queued again"
        )

    def _for_vae(self, done: FinishedChunk, latent: Tensor) -> Tensor:
        start, chunk = self.video.start, done.chunk
        shown = self.video.model.model.process_latent_out(latent)
        if start is None:
            return shown
        given = start[:, :, chunk.start : chunk.stop].float()  # as they came, bit by bit
        return torch.cat([given, shown[:, :, given.shape[2] :]], 2)

    def _keep(self, done: FinishedChunk, latent: Tensor) -> None:
        """Keep a chunk; a full disk is no reason to stop, it may be mended."""
        try:
            self.kept.write(done.chunk, latent, done.ahead)
        except OSError as error:
            if not self._told:
                log.warning("Head Forcing: not saved yet: %s", error)
            self._told = True

    def _look(self, done: FinishedChunk, latent: Tensor) -> None:
        """Show a chunk, and learn how the video drifts: in pictures where there are any."""
        if self.reel is not None:
            self.reel.add(done.chunk, self._for_vae(done, latent))
            news = self.reel.news()
        else:
            prompts, start = self.video.prompts, done.chunk.start
            cut, changed = start in prompts.cuts, start in prompts.starts
            news = left(self._latents.add(latent, cut, changed), LATENT_BANDS)
        for said in news:
            log.info("Head Forcing: %s", said)
        self._drift = "; ".join(news) or self._drift

    def _say(self, each: float) -> None:
        chunks = len(self.video.request.clock)
        rest = each * (chunks - self.done)
        said = f"chunk {self.done} of {chunks}, {each:.2f} s each, {rest:.0f} s left"
        tell("; ".join(filter(None, (said, self._drift))))


def tell(text: str) -> None:
    """Say something in the log and on the node that runs."""
    log.info("Head Forcing: %s", text)
    context = get_executing_context()
    if context is not None:
        from server import PromptServer  # there is one where a node runs, not in every script

        PromptServer.instance.send_progress_text(text, context.node_id)
