"""What a new prompt does to the past of every method, said a second time in sets of frames."""

from dataclasses import replace

import pytest
import torch
from toy_backbone import ToyBackbone
from toy_rollout import THREE_PROMPTS, X, Y, every_kept_method, rollout_of, video

from headforcing.headforcing_core import (
    CacheBank,
    Chunk,
    ChunkClock,
    PromptSchedule,
    SeededNoise,
)
from headforcing.headforcing_core.methods import (
    METHODS,
    HeadForcing,
    SwitchRule,
    settings_named,
    with_values,
)

EVERY_RULE = [rule.value for rule in SwitchRule]


class Watched(CacheBank):
    """Notes what every group of heads held before a switch and after it."""

    def __init__(self, plan):
        super().__init__(plan)
        self.before, self.after, self.again = [], [], []

    def _note(self):
        return [(ledger.rule.policy, ledger.past) for ledger in self.ledgers]

    def forget(self, scene, switch):
        self.before = self._note()
        super().forget(scene, switch)
        self.after = self._note()

    def begin_anew(self, first):
        self.before = self._note()
        super().begin_anew(first)
        self.after = self._note()

    def rewind(self, start):
        super().rewind(start)
        self.again.append(start)


def watched(name, values, at, cuts=(), frames=48):
    method = with_values(settings_named(name), values.split()).build()
    prompts = PromptSchedule((0, at), THREE_PROMPTS[:2], frozenset(cuts))
    rollout = rollout_of(method, frames, prompts)
    rollout.context.bank = Watched(rollout.bank.plan)
    chunks = rollout.run()
    for done in chunks:
        if done.chunk.stop == at:
            break
    next(chunks)  # the switch, and the first chunk of the new prompt
    assert rollout.bank.after
    return rollout.bank


def stays(rule, policy, past, left=2):
    """Return what is held after a rule, as (sink, middle, recent)."""
    first = set() if policy.scene_sink else set(range(policy.sink))
    old_sink, recent = set(past.sink), list(past.recent)
    if rule in ("keep", "recache"):
        return old_sink, past.middle, recent
    if rule == "flush_all":
        return {0} & (old_sink | set(recent)) if policy.sink else set(), (), []
    count = left if rule == "flush_recent" else policy.recent
    last = recent[len(recent) - count :] if count < len(recent) else recent
    middle = past.middle if rule == "flush_recent" else ()
    return old_sink | (first & set(recent) - set(last)), middle, last


@pytest.mark.parametrize("at", [6, 12, 33])
@pytest.mark.parametrize("rule", EVERY_RULE)
@every_kept_method
def test_what_is_held_after_a_switch_is_what_the_rule_says(name, rule, at):
    bank = watched(name, f"on_switch={rule}", at)
    for (policy, before), (_, after) in zip(bank.before, bank.after, strict=True):
        sink, middle, recent = stays(rule, policy, before)
        assert (set(after.sink), after.middle, list(after.recent)) == (sink, middle, recent)


@pytest.mark.parametrize("left", [0, 1, 5])
@every_kept_method
def test_flush_recent_leaves_as_many_as_were_asked_for(name, left):
    for values in (f"flushed_to={left}", f"flushed_to={left} recache_frames=9"):
        bank = watched(name, f"on_switch=flush_recent {values}", 33)
        for (policy, before), (_, after) in zip(bank.before, bank.after, strict=True):
            assert list(after.recent) == stays("flush_recent", policy, before, left)[2]
        assert bank.again == []  # nothing is computed again but by recache


@pytest.mark.parametrize("rule", EVERY_RULE)
@every_kept_method
def test_a_cut_leaves_nothing_whatever_the_rule(name, rule):
    bank = watched(name, f"on_switch={rule}", 33, cuts=[33])
    assert any(before.sink or before.recent for _, before in bank.before)
    for _, after in bank.after:
        assert (after.sink, after.middle, after.recent) == ((), (), ())
    assert bank.again == []


