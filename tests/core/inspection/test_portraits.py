"""What the drawing of a method is told is what ``inspect`` reads and ``Forecast`` counts."""

from dataclasses import replace

import pytest
import torch

from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.inspection import (
    Forecast,
    ModelSizes,
    cost_of,
    inspect,
    map_of,
    portrait,
)
from headforcing.headforcing_core.memory import ArenaPlan
from headforcing.headforcing_core.methods import NAMES, settings_named, with_values
from headforcing.headforcing_core.models import WAN_1_3B_MODEL, family_named
from headforcing.headforcing_core.video import ChunkClock, Rope

FAMILY = family_named("self_forcing")
ROPE = Rope(WAN_1_3B_MODEL.geometry.head_dim, WAN_1_3B_MODEL.grid(60, 104))
CLOCK = ChunkClock.covering(120, 3)
SIZES = ModelSizes.plain(WAN_1_3B_MODEL, torch.bfloat16)
OTHER_LOOPS = ("rolling_forcing", "krea", "krea:heads")
FOLLOWED = [name for name in NAMES if name not in (*OTHER_LOOPS, "longlive2", "full")]


def built(name, *values):
    return FAMILY.fitting(with_values(settings_named(name), list(values)).build(3))


def drawn(method, clock=CLOCK):
    return portrait(method, clock, FAMILY.horizon, ROPE, 2)


def followed(method, clock=CLOCK):
    method = method.on_grid(ROPE.grid.tokens_per_frame).fitted(clock.total_frames, 3)
    plans = {t: ArenaPlan(rule, 3, ROPE) for t, rule in method.rules.items()}
    *_, last = inspect(method, clock, FAMILY.horizon, plans, 2)
    return last


@pytest.mark.parametrize("name", FOLLOWED)
def test_all_that_is_read_is_drawn_and_nothing_else(name):
    method = built(name)
    told, last = drawn(method), followed(method)
    assert [row.type for row in told.rows] == list(last.heads)
    assert (told.start, told.stop) == (last.frames[0], last.frames[-1] + 1)
    for row in told.rows:
        seen = last.heads[row.type]
        pages = seen.readings[-1].pages
        assert row.held_bytes == seen.held_bytes
        assert row.pages == len(pages) == sum(piece.pages for piece in row.pieces)
        assert sum(p.frames for p in row.pieces) == sum(len(page.frames) for page in pages)
        single = {f for p in row.pieces if p.pages == p.frames for f in range(p.first, p.last + 1)}
        assert single == {page.frames[0] for page in pages if len(page.frames) == 1}
        read = {frame for page in pages for frame in page.frames}
        skipped = [f for first, last in row.skipped for f in range(first, last + 1)]
        assert len(set(skipped)) == len(skipped)
        assert read | set(skipped) == set(range(told.start)) and not read & set(skipped)


def test_parts_of_the_past_have_their_names():
    rows = {row.type: row for row in drawn(built("head_forcing")).rows}
    parts = {}
    for piece in rows["hf.memory"].pieces:
        parts[piece.part] = parts.get(piece.part, 0) + piece.pages
    assert parts == {"sink": 3, "middle": 6, "recent": 9}
    assert [(p.part, p.first, p.last) for p in rows["hf.local"].pieces] == [("recent", 116, 116)]
    assert rows["hf.local"].skipped == [(0, 115)]


def test_a_setting_changes_what_is_drawn():
    one, other = drawn(built("head_forcing")), drawn(built("head_forcing", "memory_recent=4"))
    assert {r.type: r.pages for r in other.rows} != {r.type: r.pages for r in one.rows}


def test_a_page_of_several_frames_is_one_piece():
    (row,) = drawn(built("memrope")).rows
    means = [piece for piece in row.pieces if piece.kind == "average"]
    assert len(means) == 2 and all(p.pages == 1 and p.frames > 50 for p in means)


@pytest.mark.parametrize("name", OTHER_LOOPS)
def test_what_cannot_be_followed_is_not_drawn(name):
    with pytest.raises(ValueError, match=r"must keep its past chunk by chunk to be drawn"):
        drawn(settings_named(name).build(3))


def test_what_takes_long_or_has_no_positions_is_refused():
    with pytest.raises(ValueError, match=r"at most 1,000,000 pages"):
        drawn(built("sink_window", "window=9"), ChunkClock.covering(200_000, 3))


@pytest.mark.parametrize("name", FOLLOWED)
def test_bytes_are_those_of_the_forecast(name):
    method = built(name)
    head_map = map_of(method, WAN_1_3B_MODEL.geometry)
    request = VideoRequest(FAMILY, 120, 60, 104, 0, method=method, head_map=head_map)
    cost = cost_of(request, SIZES)
    foreseen = Forecast(request, SIZES, 1)
    assert cost.bytes == foreseen.plan.bytes == sum(cost.caches.values())
    assert dict(cost.caches) == dict(foreseen.caches)
    assert sum(cost.heads.values()) == 12 * 30
    plain = VideoRequest(FAMILY, 120, 60, 104, 0)
    assert cost.own == Forecast(plain, SIZES, 1).plan.bytes
    assert cost_of(replace(request, method=None, head_map=None), SIZES).bytes == cost.own
