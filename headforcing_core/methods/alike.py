"""How the memory of heads is kept, where it is one way for all of them."""

from __future__ import annotations

from dataclasses import dataclass

from .kv_dtype import OneDtype
from .method import HeadRule
from .offload import OneOffload
from .policy import HeadPolicy
from .positions import PositionRule


@dataclass(frozen=True, kw_only=True)
class Alike(OneOffload, OneDtype):
    """In how many bits, and where, the memory of all heads is kept."""

    def rule(
        self, policy: HeadPolicy, positions: PositionRule, ahead: PositionRule | None = None
    ) -> HeadRule:
        """Return the rule of heads whose memory is kept so."""
        return HeadRule(policy, positions, ahead, self.kv_dtype, self.offload)
