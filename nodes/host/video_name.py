"""Which video a run makes: two runs of one video may go on from each other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...headforcing_core.generation import VideoRequest
from ...headforcing_core.video import PromptSchedule
from .backbone import dtype_of
from .checks import has_own_forward
from .digests import digest_of
from .fingerprint import name_of, values_of
from .pictures import HostDecoder


@dataclass(frozen=True)
class Video:
    """Everything that decides a video but its length: two runs of one video agree frame by frame.

    Args:
        prompts: names of prompts, see ``names_of``, and when they begin.
        conditioning: of each name.
        start: latent of first frames.
        decoder: makes its pictures; where these are encoded again, it decides the video, too.
    """

    model: ModelPatcher
    request: VideoRequest
    prompts: PromptSchedule
    conditioning: Sequence[list]
    start: Tensor | None
    decoder: HostDecoder | None = None

    @cached_property
    def name(self) -> str:
        """The video's digest. Its model counts by its weights, not by its file."""
        request = self.request
        about = {
            **self._model,
            "settings": request.settings,
            "method": repr(request.method),
            "map": repr(request.head_map and request.head_map.types),
            "starts": self.prompts.starts,
            "cuts": sorted(self.prompts.cuts),
            "said": [_digest(entry[0]) for entries in self.conditioning for entry in entries],
            "start": self.start is not None and _digest(self.start),
        }
        if request.recodes:
            about["pictures"] = self.decoder and self.decoder.key
        if request.family.joint:  # the last chunks are made without any behind them
            about["frames"] = request.clock.total_frames
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()

    def saying(self, prompts: PromptSchedule, conditioning: Sequence[list]) -> Video:
        """Return the same video with other words.

        Its model is not named anew: that takes off what a run has put on it.
        """
        other = replace(self, prompts=prompts, conditioning=conditioning)
        vars(other)["_model"] = self._model
        return other

    @cached_property
    def _model(self) -> dict[str, object]:
        """What tells the model apart, and what is put on it."""
        model = self.model
        return {
            "model": name_of(model),
            "values": values_of(model),
            # a strength that flips no sign makes another video of the same model
            "adapters": digest_of(model.patches),
            "dtype": [str(dtype_of(model)), str(model.model.get_dtype())],
            "beside": sorted(map(str, (*model.object_patches, *model.wrappers))),
            "text": digest_of(_text_attention(model)),
            "options": digest_of(_asked(model)),
        }


def names_of(prompts: Sequence[object]) -> list[str]:
    """Return names for prompts, which are the same in every run."""
    return [f"p{number}" for number in range(len(prompts))]


def _text_attention(model: ModelPatcher) -> list[object]:
    """Return what others read the text with."""
    patches = sorted(model.object_patches.items(), key=lambda x: x[0])
    placed = (block.cross_attn for block in model.model.diffusion_model.blocks)
    others = [own for own in placed if not has_own_forward(own)]
    return [
        [patch for name, patch in patches if "cross_attn" in name],
        [[type(own).forward, vars(own).get("forward")] for own in others],
    ]


def _asked(model: ModelPatcher) -> dict[str, object]:
    """Return what decides how is attended, among a model's options."""
    options = model.model_options.get("transformer_options", {})
    return {name: value for name, value in options.items() if name not in ("wrappers", "ar_config")}


def _digest(tensor: Tensor) -> str:
    values = tensor.detach().float().cpu().contiguous().numpy()
    return hashlib.sha256(values.tobytes()).hexdigest()
