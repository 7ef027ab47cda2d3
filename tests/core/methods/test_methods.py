"""The rules of every method, written down a second time, frame by frame."""

import pytest

from headforcing.headforcing_core.inspection import inspect
from headforcing.headforcing_core.memory import ArenaPlan
from headforcing.headforcing_core.methods import (
    NAMES,
    Commit,
    Deep,
    ForcingKV,
    HeadForcing,
    MemRope,
    PositionRule,
    Pyramid,
    Switch,
    SwitchRule,
    setting_names,
    settings_named,
)
from headforcing.headforcing_core.methods.middles import (
    Averages,
    Bands,
    Episodes,
    EpisodeUpdate,
    Unit,
)
from headforcing.headforcing_core.video import Chunk, ChunkClock, LatentGrid, Rope

FRAMES, HORIZON = 180, 21
ROPE = Rope(128, LatentGrid(60, 104, 2, 2))


def followed(method, frames=FRAMES, switches=()):
    method = method.fitted(frames, 3)
    plans = {type_: ArenaPlan(rule, 3, ROPE) for type_, rule in method.rules.items()}
    return list(inspect(method, ChunkClock(frames, 3), HORIZON, plans, 2, switches))


def reads(settings, type_="all", frames=FRAMES, switches=()):
    """Return [(first frame of the chunk, query frame, {frames of a page: position})]."""
    for chunk in followed(settings.build(), frames, switches):
        for reading in chunk.heads[type_].readings:
            pages = {tuple(page.frames): page.position for page in reading.pages}
            assert len(pages) == len(reading.pages) or type_ == "all"
            yield chunk.frames[0], reading.query_frames[0], pages


def one_by_one(frames):
    return [(f,) for f in frames]


def contiguous(keys, start):
    return dict(zip(keys, range(start - len(keys), start), strict=True))


def last(start, count, first=0):
    return list(range(max(first, start - count), start))


def test_rolling_keeps_the_window():
    for start, _, pages in reads(settings_named("rolling")):
        assert pages == {(f,): f for f in last(start, 18)}


def test_sink_windows():
    for start, _, pages in reads(settings_named("sink_window")):
        kept = sorted({*last(start, 15), *range(min(3, start))})
        assert pages == contiguous(one_by_one(kept), start)
    for start, _, pages in reads(settings_named("longlive")):
        kept = sorted({*last(start, 6), *range(min(3, start))})
        assert pages == {(f,): f for f in kept}
    for start, _, pages in reads(settings_named("infinity_rope")):
        kept = sorted({*last(start, 2), *range(min(1, start))})
        assert pages == contiguous(one_by_one(kept), start)


def test_full_keeps_everything():
    for start, _, pages in reads(settings_named("full")):
        assert pages == {(f,): f for f in range(start)}


@pytest.mark.parametrize(("type_", "sink", "recent"), [("hf.local", 0, 1), ("hf.anchor", 1, 0)])
def test_head_forcing_local_and_anchor(type_, sink, recent):
    for start, _, pages in reads(HeadForcing(), type_):
        kept = sorted({*last(start, recent), *range(min(sink, start))})
        assert pages == contiguous(one_by_one(kept), start)


def stand_in(a, b):
    return 1 / (1 + abs(a - b))


