"""What users see of a run, and what is kept of it."""

from __future__ import annotations

import logging
import time
from bisect import bisect_right
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
from ...headforcing_core.telemetry import BANDS, LATENT_BANDS, LatentTelemetry, Measures, left
from ...headforcing_core.video import Chunk
from .backbone import HostSizes
from .calls import calls_of
from .stops import STOPS
from .thumbnails import thumbnail
from .video_name import Video
from .watched import WATCHED, origin_of_run, sender
from .watched_run import WatchedRun

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
    # of the chunks that are finished
    frames: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        _ = self.video.name  # now: naming a model takes off what a run has put on it
        self.given = 0 if self.begun is None else self.begun.frames.shape[2]
        self.total = calls_of(self.video.request, self.video.prompts.cuts, self.begun)
        self.begin = time.monotonic()
        self._bar = ProgressBar(self.total)
        model = self.video.model
        self._chosen = latent_preview.get_previewer(model.load_device, model.model.latent_format)
        self._glimpser = _quick_previewer(model.model.latent_format)
        self._quick = None if self._chosen else self._glimpser
        self._told, self._drift = False, ""
        form = video_format(model.model.latent_format.latent_channels)
        self._form, self._latents = form, LatentTelemetry(form.fps / form.time_stride)
        self.watched = WATCHED.begin(self._watched())
        if self.reel is not None:
            for measures in self.reel.measured:
                self._measured(measures)
            self.reel.seen = self._seen

    def called(self, clean: Tensor) -> None:
        """Count a model call, and show its newest frame where previews were asked for."""
        # a new prompt may have the recent past computed again: those calls are not in the total
        self.calls = min(self.calls + 1, self.total)
        self.watched.stepped()
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
        self.done, self.frames = self.done + 1, done.chunk.stop
        if self._quick is not None:  # once per chunk: a look at every call would wait for the GPU
            self._show(self._quick, latent)
        self._watch(done.chunk, latent, kept=not new)
        self._look(done, latent)
        if not new:
            self.begin = time.monotonic()
            return False
        self.made += 1
        self._say((time.monotonic() - self.begin) / self.made)
        return STOPS.asked()

    def turn(self, video: Video, kept: KeptChunks | None) -> None:
        """Go on as another video that begins with the same chunks."""
        self.video, self.kept = video, kept

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
            measures = self._latents.add(latent, cut, changed)
            self._measured(measures)
            news = left(measures, LATENT_BANDS)
        for said in news:
            log.info("Head Forcing: %s", said)
        self._drift = "; ".join(news) or self._drift

    def _watched(self) -> WatchedRun:
        """Return what pages will know of this run."""
        model, clock = self.video.model, self.video.request.clock
        origin, resumed = origin_of_run(), self.begun is not None and self.begun.made > 0
        return WatchedRun(
            origin,
            len(clock),
            sum(chunk.stop <= self.given for chunk in clock) if resumed else 0,
            self._form.fps,
            self.video.request.plan(HostSizes(model)).on(model.load_device).bytes,
            tuple(LATENT_BANDS if self.reel is None else BANDS),
            sender(origin.client),
        )

    def _watch(self, chunk: Chunk, latent: Tensor, kept: bool) -> None:
        """Add a chunk to what pages show, with a picture if the reel will not decode it."""
        form, prompts, picture = self._form, self.video.prompts, None
        if self.reel is None or chunk.stop <= self.reel.known:
            picture = self._glimpse(latent)
        first, stop = (form.first_picture(frame) for frame in (chunk.start, chunk.stop))
        begins = [start for start in prompts.starts if start not in prompts.same]
        prompt = bisect_right(begins, chunk.start)
        self.watched.finished(form.moment(chunk.start), stop - first, prompt, kept, picture)

    def _glimpse(self, latent: Tensor) -> str | None:
        """Return a small picture of a chunk of which only the latent is there."""
        if self._glimpser is None:
            return None
        middle = latent.shape[2] // 2
        shown = self._glimpser.decode_latent_to_preview_image("JPEG", latent[:, :, [middle]])
        return thumbnail(shown[1])

    def _seen(self, chunk: Chunk, pictures: Tensor, measures: Measures) -> None:
        """Add what the reel has of a chunk; called by its thread."""
        self._measured(measures)
        self.watched.pictured(chunk.index + 1, thumbnail(pictures[len(pictures) // 2]))

    def _measured(self, measures: Measures) -> None:
        form, pictures = self._form, self.reel is not None
        frame = -(-measures.first // form.time_stride) if pictures else measures.first
        said = {one.split()[0]: one for one in left(measures, BANDS if pictures else LATENT_BANDS)}
        self.watched.measured(form.moment(frame), measures, said)

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
