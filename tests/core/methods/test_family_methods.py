"""What methods of other families remember, against a second list of it and against recordings."""

import json
from pathlib import Path

import pytest
import torch
from family_rules import Kept, LongLiveSlots, RollingSlots
from hypothesis import given, settings
from hypothesis import strategies as st
from plans import plan_of
from safetensors.torch import load_file
from told_backbone import HORIZON

from headforcing.headforcing_core import CacheBank, Chunk, LatentGrid, ModelGeometry, Rope
from headforcing.headforcing_core.memory import Ledger
from headforcing.headforcing_core.methods import (
    ALL_HEADS,
    Commit,
    HeadPolicy,
    HeadRule,
    Kind,
    LongLive2,
    Page,
    Past,
    PositionRule,
    RewardForcing,
    RollingForcing,
)
from headforcing.headforcing_core.methods.middles import Anchor, MeanSink

RECORDED = Path(__file__).parents[2] / "golden"
ROLLING = "set_rolling", "x_small_cache"


def recorded(folder, name):
    about = json.loads((RECORDED / folder / "config.json").read_text())["fixtures"][name]
    return about, load_file(RECORDED / folder / f"{name}.safetensors")


def ledger_of(method, chunk):
    return Ledger(method.rules[ALL_HEADS], chunk, HORIZON)


def shots_kept(settings_, chunk, cuts):
    """What drafts and clean calls read under the shipped rules, with frames as the video counts."""
    method = settings_.build(chunk)
    ledger, shots, frames = ledger_of(method, chunk), method.shots, {}
    shift = shot = 0
    for number, cut in enumerate(cuts):
        start = number * chunk
        if cut:
            shift += shots.offset
            shot = start + shift
        own = Chunk(number, start + shift, start + shift + chunk)
        frames |= {start + shift + i: start + i for i in range(chunk)}

        drafted = read_of(ledger, own, frames)
        if cut and shots.recache:
            ledger.leave_sink()
        yield drafted, read_of(ledger, own, frames)
        ledger.commit(Commit(own, shot=shot))


def read_of(ledger, chunk, frames):
    ledger.open(chunk)
    found = ledger.read(chunk.start)
    return sorted(Kept(frames[page.at], at) for page, at in found.items())


def as_slots_say(window, sink, shot_sink, offset, recache, chunk, cuts):
    ours = shots_kept(LongLive2(window, sink, shot_sink, offset, recache), chunk, cuts)
    theirs = LongLiveSlots(window, sink, shot_sink, offset, recache, chunk).run(cuts)
    for number, (found, expected) in enumerate(zip(ours, theirs, strict=True)):
        assert (found[0], found[1]) == expected, number


