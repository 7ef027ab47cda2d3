"""Options that say what is asked for: how long, how large, how the past is kept."""

from __future__ import annotations

import argparse

from ..bounds import check_within
from ..files import shown
from ..generation import VideoRequest
from ..methods import (
    ALL_HEADS,
    NAMES,
    Alike,
    HeadMap,
    Method,
    PositionRule,
    read_head_map,
    settings_named,
    with_values,
)
from ..models import Family, choose_family
from .words import LONGEST_TEXT


def add_method_options(parser: argparse.ArgumentParser) -> None:
    """Add what says how the past is kept and how chunks are made."""
    add = parser.add_argument
    add(
        "--method",
        metavar="NAME",
        help=f"how the past is kept (default: as the family does): {', '.join(NAMES)}",
    )
    add(
        "--set",
        action="append",
        metavar="NAME=VALUE",
        help="a setting of the method; kv_dtype and offload without one, too",
    )
    add("--map", metavar="FILE", help="head map, for methods that tell heads apart")
    add(
        "--window",
        metavar="N",
        type=int,
        help="frames a head sees, sink and current chunk included",
    )
    add("--sink", metavar="N", type=int, help="first frames that are never forgotten")
    add(
        "--positions",
        choices=[rule.value for rule in PositionRule],
        help="where RoPE is told kept frames stand (contiguous: closed up, within the horizon)",
    )
    add(
        "--steps",
        metavar="N,N",
        type=_steps,
        help="denoising steps before the shift, e.g. 1000,750,500,250",
    )
    add(
        "--shift",
        metavar="N",
        type=float,
        help="timestep shift; models of all families were trained with 5",
    )
    add(
        "--first-chunk",
        metavar="N",
        type=int,
        help="frames of the first chunk (1 to start from an image)",
    )
    # only an earlier video says them
    parser.set_defaults(sigmas=None)


def request_of(options: argparse.Namespace) -> VideoRequest:
    """Check all that can be checked before a model is loaded."""
    family = choose_family(options.model, options.family).tuned(
        steps=options.steps,
        shift=options.shift,
        sigmas=options.sigmas,
        window=options.window,
        sink=options.sink,
        positions=PositionRule(options.positions) if options.positions else None,
    )
    check_within("--text-tokens", options.text_tokens, 1, LONGEST_TEXT)
    rows, columns = family.video.latent_size(options.width, options.height)
    frames = family.video.latent_frames(options.seconds)
    method, head_map = _method(options, family)
    return VideoRequest(
        family, frames, rows, columns, options.seed, options.first_chunk, method, head_map
    )


def _method(options: argparse.Namespace, family: Family) -> tuple[Method | None, HeadMap | None]:
    if options.method is None:
        if options.map:
            raise ValueError("--map must come with --method, got none")
        return (_own(family, options.set) if options.set else None), None
    for name in ("window", "sink", "positions"):
        if getattr(options, name) is not None:
            raise ValueError(
                f"--{name} is of the family's own window; with --method, use --set {name}=..."
            )
    settings = with_values(settings_named(options.method), options.set or [])
    head_map = None if options.map is None else read_head_map(options.map)
    return settings.build(family.frames_per_chunk), head_map


def _own(family: Family, assignments: list[str]) -> Method:
    """Return the way of a family's authors, in as many bits and where it is said."""
    try:
        kept = with_values(Alike(), assignments)
    except ValueError as error:
        raise ValueError(f"{error}; --set of all else must come with --method") from error
    return family.method.kept_in({ALL_HEADS: kept.kv_dtype}).offloading(kept.offload)


def _steps(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be whole numbers with commas between them, got {shown(text)}"
        ) from None
