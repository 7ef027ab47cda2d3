"""Video models: what the rollout needs of one, ours, and the way to it from a published file."""

from .backbone import Attend, Backbone
from .checkpoint import HEADS_KEY, PREDICTS_KEY, load_checkpoint
from .families import (
    FAMILIES,
    SUPPORTED,
    WAN_1_3B,
    WAN_HEAD_DIM,
    WAN_HORIZON,
    WAN_TEXT_TOKENS,
    WAN_VIDEO,
    Family,
    choose_family,
    family_named,
)
from .fingerprint import fingerprint
from .lora import Lora
from .wan import CLEAN_LATENT, WanConfig, WanModel, WanText
from .weight_names import wan_names

__all__ = [
    "CLEAN_LATENT",
    "FAMILIES",
    "HEADS_KEY",
    "PREDICTS_KEY",
    "SUPPORTED",
    "WAN_1_3B",
    "WAN_HEAD_DIM",
    "WAN_HORIZON",
    "WAN_TEXT_TOKENS",
    "WAN_VIDEO",
    "Attend",
    "Backbone",
    "Family",
    "Lora",
    "WanConfig",
    "WanModel",
    "WanText",
    "choose_family",
    "family_named",
    "fingerprint",
    "load_checkpoint",
    "wan_names",
]
