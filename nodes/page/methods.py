"""A method as its node shows it: what each type of head reads, and the bytes of its caches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from ...headforcing_core.generation import VideoRequest
from ...headforcing_core.heads import colour_of, letter_of
from ...headforcing_core.methods import HeadMap, Method, read_head_map
from ...headforcing_core.models import (
    Family,
    WanConfig,
    choose_family,
    family_named,
    published_sizes,
)
from ...headforcing_core.video import ChunkClock, Rope
from ..graph import AUTO, settings_from
from ..host import computes_in, header_of, listed_path, path_of
from .question import Question

# without a sampler: a window as long as what it was trained on, and nothing of its own
PLAIN_FAMILY, PLAIN_SIZE, PLAIN_DTYPE = "self_forcing", (832, 480), torch.bfloat16
DTYPES = {
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "fp32": torch.float32,
    "fp8_e4m3fn": torch.float8_e4m3fn,
}
# answers that are kept, and questions that are worked at
MOST_KEPT, AT_ONCE = 64, 2
_places = asyncio.Semaphore(AT_ONCE)


@dataclass(frozen=True)
class Model:
    """What is known of the model that a method is for."""

    family: Family
    config: WanConfig
    dtype: torch.dtype
    models: int = 1


async def told(asked: Mapping[str, Any]) -> dict[str, object]:
    """Answer what a method reads and costs; equal questions are worked at once."""
    stamp = ""
    if asked["file"] is not None:
        stamp = str(Path(path_of(asked["file"])).stat().st_mtime_ns)
    if asked["head_map"] is not None:
        stamp += str(listed_path(asked["head_map"]).stat().st_mtime_ns)
    async with _places:
        return await asyncio.to_thread(_told, json.dumps(asked, sort_keys=True), stamp)


@lru_cache(maxsize=MOST_KEPT)
def _told(question: str, _stamp: str) -> dict[str, object]:
    from ...headforcing_core.inspection import STAND_IN

    asked = json.loads(question)
    settings = settings_from(asked["method"], asked["settings"])
    model = _model(asked)
    method = settings.build(model.family.frames_per_chunk)
    answer = {"says": method.says, "source": method.source, "scheme": method.scheme}
    answer |= {"looks": STAND_IN if method.looks else None, "family": model.family.title}
    answer["types"] = [
        {"type": t, "letter": letter_of(t), "colour": colour_of(t)} for t in method.rules
    ]
    return answer | _drawn(method, model, asked) | _cost(method, model, asked)


def _model(asked: dict[str, Any]) -> Model:
    """Return the model that is connected, or one that stands in."""
    from ...headforcing_core.demo.networks import CONFIG, FAMILY

    named = None if asked["family"] in (None, AUTO) else asked["family"]
    if asked["demo"]:
        return Model(family_named(named or FAMILY.name), CONFIG, torch.float32)
    if asked["file"] is None:
        family = family_named(named or PLAIN_FAMILY)
        return Model(family, published_sizes(family), PLAIN_DTYPE)
    path = path_of(asked["file"])
    family = choose_family(path, named)
    header = header_of(path, family)
    dtype = computes_in(DTYPES.get(asked["dtype"] or ""))
    return Model(family, header.config, dtype, header.models)


def _frames(family: Family, asked: dict[str, Any]) -> int:
    from ...headforcing_core.inspection import SETTLED

    if asked["seconds"] is None:
        return SETTLED * family.frames_per_chunk
    return family.video.latent_frames(asked["seconds"])


def _size(family: Family, asked: dict[str, Any]) -> tuple[int, int]:
    if asked["width"] is None or asked["height"] is None:
        return family.latent_size or family.video.latent_size(*PLAIN_SIZE)
    return family.video.latent_size(asked["width"], asked["height"])


def _drawn(method: Method, model: Model, asked: dict[str, Any]) -> dict[str, object]:
    from ...headforcing_core.inspection import SETTLED, portrait

    family, per_chunk = model.family, model.family.frames_per_chunk
    try:
        fitting = family.fitting(method)
        rope = Rope(model.config.geometry.head_dim, model.config.grid(*_size(family, asked)))
        frames = min(_frames(family, asked), SETTLED * per_chunk)
        clock = ChunkClock.covering(frames, per_chunk)
        found = portrait(fitting, clock, family.horizon, rope, model.dtype.itemsize)
    except ValueError as error:
        return {"rows": [], "undrawn": str(error)}
    return asdict(found) | {"undrawn": None}


def _cost(method: Method, model: Model, asked: dict[str, Any]) -> dict[str, object]:
    """Return the bytes of a run, if it is known which."""
    from ...headforcing_core.inspection import ModelSizes, cost_of

    if None in (asked["seconds"], asked["width"]) or not (asked["demo"] or asked["file"]):
        return {"cost": None}
    try:
        head_map, known = _head_map(method, model, asked)
        family = model.family
        rows, columns = _size(family, asked)
        frames = _frames(family, asked)
        request = VideoRequest(family, frames, rows, columns, 0, method=method, head_map=head_map)
        cost = cost_of(request, ModelSizes.plain(model.config, model.dtype, model.models))
    except ValueError as error:
        return {"cost": {"refused": str(error)}}
    every = model.config.layers * model.config.heads
    about = {"heads_from": known, "every": every, "number": str(model.dtype).split(".")[-1]}
    return {"cost": asdict(cost) | about | {"refused": None}}


def _head_map(method: Method, model: Model, asked: dict[str, Any]) -> tuple[HeadMap | None, str]:
    """Return the head map of a run, and where it is from: map, shares, or none is needed."""
    from ...headforcing_core.demo.profiles import MAPS
    from ...headforcing_core.inspection import map_of

    if method.scheme is None:
        return None, "none"
    if asked["head_map"] is not None:
        found = read_head_map(listed_path(asked["head_map"]))
        if found.scheme == method.scheme or not asked["brings"]:
            return found, "map"
    if asked["demo"] and not asked["measured"]:
        return read_head_map(MAPS / f"{method.scheme}.json"), "map"
    if method.online and not asked["measured"]:
        return None, "none"
    return map_of(method, model.config.geometry), "shares"


METHOD = Question(
    "method",
    {"method": str, "settings": dict},
    told,
    {
        **{"seconds": float, "width": int, "height": int, "family": str},
        **{"demo": bool, "file": str, "dtype": str},
        **{"head_map": str, "brings": bool, "measured": bool},
    },
    as_one=True,
)
