"""How models of other kinds keep the past. Units: latent frames."""

from __future__ import annotations

from dataclasses import dataclass

from ..bounds import check_frames
from .alike import Alike
from .head_forcing import ANCHOR, LOCAL, MEMORY, RECALL, SCHEME
from .kv_dtype import KVDtype
from .method import ALL_HEADS, HeadRule, Method, Rebuilt, Shots
from .middles import Anchor, MeanSink
from .policy import HeadPolicy
from .positions import PositionRule
from .switch import Switching


@dataclass(frozen=True)
class RewardForcing(Alike, Switching):
    """Reward Forcing's cache: the first chunk drifts, a mean of all that left.

    Means are in float32. In the bfloat16 of the authors' code they would stay where they began;
    keep=1 is that.

    Args:
        window: frames a head sees, the means and the current chunk included; whole chunks.
        keep: of a mean, when a chunk leaves and is folded into it.

    Source: Reward Forcing (arXiv 2512.04678) and its code at commit 4317f5a.
    """

    window: int = 9
    keep: float = 0.999

    def build(self, frames_per_chunk: int = 3) -> Method:
        check_frames("window", self.window)
        recent = self.window - 2 * frames_per_chunk
        if self.window % frames_per_chunk or recent < 0:
            raise ValueError(
                "window must be whole chunks, the means and the current one among them, got "
                f"{self.window} for chunks of {frames_per_chunk}"
            )
        policy = HeadPolicy(0, recent, MeanSink(frames_per_chunk, self.keep))
        return Method(
            "reward_forcing",
            f"running means of all that left in place of the first chunk, and the last frames, "
            f"{self.window} in all",
            {ALL_HEADS: self.rule(policy, PositionRule.CONTIGUOUS)},
            switch=self.switch(frames_per_chunk),
            source="arXiv 2512.04678",
        )


@dataclass(frozen=True)
class RollingForcing(Alike, Switching):
    """Rolling Forcing's cache: a window, and before it the first chunk while chunks are denoised.

    Args:
        window: frames a head sees, all that are being denoised included.
        anchor: first frames that the denoised ones see.

    Source: Rolling Forcing (arXiv 2509.25161) and its code at commit a1477d0.
    """

    window: int = 21
    anchor: int = 3

    def build(self, frames_per_chunk: int = 3) -> Method:
        plain = HeadPolicy.of_window(self.window, 0, frames_per_chunk)
        policy = HeadPolicy(0, plain.recent, Anchor(self.anchor))
        rule = self.rule(policy, PositionRule.ABSOLUTE, PositionRule.CONTIGUOUS)
        return Method(
            "rolling_forcing",
            f"the last {self.window} frames; before them the first {self.anchor} while chunks are "
            "denoised together",
            {ALL_HEADS: rule},
            switch=self.switch(frames_per_chunk),
            source="arXiv 2509.25161",
            reach=self.window,
        )


@dataclass(frozen=True)
class LongLive2(Alike, Switching):
    """LongLive 2.0's cache: a sink of the video, one of the shot, and the last frames.

    Args:
        window: frames a head sees, sinks and current chunk included.
        sink: first frames of the video, and as many of the shot that rules.
        shot_sink: whether a shot has one.
        offset: frames by which positions jump where a shot begins.
        recache: the first chunk of a shot is remembered as if only the sink were behind it. Not so
            where shots have no sink.

    Source: LongLive 2.0 (NVlabs/LongLive at commit 7860ad9).
    """

    window: int = 32
    sink: int = 8
    shot_sink: bool = True
    offset: int = 8
    recache: bool = False

    def build(self, frames_per_chunk: int = 8) -> Method:
        check_frames("offset", self.offset)
        policy = HeadPolicy.of_window(self.window, self.sink, frames_per_chunk)
        pinned = min(self.sink, frames_per_chunk, policy.recent) if self.shot_sink else 0
        policy = HeadPolicy(self.sink, policy.recent, shot_sink=pinned, in_order=True)
        return Method(
            "longlive2",
            f"the first {self.sink} frames, {pinned} of the shot that rules, and the last, "
            f"{self.window} in all",
            {ALL_HEADS: self.rule(policy, PositionRule.ABSOLUTE)},
            switch=self.switch(frames_per_chunk),
            source="NVlabs/LongLive 7860ad9",
            shots=Shots(self.offset, self.recache and self.shot_sink and self.sink > 0),
        )


