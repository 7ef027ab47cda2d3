"""Methods as they are compared: by name, with settings, and a head map of the demo model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ...methods import HeadMap, Method, SinkWindow, settings_named, with_values
from ...methods.middles import Chosen, Episodes
from ..networks import FAMILY
from ..scores import right_frames
from .head_maps import MAP, THRESHOLD, UNIFORM, MapChoice

# episodes that no rule chose: frames of what will come back
RIGHT = "episodes=right"


@dataclass(frozen=True)
class Compared:
    """One method as it is compared.

    Args:
        name: as it was asked for.
    """

    name: str
    method: Method
    head_map: HeadMap | None = None

    @property
    def one_by_one(self) -> bool:
        """Whether videos cannot be made side by side, because each chooses what it keeps."""
        return self.method.looks


@dataclass(frozen=True)
class Spec:
    """A method as it is asked for: ``head_forcing:compact,episodes.count=3,map=random``.

    Of ``map``, and of thresholds such as ``tau_local=0.4``, see ``MapChoice``; with
    ``map=uniform`` all heads have first frames and as many last ones as the budget allows.
    ``episodes=right`` keeps, in place of what a rule chooses, as many frames of the grounds' first
    visits, each ground's share: nobody can know beforehand that they will be needed.
    """

    name: str
    method: Method
    head_map: MapChoice

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Read a name with settings.

        Raises:
            ValueError: if there is no such method, setting or map, or its budget is too large.
        """
        name, *settings = (part.strip() for part in text.split(","))
        of_map = [part for part in settings if part.startswith((MAP, THRESHOLD))]
        right = RIGHT in settings
        settings = [part for part in settings if part not in of_map and part != RIGHT]
        method = with_values(settings_named(name), settings).build(FAMILY.frames_per_chunk)
        method = _with_right_frames(method, text) if right else method
        method.check(FAMILY.frames_per_chunk, FAMILY.horizon)
        return cls(text, method, MapChoice.parse(of_map, method.scheme, text))

    def on(self, maps: Mapping[str, HeadMap]) -> Compared:
        """Return the method with the head map it needs.

        Args:
            maps: of the model, by scheme, and by the names of ``profiles``.
        """
        if not self.method.needs_map:
            return Compared(self.name, self.method)
        head_map = self.head_map.of(maps, self.method.scheme)
        if self.head_map.mode == UNIFORM:
            return Compared(self.name, _uniform(self.method, head_map))
        return Compared(self.name, self.method, head_map)


def without_map(name: str) -> Compared:
    """Return a method that needs no head map."""
    return Spec.parse(name).on({})


def _with_right_frames(method: Method, text: str) -> Method:
    """Return the method with as many right frames in place of all episodes."""
    rules = dict(method.rules)
    for kind, rule in rules.items():
        if isinstance(rule.policy.middle, Episodes):
            right = Chosen(right_frames(rule.policy.middle.count))
            policy = replace(rule.policy, middle=right)
            rules[kind] = replace(rule, policy=policy)
    if rules == method.rules:
        raise ValueError(f"{RIGHT} must come with a method that keeps episodes, got {text!r}")
    return replace(method, rules=rules)


def _uniform(method: Method, head_map: HeadMap) -> Method:
    """Give every head the same: first frames and last frames, in all as many as the method has.

    A new prompt does what it does with the method.
    """
    counts = head_map.counts
    total = sum(n * method.rules[type_].policy.seen for type_, n in counts.items())
    window = total // sum(counts.values()) + FAMILY.frames_per_chunk
    alike = SinkWindow(window=window).build(FAMILY.frames_per_chunk)
    return replace(alike, switch=method.switch)
