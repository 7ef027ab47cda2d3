"""Heads dealt to ranks, in integers."""

from collections import Counter
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plans import map_for

from headforcing.headforcing_core import LatentGrid, ModelGeometry, Rope
from headforcing.headforcing_core.memory import CachePlan, group_heads
from headforcing.headforcing_core.methods import NAMES, settings_named
from headforcing.headforcing_core.ranks import (
    CallTraffic,
    Deal,
    balanced,
    by_count,
    check_ranks,
    imbalance,
    runs_of,
)


def plan_for(name, heads=5, layers=3):
    geometry, grid = ModelGeometry(layers, heads, 24), LatentGrid(3, 4, 1, 1)
    method = settings_named(name).build().fitted(60, 3)
    groups = group_heads(method, map_for(method, heads, layers), geometry)
    return CachePlan(geometry, Rope(24, grid), groups, 3, 1000, method=method)


layers_of_heads = st.integers(1, 9).flatmap(
    lambda heads: st.lists(
        st.lists(st.integers(1, 40), min_size=heads, max_size=heads), min_size=1, max_size=4
    )
)


@settings(max_examples=200)
@given(layers_of_heads, st.data())
def test_every_head_has_one_rank_and_no_rank_is_idle(loads, data):
    ranks = data.draw(st.integers(1, len(loads[0])))
    deal = balanced(loads, ranks)  # what is wrong with it, it refuses itself
    assert deal.ranks == ranks
    assert imbalance(deal, loads) >= 1
    for load, layer in zip(loads, deal.heads, strict=True):
        sums = [sum(load[head] for head in own) for own in layer]
        mean, most = sum(load) / ranks, max(load)
        # as far from even as the largest head alone makes it, at most
        assert max(sums) <= max(mean + most * (1 - 1 / ranks), most) + 1e-9


def test_the_best_of_all_deals_is_found_or_nearly():
    for loads in ((3, 3, 2, 2, 2), (21, 21, 7, 7, 4, 4), (9, 1, 1, 1, 1), (21, 21, 21, 4, 4)):
        for ranks in (2, 3):
            best = min(
                max(
                    sum(x for x, r in zip(loads, deal, strict=True) if r == rank)
                    for rank in range(ranks)
                )
                for deal in product(range(ranks), repeat=len(loads))
            )
            (own,) = balanced([loads], ranks).heads
            assert max(sum(loads[h] for h in heads) for heads in own) == best


def test_heads_that_weigh_the_same_are_dealt_by_count_and_in_turn():
    deal = balanced([[7] * 5] * 4, 2)
    assert [sorted(deal.counts(layer)) for layer in range(4)] == [[2, 3]] * 4
    assert sum(deal.counts(layer)[0] for layer in range(4)) == 10
    assert by_count(2, 5, 2).heads == (((0, 1, 2), (3, 4)),) * 2


def test_room_goes_to_the_rank_that_has_least():
    """What is read is even in both layers; what is kept is so in both together alone."""
    loads, sizes = [[5, 5], [5, 5]], [[9, 1], [9, 1]]
    deal = balanced(loads, 2, sizes)
    kept = [
        sum(sizes[layer][h] for layer in range(2) for h in deal.heads[layer][rank])
        for rank in range(2)
    ]
    assert kept == [10, 10]


@pytest.mark.parametrize(
    ("heads", "said"),
    [
        ((((0, 1), (1, 2)),), "must be on one rank"),
        ((((0, 1), (3,)),), "must be on one rank"),
        ((((0, 1), ()),), "must have heads"),
        ((((1, 0), (2,)),), "in their order"),
        ((((0, 1), (2,)), ((0,), (1,), (2,))), "as many ranks"),
    ],
)
def test_a_wrong_deal_is_refused(heads, said):
    with pytest.raises(ValueError, match=said):
        Deal(heads)


def test_more_ranks_than_heads_or_tokens_are_refused():
    with pytest.raises(ValueError, match="at most the heads of a layer, which are 4, got 5"):
        check_ranks(5, 4, 100)
    with pytest.raises(ValueError, match="at most the tokens of a frame, which are 2, got 3"):
        check_ranks(3, 4, 2)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ranks", [2, 3, 5])
def test_a_plan_is_dealt_whole(name, ranks):
    """Each rank's bytes, and what it reads, add up to what one process has."""
    whole = plan_for(name)
    parts = [whole.dealt(ranks, rank) for rank in range(ranks)]
    assert len({part.deal for part in parts}) == 1
    assert sum(part.bytes for part in parts) == whole.bytes
    for layer in range(3):
        assert sum((Counter(part.pool_rows(layer)) for part in parts), Counter()) == Counter(
            whole.pool_rows(layer)
        )
        assert sum(part.heads_in(layer) for part in parts) == 5
    assert imbalance(parts[0].deal, whole.loads) <= imbalance(by_count(3, 5, ranks), whole.loads)
    assert whole.dealt(1) is whole and whole.own is whole.groups


def test_what_is_read_is_what_is_balanced():
    plan = plan_for("head_forcing", 6, 4)
    frames = {g.type: plan.arena(g).rows / 12 for g in plan.groups}
    assert frames["hf.memory"] > 2 * frames["hf.local"]
    for layer, load in enumerate(plan.loads):
        for group in plan.groups:
            assert {load[h] / 12 for h in group.heads.get(layer, ())} <= {frames[group.type]}
    even, plain = (imbalance(d, plan.loads) for d in (plan.dealt(2).deal, by_count(4, 6, 2)))
    assert even < 1.07 < 1.1 < plain


def test_what_ranks_send_adds_up():
    """Of everything each token of each head goes to its rank and back, but for those at home."""
    deal = balanced([[1, 1, 1, 1, 1], [3, 1, 1, 1, 1]], 3)
    call = CallTraffic(deal, 2, 3, 7, 24, 64, 4)
    tokens = runs_of(7, 3)
    home = [
        sum(t * n for t, n in zip(tokens, deal.counts(layer), strict=True)) for layer in range(2)
    ]
    away = sum(7 * 5 - at for at in home) * 2 * 3 * 24 * 4
    sent = [call.sent(rank) for rank in range(3)]
    assert sum(s["out"] for s in sent) == away and sum(s["in"] for s in sent) == 3 * away
    assert [s["whole"] for s in sent] == [2 * 3 * 3 * 2 * 64 * 4] * 3
    assert call.collectives == {"in": 2, "out": 2, "whole": 1}
    alone = replace(call, deal=by_count(2, 5, 1))
    assert set(alone.sent(0).values()) == {0}
