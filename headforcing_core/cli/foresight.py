"""What a run will take, told before a weight is read, and whether it fits."""

from __future__ import annotations

import argparse
import logging

import torch

from ..autoencoders import PublishedVae
from ..files import open_tensors
from ..generation import VideoRequest
from ..inspection import Forecast, Free, ModelSizes, check_fits, free_in, table
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
    if config is None:
        sizes = sizes_of(options, family, device)
    else:
        sizes = ModelSizes.plain(config, dtype, 1 + family.two_experts, weight_dtype_of(options))
    decoding = None
    if vae is not None:
        check_vae(vae, sizes.config)

        def decoding(rows: int, columns: int) -> int:
            return vae.room(rows, columns, dtype, chunk)

    tokens = prompts * options.text_tokens
    return Forecast(request, sizes, tokens, device, decoding, batch=batch, ranks=ranks)


def sizes_of(options: argparse.Namespace, family: Family, device: torch.device) -> ModelSizes:
    """Return the sizes of the model that options name; of its file only shapes are read.

    Raises:
        ValueError: see ``published_of``.
    """
    published, kept = published_of(options, family), weight_dtype_of(options)
    dtype = dtype_of(options, device)
    return ModelSizes.of_file(published, dtype, kept, with_lora=options.lora is not None)


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
    # a start has its size
    check_unless(options.anyway, forecast, free, start_frames=int(options.start is not None))
    return table(forecast, free).rstrip("\n")


def check_unless(
    anyway: bool, forecast: Forecast, free: Free, start_frames: int = 0, measuring: bool = False
) -> None:
    """Refuse what cannot fit, or only warn of it.

    Args:
        start_frames, measuring: see ``check_fits``.

    Raises:
        RuntimeError: if it does not fit and is not to be tried all the same.
    """
    try:
        check_fits(forecast, free, start_frames=start_frames, measuring=measuring)
    except RuntimeError as error:
        if not anyway:
            raise RuntimeError(f"{error}; --anyway tries all the same") from error
        log.warning("%s", error)
