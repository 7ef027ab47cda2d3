"""Plans of caches, for tests: all heads alike, or every type of a method in every layer."""

from headforcing.headforcing_core import CacheBank, CachePlan, LatentGrid, ModelGeometry, Rope
from headforcing.headforcing_core.memory import group_heads
from headforcing.headforcing_core.memory.groups import HeadGroup
from headforcing.headforcing_core.methods import ALL_HEADS, HeadMap, HeadRule

LAYERS, HEADS, DIM = 2, 4, 24
GRID = LatentGrid(3, 4, 1, 1)


def plan_of(geometry, rope, policy, positions, chunk, horizon, batch=1):
    heads = dict.fromkeys(range(geometry.layers), tuple(range(geometry.heads)))
    group = HeadGroup(ALL_HEADS, HeadRule(policy, positions), heads)
    return CachePlan(geometry, rope, (group,), chunk, horizon, batch)


def frames_held(bank) -> list[int]:
    """Frame numbers in the slots, in slot order."""
    return [page.at for page in bank.ledgers[0].slots.pages]


def map_for(method, heads=HEADS, layers=LAYERS):
    """Every type in every layer, in no order; None for methods that need no map."""
    if not method.needs_map:
        return None
    types = list(method.rules)
    # backwards, so that heads of a type are not in the order of the types
    rows = [tuple(types[(layer - h) % len(types)] for h in range(heads)) for layer in range(layers)]
    return HeadMap(method.scheme, tuple(rows))


def bank_for(method, frames) -> CacheBank:
    """The caches of a method for a video of so many frames, on a small grid."""
    geometry, fitted = ModelGeometry(LAYERS, HEADS, DIM), method.fitted(frames, 3)
    groups = group_heads(fitted, map_for(method), geometry)
    return CacheBank(CachePlan(geometry, Rope(DIM, GRID), groups, 3, 21, method=fitted))
