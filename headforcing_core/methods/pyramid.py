"""Pyramid Forcing: wave, anchor and veil heads."""

from __future__ import annotations

from dataclasses import dataclass, field

from .kv_dtype import KVDtype
from .method import HeadRule, Method
from .middles import Blocks, Cyclic, Stride
from .policy import HeadPolicy
from .positions import PositionRule
from .switch import Switching, SwitchRule

WAVE, ANCHOR, VEIL = "pyramid.wave", "pyramid.anchor", "pyramid.veil"
SCHEME = "pyramid"


@dataclass(frozen=True, kw_only=True)
class PyramidDtypes:
    """In how many bits each type is kept. A class of its own: see ``OneDtype``.

    Args:
        wave_kv_dtype, anchor_kv_dtype, veil_kv_dtype: what keys and
            values of each type are kept in: the dtype of the model, or int8 or fp8 (e4m3), which
            take half the memory of bfloat16.
    """

    wave_kv_dtype: KVDtype = KVDtype.MODEL
    anchor_kv_dtype: KVDtype = KVDtype.MODEL
    veil_kv_dtype: KVDtype = KVDtype.MODEL


@dataclass(frozen=True, kw_only=True)
class PyramidOffloads:
    """Where memory of each type lies. A class of its own: see ``OneDtype``.

    Args:
        wave_offload, anchor_offload, veil_offload: memory of each type that is read once per
            chunk lies with the host, not on the device. Types that have none move nothing.
    """

    wave_offload: bool = False
    anchor_offload: bool = False
    veil_offload: bool = False


@dataclass(frozen=True)
class Pyramid(PyramidOffloads, PyramidDtypes, Switching):
    """The budgets of Pyramid Forcing. Units: latent frames; the current chunk comes on top.

        wave     [sink]  every sixth frame, in phase with the query   [recent]  current
        anchor   [sink]  every sixth frame                            [recent]  current
        veil     [sink]  means of four frames and 2 x 2 tokens        [recent]  current

    Args:
        wave_sink, anchor_sink, veil_sink: of each type.
        recent: of all types; the paper's 4 counts the current chunk of 3.
        cyclic, stride, blocks: what is kept in between.
        positions: of sink and middle; one horizon before each query frame.
        on_switch, recache_frames: what a new prompt does. The paper says nothing of prompts:
            computing the recent past again is inferred.

    Source: Pyramid Forcing (arXiv 2605.13111) and its code (IF-LAB-PKU/Pyramid-Forcing). That code
    offers a frame to the middle when it is made and hides it while it is recent; here it is offered
    when it leaves, which lets the same frames be read. Its first chunk reads itself as a sink; here
    the current chunk always stands where it is.
    """

    wave_sink: int = 1
    anchor_sink: int = 3
    veil_sink: int = 3
    recent: int = 1
    cyclic: Cyclic = field(default_factory=Cyclic)
    stride: Stride = field(default_factory=Stride)
    blocks: Blocks = field(default_factory=Blocks)
    positions: PositionRule = PositionRule.SYNCED
    on_switch: SwitchRule = SwitchRule.RECACHE
    recache_frames: int = 4

    def build(self, frames_per_chunk: int = 3) -> Method:
        parts = {
            WAVE: HeadPolicy(self.wave_sink, self.recent, self.cyclic),
            ANCHOR: HeadPolicy(self.anchor_sink, self.recent, self.stride),
            VEIL: HeadPolicy(self.veil_sink, self.recent, self.blocks),
        }
        kept = {
            WAVE: (self.wave_kv_dtype, self.wave_offload),
            ANCHOR: (self.anchor_kv_dtype, self.anchor_offload),
            VEIL: (self.veil_kv_dtype, self.veil_offload),
        }
        return Method(
            SCHEME,
            "first and last frames; in between every sixth frame, in phase for wave heads, and "
            "means of blocks for veil heads",
            {
                type_: HeadRule(policy, self.positions, None, *kept[type_])
                for type_, policy in parts.items()
            },
            SCHEME,
            self.switch(frames_per_chunk),
            "arXiv 2605.13111",
        )


PRESETS = {"default": Pyramid()}
