"""What is foreseen of a run is what the run takes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from live_bytes import LiveBytes
from plans import map_for
from random_model import TINY, random_weights

from headforcing.headforcing_core import PromptSchedule
from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.inspection import Forecast, ModelSizes, table
from headforcing.headforcing_core.memory import CacheBank
from headforcing.headforcing_core.methods import NAMES, published_map, settings_named, with_values
from headforcing.headforcing_core.models import WAN_1_3B_MODEL, family_named
from headforcing.headforcing_core.models.checkpoint import build_wan

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results"
GIB = 1024**3
TOKENS = 16
SMALL = replace(TINY, layers=2)


def asked(config, name, frames, rows, columns, first=None, family="self_forcing"):
    family = family_named(family).tuned(steps=(1000, 500))
    method = None if name is None else settings_named(name).build(family.frames_per_chunk)
    if method is not None and method.rebuilt:
        method = replace(method, rebuilt=replace(method.rebuilt, keep_first=True))
    head_map = method and map_for(method, config.heads, config.layers)
    return VideoRequest(family, frames, rows, columns, 0, first, method, head_map)


def forecast_of(config, dtype, name, *shape, batch=1, device="cpu", **more):
    request = asked(config, name, *shape, **more)
    sizes = ModelSizes.plain(config, dtype)
    return Forecast(request, sizes, TOKENS, device, batch=batch)


def measured(forecast):
    """Return the most bytes that are alive at once in a rollout, weights aside."""
    config, batch = forecast.sizes.config, forecast.batch
    weights = TensorDict(random_weights(config))
    model = build_wan(weights, heads=config.heads, dtype=forecast.sizes.dtype)
    text = torch.zeros(batch, TOKENS, config.text_dim)
    with LiveBytes() as live:
        for _ in forecast.request.rollout(model, PromptSchedule.constant(text)).run():
            pass
    return live.peak


FULL, HALF = torch.float32, torch.bfloat16


@pytest.mark.parametrize(
    ("name", "dtype", "widths", "shape", "more"),
    [
        # widths: dim, ffn_dim, heads; shape: frames, latent rows and columns
        ("head_forcing", FULL, (96, 192, 4), (24, 8, 12), {}),
        ("head_forcing", HALF, (96, 192, 4), (24, 8, 12), {}),
        ("head_forcing:compact", FULL, (192, 1120, 8), (24, 12, 20), {}),
        ("pyramid", FULL, (128, 800, 2), (24, 7, 13), {}),
        ("pyramid", HALF, (128, 128, 4), (15, 8, 12), {}),
        ("forcing_kv", FULL, (192, 200, 4), (15, 12, 20), {}),
        ("dummy", FULL, (128, 256, 4), (15, 12, 20), {}),
        ("deep", FULL, (128, 256, 4), (27, 12, 20), {}),
        ("deep", HALF, (128, 256, 4), (24, 8, 12), {}),
        ("memrope", HALF, (128, 256, 4), (15, 12, 20), {}),
        ("rolling_sink", FULL, (128, 256, 4), (24, 8, 12), {}),
        ("longlive", FULL, (192, 1120, 4), (18, 12, 20), {}),
        ("full", FULL, (256, 1500, 2), (12, 20, 32), {}),
        ("rolling", FULL, (128, 700, 4), (9, 16, 24), {"batch": 2}),
        ("rolling", HALF, (128, 256, 4), (7, 16, 24), {"batch": 2, "first": 1}),
        ("rolling", FULL, (128, 256, 4), (1, 16, 24), {"first": 1}),
        ("infinity_rope", FULL, (128, 256, 4), (6, 16, 24), {"family": "causal_forcing_framewise"}),
        (None, FULL, (128, 700, 4), (12, 12, 20), {}),
        (None, FULL, (128, 700, 4), (36, 12, 20), {"family": "rolling_forcing"}),
        (None, HALF, (128, 256, 4), (36, 12, 20), {"family": "rolling_forcing"}),
        (None, FULL, (128, 700, 4), (24, 12, 20), {"family": "reward_forcing"}),
        (None, HALF, (128, 256, 4), (24, 12, 20), {"family": "reward_forcing"}),
        (None, FULL, (128, 700, 4), (64, 8, 12), {"family": "longlive2"}),
        ("krea:heads", FULL, (128, 700, 4), (24, 12, 20), {"family": "krea_14b"}),
    ],
)
def test_the_worst_moment_is_foreseen(name, dtype, widths, shape, more):
    dim, ffn_dim, heads = widths
    channels = family_named(more.get("family", "self_forcing")).channels
    sizes = {"in_dim": channels, "out_dim": channels}
    config = replace(SMALL, dim=dim, ffn_dim=ffn_dim, heads=heads, **sizes)
    forecast = forecast_of(config, dtype, name, *shape, **more)
    kept = forecast.plan.bytes + forecast.text_bytes
    ratio = forecast.activation_bytes / (measured(forecast) - kept)
    assert 0.95 < ratio < 1.3


OWN = {"rolling_forcing": "rolling_forcing", "krea": "krea_14b", "krea:heads": "krea_14b"}


@pytest.mark.parametrize("name", NAMES)
def test_caches_are_what_is_allocated_by_type(name):
    family = OWN.get(name, "self_forcing")
    forecast = forecast_of(TINY, HALF, name, 24, 8, 12, family=family)
    bank, found = CacheBank(forecast.plan), {}
    for layer in bank.layers:
        for share in layer.shares:
            (group,) = {
                g.type
                for g, of in zip(forecast.plan.groups, bank.ledgers, strict=True)
                if of is share.ledger
            }
            arena = share.arena
            rows = (arena.k, arena.v, arena.front_k, arena.front_v)
            own = [*(x for each in rows for x in each.tensors), *arena.beside.tensors]
            found[group] = found.get(group, 0) + sum(x.numel() * x.element_size() for x in own)
    window = sum(x.numel() * x.element_size() for x in bank.window)
    if window:
        found["the window's"] = window
    assert found == forecast.caches
    assert sum(found.values()) == forecast.plan.bytes


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_what_is_out_of_the_way_is_told_where_it_lies(device):
    plain = forecast_of(TINY, HALF, "rolling_sink", 60, 8, 12)
    request = replace(plain.request, method=plain.request.method.offloading())
    plain, away = (replace(plain, request=r, device=device) for r in (plain.request, request))
    moved = away.plan.host_bytes
    assert (moved > 0) == (device == "cuda")
    assert plain.peak(device) - away.peak(device) == pytest.approx(moved, rel=0.1)
    assert away.peak("cpu") - plain.peak("cpu") == moved
    # three frames come to be shown; the cycle was stored long ago
    page = 2 * away.plan.batch * 24 * TINY.dim * HALF.itemsize * TINY.layers
    assert away.crossed[0].bytes == (3 * page if moved else 0) and away.crossed[1].bytes == 0
    assert ("a chunk copies up to" in table(away, {})) == ("on the host" in table(away, {}))
    assert ("a chunk copies up to" in table(away, {})) == (moved > 0)


def test_a_minute_on_a_gpu_took_what_is_foreseen():
    """Peaks that were measured on an H100, to a hundredth."""
    results = json.loads((RESULTS / "rollout_nvidia_h100_80gb_hbm3.json").read_text())
    sizes = ModelSizes.plain(WAN_1_3B_MODEL, HALF)
    family = family_named("self_forcing")
    seen = set()
    for row in results["rows"]:
        name = row["method"]
        if row["compiled"] or name.startswith("head_forcing"):  # of a map that is not published
            continue
        method, *values = name.split(",")
        built = with_values(settings_named(method), values).build(family.frames_per_chunk)
        head_map = published_map("pyramid_self_forcing") if built.scheme else None
        # those before, three that were timed, and one that was watched
        frames = family.frames_per_chunk * (row["chunk"] + 3)
        request = VideoRequest(family, frames, 60, 104, 0, method=built, head_map=head_map)
        peak = Forecast(request, sizes, 512, "cuda").peak("cuda") / GIB
        assert 0.99 < peak / row["peak_gib"] < 1.01
        seen.add(name)
    assert seen == {"rolling", "pyramid", "full"}


def test_rows_add_up_in_the_place_where_they_lie():
    forecast = forecast_of(TINY, HALF, "rolling", 24, 8, 12, device="cuda")
    forecast = replace(forecast, decoding=lambda rows, columns: 10 * rows * columns, images=True)
    assert forecast.places == ("cuda", "cpu")
    by = {row.kind: row for row in forecast.rows}
    assert [by[kind].place for kind in ("caches", "decoding", "latents", "pictures")] == [
        *("cuda", "cuda", "cpu", "cpu")
    ]
    assert by["latents"].bytes == 2 * 16 * 24 * 8 * 12 * 4
    assert by["pictures"].bytes == forecast.pictures * 64 * 96 * 3 * 4
    assert (forecast.frames, forecast.chunks, forecast.pictures) == (24, 8, 93)
    every = sum(row.bytes for row in forecast.rows)
    assert forecast.peak("cuda") + forecast.peak("cpu") == every
    # on the CPU all of it is in one place
    assert replace(forecast, device="cpu").peak("cpu") == every


def test_weights_that_are_streamed_count_where_they_are_resident():
    forecast = forecast_of(TINY, HALF, "rolling", 24, 8, 12)
    streamed = replace(forecast.sizes, resident_bytes=10)
    less = replace(forecast, sizes=streamed)
    assert forecast.peak("cpu") - less.peak("cpu") == forecast.sizes.weights_bytes - 10
    names = [[row.what for row in one.rows if row.kind == "weights"] for one in (forecast, less)]
    assert names == [["weights"], ["weights, at least"]]


def test_the_table_names_what_there_is():
    forecast = forecast_of(TINY, HALF, "head_forcing", 24, 8, 12, device="cuda")
    said = table(forecast, {"cuda": 3 * GIB, "cpu": None}).splitlines()
    assert said[0] == "5.8 s: 24 latent frames, 93 pictures, 8 chunks; 96 x 64; head_forcing"
    assert [line.split("  ")[1].strip() for line in said[1:4]] == [
        f"caches, hf.{kind}" for kind in ("local", "anchor", "memory")
    ]
    assert any(line.endswith("GiB of 3.00 free") for line in said)
    assert said[-1].strip().startswith("in all on cpu") and said[-1].endswith("GiB")


def test_what_does_not_fit_the_model_is_said_at_once():
    with pytest.raises(ValueError, match="must fit the model"):
        request = asked(TINY, "head_forcing", 24, 8, 12)
        Forecast(request, ModelSizes.plain(replace(TINY, layers=3), HALF), TOKENS)