@given(
    chunk=st.integers(1, 4),
    sink=st.integers(0, 6),
    recent=st.integers(0, 9),
    shot_sink=st.booleans(),
    offset=st.sampled_from([0, 1, 8]),
    recache=st.booleans(),
    cuts=st.lists(st.booleans(), min_size=12, max_size=12),
)
@settings(max_examples=300)
def test_shots_are_kept_as_the_original_keeps_them(
    chunk, sink, recent, shot_sink, offset, recache, cuts
):
    # computing a chunk again before the sink is full would read what its last draft left there
    full = max(1, -(-sink // chunk)) if recache else 1
    cuts = [cut and number >= full for number, cut in enumerate(cuts)]
    as_slots_say(sink + chunk + recent, sink, shot_sink, offset, recache, chunk, cuts)


CUTS = [number in (1, 2, 6, 9) for number in range(14)]
SOON = [number in (1, 4) for number in range(14)]
LATE = [number in (4, 9) for number in range(14)]


@pytest.mark.parametrize(
    ("window", "sink", "shot_sink", "offset", "recache", "chunk", "cuts"),
    [
        pytest.param(12, 4, True, 8, False, 2, CUTS, id="a cut before the sink is full"),
        pytest.param(12, 4, False, 8, False, 2, CUTS, id="the same without a sink of the shot"),
        pytest.param(11, 5, True, 0, False, 3, SOON, id="a shot that begins within the sink"),
        pytest.param(9, 2, True, 8, False, 2, LATE, id="a shot that rolls past the sink"),
        pytest.param(7, 3, True, 0, False, 3, LATE, id="one frame of room for it"),
        pytest.param(8, 2, False, 8, True, 2, LATE, id="computed again without a sink of the shot"),
        pytest.param(8, 0, True, 8, True, 2, LATE, id="computed again without a sink"),
    ],
)
def test_shots_of_unusual_sizes(window, sink, shot_sink, offset, recache, chunk, cuts):
    as_slots_say(window, sink, shot_sink, offset, recache, chunk, cuts)


@pytest.mark.parametrize("name", ["b_multi_shot", "g_image"])
def test_the_slots_are_those_of_the_recording(name):
    """The second list itself."""
    about, tensors = recorded("set_longlive2", name)
    sizes = [about[key] for key in ("window", "sink", "multi_shot_sink", "recache", "chunk")]
    slots = LongLiveSlots(*sizes[:3], int(about["rope_offset"]), *sizes[3:])
    cuts = about["scene_cuts"]
    past = [len(clean) for _, clean in slots.run(cuts)]
    pins = [[n, past[n], min(slots.sink, slots.chunk)] for n, cut in enumerate(cuts) if cut]
    calls = [count + slots.chunk for count in past for _ in range(about["num_steps"] + 1)]
    assert pins == about["pinned_after"] and tensors["calls.attended_frames"].tolist() == calls


def test_rolling_reads_what_the_recording_read():
    about, tensors = recorded(*ROLLING)
    reach, size, steps = (about[key] for key in ("attention_frames", "chunk", "n_steps"))
    ledger = ledger_of(RollingForcing(reach, size).build(size), size)
    slots = RollingSlots(reach, size)
    rows = [tensors[key].tolist() for key in ("calls", "key_frames", "key_positions")]
    for number, ((start, frames, clean), *read) in enumerate(zip(*rows, strict=True)):
        own = {frame: frame for frame in range(start, start + frames)}
        expected = {frame: at for frame, at in zip(*read, strict=True) if frame != -9}
        chunk, window = Chunk(start // size, start, start + frames), number // 2
        if clean and window < steps - 1:
            continue  # of a chunk that is not finished: nothing reads what it leaves
        if clean:
            ledger.open(chunk)
            found, listed = ledger.read(start), slots.clean(chunk.frames)
            ledger.commit(Commit(chunk))
        else:
            found, listed = ledger.ahead(chunk, reach), slots.joint(chunk.frames)
        assert {page.at: at for page, at in found.items()} | own == expected
        assert {kept.frame: at for kept, at in listed} | own == expected


@given(
    chunk=st.integers(1, 4),
    room=st.integers(1, 5),
    steps=st.integers(1, 5),
    chunks=st.integers(1, 12),
)
def test_rolling_of_any_size_reads_what_the_original_reads(chunk, room, steps, chunks):
    reach = chunk * (steps + room)
    slots = RollingSlots(reach, chunk)
    ledger = ledger_of(RollingForcing(reach, chunk).build(chunk), chunk)
    for number in range(chunks):
        start = number * chunk
        for together in range(1, steps + 1):
            window = Chunk(number, start, start + together * chunk)
            found = ledger.ahead(window, reach)
            listed = {kept.frame: at for kept, at in slots.joint(window.frames)}
            assert {page.at: at for page, at in found.items()} == listed
        own = Chunk(number, start, start + chunk)
        ledger.open(own)
        listed = {kept.frame: at for kept, at in slots.clean(own.frames)}
        assert {page.at: at for page, at in ledger.read(start).items()} == listed
        ledger.commit(Commit(own))


def test_the_anchor_is_read_by_windows_alone():
    policy, past = HeadPolicy(0, 4, Anchor(3)), Past()
    for number in range(4):
        past = policy.commit(past, Commit(Chunk(number, 3 * number, 3 * number + 3)))
    assert past.recent == (8, 9, 10, 11) and past.sink == ()
    assert [page.at for page in past.middle] == [0, 1, 2]
    assert policy.middle.read(past.middle, 12) == policy.middle.in_slots(past.middle) == ()
    seen = policy.ahead(past, 6, 12, 12)
    assert [page.at for page in seen.middle] == [0, 1, 2] and seen.recent == (9, 10, 11)
    assert policy.slots == policy.seen == 4 and policy.middle.kept_aside == 3


def test_an_anchor_that_leaves_in_parts_is_whole_for_windows():
    policy, past = HeadPolicy(0, 4, Anchor(3)), Past()
    for number in range(3):
        past = policy.commit(past, Commit(Chunk(number, 2 * number, 2 * number + 2)))
    assert [page.at for page in past.middle] == [0, 1] and past.recent == (2, 3, 4, 5)
    seen = policy.ahead(past, 2, 8, 6)
    assert seen.sink == (2,) and [page.at for page in seen.middle] == [0, 1]
    assert seen.recent == (3, 4, 5)


def test_a_short_video_has_no_room_for_more_anchor_than_past():
    assert Anchor(3).fitted(2, 5) == Anchor(2)
    with pytest.raises(ValueError, match="frames must be"):
        Anchor(-1)


def test_a_mean_sink_is_a_page_for_every_frame_of_a_chunk():
    policy, past = HeadPolicy(0, 3, MeanSink(3, 0.9)), Past()
    for number in range(4):
        past = policy.commit(past, Commit(Chunk(number, 3 * number, 3 * number + 3)))
    expected = [Page(Kind.AVERAGE, range(i, 9, 3), i, number=i) for i in range(3)]
    assert list(past.middle) == expected
    assert policy.slots == 6 and policy.middle.sums == 3


@pytest.mark.parametrize("keep", [-0.1, 1.1])
def test_a_mean_keeps_a_part(keep):
    with pytest.raises(ValueError, match="keep must be from 0 to 1"):
        RewardForcing(9, keep).build(3)


@pytest.mark.parametrize("window", [8, 3])
def test_windows_of_the_mean_sink_are_whole_chunks(window):
    with pytest.raises(ValueError, match="window must be whole chunks"):
        RewardForcing(window).build(3)


@given(
    chunk=st.integers(1, 4),
    more=st.integers(0, 3),
    keep=st.sampled_from([0.0, 0.5, 0.999, 1.0]),
    batch=st.integers(1, 2),
    chunks=st.integers(1, 9),
    seed=st.integers(0, 99),
)
@settings(max_examples=30)
def test_means_are_those_of_unrotated_keys_in_float64(chunk, more, keep, batch, chunks, seed):
    geometry, grid = ModelGeometry(layers=1, heads=2, head_dim=20), LatentGrid(2, 2, 1, 1)
    rule = RewardForcing(chunk * (2 + more), keep).build(chunk).rules[ALL_HEADS]
    parts = rule.policy, rule.positions, chunk, HORIZON, batch
    bank = CacheBank(plan_of(geometry, Rope(20, grid), *parts))
    rng, tokens, left, means = torch.Generator().manual_seed(seed), 4, [], []
    for number in range(chunks):
        own = Chunk(number, number * chunk, number * chunk + chunk)
        q, k, v = torch.randn(3, batch, chunk * tokens, 2, 20, generator=rng)
        bank.open(own).write(0, q, k, v)
        bank.commit(own)
        left.append(torch.cat([k, v], -1).double().unflatten(1, (chunk, tokens)))
        if len(left) > more:
            gone = left.pop(0)
            means = keep * means + (1 - keep) * gone if len(means) else gone
    (share,) = bank.layers[0].shares
    if len(means):
        found = share.arena.beside._sums.permute(0, 2, 3, 1, 4)  # [B, means, P, G, 2 D]
        torch.testing.assert_close(found.double(), means, rtol=0, atol=1e-5)
    else:
        assert not share.ledger.past.middle


@given(
    chunk=st.integers(1, 3),
    sink=st.integers(0, 4),
    more=st.integers(0, 5),
    gap=st.integers(0, 9),
    spread=st.booleans(),
)
def test_positions_of_a_second_expert_are_the_originals(chunk, sink, more, gap, spread):
    """Self Gradient Forcing counts from its trained range, we from the current chunk."""
    window = sink + chunk + more
    trained = window + gap
    policy = HeadPolicy.of_window(window, sink, chunk)
    positions = PositionRule.SPREAD if spread else PositionRule.CONTIGUOUS
    ledger, cached = Ledger(HeadRule(policy, positions), chunk, trained), []
    for number in range(14):
        own = Chunk(number, number * chunk, number * chunk + chunk)
        evicted = max(0, len(cached) + chunk - window)
        del cached[sink : sink + evicted]
        cached += own.frames
        count, newest = len(cached), min(own.stop - 1, trained - 1)
        at = [*range(sink), *range(newest - (count - sink) + 1, newest + 1)]
        at = at if spread and count > sink else range(count)
        ledger.open(own)
        found = {page.at: place - own.start for page, place in ledger.read(own.start).items()}
        first = at[-chunk]
        expected = {f: a - first for f, a in zip(cached[:-chunk], at[:-chunk], strict=True)}
        assert found == expected
        ledger.commit(Commit(own))
