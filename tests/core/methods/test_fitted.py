"""A method fitted to a short video reads what it would have read, in no more room than it needs."""

import random
from enum import Enum

import pytest
from toy_rollout import every_method

from headforcing.headforcing_core import ChunkClock, LatentGrid, Rope
from headforcing.headforcing_core.bounds import MOST_FRAMES
from headforcing.headforcing_core.inspection import inspect
from headforcing.headforcing_core.memory import ArenaPlan
from headforcing.headforcing_core.methods import (
    ALL_HEADS,
    HeadPolicy,
    HeadRule,
    Method,
    PositionRule,
    Switch,
    SwitchRule,
    setting_names,
    settings_named,
    with_values,
)
from headforcing.headforcing_core.methods.middles import (
    Averages,
    Bands,
    Blocks,
    Cyclic,
    Episodes,
    EpisodeUpdate,
    Replay,
    Stride,
    Tokens,
)

HORIZON = 21
ROPE = Rope(24, LatentGrid(6, 6, 1, 1))
# of a video of fifty frames they are too few, about enough, and far too many
BUDGETS = (0, 1, 2, 3, 4, 5, 7, 12, 20, 30, 47, 48, 50, 60, 300)


def drawn(name, rng):
    """Draw settings of a method until they make one."""
    settings = settings_named(name)
    while True:
        changes = [_change(setting, value, rng) for setting, value in setting_names(settings)]
        try:
            changed = with_values(settings, [change for change in changes if rng.random() < 0.5])
            return changed.build(3)
        except ValueError:
            continue


def _change(setting, value, rng):
    match value:
        case Enum():
            return f"{setting}={rng.choice(list(type(value))).value}"
        case bool():
            return f"{setting}={rng.choice(['true', 'false'])}"
        case float():
            return f"{setting}={rng.choice([0.1, 0.5, 1])}"
        case tuple():
            return f"{setting}={','.join(['0.1'] * rng.randint(1, 4))}"
    return f"{setting}={rng.choice(BUDGETS)}"


def readings(method, frames, switches):
    plans = {type_: ArenaPlan(rule, 3, ROPE) for type_, rule in method.rules.items()}
    chunks = inspect(method, ChunkClock(frames, 3), HORIZON, plans, 4, switches)
    return [(c.frames, {t: h.readings for t, h in c.heads.items()}) for c in chunks]


@every_method
@pytest.mark.parametrize("seed", range(40))
def test_a_fitted_method_reads_the_same(name, seed):
    rng = random.Random(f"{name} {seed}")
    method, frames = drawn(name, rng), 3 * rng.randint(1, 20)
    switches = sorted(rng.sample(range(1, 60), rng.choice([0, 1, 2, 5])))
    fitted = method.fitted(frames, 3)
    for rule in method.rules.values():
        try:
            rule.positions.check(rule.policy.seen + 3, HORIZON)
        except ValueError:  # places are not there for so many
            return
    assert readings(fitted, frames, switches) == readings(method, frames, switches)


def middles(rng):
    """Draw a rule of every kind, its numbers around those of the video."""

    def number():
        return rng.choice([1, 2, 3, 4, 5, 6, 7, 9, 12, 15, 18, 20, 21, 24, 60])

    room = number()
    return (
        Stride(number(), number()),
        Cyclic(number(), number()),
        Blocks(number(), 1, number()),
        Replay(number(), number()),
        Tokens(room, rng.randint(1, room)),
        Episodes(number(), rng.choice(list(EpisodeUpdate)), candidates=rng.randint(1, 3)),
        Averages(),
        Bands(),
    )


@pytest.mark.parametrize("seed", range(60))
def test_a_fitted_middle_reads_the_same(seed):
    rng = random.Random(seed)
    for middle in middles(rng):
        policy = HeadPolicy(rng.choice([0, 0, 1, 3]), rng.choice([0, 0, 1, 4, 60]), middle)
        rule, frames = HeadRule(policy, PositionRule.ABSOLUTE), 3 * rng.randint(1, 8)
        method = Method("x", "", {ALL_HEADS: rule}, switch=Switch(SwitchRule.RECACHE, 6))
        switches = rng.sample(range(1, 24), rng.choice([0, 0, 2]))
        fitted = method.fitted(frames, 3)
        assert readings(fitted, frames, switches) == readings(method, frames, switches), middle


@every_method
def test_the_largest_budgets_need_no_more_room_than_twice_the_video(name):
    settings = settings_named(name)
    for setting, value in setting_names(settings):
        if isinstance(value, int) and not isinstance(value, bool) and "pool" not in setting:
            try:
                method = with_values(settings, [f"{setting}={MOST_FRAMES}"]).build(3)
            except ValueError:
                continue
            for rule in method.fitted(60, 3).rules.values():
                middle = rule.policy.middle
                assert max(rule.policy.slots, middle.front) <= 60 + middle.slots, setting
                assert middle.kept_aside <= 2 * 60, setting
