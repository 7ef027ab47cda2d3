"""Methods as they are compared: by name, with settings, and a head map of the demo model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ...methods import HeadMap, Method, SinkWindow, head_forcing, settings_named, with_values
from ...methods.middles import Chosen, Episodes
from ..networks import FAMILY
from ..profiles import PAPER_MAP
from ..scores import RIGHT_FRAMES

# controls of what a map is worth, at the same budget
PROFILED, PAPER, INVERSE = "profile", "paper", "inverse"
MAP_MODES = (PROFILED, PAPER, "random", INVERSE, "uniform")
MAP_SEED = 0
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

    ``map`` is one of profile, paper (as the paper types heads, without returns), random (types
    dealt out anew), inverse (local and memory heads exchanged, and those that recall with others)
    and uniform (for all heads alike, first frames and as many last ones as the budget allows).
    ``episodes=right`` keeps, in place of what a rule chooses, a frame of every ground's first
    visit: nobody can know them, and no rule can keep better ones.
    """

    name: str
    method: Method
    map_mode: str = PROFILED

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Read a name with settings.

        Raises:
            ValueError: if there is no such method, setting or map, or its budget is too large.
        """
        name, *settings = (part.strip() for part in text.split(","))
        modes = [part.removeprefix("map=") for part in settings if part.startswith("map=")]
        right = RIGHT in settings
        settings = [part for part in settings if not part.startswith("map=") and part != RIGHT]
        method = with_values(settings_named(name), settings).build(FAMILY.frames_per_chunk)
        method = _with_right_frames(method, text) if right else method
        method.check(FAMILY.frames_per_chunk, FAMILY.horizon)
        if modes and (modes[-1] not in MAP_MODES or not method.needs_map):
            raise ValueError(
                f"map must be one of {', '.join(MAP_MODES)}, of a method that has a map, "
                f"got {text!r}"
            )
        mode = modes[-1] if modes else PROFILED
        if mode in (INVERSE, PAPER) and method.scheme != head_forcing.SCHEME:
            raise ValueError(f"map={mode} must come with head_forcing, got {text!r}")
        return cls(text, method, mode)

    def on(self, maps: Mapping[str, HeadMap]) -> Compared:
        """Return the method with the head map it needs.

        Args:
            maps: of the model, by scheme, and by the names of ``profiles``.
        """
        if not self.method.needs_map:
            return Compared(self.name, self.method)
        head_map = maps[self.method.scheme]
        match self.map_mode:
            case "uniform":
                return Compared(self.name, _uniform(self.method, head_map))
            case "paper":
                head_map = maps[PAPER_MAP]
            case "random":
                head_map = head_map.shuffled(MAP_SEED)
            case "inverse":
                pair = (head_forcing.LOCAL, head_forcing.MEMORY)
                head_map = head_map.swapped(*pair, MAP_SEED)
                if head_forcing.RECALL in head_map.counts:
                    other = head_forcing.MEMORY
                    head_map = head_map.swapped(head_forcing.RECALL, other, MAP_SEED)
        return Compared(self.name, self.method, head_map)


def without_map(name: str) -> Compared:
    """Return a method that needs no head map."""
    return Spec.parse(name).on({})


def _with_right_frames(method: Method, text: str) -> Method:
    """Return the method with the right frames in place of all episodes."""
    rules = dict(method.rules)
    for kind, rule in rules.items():
        if isinstance(rule.policy.middle, Episodes):
            policy = replace(rule.policy, middle=Chosen(RIGHT_FRAMES))
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
