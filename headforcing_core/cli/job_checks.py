"""What can be told of a job before its turn, which a single run finds out as it begins."""

from __future__ import annotations

import argparse

from ..generation import VideoRequest
from ..models import Lora, weight_shapes
from ..video import parse_prompts, plan_text, with_cuts
from .earlier import Earlier
from .foresight import published_of
from .loading import lora_strength_of
from .words import embedded, words_said


def check_said(options: argparse.Namespace, request: VideoRequest, earlier: Earlier | None) -> None:
    """Refuse prompts, embeddings and adapters that cannot be used; no weight is read.

    Raises:
        ValueError: if they cannot.
    """
    config = published_of(options, request.family).config
    if options.lora is not None:
        Lora.open(options.lora, lora_strength_of(options)).on(weight_shapes(config))
    if options.text_embedding is not None:
        embedded(options, config)
        return
    said, clock, video = words_said(options), request.clock, request.family.video
    if earlier is not None:
        prompts = earlier.prompts(said, clock)
    else:
        prompts = parse_prompts(said, video.fps)
    plan_text(with_cuts(prompts, request.family.shot_words), clock, video)
