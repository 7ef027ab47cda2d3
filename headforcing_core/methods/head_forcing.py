"""Head Forcing: local, anchor and memory heads, and those that recall."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from .kv_dtype import KVDtype
from .method import HeadRule, Method
from .middles import Descriptor, Episodes, Middle
from .policy import HeadPolicy
from .positions import PositionRule
from .switch import Switching, SwitchRule

LOCAL, ANCHOR, MEMORY = "hf.local", "hf.anchor", "hf.memory"
# no type of the paper's: heads that look at what comes back, where that was measured
RECALL = "hf.recall"
SCHEME = "head_forcing"


@dataclass(frozen=True)
class RecallBudget:
    """What is kept for what comes back, beside the paper's budgets. Units: latent frames.

    A class of its own, so that its settings come last: saved workflows hold them by their places.

    Args:
        anchor_episodes: of anchor heads, chosen as those of memory heads are.
        recall_sink, recall_recent: of heads that recall.
        recall_episodes: of heads that recall, chosen as those of memory heads are.
    """

    anchor_episodes: int = 0
    recall_sink: int = 1
    recall_recent: int = 5
    recall_episodes: int = 10


@dataclass(frozen=True, kw_only=True)
class HeadDtypes:
    """In how many bits each type is kept. A class of its own: see ``RecallBudget``.

    Args:
        local_kv_dtype, anchor_kv_dtype, memory_kv_dtype, recall_kv_dtype: what keys and
            values of each type are kept in: the dtype of the model, or int8 or fp8 (e4m3), which
            take half the memory of bfloat16.
    """

    local_kv_dtype: KVDtype = KVDtype.MODEL
    anchor_kv_dtype: KVDtype = KVDtype.MODEL
    memory_kv_dtype: KVDtype = KVDtype.MODEL
    recall_kv_dtype: KVDtype = KVDtype.MODEL


@dataclass(frozen=True, kw_only=True)
class HeadOffloads:
    """Where memory of each type lies. A class of its own: see ``RecallBudget``.

    Args:
        local_offload, anchor_offload, memory_offload, recall_offload: memory of each type that is
            read once per chunk lies with the host, not on the device. Types that have none move
            nothing.
    """

    local_offload: bool = False
    anchor_offload: bool = False
    memory_offload: bool = False
    recall_offload: bool = False


@dataclass(frozen=True)
class HeadForcing(HeadOffloads, HeadDtypes, RecallBudget, Switching):
    """The budgets of Head Forcing. Units: latent frames; the current chunk comes on top.

        local    [.]                      [recent]  current
        anchor   [sink]   ([episodes])    [recent]  current
        memory   [sink]     [episodes]    [recent]  current
        recall   [sink]  [    episodes  ] [recent]  current

    The paper states the three types, that local and anchor heads keep only essential frames, that
    memory heads have a hierarchical memory with dynamic episodic updates, and that positions are
    re-encoded per head. Its text was not at hand: all numbers and rules below are inferred.

    Args:
        local_sink, local_recent: of local heads.
        anchor_sink, anchor_recent: of anchor heads.
        memory_sink, memory_recent: of memory heads; the latter is the paper's fast memory.
        episodes: of memory heads.
        positions: the head-wise re-encoding.
        warm_up: frames up to which everything is kept, whatever the budgets; 21 makes the first
            five seconds those of the plain model.
        scene_sink: anchors hold the first frames of the scene that rules, not of the video.

    Three recent frames for anchors drift more and bring less back on the one model measured, in
    every table, so they have none unless asked for.

    Source: Head Forcing (arXiv 2605.14487).
    """

    local_sink: int = 0
    local_recent: int = 1
    anchor_sink: int = 1
    anchor_recent: int = 0
    memory_sink: int = 3
    memory_recent: int = 9
    episodes: Episodes = field(default_factory=Episodes)
    positions: PositionRule = PositionRule.CONTIGUOUS
    on_switch: SwitchRule = SwitchRule.RECACHE
    recache_frames: int | None = None
    warm_up: int = 0
    scene_sink: bool = False

    def build(self, frames_per_chunk: int = 3) -> Method:
        kept = {
            LOCAL: (self.local_kv_dtype, self.local_offload),
            ANCHOR: (self.anchor_kv_dtype, self.anchor_offload),
            MEMORY: (self.memory_kv_dtype, self.memory_offload),
            RECALL: (self.recall_kv_dtype, self.recall_offload),
        }
        rules = {
            kind: HeadRule(policy, self.positions, None, *kept[kind])
            for kind, policy in self._policies.items()
        }
        return Method(
            SCHEME,
            "local heads see the last frames, anchors the first as well, memory heads also "
            "episodes in between; positions closed up per head",
            rules,
            SCHEME,
            self.switch(frames_per_chunk),
            "arXiv 2605.14487",
        )

    @property
    def _policies(self) -> dict[str, HeadPolicy]:
        warm_up = self.warm_up
        return {
            LOCAL: HeadPolicy(self.local_sink, self.local_recent, warm_up=warm_up),
            ANCHOR: HeadPolicy(
                self.anchor_sink,
                self.anchor_recent,
                self._episodes(self.anchor_episodes),
                warm_up,
                self.scene_sink,
            ),
            MEMORY: HeadPolicy(
                self.memory_sink, self.memory_recent, self.episodes, warm_up=warm_up
            ),
            RECALL: HeadPolicy(
                self.recall_sink,
                self.recall_recent,
                self._episodes(self.recall_episodes),
                warm_up=warm_up,
            ),
        }

    def _episodes(self, count: int) -> Middle:
        """Return as many episodes as that, by the rules of the others."""
        return replace(self.episodes, count=count) if count else Middle()


COMPACT = HeadForcing(
    memory_sink=1,
    memory_recent=4,
    episodes=Episodes(count=4),
    recall_recent=2,
    recall_episodes=6,
)


# for maps of a profile with returns: episodes for heads that recall alone, told apart by what those
# heads compare themselves
RECALLING = HeadForcing(
    memory_sink=1,
    memory_recent=4,
    episodes=Episodes(count=0, descriptor=Descriptor.KEYS),
    on_switch=SwitchRule.KEEP,
    recall_recent=0,
)


def _in_int8(settings: HeadForcing) -> HeadForcing:
    """Return the same with keys and values of all heads in eight bits."""
    kept = KVDtype.INT8
    return replace(
        settings,
        local_kv_dtype=kept,
        anchor_kv_dtype=kept,
        memory_kv_dtype=kept,
        recall_kv_dtype=kept,
    )


PRESETS = {
    "default": HeadForcing(),
    "paper_min": HeadForcing(local_recent=0),
    "anchor3": HeadForcing(anchor_sink=3),
    "compact": COMPACT,
    "recall": RECALLING,
    # half the memory
    "int8": _in_int8(HeadForcing()),
    "compact_int8": _in_int8(COMPACT),
    "recall_int8": _in_int8(RECALLING),
}
