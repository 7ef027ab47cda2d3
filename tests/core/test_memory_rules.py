"""What holds for every method: nothing leaks, nothing is read back, nothing ends."""

from dataclasses import replace

import pytest
import torch
from plans import bank_for, map_for
from toy_backbone import ToyBackbone
from toy_rollout import LEVELS, THREE_PROMPTS, X, Y, every_method, rollout_of, video

from headforcing.headforcing_core import (
    CLEAN,
    CachePlan,
    Chunk,
    PromptSchedule,
    Rope,
)
from headforcing.headforcing_core.memory import group_heads
from headforcing.headforcing_core.methods import (
    Full,
    HeadForcing,
    HeadMap,
    KVDtype,
    settings_named,
)
from headforcing.headforcing_core.methods.middles import Descriptor, Episodes, Scope


@every_method
def test_a_draft_changes_nothing_that_stays(name):
    bank = rollout_of(settings_named(name).build(), 60).bank
    toy = ToyBackbone()
    rollout = rollout_of(settings_named(name).build(), 60).through(toy)
    rollout.context.bank = bank
    chunks = rollout.run()
    for _ in range(12):
        next(chunks)
    chunk = Chunk(12, 36, 39)
    attend = rollout.context.open(chunk)
    arenas = [share.arena for layer in bank.layers for share in layer.shares]
    slots = {
        id(share.arena): [s for p, s in share.ledger.slots.places.items() if p.at < chunk.start]
        for layer in bank.layers
        for share in layer.shares
    }

    def stays():
        kept = [x.clone() for arena in arenas for x in arena.beside.tensors]
        return kept + [arena.v.codes[:, :, slots[id(arena)]].clone() for arena in arenas]

    before, pasts = stays(), [ledger.past for ledger in bank.ledgers]
    outputs = [
        toy.predict_clean(torch.randn(1, 3, 3, Y, X), LEVELS[0], "rain", attend) for _ in range(2)
    ]
    for old, new in zip(before, stays(), strict=True):
        assert torch.equal(old, new)
    assert pasts == [ledger.past for ledger in bank.ledgers]
    assert not torch.equal(*outputs)


@every_method
def test_a_chunk_is_committed_once(name):
    rollout = rollout_of(settings_named(name).build(), 30)
    done = next(rollout.run())
    with pytest.raises(ValueError, match="must be the open one"):
        rollout.bank.commit(done.chunk, done.latent)


@every_method
def test_bytes_are_what_was_planned(name):
    bank = bank_for(settings_named(name).build(), 60)
    assert bank.plan.bytes == sum(x.untyped_storage().nbytes() for x in bank.tensors)


@every_method
def test_a_minute_and_ten_need_the_same_memory(name):
    method = settings_named(name).build()
    if name != "full":
        assert bank_for(method, 240).plan.bytes == bank_for(method, 2400).plan.bytes


@every_method
def test_a_video_can_be_taken_up_anywhere(name):
    """State is a function of clean latents and prompts; also across a new prompt."""
    method = settings_named(name).build()
    prompts = PromptSchedule((0, 30), THREE_PROMPTS[:2])
    whole = video(method, 60, prompts=prompts)
    for frames in (27, 33, 48):
        again = video(method, 60, given=whole[:, :, :frames], prompts=prompts)
        torch.testing.assert_close(again, whole, atol=2e-5, rtol=1e-4)


@every_method
def test_the_first_seconds_are_the_plain_models_after_a_warm_up(name):
    method = settings_named(name).build()
    rules = {
        # what is kept in eight bits is near it alone
        type_: replace(rule, policy=replace(rule.policy, warm_up=18), kv_dtype=KVDtype.MODEL)
        for type_, rule in method.rules.items()
    }
    method = replace(method, rules=rules)
    plain = video(Full().build(), 21)
    torch.testing.assert_close(video(method, 21), plain, atol=2e-5, rtol=1e-4)


