"""Several processes that make one video: who has which heads, and what they tell each other."""

from .deal import Deal, balanced, by_count, check_ranks, imbalance, runs_of
from .exchange import Exchange
from .joining import check_gpus, choose_backend, device_of, joined, local_ranks
from .launched import End, Launched, launched
from .ranks import LostRank, Ranks
from .traffic import CARRIED, IN, OUT, SCORES, TOLD, WHOLE, CallTraffic, Traffic

__all__ = [
    "CARRIED",
    "IN",
    "OUT",
    "SCORES",
    "TOLD",
    "WHOLE",
    "CallTraffic",
    "Deal",
    "End",
    "Exchange",
    "Launched",
    "LostRank",
    "Ranks",
    "Traffic",
    "balanced",
    "by_count",
    "check_gpus",
    "check_ranks",
    "choose_backend",
    "device_of",
    "imbalance",
    "joined",
    "launched",
    "local_ranks",
    "runs_of",
]
