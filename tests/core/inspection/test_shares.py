"""What several ranks would take, foreseen."""

import json
from dataclasses import replace

import pytest
import torch
from every_family import every_family, request_of
from plans import map_for
from random_model import TINY

from headforcing.headforcing_core.cli import main
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.inspection import Cards, Forecast, ModelSizes, Shares
from headforcing.headforcing_core.memory import CacheBank
from headforcing.headforcing_core.methods import NAMES, settings_named
from headforcing.headforcing_core.models import family_named
from headforcing.headforcing_core.ranks import balanced, by_count, imbalance

CONFIG = replace(TINY, layers=3, heads=6, dim=144)
NOWHERE = Cards(1e12, (float("inf"),), 0)


def request_for(name, frames=60):
    method = settings_named(name).build()
    head_map = map_for(method, CONFIG.heads, CONFIG.layers)
    family = family_named("self_forcing")
    return VideoRequest(family, frames, 4, 8, 0, method=method, head_map=head_map)


def shares_of(name, ranks):
    sizes = ModelSizes.plain(CONFIG, torch.float32)
    return Shares(CONFIG, request_for(name).plan(sizes, 1, ranks), 512)


@pytest.mark.parametrize("ranks", [2, 4, 5])
@pytest.mark.parametrize("name", ["rolling", "head_forcing", "pyramid", "deep", "memrope"])
def test_bytes_of_each_rank_are_what_it_allocates(name, ranks):
    shares = shares_of(name, ranks)
    for rank, planned in enumerate(shares.bytes):
        bank = CacheBank(replace(shares.plan, rank=rank))
        assert planned == sum(x.untyped_storage().nbytes() for x in bank.tensors)


@every_family
def test_a_forecast_tells_of_the_fullest_rank(name):
    request, sizes = request_of(name, 6), ModelSizes.plain(TINY, torch.float32)
    sizes = replace(sizes, config=replace(TINY, in_dim=request.family.channels))
    alone, three = (Forecast(request, sizes, 16, "cuda", ranks=n) for n in (1, 3))
    most = max(replace(three.plan, rank=rank).bytes for rank in range(3))
    assert three.plan.bytes == most < alone.plan.bytes
    assert sum(three.caches.values()) == most
    assert three.peak("cuda") < alone.peak("cuda")
    # on the host all ranks lie beside each other
    host = Forecast(request, sizes, 16, "cpu", ranks=3)
    assert host.peak("cpu") >= 3 * most + 3 * sizes.weights_bytes


def test_nothing_between_cards_is_as_fast_as_it_is_even():
    for ranks in (2, 3):
        assert shares_of("rolling", ranks).faster(NOWHERE, *NOWHERE.links) == pytest.approx(
            ranks, rel=0.2 if ranks == 3 else 1e-9
        )
    uneven = shares_of("head_forcing", 5)
    assert 5 / uneven.balance * 0.8 < uneven.faster(NOWHERE, *NOWHERE.links) < 5
    slow = replace(NOWHERE, links=(1e3,))
    assert uneven.faster(slow, *slow.links) < 1


def test_dealing_by_what_is_read_beats_dealing_by_count():
    even = shares_of("head_forcing", 2)
    assert 1 <= even.balance < even.balance_by_count
    loads = even.plan.loads
    assert imbalance(balanced(loads, 2), loads) == even.balance
    assert imbalance(by_count(3, 6, 2), loads) == even.balance_by_count


def test_a_plan_tells_of_ranks(capsys):
    line = ["plan", "--free", "40", "--ranks", "2"]
    assert main([*line]) == 0
    said = capsys.readouterr().out
    assert "on 2 ranks, heads dealt by what they read:\n  caches of each" in said
    assert "an estimate, not a measurement" in said and "8 ranks" in said
    assert main([*line, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["ranks"]
    # of 780 tokens of 3 frames, queries, keys and values of 6 heads, back the same of one kind
    own = 30 * 3 * 780 * 6 * 128 * 2
    assert told["sent_per_call"][0]["in"] == 3 * own
    assert told["sent_per_call"][1]["out"] == own
    assert told["collectives_per_call"] == {"in": 30, "out": 30, "whole": 1}
    assert told["caches"][0] == told["caches"][1]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["plan", "--ranks", "13"], "at most the heads of a layer, which are 12, got 13"),
        (["plan", "--ranks", "0"], "--ranks must be 1 to"),
        (["inspect", "rolling", "--ranks", "2"], "--ranks must come without METHOD"),
        (["inspect", "--ranks", "13"], "at most the heads of a layer, which are 12, got 13"),
    ],
)
def test_ranks_that_cannot_be_are_refused(capsys, line, said):
    assert main(line) == 2
    assert said in capsys.readouterr().err


def test_how_even_every_method_is_is_told(capsys):
    assert main(["inspect", "--ranks", "4", "--json"]) == 0
    rows = {row["method"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == set(NAMES) - {"rolling_forcing", "krea", "krea:heads"}
    for row in rows.values():
        assert 1 <= row["dealt"] <= row["by_count"] + 1e-9
        assert 0.25 <= row["share"] < 0.3
    assert rows["head_forcing"]["dealt"] < 1.06 < 1.3 < rows["head_forcing"]["by_count"]
    assert main(["inspect", "--ranks", "4"]) == 0
    assert "| `pyramid` | 1.0" in capsys.readouterr().out