@every_method
def test_eleven_hundred_frames_and_a_new_prompt_in_each_phase(name):
    """Prompts begin with a chunk, one frame into it and two."""
    if name == "full":
        pytest.skip("full attention over 1,101 frames is what all this is there to avoid")
    method = settings_named(name).build()
    prompts = PromptSchedule((0, 300, 601, 902), ("rain", "sun", "snow", "rain again"))
    rollout, chunks = rollout_of(method, 1101, prompts), 0
    before = rollout.bank.plan.bytes
    for done in rollout.run():
        assert done.latent.isfinite().all()
        chunks += 1
    assert chunks == 367 and rollout.bank.plan.bytes == before
    said = [text for sigma, text in rollout.backbone.calls if sigma == LEVELS[0].sigma]
    assert [said.index(text) * 3 for text in ("sun", "snow", "rain again")] == [300, 603, 903]


@pytest.mark.parametrize("name", ["head_forcing", "longlive"])
@pytest.mark.parametrize("at", [3, 6, 9, 15, 30])
def test_a_new_prompt_computes_the_last_chunks_again_but_never_the_sink(name, at):
    prompts = PromptSchedule((0, at), THREE_PROMPTS[:2])
    rollout = rollout_of(settings_named(name).build(), 60, prompts)
    list(rollout.run())
    sun = [sigma for sigma, text in rollout.backbone.calls if text == "sun"]
    again = sun.index(LEVELS[0].sigma)  # clean calls before the first noisy one
    assert set(sun[:again]) <= {CLEAN.sigma}
    most = {"head_forcing": 1, "longlive": 4}[name]
    assert again == min(most, at // 3 - 1)  # the first chunk holds the sink


@every_method
def test_nothing_is_read_back_but_once_per_commit(name, monkeypatch):
    reads = []
    for call in ("tolist", "item", "cpu", "numpy", "__bool__", "__int__", "__float__", "nonzero"):
        original = getattr(torch.Tensor, call)

        def counted(self, *args, _call=call, _original=original):
            reads.append(_call)
            return _original(self, *args)

        monkeypatch.setattr(torch.Tensor, call, counted)
    rollout = rollout_of(settings_named(name).build(), 60)
    rollout = replace(rollout, noise=StillNoise())
    for number, _ in enumerate(rollout.run()):
        assert len(reads) <= 1, f"chunk {number} read back {reads}"
        reads.clear()


class StillNoise:
    """No random numbers, so that only the loop and the caches are watched."""

    def draw(self, chunk, step):
        return torch.full((1, 3, len(chunk), Y, X), 0.1 * (chunk.index % 7 + step))


def test_unlimited_budgets_are_full_attention():
    settings = HeadForcing(
        local_recent=18, anchor_recent=17, anchor_sink=1, memory_recent=18, memory_sink=0,
        episodes=Episodes(count=0), recall_recent=17, recall_sink=1, recall_episodes=0,
    )  # fmt: skip
    torch.testing.assert_close(
        video(settings.build(), 21), video(Full().build(), 21), atol=2e-5, rtol=1e-4
    )


@pytest.mark.parametrize("missing", ["hf.local", "hf.anchor", "hf.memory", "hf.recall"])
def test_a_type_without_heads_is_no_trouble(missing):
    method = HeadForcing().build()
    types = [type_ for type_ in method.rules if type_ != missing]
    head_map = HeadMap(method.scheme, ((*types, types[0]), (types[0],) * 4))
    assert video(method, 45, head_map=head_map).isfinite().all()


def test_the_order_of_heads_does_not_matter():
    """Permuting the heads of a layer, and their types, permutes what they compute."""
    method, order = HeadForcing().build(), [2, 0, 3, 1]
    types = ("hf.local", "hf.anchor", "hf.memory", "hf.memory")
    maps = [HeadMap(method.scheme, (row, row)) for row in (types, tuple(types[i] for i in order))]
    rng = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(20, 1, 3 * 12, 4, 12, generator=rng) for _ in range(3))
    latents = torch.randn(20, 1, 3, 3, Y, X, generator=rng)
    read = []
    for head_map, heads in zip(maps, (slice(None), order), strict=True):
        rollout = rollout_of(method, 60, head_map=head_map)
        rows = []
        for chunk in rollout.clock:
            attend, own = (
                rollout.context.open(chunk),
                [x[chunk.index][:, :, heads] for x in (q, k, v)],
            )
            rows.append(attend(0, *own))
            attend(1, *own)
            rollout.bank.commit(chunk, latents[chunk.index])
        read.append(torch.cat(rows, 1))
    torch.testing.assert_close(read[0][:, :, order], read[1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("descriptor", Descriptor)
def test_who_shares_episodes_and_what_they_are_chosen_by(scope, descriptor):
    settings = HeadForcing(episodes=Episodes(scope=scope, descriptor=descriptor))
    types = ("hf.memory", "hf.local", "hf.memory", "hf.anchor")
    rollout = rollout_of(settings.build(), 90, head_map=HeadMap("head_forcing", (types, types)))
    assert all(done.latent.isfinite().all() for done in rollout.run())
    memory = [ledger for ledger in rollout.bank.ledgers if ledger.rule.policy.middle.slots]
    lists = {tuple(page.at for page in ledger.past.middle) for ledger in memory}
    expected = {Scope.MODEL: 1, Scope.LAYER: 2, Scope.HEAD: 4}[scope]
    assert len(memory) == expected
    if scope is Scope.MODEL or descriptor is Descriptor.LATENT:
        assert len(lists) == 1
    assert all(len(frames) == 6 for frames in lists)


def planted(bank, scenes):
    """Commit chunks whose latents show the given scenes, one per chunk, with a little noise."""
    rng = torch.Generator().manual_seed(0)
    looks = torch.randn(10, 16, 1, 4, 5, generator=rng)
    geometry = bank.plan.geometry
    for index, scene in enumerate(scenes):
        chunk = Chunk(index, 3 * index, 3 * index + 3)
        opened = bank.open(chunk)
        for layer in range(geometry.layers):
            x = torch.zeros(1, 3 * bank.plan.rope.grid.tokens_per_frame, geometry.heads, 24)
            opened.write(layer, x, x, x)
        noise = 0.01 * torch.randn(16, 3, 4, 5, generator=rng)
        bank.commit(chunk, (looks[scene] + noise)[None])
    count = HeadForcing().episodes.count  # those of heads that recall are more
    with_episodes = [x for x in bank.ledgers if x.rule.policy.middle.slots == count]
    (memory,) = {id(x): x for x in with_episodes}.values()
    return [page.at // 3 for page in memory.past.middle]


def test_episodes_are_the_scenes_that_differ():
    scenes = [0, 1, 2, 3, 4, 5, 6] + [6] * 30
    kept = planted(bank_for(HeadForcing().build(), 120), scenes)
    # chunk 0 is the sink; six scenes came after it and none is shown twice
    assert {scenes[chunk] for chunk in kept} == {1, 2, 3, 4, 5, 6}


def test_repeated_frames_never_replace_what_differs():
    first = planted(bank_for(HeadForcing().build(), 240), [0, 1, 2, 3, 4, 5, 6] + [0, 6] * 10)
    later = planted(bank_for(HeadForcing().build(), 240), [0, 1, 2, 3, 4, 5, 6] + [0, 6] * 30)
    assert set(first) >= {1, 2, 3, 4, 5} and set(later) >= {1, 2, 3, 4, 5}


def test_the_choice_of_episodes_is_the_same_every_time():
    scenes = [0, 1, 2, 1, 3, 2, 4, 0, 5, 6, 3, 7, 8, 1, 9, 2]
    runs = [planted(bank_for(HeadForcing().build(), 60), scenes) for _ in range(2)]
    assert runs[0] == runs[1]


def test_bands_that_do_not_divide_a_frame_are_refused():
    toy, method = ToyBackbone(), settings_named("forcing_kv").build()
    groups = group_heads(method, map_for(method), toy.geometry)
    with pytest.raises(ValueError, match=r"bands must divide the 25 tokens .* the nearest is 5"):
        CachePlan(toy.geometry, Rope(12, toy.grid(5, 5)), groups, 3, 21)


def test_frames_chosen_by_what_they_show_are_of_one_video():
    toy, method = ToyBackbone(), HeadForcing().build()
    groups = group_heads(method, map_for(method), toy.geometry)
    with pytest.raises(ValueError, match="batch must be 1 where hf\\.memory heads"):
        CachePlan(toy.geometry, Rope(12, toy.grid(Y, X)), groups, 3, 21, batch=2)