class Later:
    """The noise of a video from a chunk on."""

    def __init__(self, noise, first):
        self.noise, self.first = noise, first

    def draw(self, chunk, step):
        first = self.first
        later = Chunk(chunk.index + first // 3, chunk.start + first, chunk.stop + first)
        return self.noise.draw(later, step)


@pytest.mark.parametrize("rule", ["keep", "recache recache_frames=12", "flush_all"])
@every_kept_method
def test_after_a_cut_the_video_is_one_that_begins(name, rule):
    """A plain change soon after it is as in that one: nothing before the cut is computed again."""
    method = with_values(settings_named(name), f"on_switch={rule}".split()).build()
    cut = PromptSchedule((0, 30, 36), THREE_PROMPTS, frozenset({30}))
    whole = video(method, 66, prompts=cut)
    alone = rollout_of(method, 36, PromptSchedule((0, 6), THREE_PROMPTS[1:]))
    alone = replace(alone, noise=Later(SeededNoise(1, 1, ToyBackbone.channels, Y, X), 30))
    later = torch.cat([done.latent for done in alone.run()], 2)
    torch.testing.assert_close(whole[:, :, 30:], later, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("at", [6, 12, 33])
@every_kept_method
def test_recache_may_go_back_further_than_there_is_a_past(name, at):
    """Everything behind the sink is computed again, and no more is held than before."""
    method = with_values(settings_named(name), ["on_switch=recache", "recache_frames=4096"]).build()
    prompts = PromptSchedule((0, at), THREE_PROMPTS[:2])
    assert video(method, 48, prompts=prompts).isfinite().all()
    bank = watched(name, "on_switch=recache recache_frames=4096", at)
    sinks = max(ledger.rule.policy.sink for ledger in bank.ledgers)
    first = -(-sinks // 3) * 3
    assert bank.again == ([first] if first < at else [])


def test_a_cut_between_equal_texts_is_one():
    same = PromptSchedule((0, 30), ("rain", "rain"), frozenset({30}))
    method = HeadForcing().build()
    cut, plain = (video(method, 45, prompts=p) for p in (same, PromptSchedule.constant("rain")))
    assert torch.equal(cut[:, :, :30], plain[:, :, :30])
    assert not torch.allclose(cut[:, :, 30:33], plain[:, :, 30:33], atol=1e-3)


def test_a_cut_can_be_taken_up():
    cut = PromptSchedule((0, 30), THREE_PROMPTS[:2], frozenset({30}))
    method = HeadForcing().build()
    whole = video(method, 60, prompts=cut)
    for frames in (27, 33, 48):
        again = video(method, 60, given=whole[:, :, :frames], prompts=cut)
        torch.testing.assert_close(again, whole, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["head_forcing", "rolling", "sink_window"])
def test_recache_goes_one_chunk_back_unless_told(name):
    settings = with_values(METHODS[name]["default"], ["on_switch=recache"])
    assert [settings.build(size).switch.recache_frames for size in (1, 3)] == [1, 3]
    bank = watched(name, "on_switch=recache", 33)
    assert bank.again == [30]


def test_what_a_shot_is_told_after_its_first_chunk_is_no_new_prompt():
    """It is the same in other words: nothing is forgotten."""
    method = with_values(settings_named("longlive2"), ["on_switch=flush_all"]).build(3)
    prompts = PromptSchedule((0, 9), ("rain", "sun"), frozenset({9}))
    told = prompts.with_shots(list(ChunkClock(18, 3)), {1: "the scene changes: sun"})
    assert told.starts == (0, 9, 12)
    rollout = rollout_of(method, 18, told)
    rollout.context.shots = method.shots
    held = []
    for _ in rollout.run():
        (ledger,) = rollout.bank.ledgers
        held.append((*ledger.past.sink, *ledger.past.recent))
    # frames 0 to 8, then those of the shot, whose numbers have jumped by 8
    assert held[4] == (*range(9), *range(17, 23))
