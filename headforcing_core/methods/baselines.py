"""What Head Forcing and Pyramid Forcing are compared with. Units: latent frames."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..bounds import MOST_FRAMES, check_frames
from .alike import Alike
from .method import ALL_HEADS, Method
from .middles import Averages, Replay, Tokens
from .online import FIRST, LAST, LAST_CHUNK, UNDECIDED, DummyTypes
from .policy import HeadPolicy
from .positions import PositionRule
from .switch import Switch, Switching, SwitchRule


@dataclass(frozen=True)
class Rolling(Alike, Switching):
    """The plain rolling window.

    Args:
        window: frames a head sees, the current chunk included.

    Source: Self-Forcing (arXiv 2506.08009).
    """

    window: int = 21

    def build(self, frames_per_chunk: int = 3) -> Method:
        policy = HeadPolicy.of_window(self.window, 0, frames_per_chunk)
        says = f"the last {self.window} frames"
        return _alike(self, "rolling", says, policy, self.switch(frames_per_chunk))


@dataclass(frozen=True)
class SinkWindow(Alike, Switching):
    """A rolling window that never forgets the first frames.

    Args:
        window: frames a head sees, sink and current chunk included.
        sink: first frames.
        positions: closed up, or the sink would leave the trained range as the video grows.
    """

    window: int = 21
    sink: int = 3
    positions: PositionRule = PositionRule.CONTIGUOUS

    def build(self, frames_per_chunk: int = 3) -> Method:
        policy = HeadPolicy.of_window(self.window, self.sink, frames_per_chunk)
        says = f"the first {self.sink} frames and the last ones, {self.window} in all"
        switch = self.switch(frames_per_chunk)
        return _alike(self, "sink_window", says, policy, switch, self.positions)


@dataclass(frozen=True)
class Full(Alike, Switching):
    """Every frame at its own position, as long as there is memory for it."""

    def build(self, frames_per_chunk: int = 3) -> Method:
        switch = self.switch(frames_per_chunk)
        says = "every frame, at its own position"
        return _alike(self, "full", says, HeadPolicy(0, MOST_FRAMES), switch)


@dataclass(frozen=True)
class LongLive(Alike, Switching):
    """LongLive's cache: a sink, a short window, and the recent past computed anew.

    The sink stays what it was under the first prompt, as its published settings have it. What is
    computed anew is so chunk by chunk; the original does it in one call without a mask.

    Args:
        window: frames a head sees, sink and current chunk included.
        sink: first frames.
        recache_frames: computed anew under a new prompt.

    Source: LongLive (arXiv 2509.22622) and its code, branch v1.0.
    """

    window: int = 12
    sink: int = 3
    positions: PositionRule = PositionRule.ABSOLUTE
    on_switch: SwitchRule = SwitchRule.RECACHE
    recache_frames: int = 12

    def build(self, frames_per_chunk: int = 3) -> Method:
        policy = HeadPolicy.of_window(self.window, self.sink, frames_per_chunk)
        says = f"the first {self.sink} frames and the last ones, {self.window} in all"
        switch = self.switch(frames_per_chunk)
        says += f"; a new prompt recomputes the last {switch.again}" if switch.again else ""
        return _alike(self, "longlive", says, policy, switch, self.positions, "arXiv 2509.22622")


@dataclass(frozen=True)
class InfinityRope(Alike, Switching):
    """Infinity-RoPE's short window with positions closed up.

    Its scene cut, which tells the current chunk for once that it is far away, is not built.

    Args:
        flushed_to: recent frames that a new prompt leaves: all there are, with these budgets.

    Source: Infinity-RoPE (its code, commit 63d7b84).
    """

    sink: int = 1
    recent: int = 2
    positions: PositionRule = PositionRule.CONTIGUOUS
    on_switch: SwitchRule = SwitchRule.FLUSH_RECENT
    flushed_to: int = 2

    def build(self, frames_per_chunk: int = 3) -> Method:
        says = f"the first {self.sink} and the last {self.recent} frames, positions closed up"
        policy, source = HeadPolicy(self.sink, self.recent), "Infinity-RoPE 63d7b84"
        switch = self.switch(frames_per_chunk)
        return _alike(self, "infinity_rope", says, policy, switch, self.positions, source)


@dataclass(frozen=True)
class Deep(Alike, Switching):
    """Deep Forcing: a deep sink, and of what follows the tokens that are still looked at.

    Tokens are chosen when a chunk is committed, by its clean queries; the original chooses during
    the first noisy call of the next, and no token more than seven times. Positions are closed up,
    as the paper has it; its code leaves the tokens where they were.

    Args:
        window: frames a head sees before what is in the middle is thinned out.
        recent: the original's 4 counts a current chunk of 3.
        tokens: frames' worth of tokens that are left of the middle.

    Source: Deep Forcing (its paper, and its code at commit ea9961a).
    """

    window: int = 21
    sink: int = 10
    recent: int = 1
    tokens: int = 2
    positions: PositionRule = PositionRule.CONTIGUOUS

    def build(self, frames_per_chunk: int = 3) -> Method:
        check_frames("window", self.window)
        room = self.window - self.sink - self.recent - frames_per_chunk
        says = f"the first {self.sink} frames, the last, and of others the tokens most looked at"
        policy = HeadPolicy(self.sink, self.recent, Tokens(room, self.tokens))
        switch = self.switch(frames_per_chunk)
        return _alike(self, "deep", says, policy, switch, self.positions, "Deep Forcing ea9961a")


@dataclass(frozen=True)
class MemRope(Alike, Switching):
    """MemRoPE: running means of all that left, one slow and one fast.

    As long as frames and means together have room for the frames themselves, those are kept.

    Source: MemRoPE (its code, commit b89bf5b). It loses two frames where its means begin; here all
    that leave go in. It keeps means in the model's dtype, these are in float32.
    """

    sink: int = 3
    recent: int = 4
    averages: Averages = field(default_factory=Averages)
    positions: PositionRule = PositionRule.CONTIGUOUS

    def build(self, frames_per_chunk: int = 3) -> Method:
        says = f"the first {self.sink} and the last {self.recent} frames, and means of the others"
        warm_up = self.sink + self.averages.slots + self.recent
        policy = HeadPolicy(self.sink, self.recent, self.averages, warm_up)
        switch = self.switch(frames_per_chunk)
        return _alike(self, "memrope", says, policy, switch, self.positions, "MemRoPE b89bf5b")


@dataclass(frozen=True)
class Dummy(Alike, Switching):
    """Dummy Forcing: heads are told apart in the second chunk; half of them lose their past.

    Args:
        types: how they are told apart.
        recent: frames that the heads keep that look at the last chunk.

    Source: Dummy Forcing (its code, commit 28128ed). A new prompt recomputes the last 12 frames
    there and makes the first of them the new first frame; here the first frame stays.
    """

    types: DummyTypes = field(default_factory=DummyTypes)
    recent: int = 3
    on_switch: SwitchRule = SwitchRule.RECACHE
    recache_frames: int = 12

    def build(self, frames_per_chunk: int = 3) -> Method:
        policies = {
            UNDECIDED: HeadPolicy(1, self.recent),
            FIRST: HeadPolicy(1, 0),
            LAST_CHUNK: HeadPolicy(0, self.recent),
            LAST: HeadPolicy(0, 1),
        }
        return Method(
            "dummy",
            "heads see the first frame, the last chunk, or (half of them) the last frame",
            {type_: self.rule(policy, PositionRule.ABSOLUTE) for type_, policy in policies.items()},
            "dummy",
            self.switch(frames_per_chunk),
            "Dummy Forcing 28128ed",
            self.types,
        )


@dataclass(frozen=True)
class RollingSink(Alike, Switching):
    """Rolling Sink: the beginning, to and fro, in the places of the past.

    Source: Rolling Sink (its code, commit d7fc0d9).
    """

    recent: int = 3
    replay: Replay = field(default_factory=Replay)

    def build(self, frames_per_chunk: int = 3) -> Method:
        says = (
            f"the last {self.recent} frames, before them the first {self.replay.cycle} to and fro"
        )
        policy = HeadPolicy(0, self.recent, self.replay)
        switch = self.switch(frames_per_chunk)
        return _alike(self, "rolling_sink", says, policy, switch, source="Rolling Sink d7fc0d9")


def _alike(
    settings: Alike,
    name: str,
    says: str,
    policy: HeadPolicy,
    switch: Switch,
    positions: PositionRule = PositionRule.ABSOLUTE,
    source: str = "",
) -> Method:
    rules = {ALL_HEADS: settings.rule(policy, positions)}
    return Method(name, says, rules, None, switch, source)