@dataclass(frozen=True)
class KreaRealtime(Alike):
    """Krea Realtime's past: computed anew before every chunk from a few clean frames.

    Args:
        context: frames it is computed from, whole chunks.
        keep_first: the first of them is the first of the video for ever. Else it is a picture of
            the video, encoded by itself once more, for which a VAE is needed.
        fade: factor on what a chunk's attention gives to the context, but for its first frame. 1
            is the authors' code; daydreamlive/scope has 0.3.

    Source: krea-ai/realtime-video at commit acf4b7b; ``fade`` is daydreamlive/scope.
    """

    context: int = 3
    keep_first: bool = False
    fade: float = 1.0

    def build(self, frames_per_chunk: int = 3) -> Method:
        rules = {ALL_HEADS: self.rule(HeadPolicy(0, self.context), PositionRule.ABSOLUTE)}
        says = f"{self.context} clean frames, computed anew before every chunk"
        return _rebuilt(self, frames_per_chunk, says, rules)


@dataclass(frozen=True)
class KreaHeads:
    """Krea Realtime's past for heads of three types: what each reads of the same context.

    Args:
        context: frames it is computed from, whole chunks; memory heads read all of them.
        keep_first: see ``KreaRealtime``.
        local_recent: last frames of the context that local heads read.
        anchor_recent: last frames that anchor heads read beside the first.
        fade: see ``KreaRealtime``.
        local_kv_dtype, anchor_kv_dtype, memory_kv_dtype: what keys and values of each type are kept
            in.
        local_offload, anchor_offload, memory_offload: of no use here, where nothing outlives a
            chunk.

    Source: ``KreaRealtime``, with the types of Head Forcing (arXiv 2605.14487).
    """

    context: int = 6
    keep_first: bool = False
    local_recent: int = 0
    anchor_recent: int = 0
    fade: float = 1.0
    local_kv_dtype: KVDtype = KVDtype.MODEL
    anchor_kv_dtype: KVDtype = KVDtype.MODEL
    memory_kv_dtype: KVDtype = KVDtype.MODEL
    local_offload: bool = False
    anchor_offload: bool = False
    memory_offload: bool = False

    def build(self, frames_per_chunk: int = 3) -> Method:
        policies = {
            LOCAL: HeadPolicy(0, self.local_recent),
            ANCHOR: HeadPolicy(1, self.anchor_recent),
            MEMORY: HeadPolicy(0, self.context),
            # nothing outlives a chunk here: there is no more to recall
            RECALL: HeadPolicy(0, self.context),
        }
        says = (
            f"{self.context} clean frames, computed anew before every chunk: memory heads read "
            f"all, anchors the first, local heads the last {self.local_recent}"
        )
        kept = {
            LOCAL: (self.local_kv_dtype, self.local_offload),
            ANCHOR: (self.anchor_kv_dtype, self.anchor_offload),
            MEMORY: (self.memory_kv_dtype, self.memory_offload),
            RECALL: (self.memory_kv_dtype, self.memory_offload),
        }
        rules = {
            type_: HeadRule(policy, PositionRule.ABSOLUTE, None, *kept[type_])
            for type_, policy in policies.items()
        }
        return _rebuilt(self, frames_per_chunk, says, rules, SCHEME)


def _rebuilt(
    settings: KreaRealtime | KreaHeads,
    frames_per_chunk: int,
    says: str,
    rules: dict[str, HeadRule],
    scheme: str | None = None,
) -> Method:
    check_frames("context", settings.context, 1)
    if settings.context % frames_per_chunk:
        raise ValueError(
            f"context must be whole chunks of {frames_per_chunk} frames, got {settings.context}"
        )
    if not 0 < settings.fade <= 1:
        raise ValueError(f"fade must be above 0 and at most 1, got {settings.fade}")
    anew = Rebuilt(settings.context, settings.keep_first, settings.fade)
    source = "krea-ai/realtime-video acf4b7b"
    return Method("krea", says, rules, scheme, source=source, rebuilt=anew)
