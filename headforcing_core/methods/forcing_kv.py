"""Forcing-KV: static and dynamic heads."""

from __future__ import annotations

from dataclasses import dataclass, field

from .kv_dtype import KVDtype
from .method import HeadRule, Method
from .middles import Bands
from .policy import HeadPolicy
from .positions import PositionRule
from .switch import Switching, SwitchRule

STATIC, DYNAMIC = "fk.static", "fk.dynamic"
SCHEME = "forcing_kv"


@dataclass(frozen=True, kw_only=True)
class ForcingKVDtypes:
    """In how many bits each type is kept. A class of its own: see ``OneDtype``.

    Args:
        static_kv_dtype, dynamic_kv_dtype: what keys and
            values of each type are kept in: the dtype of the model, or int8 or fp8 (e4m3), which
            take half the memory of bfloat16.
    """

    static_kv_dtype: KVDtype = KVDtype.MODEL
    dynamic_kv_dtype: KVDtype = KVDtype.MODEL


@dataclass(frozen=True, kw_only=True)
class ForcingKVOffloads:
    """Where memory of each type lies. A class of its own: see ``OneDtype``.

    Args:
        static_offload, dynamic_offload: memory of each type that is read once per
            chunk lies with the host, not on the device. Types that have none move nothing.
    """

    static_offload: bool = False
    dynamic_offload: bool = False


@dataclass(frozen=True)
class ForcingKV(ForcingKVOffloads, ForcingKVDtypes, Switching):
    """Forcing-KV: static heads see one frame of the past, dynamic ones also what changed.

    Args:
        bands: what dynamic heads keep of the frames that leave; needs absolute positions.
        recache_frames: computed anew under a new prompt, in whole chunks.

    Source: Forcing-KV (its code, commit 50ac1f4). Layer 0 is not grouped there; heads of it are all
    to be static in a map, which is the same.
    """

    sink: int = 1
    recent: int = 1
    bands: Bands = field(default_factory=Bands)
    on_switch: SwitchRule = SwitchRule.RECACHE
    recache_frames: int = 1

    def build(self, frames_per_chunk: int = 3) -> Method:
        policies = {
            STATIC: HeadPolicy(self.sink, self.recent),
            DYNAMIC: HeadPolicy(self.sink, self.recent, self.bands),
        }
        kept = {
            STATIC: (self.static_kv_dtype, self.static_offload),
            DYNAMIC: (self.dynamic_kv_dtype, self.dynamic_offload),
        }
        return Method(
            SCHEME,
            "the first and the last frame; dynamic heads also the parts of frames that changed",
            {
                type_: HeadRule(policy, PositionRule.ABSOLUTE, None, *kept[type_])
                for type_, policy in policies.items()
            },
            SCHEME,
            self.switch(frames_per_chunk),
            "Forcing-KV 50ac1f4",
        )


PRESETS = {"default": ForcingKV()}
