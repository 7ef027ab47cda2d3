"""Pictures of a video that are encoded once more while it is made, with the host's autoencoder."""

from __future__ import annotations

from comfy.model_base import BaseModel
from torch import Tensor

from ...headforcing_core.decoding import PictureRecoder
from ...headforcing_core.generation import VideoRequest
from .pictures import HostDecoder


def recoder_of(decoder: HostDecoder, model: BaseModel, frames: int) -> PictureRecoder:
    """Return what decodes a video that is being made, and encodes one picture of it by itself.

    Args:
        decoder: loaded, beside the model.
        model: whose latents they are.
        frames: that can be asked for, from the last one back.
    """

    def encode(picture: Tensor) -> Tensor:
        return model.process_latent_in(decoder.encode(picture))

    return PictureRecoder(decoder, model.process_latent_out, encode, frames)


def check_recoder(request: VideoRequest, decoder: object | None) -> None:
    """Refuse a video whose pictures are needed while it is made, if nothing makes them.

    Raises:
        ValueError: if so.
    """
    if decoder is None and request.recodes:
        raise ValueError(
            f"vae must be connected to Head Forcing Sampler for {request.family.title}, which "
            "encodes pictures of the video while it is made, got none; connect one, or a Cache "
            "Method krea with keep_first"
        )
