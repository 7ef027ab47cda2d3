"""What may reach a rollout: what is known to be right is let through, the rest refused by name."""

from .additions import has_own_forward
from .levels import OwnShift, check_shift
from .model import check_family, check_model
from .prediction import GivesClean
from .prompts import check_prompts
from .start import check_size, check_start, core_start

__all__ = [
    "GivesClean",
    "OwnShift",
    "check_family",
    "check_model",
    "check_prompts",
    "check_shift",
    "check_size",
    "check_start",
    "core_start",
    "has_own_forward",
]