def episodes_by_hand(start, fast=9, sink=3, room=6):
    """methods.md 1.4, with the stand-in for cosines."""
    held = []
    for c in range(start // 3):
        left = [f for f in range(3 * c + 3) if f < 3 * c + 3 - fast and f >= sink]
        leaving = [f for f in left if f >= 3 * c - fast]
        if not leaving:
            continue
        known = [*held, *range(sink)]
        new = max(leaving, key=lambda f: (1 - max(stand_in(f, k) for k in known), -f))
        if len(held) < room:
            held = sorted([*held, new])
            continue
        every = sorted([*held, new])
        known = [*range(sink), *every]
        pairs = [(a, b) for i, a in enumerate(known) for b in known[i + 1 :] if b >= sink]
        older, newer = max(pairs, key=lambda p: (stand_in(*p), [-x for x in p]))
        held = [f for f in every if f != (older if older >= sink else newer)]
    return held


def test_head_forcing_memory():
    for start, _, pages in reads(HeadForcing(), "hf.memory"):
        sink = [f for f in range(min(3, start))]
        kept = sorted({*sink, *episodes_by_hand(start), *last(start, 9)})
        assert pages == contiguous(one_by_one(kept), start), start
        assert len(kept) <= 18


def test_pyramid():
    wave = reads(Pyramid(), "pyramid.wave")
    anchor = reads(Pyramid(), "pyramid.anchor")
    veil = reads(Pyramid(), "pyramid.veil")
    for (start, f, w), (_, _, a), (_, _, v) in zip(wave, anchor, veil, strict=True):
        sync = max(0, f - 21)
        recent = {(start - 1,): start - 1} if start else {}
        cyclic = [t for t in (f - 24, f - 18, f - 12, f - 6) if t >= 1]
        assert w == ({(0,): sync} if start > 1 else {}) | {(t,): sync for t in cyclic} | recent
        sink = {(t,): sync for t in range(3) if t < start - 1}
        strided = [t for t in range(3, start - 1) if t % 6 == 0][-4:]
        assert a == sink | {(t,): sync for t in strided} | recent
        whole = [b for b in range(4, start - 4, 4)][-4:]
        blocks = {(b, b + 1, b + 2, b + 3): b + 1 for b in whole}
        assert v == sink | blocks | recent, start


def test_forcing_kv():
    dynamic = reads(ForcingKV(), "fk.dynamic")
    for (start, _, pages), (_, _, static) in zip(
        dynamic, reads(ForcingKV(), "fk.static"), strict=True
    ):
        plain = {(f,): f for f in ({0, start - 1} if start else ())}
        assert static == plain
        bands = (start - 4, start - 3, start - 2)
        assert pages == (plain | {bands: start - 2} if start >= 9 else plain)


def test_forcing_kv_keeps_the_bands_that_changed_most():
    clock = list(ChunkClock(30, 3))
    alike = {(f, b): 1.0 for f in (5, 6, 7) for b in range(6)}
    changed = [(5, 4), (6, 0), (6, 1), (6, 5), (7, 2), (7, 3)]
    alike |= dict.fromkeys(changed, 0.2)
    (page,) = Bands().take((), (5, 6, 7), Commit(clock[2], bands=alike))
    assert (page.bands, page.frames, page.at) == (tuple(changed), (5, 6, 7), 7)
    # the next ones replace it, whatever changed before
    alike = {(f, b): b / 10 for f in (8, 9, 10) for b in range(6)}
    (page,) = Bands().take((page,), (8, 9, 10), Commit(clock[3], bands=alike))
    assert page.bands == tuple((f, b) for f in (8, 9, 10) for b in (0, 1))


def test_deep():
    sizes = []
    for chunk in followed(Deep().build()):
        start, (reading,) = chunk.frames[0], chunk.heads["all"].readings
        pages = reading.pages
        assert [p.frames for p in pages[:10]] == one_by_one(range(min(10, start)))
        assert [p.position for p in pages] == list(range(start - len(pages), start))
        tokens = [p for p in pages if p.kind == "tokens"]
        assert len(tokens) in (0, 2) and bool(tokens) == (start >= 21)
        sizes.append(3 + len(pages))
    # thinned out to 16 frames, one chunk more fits, then again
    assert sizes[:11] == [3, 6, 9, 12, 15, 18, 21, 16, 19, 16, 19] and max(sizes) == 21


def test_memrope():
    assert Averages().rates == (0.01, 0.1)  # the slow one is read first
    for start, _, pages in reads(MemRope()):
        if start <= 9:
            assert pages == {(f,): f for f in range(start)}
            continue
        keys = list(pages)
        assert keys[:3] == one_by_one(range(3))
        assert keys[3] == tuple(range(3, start - 4))  # both means are of the same frames
        assert keys[4:] == one_by_one(range(start - 4, start))
        assert pages[(0,)] == start - 9 and pages[(start - 1,)] == start - 1


def test_rolling_sink():
    def shown(p):
        return 17 - p % 18 if p // 18 % 2 else p % 18

    for chunk in followed(settings_named("rolling_sink").build()):
        start, (reading,) = chunk.frames[0], chunk.heads["all"].readings
        got = sorted((page.position, page.frames) for page in reading.pages)
        old = [(p, (shown(p),)) for p in range(max(0, start - 18), max(0, start - 3))]
        assert got == old + [(f, (f,)) for f in last(start, 3)]


def test_dummy_types_see_little():
    settings = settings_named("dummy")
    expected = {"dummy.a": {0}, "dummy.b": {-1, -2, -3}, "dummy.c": {-1}}
    for type_, frames in expected.items():
        for start, _, pages in reads(settings, type_):
            kept = {f if f >= 0 else start + f for f in frames} if start else set()
            assert pages == {(f,): f for f in sorted(kept)}


@pytest.mark.parametrize("name", NAMES)
def test_no_frame_twice_and_everything_in_range(name):
    """Rolling Sink shows frames twice, that is what it does; absolute positions leave the range."""
    method = settings_named(name).build()
    for chunk in followed(method):
        for type_, inspected in chunk.heads.items():
            rule = method.rules[type_]
            assert inspected.held_bytes <= inspected.room_bytes
            for reading in inspected.readings:
                whole = [p.frames[0] for p in reading.pages if p.kind in ("frame", "copy")]
                if name != "rolling_sink":
                    assert len(set(whole)) == len(whole)
                stop = chunk.frames[-1] + 1
                for page in reading.pages:
                    assert page.position < chunk.frames[0]
                    if rule.positions.re_encodes and page.kind != "block":
                        assert stop - page.position <= HORIZON + 3 * rule.per_frame


def per_head(type_, rule, heads):
    plan = ArenaPlan(rule, 3, ROPE)
    return heads * plan.bytes(2)


def gib(name, heads):
    method = settings_named(name).build()
    return sum(per_head(t, method.rules[t], n) for t, n in heads.items()) / 2**30


def test_memory_of_the_published_sizes():
    nominal = {"hf.local": 54, "hf.anchor": 90, "hf.memory": 216}
    assert gib("head_forcing", nominal) <= 4.4
    assert gib("head_forcing:compact", nominal) <= 2.8
    assert gib("rolling", {"all": 360}) == pytest.approx(5.6, abs=0.05)


def test_head_frames_are_those_of_the_papers():
    def seen(name, heads, frame=120):
        chunk = followed(settings_named(name).build())[frame // 3]
        total = 0
        for type_, number in heads.items():
            pages = chunk.heads[type_].readings[-1].pages
            frames = sum(0.25 if page.kind == "block" else 1 for page in pages)
            total += number * (3 + frames)
        return total

    nominal = {"hf.local": 54, "hf.anchor": 90, "hf.memory": 216}
    assert seen("head_forcing", nominal) == 5112
    assert seen("head_forcing:paper_min", nominal) == 5058
    assert seen("head_forcing:anchor3", nominal) == 5292
    assert seen("head_forcing:compact", nominal) == 3168
    published = {"pyramid.wave": 156, "pyramid.anchor": 172, "pyramid.veil": 32}
    assert seen("pyramid", published) == 3552
    assert seen("forcing_kv", {"fk.static": 12 + 129, "fk.dynamic": 219}) == 2019
    assert seen("rolling", {"all": 360}) == 7560


def test_positions_that_spread_and_clamp():
    for start, _, pages in reads(
        HeadForcing(positions=PositionRule.SPREAD, anchor_recent=3), "hf.anchor"
    ):
        begin = max(0, start + 3 - 21)
        kept = last(start, 3)
        sink = {} if 0 in kept or not start else {(0,): begin}
        assert pages == sink | {(f,): f for f in kept}
    for start, _, pages in reads(HeadForcing(positions=PositionRule.CLAMPED), "hf.memory"):
        for (f,), at in pages.items():
            assert at == max(f, start + 3 - 21)
    # with 3 + 6 + 9 + 3 = 21 frames there is one way to spread them
    close = list(reads(HeadForcing(), "hf.memory"))
    spread = list(reads(HeadForcing(positions=PositionRule.SPREAD), "hf.memory"))
    assert close[-20:] == spread[-20:]


def test_a_switch_recomputes_the_recent_past_and_keeps_the_sink():
    method = HeadForcing().build()
    assert method.switch == Switch(SwitchRule.RECACHE, 3)
    plain, switched = (
        [pages for _, _, pages in reads(HeadForcing(), "hf.memory", switches=s)]
        for s in ((), (90,))
    )
    assert switched[30] == plain[30]  # the same frames, computed again
    assert [0, 1, 2] == [f for (f,) in list(switched[30])[:3]]


def test_one_episode_per_scene_is_protected():
    settings = HeadForcing(episodes=Episodes(threshold=2.0))
    held = [pages for _, _, pages in reads(settings, "hf.memory", switches=(60, 120))]
    assert all((60,) in pages for pages in held[24:40])
    assert all((120,) in pages for pages in held[44:])
    off = HeadForcing(episodes=Episodes(threshold=2.0, scene_start=False))
    *_, (_, _, pages) = reads(off, "hf.memory", switches=(60, 120))
    assert not {(60,), (120,)} & set(pages)


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        (SwitchRule.KEEP, 18),
        (SwitchRule.FLUSH_RECENT, 3 + 6 + 2),
        (SwitchRule.FLUSH_MEMORY, 3 + 9),
        (SwitchRule.FLUSH_ALL, 1),
    ],
)
def test_what_a_switch_flushes(rule, left):
    settings = HeadForcing(on_switch=rule)
    held = [pages for _, _, pages in reads(settings, "hf.memory", switches=(90,))]
    assert (len(held[29]), len(held[30])) == (18, left)
    assert len(held[-1]) == (18 if rule is not SwitchRule.FLUSH_ALL else 16)


