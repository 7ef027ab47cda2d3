"""A head profile on disk, so that measuring can stop and go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..files import (
    TensorSource,
    as_list,
    as_number,
    as_object,
    as_words,
    entry,
    json_of,
    named,
    open_tensors,
    replacing,
    shown,
)
from ..video import ModelGeometry
from .head_profile import HeadProfile, Return, Sample
from .returns import MISSED

KEY, VERSION = "headforcing.profile", 1
# far beyond any model, and any video
MOST_SIZES = {"layers": 1024, "heads": 1024, "head_dim": 65_536}
MOST_FRAMES, MOST_NUMBER = 100_000, 1 << 31
# shares are rounded to float32 one by one
ROUNDED = 1e-3


def write_profile(path: str | Path, profile: HeadProfile) -> None:
    """Write a profile as safetensors, whole or not at all.

    Raises:
        OSError: if the disk is full or the place is gone; an older file stays as it was.
    """
    tensors, listed = {}, []
    for number, sample in enumerate(profile.samples):
        tensors[f"mass.{number}"] = sample.mass.contiguous()
        tensors[f"scores.{number}"] = sample.scores.contiguous()
        names = ("prompt", "seed", "chunk", "step", "frames", "current")
        listed.append({name: getattr(sample, name) for name in names})
    for number, back in enumerate(profile.returns):
        tensors[f"returns.{number}"] = back.shifts.contiguous()
    about = {
        "version": VERSION,
        "geometry": asdict(profile.geometry),
        "fingerprint": profile.fingerprint,
        "parameters": profile.parameters,
        "samples": listed,
        "returns": [{"prompt": back.prompt, "seed": back.seed} for back in profile.returns],
    }
    with replacing(Path(path)) as partial:
        save_file(tensors, partial, {KEY: json.dumps(about)})


def read_profile(path: str | Path) -> HeadProfile:
    """Read what ``write_profile`` wrote.

    Raises:
        ValueError: if the file is something else, or damaged.
    """
    source = open_tensors(path)
    try:
        if KEY not in source.metadata:
            raise ValueError(f"it lacks {KEY!r} in its metadata")
        with source.kept_open():
            return _profile(as_object(json_of(source.metadata[KEY]), KEY), source)
    except ValueError as error:
        raise ValueError(f"{named(path)} must be a head profile: {error}") from None


def _profile(about: Mapping[str, object], source: TensorSource) -> HeadProfile:
    version = entry(about, "version")
    if type(version) is not int or version != VERSION:
        raise ValueError(f"version must be {VERSION}, got {shown(version)}")
    sizes = as_object(entry(about, "geometry"), "geometry")
    geometry = ModelGeometry(
        *(as_number(entry(sizes, name), name, most) for name, most in MOST_SIZES.items())
    )
    fingerprint = as_words(entry(about, "fingerprint"), "fingerprint")
    parameters = as_object(entry(about, "parameters"), "parameters")
    listed = as_list(entry(about, "samples"), "samples", len(source.shapes) // 2)
    # files of an earlier version have none
    back = as_list(about.get("returns", []), "returns", len(source.shapes))
    if not listed or len(source.shapes) != 2 * len(listed) + len(back):
        raise ValueError(
            f"it must have two tensors of each sample and one of each return, got "
            f"{len(source.shapes)} of {len(listed)} and {len(back)}"
        )
    samples = tuple(
        _sample(as_object(told, "a sample"), geometry, source, number)
        for number, told in enumerate(listed)
    )
    calls = {(s.prompt, s.seed, s.chunk, s.step) for s in samples}
    if len(calls) < len(samples):
        raise ValueError("samples must be of different calls, got one of them twice")
    returns = tuple(
        _return(as_object(told, "a return"), geometry, source, number)
        for number, told in enumerate(back)
    )
    if len({(each.prompt, each.seed) for each in returns}) < len(returns):
        raise ValueError("returns must be of different videos, got one of them twice")
    return HeadProfile(geometry, fingerprint, parameters, samples, returns)


def _return(
    told: Mapping[str, object], geometry: ModelGeometry, source: TensorSource, number: int
) -> Return:
    prompt, seed = (as_number(entry(told, name), name, MOST_NUMBER) for name in ("prompt", "seed"))
    shifts = _measured(source, f"returns.{number}", (MISSED, geometry.layers, geometry.heads))
    if (shifts.abs() > 1 + ROUNDED).any():
        raise ValueError(f"returns.{number} must be differences of shares, -1 to 1, got others")
    return Return(prompt, seed, shifts)


def _sample(
    told: Mapping[str, object], geometry: ModelGeometry, source: TensorSource, number: int
) -> Sample:
    prompt, seed, chunk = (
        as_number(entry(told, name), name, MOST_NUMBER) for name in ("prompt", "seed", "chunk")
    )
    step = entry(told, "step")
    step = None if step is None else as_number(step, "step", MOST_NUMBER)
    frames = tuple(
        as_number(frame, "frames", MOST_NUMBER)
        for frame in as_list(entry(told, "frames"), "frames", MOST_FRAMES)
    )
    if any(after <= before for before, after in pairwise(frames)):
        raise ValueError(f"frames of sample {number} must ascend")
    current = as_number(entry(told, "current"), "current", len(frames), 1)
    shape = (geometry.layers, geometry.heads, len(frames))
    mass, scores = (_measured(source, f"{name}.{number}", shape) for name in ("mass", "scores"))
    sums = mass.double().sum(-1)
    if (mass < 0).any() or (sums - 1).abs().max() > ROUNDED:
        raise ValueError(f"mass.{number} must be shares that sum to 1, got others")
    return Sample(prompt, seed, chunk, step, frames, current, mass, scores)


def _measured(source: TensorSource, name: str, shape: tuple[int, ...]) -> Tensor:
    if source.shapes.get(name) != shape:
        raise ValueError(
            f"{name} must be {list(shape)}, got {list(source.shapes.get(name, ()))[:4]}"
        )
    with source.reading(name) as stored:
        if stored.dtype != torch.float32 or stored.layout is not torch.strided:
            raise ValueError(f"{name} must be float32, got {stored.dtype}, {stored.layout}")
        if not stored.isfinite().all():
            raise ValueError(f"{name} must be finite numbers, got NaN or infinity")
        return stored.clone()
