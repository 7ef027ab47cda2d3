"""A way of remembering: what every type of head keeps, and what a new prompt does to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType

from .kv_dtype import KVDtype
from .online import DummyTypes
from .policy import HeadPolicy
from .positions import PositionRule
from .switch import Switch

ALL_HEADS = "all"


@dataclass(frozen=True)
class HeadRule:
    """What heads of one type keep of the past, and where it stands.

    Args:
        ahead: where it stands for a window of several chunks; None: as for one.
        kv_dtype: what keys and values are kept in.
        offload: memory beside what is read in every call lies with the host.
    """

    policy: HeadPolicy
    positions: PositionRule
    ahead: PositionRule | None = None
    kv_dtype: KVDtype = KVDtype.MODEL
    offload: bool = False

    @property
    def per_frame(self) -> bool:
        """Whether the query frames of a chunk read differently."""
        return self.positions.per_frame or self.policy.middle.per_frame

    def fitted(self, frames: int, frames_per_chunk: int) -> HeadRule:
        """Return the rule for a video of no more frames than that."""
        policy = self.policy.fitted(frames, frames_per_chunk, self.positions.sets_apart)
        return replace(self, policy=policy)

    @property
    def raw_sink(self) -> int:
        """Pages of the sink whose unturned time channels are kept from when they are written."""
        policy = self.policy
        moves = policy.scene_sink or policy.shot_sink
        return policy.sink if self.positions.re_encodes and not moves else 0

    @property
    def turning(self) -> int:
        """Other pages in slots that will move, whose time channels are kept as they came."""
        policy, sink = self.policy, 0
        if policy.scene_sink or policy.shot_sink:
            sink = policy.sink + policy.shot_sink
        return sink + policy.middle.slots if self.positions.re_encodes else 0


@dataclass(frozen=True)
class Shots:
    """What a cut does to the positions of what follows.

    Args:
        offset: frames by which positions jump at every cut.
        recache: the first chunk of a shot is remembered as if only the sink were behind it.
    """

    offset: int = 0
    recache: bool = False


@dataclass(frozen=True)
class Rebuilt:
    """The past is computed anew from clean frames before every chunk.

    Args:
        frames: last frames it is computed from.
        keep_first: the first of them is the first of the video; else it is a frame of the video
            encoded once more, by itself.
        fade: factor on what the attention of a chunk gives to them, but for the first.
    """

    frames: int
    keep_first: bool = False
    fade: float = 1.0


@dataclass(frozen=True)
class Method:
    """A method of the field as a value.

    Args:
        name: what users type.
        says: what it does, in a few words.
        rules: head type -> rule. A method for all heads alike has the one type ``ALL_HEADS``.
        scheme: which head map names the types; None where no map is needed.
        switch: what a new prompt does.
        source: the paper or code.
        online: tells types apart during the video, where there is no head map; until then all
            heads follow the rule for ``UNDECIDED``.
        reach: frames that chunks read which are denoised together, their own included; None: it is
            not made for such models.
        shots: what a cut does; None: nothing is left of the past, a video begins.
        rebuilt: what the past is computed from before every chunk; None: it is kept.
    """

    name: str
    says: str
    rules: Mapping[str, HeadRule]
    scheme: str | None = None
    switch: Switch = field(default_factory=Switch)
    source: str = ""
    online: DummyTypes | None = None
    reach: int | None = None
    shots: Shots | None = None
    rebuilt: Rebuilt | None = None

    def __post_init__(self) -> None:
        if self.scheme is None and set(self.rules) != {ALL_HEADS}:
            raise ValueError(
                f"a method without a head map must have one rule, for {ALL_HEADS!r}, "
                f"got rules for {', '.join(self.rules)}"
            )
        object.__setattr__(self, "rules", MappingProxyType(dict(self.rules)))

    def __reduce__(self) -> tuple[type[Method], tuple[object, ...]]:
        """Let it be sent to another process: a mapping that cannot change cannot be pickled."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return Method, tuple((values | {"rules": dict(self.rules)}).values())

    def fitted(self, frames: int, frames_per_chunk: int) -> Method:
        """Return the method for a video so short that it never fills the budgets.

        It keeps the same frames in no more room than they need.
        """
        rules = {type_: rule.fitted(frames, frames_per_chunk) for type_, rule in self.rules.items()}
        return replace(self, rules=rules)

    def on_grid(self, tokens: int) -> Method:
        """Return the method for frames of so many tokens."""
        rules = {}
        for type_, rule in self.rules.items():
            policy = replace(rule.policy, middle=rule.policy.middle.on_grid(tokens))
            rules[type_] = replace(rule, policy=policy)
        return replace(self, rules=rules)

    def kept_in(self, kv_dtypes: Mapping[str, KVDtype]) -> Method:
        """Return the method with keys and values of some types of heads kept in other bits.

        Args:
            kv_dtypes: type -> what they are kept in; the others stay.
        """
        rules = {
            type_: replace(rule, kv_dtype=kv_dtypes.get(type_, rule.kv_dtype))
            for type_, rule in self.rules.items()
        }
        return replace(self, rules=rules)

    def offloading(self, offload: bool = True) -> Method:
        """Return the method with memory of all heads lying with the host, or of none."""
        rules = {type_: replace(rule, offload=offload) for type_, rule in self.rules.items()}
        return replace(self, rules=rules)

    @property
    def looks(self) -> bool:
        """Whether what is kept depends on what the video shows."""
        rules = self.rules.values()
        return self.online is not None or any(rule.policy.middle.looks for rule in rules)

    @property
    def needs_map(self) -> bool:
        """Whether it cannot run without a head map."""
        return self.scheme is not None and self.online is None

    def check(self, frames_per_chunk: int, horizon: int) -> None:
        """Refuse budgets that positions cannot be found for.

        Raises:
            ValueError: if a head would see more frames than ``horizon``.
        """
        for rule in self.rules.values():
            rule.positions.check(rule.policy.seen + frames_per_chunk, horizon)
