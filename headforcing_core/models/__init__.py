"""Video models: what the rollout needs of one, ours, and the way to it from a published file."""

from .backbone import Attend, Backbone
from .checkpoint import load_checkpoint
from .experts import TwoExperts
from .families import (
    FAMILIES,
    FAMILY_NAMES,
    SIZES,
    UMT5_EPS,
    UMT5_FAR,
    WAN_1_3B,
    WAN_1_3B_MODEL,
    WAN_CHANNELS,
    WAN_HEAD_DIM,
    WAN_HORIZON,
    WAN_TEXT_TOKENS,
    WAN_VIDEO,
    family_named,
    published_sizes,
    unlike_published,
    video_format,
)
from .family import Family
from .fingerprint import fingerprint
from .lora import ADAPTER_WRAPPERS, Adapter, Lora, check_strength
from .published import HEADS_KEY, PREDICTS_KEY, Published, read_published, weight_shapes
from .quantised import FP8, is_fp8, quantised_layers
from .recognition import choose_family, recognise
from .spreading import Spreading
from .stored_weights import (
    SCALED,
    StoredWeight,
    check_finite,
    check_scales,
    check_shapes,
    read_weight,
    told_apart,
)
from .wan import WanModel, WanText
from .wan_config import CLEAN_LATENT, WanConfig
from .weight_dtype import WeightDtype
from .weight_names import ROOT, memory_name, wan_names
from .weight_room import WeightRoom

__all__ = [
    "ADAPTER_WRAPPERS",
    "CLEAN_LATENT",
    "FAMILIES",
    "FAMILY_NAMES",
    "FP8",
    "HEADS_KEY",
    "PREDICTS_KEY",
    "ROOT",
    "SCALED",
    "SIZES",
    "UMT5_EPS",
    "UMT5_FAR",
    "WAN_1_3B",
    "WAN_1_3B_MODEL",
    "WAN_CHANNELS",
    "WAN_HEAD_DIM",
    "WAN_HORIZON",
    "WAN_TEXT_TOKENS",
    "WAN_VIDEO",
    "Adapter",
    "Attend",
    "Backbone",
    "Family",
    "Lora",
    "Published",
    "Spreading",
    "StoredWeight",
    "TwoExperts",
    "WanConfig",
    "WanModel",
    "WanText",
    "WeightDtype",
    "WeightRoom",
    "check_finite",
    "check_scales",
    "check_shapes",
    "check_strength",
    "choose_family",
    "family_named",
    "fingerprint",
    "is_fp8",
    "load_checkpoint",
    "memory_name",
    "published_sizes",
    "quantised_layers",
    "read_published",
    "read_weight",
    "recognise",
    "told_apart",
    "unlike_published",
    "video_format",
    "wan_names",
    "weight_shapes",
]
