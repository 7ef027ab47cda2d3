"""The adapter to ComfyUI: its model, its sampling chain, and what is kept and shown of a run.

``demo_model`` is imported where it is used: it brings the demo with it.
"""

from . import unfinished
from .adapters import with_adapter
from .checks import (
    check_model,
    check_prompts,
    check_shift,
    check_size,
    check_start,
    core_start,
)
from .digests import digest_of
from .fingerprint import name_of
from .loading import load_model
from .profiling import HostSubject, keep_profile, profile_file
from .progress import Progress
from .sampling import HostVideo
from .unfinished import Video

__all__ = [
    "HostSubject",
    "HostVideo",
    "Progress",
    "Video",
    "check_model",
    "check_prompts",
    "check_shift",
    "check_size",
    "check_start",
    "core_start",
    "digest_of",
    "keep_profile",
    "load_model",
    "name_of",
    "profile_file",
    "unfinished",
    "with_adapter",
]
