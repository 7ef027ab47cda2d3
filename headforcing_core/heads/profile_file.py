"""A head profile on disk, so that measuring can stop and go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import save_file

from ..files import TensorSource, open_tensors
from ..video import ModelGeometry
from .head_profile import HeadProfile, Sample

KEY, VERSION = "headforcing.profile", 1


def write_profile(path: str | Path, profile: HeadProfile) -> None:
    """Write a profile as safetensors, whole or not at all."""
    path, tensors, listed = Path(path), {}, []
    for number, sample in enumerate(profile.samples):
        tensors[f"mass.{number}"] = sample.mass.contiguous()
        tensors[f"scores.{number}"] = sample.scores.contiguous()
        names = ("prompt", "seed", "chunk", "step", "frames", "current")
        listed.append({name: getattr(sample, name) for name in names})
    about = {
        "version": VERSION,
        "geometry": asdict(profile.geometry),
        "fingerprint": profile.fingerprint,
        "parameters": profile.parameters,
        "samples": listed,
    }
    partial = path.with_name(path.name + ".partial")
    save_file(tensors, partial, {KEY: json.dumps(about)})
    partial.replace(path)


def read_profile(path: str | Path) -> HeadProfile:
    """Read what ``write_profile`` wrote.

    Raises:
        ValueError: if the file is something else, or damaged.
    """
    source = open_tensors(path)
    try:
        about = json.loads(source.metadata[KEY])
        if about["version"] != VERSION:
            raise ValueError(f"version must be {VERSION}, got {about['version']}")
        samples = tuple(
            _sample(listed, source, number) for number, listed in enumerate(about["samples"])
        )
        geometry = ModelGeometry(**about["geometry"])
        return HeadProfile(geometry, about["fingerprint"], about["parameters"], samples)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{Path(path).name} must be a head profile: {error}") from None


def _sample(listed: Mapping[str, object], source: TensorSource, number: int) -> Sample:
    with source.reading(f"mass.{number}") as mass, source.reading(f"scores.{number}") as scores:
        frames = tuple(listed["frames"])
        if mass.shape != scores.shape or mass.shape[2:] != (len(frames),):
            raise ValueError(f"sample {number} must have a value for each of {len(frames)} frames")
        known = {**listed, "frames": frames}
        return Sample(**known, mass=mass.clone(), scores=scores.clone())
