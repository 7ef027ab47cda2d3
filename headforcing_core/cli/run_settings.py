"""What the files of a command's run say of it."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping

from ..generation import VideoRequest
from ..models import WanModel, WeightDtype, fingerprint
from .earlier import Earlier
from .inputs import names_of_inputs
from .loading import weight_dtype_of
from .start import settings_of

log = logging.getLogger("headforcing")


def settings_of_run(
    options: argparse.Namespace,
    request: VideoRequest,
    model: WanModel,
    earlier: Earlier | None,
) -> dict[str, object]:
    """Return what decides a video, as plain values."""
    before = None
    if options.start is not None:
        before = settings_of(options.start) if earlier is None else earlier.settings
    kept = weight_dtype_of(options)
    return {
        **request.settings,
        # a method's name tells none of its settings
        "asked": {"method": options.method, "set": options.set or []},
        **names_of_inputs(options),
        "start_settings": before,
        "weights": fingerprint(model.state_dict()),
        "lora_strength": options.lora_strength,
        "text_tokens": options.text_tokens,
        "heads": model.config.heads,
        "dtype": str(model.dtype).removeprefix("torch."),
        # left out where it changes nothing: what earlier versions left is gone on with
        **({} if kept is WeightDtype.SAME else {"weight_dtype": kept.value}),
        "device": str(model.device),
    }


def tell_map(request: VideoRequest, settings: Mapping[str, object]) -> None:
    """Say that a head map is of another model, if it is."""
    evidence = request.head_map and request.head_map.evidence
    if evidence and evidence.fingerprint != settings["weights"]:
        log.warning("the head map was measured on another model than this; profile this one")
