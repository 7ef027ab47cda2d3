"""What processes do that make a video with another one, which leads; and what that tells them."""

from __future__ import annotations

import argparse
from hashlib import sha256

from ..generation import VideoModel, VideoRequest
from ..inspection import ModelSizes
from ..leading import elsewhere
from ..models import fingerprint
from ..ranks import Ranks
from ..rollout import Begun, Steer
from ..stopping import stop_if_asked
from ..video import Chunk, PromptSchedule
from .earlier import Earlier, filled
from .foresight import published_of
from .loading import dtype_of, load_model
from .request_options import request_of


def lead(
    ranks: Ranks | None,
    request: VideoRequest,
    model: VideoModel,
    prompts: PromptSchedule,
    begun: Begun | None,
    typed: bool,
) -> None:
    """Tell the others what only the first one has read, and what they must have read, too.

    Args:
        prompts: encoded.
        begun: frames that are there.
        typed: whether prompts come on the way.
    """
    if ranks is not None:
        there = begun and begun._replace(
            frames=begun.frames.cpu(), ahead=None if begun.ahead is None else begun.ahead.cpu()
        )
        ranks.told((elsewhere(prompts), there, typed, _name(request, model)))


def follow(options: argparse.Namespace, ranks: Ranks) -> None:
    """Make a video with the process that leads; nothing is written or said."""
    options = filled(options, Earlier.of(options))
    request = request_of(options)
    _check(options, request, ranks)
    model = load_model(options, request.family, ranks.device)
    prompts, begun, typed, name = ranks.told()
    if name != _name(request, model):
        raise ValueError(
            "all ranks must read the same files, got another model or head map than rank 0; "
            "give every machine the same"
        )
    steer: Steer | None = _says_nothing if typed else None
    for _ in request.rollout(model, prompts, steer=steer, ranks=ranks).run(begun):
        stop_if_asked()


def _name(request: VideoRequest, model: VideoModel) -> str:
    """Return a name of what ranks read by themselves: the video, and the model's weights."""
    said = (request.settings, request.method, request.head_map and request.head_map.types)
    return sha256(f"{said} {fingerprint(model.state_dict())}".encode()).hexdigest()


def _check(options: argparse.Namespace, request: VideoRequest, ranks: Ranks) -> None:
    """Refuse what the leading process refuses, before a model is loaded for it."""
    config = published_of(options, request.family).config
    request.plan(ModelSizes.plain(config, dtype_of(options, ranks.device)), 1, ranks.size)


def _says_nothing(chunk: Chunk) -> PromptSchedule | None:
    """Stand in for what the first one is asked."""
