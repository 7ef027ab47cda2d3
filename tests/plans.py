"""Plans of caches in which all heads keep the same."""

from headforcing.headforcing_core import CachePlan
from headforcing.headforcing_core.groups import HeadGroup
from headforcing.headforcing_core.method import ALL_HEADS, HeadRule


def plan_of(geometry, rope, policy, positions, chunk, horizon, batch=1):
    heads = dict.fromkeys(range(geometry.layers), tuple(range(geometry.heads)))
    group = HeadGroup(ALL_HEADS, HeadRule(policy, positions), heads)
    return CachePlan(geometry, rope, (group,), chunk, horizon, batch)


def frames_held(bank) -> list[int]:
    """Frame numbers in the slots, in slot order."""
    return [page.at for page in bank.ledgers[0].slots.pages]
