"""All methods by name, with their presets."""

from __future__ import annotations

from typing import Protocol

from . import baselines, families, forcing_kv, head_forcing, pyramid
from .method import Method


class MethodSettings(Protocol):
    """A frozen dataclass of all that can be chosen of a method."""

    def build(self, frames_per_chunk: int = 3) -> Method:
        """Return the method that these settings make, for chunks of this many frames."""


DEFAULT = "default"
METHODS: dict[str, dict[str, MethodSettings]] = {
    "head_forcing": dict(head_forcing.PRESETS),
    "pyramid": dict(pyramid.PRESETS),
    "forcing_kv": dict(forcing_kv.PRESETS),
    "dummy": {DEFAULT: baselines.Dummy()},
    "deep": {DEFAULT: baselines.Deep()},
    "infinity_rope": {DEFAULT: baselines.InfinityRope()},
    "memrope": {DEFAULT: baselines.MemRope()},
    "rolling_sink": {DEFAULT: baselines.RollingSink()},
    "longlive": {DEFAULT: baselines.LongLive()},
    "rolling": {DEFAULT: baselines.Rolling(), "short": baselines.Rolling(window=12)},
    "sink_window": {DEFAULT: baselines.SinkWindow(), "short": baselines.SinkWindow(window=12)},
    "full": {DEFAULT: baselines.Full()},
    "reward_forcing": {DEFAULT: families.RewardForcing()},
    "rolling_forcing": {DEFAULT: families.RollingForcing()},
    "longlive2": {DEFAULT: families.LongLive2()},
    "krea": {DEFAULT: families.KreaRealtime(), "heads": families.KreaHeads()},
}
NAMES = tuple(
    name if preset == DEFAULT else f"{name}:{preset}"
    for name, presets in METHODS.items()
    for preset in presets
)


def settings_named(name: str) -> MethodSettings:
    """Return the settings of a method, or of one of its presets: ``head_forcing:compact``.

    Raises:
        ValueError: if there is none of this name.
    """
    method, _, preset = name.partition(":")
    try:
        return METHODS[method][preset or DEFAULT]
    except KeyError:
        raise ValueError(f"a method must be one of {', '.join(NAMES)}, got {name!r}") from None
