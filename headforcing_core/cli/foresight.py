"""What a run will take, told before a weight is read, and whether it fits."""

from __future__ import annotations

import argparse
import logging

import torch

from ..autoencoders import PublishedVae
from ..files import open_tensors
from ..generation import VideoRequest
from ..inspection import Forecast, ModelSizes, check_fits, free_in, table
from ..models import Family, Published, WanConfig, read_published
from .loading import dtype_of, weight_dtype_of
from .showing import check_vae

log = logging.getLogger("headforcing")


def foreseen(
    options: argparse.Namespace,
    request: VideoRequest,
    device: torch.device,
    config: WanConfig | None = None,
    prompts: int = 1,
    batch: int = 1,
    vae: PublishedVae | None = None,
    ranks: int = 1,
) -> Forecast:
    """Return what is known of a run; of the model's file only the shapes are read.

    Args:
        config: of a model that is not here, in place of the file's.
        prompts: one after the other; the keys of all are kept from the beginning.
        batch: videos side by side.
        vae: what turns latents into pictures beside it.
        ranks: processes that make the video together.

    Raises:
        ValueError: if the file is no model that can be run, or the request does not fit it.
    """
    family = request.family
    dtype, chunk = dtype_of(options, device), family.frames_per_chunk
    kept, with_lora = weight_dtype_of(options), options.lora is not None
    if config is None:
        sizes = ModelSizes.of_file(published_of(options, family), dtype, kept, with_lora)
    else:
        sizes = ModelSizes.plain(config, dtype, 1 + family.two_experts, kept)
    decoding = None
    if vae is not None:
        check_vae(vae, sizes.config)

        def decoding(rows: int, columns: int) -> int:
            return vae.room(rows, columns, dtype, chunk)

    tokens = prompts * options.text_tokens
    return Forecast(request, sizes, tokens, device, decoding, batch=batch, ranks=ranks)


def published_of(options: argparse.Namespace, family: Family) -> Published:
    """Return what the file holds that options name; only shapes are read of it.

    Raises:
        ValueError: if it is no model that can be run as the family is.
    """
    source = open_tensors(options.model, prefer=family.weights)
    published = read_published(source, options.heads, two_experts=family.two_experts)
    family.check_config(published.config)
    return published


def check_before(
    options: argparse.Namespace,
    request: VideoRequest,
    device: torch.device,
    prompts: int = 1,
    batch: int = 1,
    vae: PublishedVae | None = None,
    ranks: int = 1,
) -> str:
    """Refuse what cannot fit here; return what the run will take, as lines of text.

    Args:
        prompts, batch, vae, ranks: see ``foreseen``.

    Raises:
        ValueError: if the file is no model that can be run.
        RuntimeError: if there is not enough memory, and ``options.anyway`` does not say to try.
    """
    forecast = foreseen(
        options, request, device, prompts=prompts, batch=batch, vae=vae, ranks=ranks
    )
    free = free_in(forecast)
    try:
        # a start has its size
        check_fits(forecast, free, start_frames=int(options.start is not None))
    except RuntimeError as error:
        if not options.anyway:
            raise RuntimeError(f"{error}; --anyway tries all the same") from error
        log.warning("%s", error)
    return table(forecast, free).rstrip("\n")
