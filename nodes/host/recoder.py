"""Pictures of a video that are encoded once more while it is made, with the host's autoencoder."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from comfy.model_base import BaseModel
from torch import Tensor

from ...headforcing_core.generation import VideoRequest
from ...headforcing_core.methods import KreaRealtime
from ...headforcing_core.models import Family
from .pictures import HostDecoder


class HostRecoder:
    """Decodes a video frame by frame, and encodes one picture of it by itself; see ``Recoder``.

    Args:
        decoder: loaded, beside the model.
        model: whose latents they are.
        frames: that can be asked for, from the last one back.
    """

    def __init__(self, decoder: HostDecoder, model: BaseModel, frames: int):
        self.decoder, self.model = decoder, model
        self._decoding = decoder.begin()
        self._last: deque[Tensor] = deque(maxlen=frames)

    def add(self, latent: Tensor) -> None:
        for frame in self.model.process_latent_out(latent).split(1, 2):
            self._last.append(self._decoding.decode(frame)[-1:].clone())

    def frame(self, back: int) -> Tensor:
        latent = self.decoder.encode(self._last[-1 - back])
        return self.model.process_latent_in(latent)


def recodes(request: VideoRequest) -> bool:
    """Say whether a video's own pictures are encoded while it is made."""
    rule = request.fitted_method.rebuilt
    return rule is not None and not rule.keep_first


def without_pictures(family: Family) -> Family:
    """Return a family that is run where no autoencoder is at hand: it keeps the first frame."""
    if not isinstance(family.keeps, KreaRealtime):
        return family
    return replace(family, keeps=replace(family.keeps, keep_first=True))


def check_recoder(request: VideoRequest, decoder: object | None) -> None:
    """Refuse a video whose pictures are needed while it is made, if nothing makes them.

    Raises:
        ValueError: if so.
    """
    if decoder is None and recodes(request):
        raise ValueError(
            f"vae must be connected to Head Forcing Sampler for {request.family.title}, which "
            "encodes pictures of the video while it is made, got none; connect one, or a Cache "
            "Method krea with keep_first"
        )