def test_settings_stand_where_they_stood():
    """Saved workflows hold values in this order: what is new comes last."""
    names = {n: [name for name, _ in setting_names(settings_named(n))] for n in NAMES}
    assert names["head_forcing"][:4] == [
        "local_sink",
        "local_recent",
        "anchor_sink",
        "anchor_recent",
    ]
    assert names["head_forcing"][-18:] == [
        *("positions", "on_switch", "recache_frames", "warm_up", "scene_sink", "flushed_to"),
        *("anchor_episodes", "recall_sink", "recall_recent", "recall_episodes"),
        *(f"{kind}_kv_dtype" for kind in ("local", "anchor", "memory", "recall")),
        *(f"{kind}_offload" for kind in ("local", "anchor", "memory", "recall")),
    ]
    shared = ["on_switch", "recache_frames", "flushed_to"]
    one = ["kv_dtype", "offload"]
    for name in ("rolling", "sink_window", "full", "deep", "memrope", "rolling_sink", "longlive"):
        assert names[name][-5:] == shared + one
    shown = names["infinity_rope"][-6:]
    assert shown == ["positions", "on_switch", "flushed_to", "recache_frames", *one]
    types = {"pyramid": ("wave", "anchor", "veil"), "forcing_kv": ("static", "dynamic")}
    for name, kinds in types.items():
        own = [f"{kind}_{what}" for what in ("kv_dtype", "offload") for kind in kinds]
        assert names[name][-3 - len(own) :] == shared + own
    assert names["dummy"][-5:] == shared + one


