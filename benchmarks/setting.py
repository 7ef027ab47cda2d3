"""What benchmarks share: the machine they name, and maps with the published shares of types."""

from __future__ import annotations

import json
import platform
import re
from argparse import ArgumentTypeError
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import torch

from headforcing.headforcing_core.files import check_place, write_text
from headforcing.headforcing_core.methods import HeadMap, Method
from headforcing.headforcing_core.video import ModelGeometry

# heads of each type in a layer: the published shares, rounded to twelve
SHARES = {
    "head_forcing": {"hf.local": 2, "hf.anchor": 3, "hf.memory": 7},
    "pyramid": {"pyramid.wave": 5, "pyramid.anchor": 6, "pyramid.veil": 1},
    "forcing_kv": {"fk.static": 5, "fk.dynamic": 7},
}


def machine(device: str = "cpu") -> dict[str, object]:
    """Return what a measured number must be read with."""
    found: dict[str, object] = {"system": platform.system(), "processor": platform.machine()}
    found["threads"] = torch.get_num_threads()
    names = {"torch": "torch", "triton": "triton", "flash_attn": "flash-attn"}
    found |= {module: version(name) for module, name in names.items() if find_spec(module)}
    if device == "cuda":
        found |= {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda}
        found["capability"] = list(torch.cuda.get_device_capability())
    return found


def result_file(name: str) -> Path:
    """Return the path of a file for results, which can be written."""
    file = Path(name).absolute()
    try:
        check_place(file)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    return file


def written(about: dict[str, object], file: Path | None, what: str, device: str) -> None:
    """Write results to a file, or beside others under the name of the card; no card, no file."""
    if file is None and device == "cuda":
        card = re.sub(r"\W+", "_", torch.cuda.get_device_name().lower())
        file = Path(__file__).with_name("results") / f"{what}_{card}.json"
    if file is not None:
        write_text(file.absolute(), json.dumps(about, indent=1) + "\n")


def map_of(method: Method, geometry: ModelGeometry) -> HeadMap | None:
    """Return a map with the published shares in layers of twelve heads, None if none is used."""
    if not method.needs_map:
        return None
    row = tuple(type_ for type_, heads in SHARES[method.scheme].items() for _ in range(heads))
    return HeadMap(method.scheme, (row,) * geometry.layers)
