"""Options that say how a checkpoint is loaded, and loading it."""

from __future__ import annotations

import argparse
import logging
from collections.abc import MutableMapping
from pathlib import Path

import torch

from ..device import usual_dtype
from ..models import Family, Lora, WanModel, WeightDtype, load_checkpoint

log = logging.getLogger("headforcing")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def add_loading_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--family",
        metavar="NAME",
        help="how the model is run; needed when the file name does not tell",
    )
    add("--lora", metavar="FILE", help="adapter merged into the model, e.g. LongLive's lora.pt")
    add("--lora-strength", metavar="N", type=float, help="how much of it (default 1)")
    add("--heads", metavar="N", type=int, help="attention heads, if not of 128 channels each")
    add("--dtype", choices=DTYPES, help="default: bfloat16 on a GPU, float32 on a CPU")
    add(
        "--weight-dtype",
        choices=[kept.value for kept in WeightDtype],
        help="what weights are kept in: same, as --dtype (default); stored, matrices that the file "
        "has in fp8 stay so, with the same results; fp8, others are rounded to it, too",
    )
    add(
        "--device",
        metavar="NAME",
        help="cuda, cuda:1, mps, xpu, cpu (default: a GPU if there is one)",
    )


def check_lora(options: argparse.Namespace) -> None:
    """Refuse a strength without an adapter."""
    if options.lora_strength is not None and options.lora is None:
        raise ValueError("--lora-strength must come with --lora, got no adapter")


def dtype_of(options: argparse.Namespace, device: torch.device) -> torch.dtype:
    """Return what the model will compute in."""
    return DTYPES[options.dtype] if options.dtype else usual_dtype(device)


def weight_dtype_of(options: argparse.Namespace) -> WeightDtype:
    """Return what weights will be kept in."""
    return WeightDtype(options.weight_dtype or WeightDtype.SAME)


def lora_strength_of(options: argparse.Namespace) -> float | None:
    """Return how much of an adapter is merged; None: there is none."""
    if options.lora is None:
        return None
    return 1.0 if options.lora_strength is None else options.lora_strength


def load_model(
    options: argparse.Namespace,
    family: Family,
    device: torch.device,
    kept: MutableMapping[object, WanModel] | None = None,
) -> WanModel:
    """Load the checkpoint of ``options.model`` as its options say.

    Args:
        kept: what was loaded last, which is not loaded twice; what is loaded now takes its place.
    """
    if kept is None:
        return _loaded(options, family, device)
    paths = (options.model, options.lora)
    dtypes = (dtype_of(options, device), weight_dtype_of(options))
    as_said = (options.heads, options.lora_strength, *dtypes, device)
    key = (family.name, *as_said, *map(_as_it_is, paths))
    if key not in kept:
        kept.clear()  # before the next, so that there is room for it
        kept[key] = _loaded(options, family, device)
    return kept[key]


def _as_it_is(path: str | None) -> tuple[object, ...]:
    """Return what changes when a file does, or one in a folder."""
    if path is None:
        return ()
    place = Path(path)
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    return (str(place.absolute()), *((f.stat().st_size, f.stat().st_mtime_ns) for f in files))


def _loaded(options: argparse.Namespace, family: Family, device: torch.device) -> WanModel:
    lora = None
    if options.lora is not None:
        lora = Lora.open(options.lora, lora_strength_of(options))
    elif family.with_lora:
        log.warning(
            "%s is published as a base model and an adapter: without --lora this is the base "
            "alone, unless the file has both merged",
            family.title,
        )
    log.info("loading %s", Path(options.model).name)
    loaded = load_checkpoint(
        options.model,
        family=family.name,
        heads=options.heads,
        lora=lora,
        dtype=dtype_of(options, device),
        device=device,
        weight_dtype=weight_dtype_of(options),
    )
    return loaded.model