@pytest.mark.parametrize("update", EpisodeUpdate)
def test_episodes_of_every_kind(update):
    settings = HeadForcing(episodes=Episodes(update=update, scene_start=False))
    episodes = [[page.frames[-1] for page in pages] for _, pages in episodes_of(settings)]
    assert max(map(len, episodes)) == (0 if update is EpisodeUpdate.OFF else 6)
    if update is EpisodeUpdate.FIFO_STRIDE:
        assert episodes[-1] == [132, 138, 144, 150, 156, 162]
    if update is EpisodeUpdate.RESERVOIR:
        assert max(b - a for a, b in zip(episodes[-1], episodes[-1][1:], strict=False)) > 12


def test_scenes_share_the_room_and_leave_their_cuts_out():
    """Of every scene the same number, and of each the frames that are like the rest of it."""
    starts = (0, 12, 24, 36, 48)
    rule = Episodes(count=8, update=EpisodeUpdate.SCENES, scene_start=False, candidates=3)

    def scene(frame):
        return max(start for start in starts if start <= frame)

    class Alike(dict):
        def __contains__(self, pair):
            return True

        def __getitem__(self, pair):
            a, b = pair
            cuts = sum(frame - scene(frame) < 3 for frame in pair if frame >= 12)
            return 1.0 if a == b else (0.9 if scene(a) == scene(b) else 0.2) - 0.3 * cuts

    held = ()
    for start in range(0, 60, 3):
        known = tuple(s for s in starts if s <= start)
        event = Commit(Chunk(start // 3, start, start + 3), known[-1], likeness=Alike(),
                       scenes=known)  # fmt: skip
        held = rule.take(held, [start, start + 1, start + 2], event)
        frames = [page.at for page in held]
        assert len(frames) <= 8 and frames == sorted(frames)
    counts = {start: sum(scene(frame) == start for frame in frames) for start in starts}
    assert sorted(counts.values()) == [1, 1, 2, 2, 2]
    assert all(frame - scene(frame) >= 3 for frame in frames if frame >= 12)
    # more scenes than there is room for: of the two most alike the older goes, no scene crowds
    few = Episodes(count=3, update=EpisodeUpdate.SCENES, scene_start=False)
    held = ()
    for start in range(0, 60, 3):
        known = tuple(s for s in starts if s <= start)
        event = Commit(Chunk(start // 3, start, start + 3), known[-1], likeness=Alike(),
                       scenes=known)  # fmt: skip
        held = few.take(held, [start + 2], event)
    assert len({scene(page.at) for page in held}) == 3


def episodes_of(settings, frames=FRAMES):
    """Return, per chunk, the pages of memory heads that are neither sink nor recent."""
    for chunk in followed(settings.build(), frames):
        start, (reading,) = chunk.frames[0], chunk.heads["hf.memory"].readings
        yield start, [p for p in reading.pages if 3 <= p.frames[0] and p.frames[-1] < start - 9]


def test_episodes_of_whole_chunks():
    settings = HeadForcing(episodes=Episodes(unit=Unit.CHUNK))
    for start, pages in episodes_of(settings):
        frames = [f for page in pages for f in page.frames]
        assert len(frames) == (0, 3, 6)[min(2, max(0, start - 12) // 3)]
        assert all(f - f % 3 + i in frames for f in frames for i in range(3))
    too_small = HeadForcing(episodes=Episodes(unit=Unit.CHUNK, count=2))
    assert not any(pages for _, pages in episodes_of(too_small))
    plain = [pages for _, pages in episodes_of(HeadForcing())]
    assert [len(pages) for pages in plain[4:11]] == [0, 1, 2, 3, 4, 5, 6]


def test_pooled_episodes_are_the_same_frames_in_a_quarter_of_the_room():
    plain, pooled = (
        list(episodes_of(HeadForcing(episodes=Episodes(pool=size)))) for size in (1, 2)
    )
    for (_, whole), (_, small) in zip(plain, pooled, strict=True):
        assert [p.frames for p in whole] == [p.frames for p in small]
        assert [p.position for p in whole] == [p.position for p in small]
        assert {p.kind for p in small} <= {"block"}
    rules = (HeadForcing(episodes=Episodes(pool=size)).build().rules for size in (1, 2))
    rows = [ArenaPlan(rule["hf.memory"], 3, ROPE).rows for rule in rules]
    assert rows[0] - rows[1] == 6 * (1560 - 390)


def test_merged_episodes_forget_no_candidate():
    settings = HeadForcing(episodes=Episodes(update=EpisodeUpdate.MERGE_NEAREST))
    chosen = set()
    for start, pages in episodes_of(settings):
        frames = [f for page in pages for f in page.frames]
        assert len(pages) <= 6 and len(set(frames)) == len(frames) == max(0, start - 12) // 3
        assert chosen <= set(frames)  # all that ever came in are still part of something
        chosen |= set(frames)
        # with the stand-in the last frames are alike: the newest slot takes them all
        assert all(len(page.frames) == 1 for page in pages[:-1])
        assert start < 48 or len(pages[-1].frames) == len(frames) - 5


@pytest.mark.parametrize(
    "values", [{"unit": Unit.CHUNK}, {"pool": 2}, {"rate": 0.0}, {"rate": 1.5}]
)
def test_episodes_that_cannot_be_merged_are_refused(values):
    with pytest.raises(ValueError, match="must"):
        Episodes(update=EpisodeUpdate.MERGE_NEAREST, **values)


def test_budgets_beyond_the_horizon_are_refused():
    method = HeadForcing(memory_recent=12).build()
    with pytest.raises(ValueError, match="at most horizon=21 frames"):
        method.check(3, HORIZON)


def test_warm_up_keeps_everything_and_then_drops_at_once():
    for start, _, pages in reads(HeadForcing(warm_up=18), "hf.local"):
        kept = range(start) if start <= 18 else [start - 1]
        assert pages == contiguous(one_by_one(kept), start)
