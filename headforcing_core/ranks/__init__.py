"""Several processes that make one video: who has which heads, and what they tell each other."""

from .deal import Deal, balanced, by_count, check_ranks, imbalance, runs_of
from .exchange import Exchange
from .joining import choose_backend, joined, local_ranks
from .launched import Launched, launched
from .ranks import Ranks
from .traffic import IN, OUT, SCORES, TOLD, WHOLE, CallTraffic, Traffic

__all__ = [
    "IN",
    "OUT",
    "SCORES",
    "TOLD",
    "WHOLE",
    "CallTraffic",
    "Deal",
    "Exchange",
    "Launched",
    "Ranks",
    "Traffic",
    "balanced",
    "by_count",
    "check_ranks",
    "choose_backend",
    "imbalance",
    "joined",
    "launched",
    "local_ranks",
    "runs_of",
]
