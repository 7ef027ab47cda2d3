"""The ways of remembering that are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..families import Family
from ..positions import PositionRule

# frames of LongLive's sink and window, arXiv 2509.22622
SINK, SHORT_WINDOW = 3, 12


@dataclass(frozen=True)
class Method:
    """A name, what it does in a few words, and the family run that way for a video of n frames."""

    name: str
    says: str
    run: Callable[[Family, int], Family]


METHODS = (
    Method(
        "rolling",
        "the last frames that fit the horizon, nothing else",
        lambda family, frames: family.tuned(window=family.horizon, sink=0),
    ),
    Method(
        "short_rolling",
        f"the last {SHORT_WINDOW} frames",
        lambda family, frames: family.tuned(window=SHORT_WINDOW, sink=0),
    ),
    Method(
        "sink_window",
        f"the first {SINK} frames and the last ones, {SHORT_WINDOW} in all, positions closed up",
        lambda family, frames: family.tuned(
            window=SHORT_WINDOW, sink=SINK, positions=PositionRule.CONTIGUOUS
        ),
    ),
    Method(
        "full",
        "every frame, at its own position: beyond the horizon the model never saw such distances",
        lambda family, frames: family.tuned(window=max(frames, family.window), sink=0),
    ),
)


def method_named(name: str) -> Method:
    """Return a method.

    Raises:
        ValueError: if there is none of this name.
    """
    for method in METHODS:
        if method.name == name:
            return method
    names = ", ".join(method.name for method in METHODS)
    raise ValueError(f"a method must be one of {names}, got {name!r}")
