"""Video models: what the rollout needs of one, ours, and the way to it from a published file."""

from .adapter_names import AdapterName, adapter_names
from .adapter_shapes import check_adapter
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
from .lora import ADAPTER_WRAPPERS, Lora
from .published import (
    FP8,
    SCALED,
    Published,
    StoredWeight,
    check_finite,
    is_fp8,
    read_published,
    read_weight,
    weight_shapes,
)
from .wan import CLEAN_LATENT, WanConfig, WanModel, WanText
from .weight_names import ROOT, wan_names

__all__ = [
    "ADAPTER_WRAPPERS",
    "CLEAN_LATENT",
    "FAMILIES",
    "FP8",
    "HEADS_KEY",
    "PREDICTS_KEY",
    "ROOT",
    "SCALED",
    "SUPPORTED",
    "WAN_1_3B",
    "WAN_HEAD_DIM",
    "WAN_HORIZON",
    "WAN_TEXT_TOKENS",
    "WAN_VIDEO",
    "AdapterName",
    "Attend",
    "Backbone",
    "Family",
    "Lora",
    "Published",
    "StoredWeight",
    "WanConfig",
    "WanModel",
    "WanText",
    "adapter_names",
    "check_adapter",
    "check_finite",
    "choose_family",
    "family_named",
    "fingerprint",
    "is_fp8",
    "load_checkpoint",
    "read_published",
    "read_weight",
    "wan_names",
    "weight_shapes",
]
