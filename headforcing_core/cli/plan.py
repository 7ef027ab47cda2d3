"""``headforcing plan``: what a video will take, before anything is loaded or made."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from math import ceil

import torch

from ..bounds import check_within
from ..device import GIB, choose_device
from ..files import shown
from ..inspection import (
    CARDS,
    Forecast,
    Free,
    Shares,
    check_fits,
    free_in,
    table,
    told_shares,
)
from ..methods import MOST_HEADS
from ..models import WAN_TEXT_TOKENS
from .foresight import foreseen
from .loading import add_loading_options
from .request_options import add_method_options, request_of
from .saying import refuse_said
from .showing import vae_of
from .size_option import add_size_option, config_of

# without a file, and where none is chosen
FAMILY = "self_forcing"
# a GPU that is not here
ELSEWHERE = "cuda"
MOST_FREE = 10_000


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "plan",
        help="say what a video will take, and whether it fits here",
        description="Say how long a video is and what memory it takes: caches by type of head, "
        "weights, what a model call needs, latents. Nothing is loaded: of a model's file only the "
        "shapes are read. The exit code is 2 where it does not fit.",
    )
    add = parser.add_argument
    add("--model", metavar="FILE", help="as generate takes it (default: the family's sizes)")
    add_size_option(parser)
    add("--vae", metavar="FILE", help="what decodes beside it, as generate --video does")
    add("--seconds", metavar="N", type=float, default=60.0, help="length (default 60)")
    add("--width", metavar="N", type=int, default=832, help="pixels (default 832)")
    add("--height", metavar="N", type=int, default=480, help="pixels (default 480)")
    add_method_options(parser)
    add("--text-tokens", metavar="N", type=int, default=WAN_TEXT_TOKENS, help="rows of a prompt")
    add_loading_options(parser)
    add("--free", metavar="GIB", type=float, help="for a GPU that is not here, with so much free")
    add(
        "--ranks",
        metavar="N",
        type=int,
        default=1,
        help="on so many devices, by torchrun: how even, what is swapped, about how fast",
    )
    add("--json", action="store_true", help="print JSON, sizes in bytes")
    parser.set_defaults(run=run, seed=0)
    return parser


def run(options: argparse.Namespace) -> int:
    device = _device(options)
    check_within("--ranks", options.ranks, 1, MOST_HEADS)
    from_file = options.model is not None
    if not from_file:
        of_file = "must come with --model, got a size alone"
        refuse_said(options, ("lora", "lora_strength", "heads"), of_file)
        options.model = options.family = options.family or FAMILY
    elif options.size is not None:
        raise ValueError("--size must come without --model, got both; the file tells its size")
    vae = None if options.vae is None else vae_of(options)
    request, ranks = request_of(options), options.ranks
    config = None if from_file else config_of(options, request.family)
    forecast = foreseen(options, request, device, config, vae=vae, ranks=ranks)
    free = free_in(forecast) if options.free is None else _free(options.free, forecast)
    shares = None
    if options.ranks > 1:
        shares = Shares(forecast.sizes.config, forecast.plan, options.text_tokens)
    if options.json:
        sys.stdout.write(_as_json(forecast, free, shares))
    else:
        sys.stdout.write(table(forecast, free) + (told_shares(shares) if shares else ""))
    sys.stdout.flush()
    check_fits(forecast, free)
    if not options.json:
        sys.stdout.write("it fits\n" if None not in free.values() else "")
    return 0


def _device(options: argparse.Namespace) -> torch.device:
    if options.free is None:
        return choose_device(options.device)
    if options.device not in (None, ELSEWHERE):
        raise ValueError(
            "--free must come without --device: it is of a CUDA GPU that is not here, got "
            f"{shown(options.device)}"
        )
    check_within("--free", options.free, 0, MOST_FREE, "GiB")
    return torch.device(ELSEWHERE)


def _free(gib: float, forecast: Forecast) -> Free:
    device, *_ = forecast.places
    return {device: ceil(gib * GIB)}


def _as_json(forecast: Forecast, free: Free, shares: Shares | None) -> str:
    width, height = forecast.size
    told = {
        "method": forecast.request.fitted_method.name,
        "seconds": forecast.seconds,
        "latent_frames": forecast.frames,
        "pictures": forecast.pictures,
        "chunks": forecast.chunks,
        "width": width,
        "height": height,
        "rows": [asdict(row) for row in forecast.rows],
        "peak": {place: forecast.peak(place) for place in forecast.places},
        "free": dict(free),
    }
    if forecast.plan.host_bytes:
        ways = zip(("to_device", "to_host"), forecast.crossed, strict=True)
        told["chunk_copies"] = {way: each._asdict() for way, each in ways}
    if shares is not None:
        told["ranks"] = {
            "caches": shares.bytes,
            "fullest_of_mean": shares.balance,
            "fullest_of_mean_by_count": shares.balance_by_count,
            "collectives_per_call": shares.traffic.collectives,
            "sent_per_call": [shares.traffic.sent(rank) for rank in range(shares.ranks)],
            "estimated_times_as_fast": {
                f"{link / 1e9:g} GB/s": shares.faster(CARDS, link) for link in CARDS.links
            },
        }
    return json.dumps(told, indent=1) + "\n"
