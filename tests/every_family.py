"""Requests of every family for a random model, and which methods a family refuses."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from plans import map_for
from random_model import TINY, random_weights

from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.methods import NAMES, settings_named
from headforcing.headforcing_core.models import FAMILIES, family_named
from headforcing.headforcing_core.models.checkpoint import build_wan

FAMILY_NAMES = [family.name for family in FAMILIES if family.name != "demo"]
SIDE = 4
every_family = pytest.mark.parametrize("name", FAMILY_NAMES)

# method -> families that refuse it, and a part of the reason
ANEW = "outlive a chunk, got Krea Realtime 14B, which computes its past anew"
TOGETHER = "Rolling Forcing denoises 5 chunks in one call"
SHORT = "at most horizon=12 frames"
OTHERS = "must come with models that are run as it says"
REFUSED = {
    ("pyramid", "rolling_forcing"): TOGETHER,
    ("dummy", "rolling_forcing"): TOGETHER,
    ("deep", "rolling_forcing"): "at most horizon=21 frames",
    **{(m, "krea_14b"): ANEW for m in ("pyramid", "forcing_kv", "dummy", "deep", "memrope")},
    **{(m, "krea_14b"): ANEW for m in ("rolling_sink", "reward_forcing")},
    **{(m, "krea_14b"): ANEW for m in NAMES if m.startswith("head_forcing")},
    **{(m, "sgf_chunkwise"): SHORT for m in ("head_forcing", "head_forcing:paper_min")},
    **{(f"head_forcing:{m}", "sgf_chunkwise"): SHORT for m in ("int8", "recall_int8")},
    **{(m, "sgf_chunkwise"): SHORT for m in ("head_forcing:anchor3", "head_forcing:recall")},
    **{(m, "sgf_chunkwise"): SHORT for m in ("deep", "sink_window")},
    **{("rolling_forcing", f): OTHERS for f in FAMILY_NAMES if f != "rolling_forcing"},
    **{("krea", f): OTHERS for f in FAMILY_NAMES if f != "krea_14b"},
    **{("krea:heads", f): OTHERS for f in FAMILY_NAMES if f != "krea_14b"},
    # what they keep by default are no whole chunks of 8
    ("reward_forcing", "longlive2"): "window must be whole chunks",
    ("krea", "longlive2"): "context must be whole chunks",
    ("krea:heads", "longlive2"): "context must be whole chunks",
}


@cache
def model_of(channels):
    config = replace(TINY, in_dim=channels, out_dim=channels)
    return build_wan(TensorDict(random_weights(config)), heads=config.heads)


class Recoder:
    """A picture of a frame is the frame."""

    def __init__(self):
        self.latents = []

    def add(self, latent):
        self.latents.append(latent)

    def frame(self, back):
        return torch.cat(self.latents, 2)[:, :, -1 - back : -back or None]


def request_of(name, chunks, method=None, seed=0):
    family = family_named(name)
    size, config = family.frames_per_chunk, model_of(family.channels).config
    method = None if method is None else settings_named(method).build(size)
    head_map = method and map_for(method, config.heads, config.layers)
    return VideoRequest(family, chunks * size, SIDE, SIDE, seed, method=method, head_map=head_map)


def whole(done):
    return torch.cat([each.latent for each in done], 2)
