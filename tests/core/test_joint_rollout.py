"""Chunks that are denoised together, without recordings."""

import pytest
import torch
from family_rules import Listed, RollingSlots
from hypothesis import given, settings
from hypothesis import strategies as st
from told_backbone import ToldBackbone, X, Y, bank_of, joined

from headforcing.headforcing_core import (
    CLEAN,
    ChunkClock,
    JointRollout,
    KeptContext,
    PromptSchedule,
    Renoising,
    SeededNoise,
    noise_levels,
)
from headforcing.headforcing_core.memory import Ahead
from headforcing.headforcing_core.methods import RollingForcing
from headforcing.headforcing_core.rollout import Begun
from headforcing.headforcing_core.video import add_noise

STEPS = (1000, 800, 600, 400, 200)


def make(chunks=8, chunk=3, steps=3, reach=15, prompts=None, batch=1, anchor=None):
    toy, levels = ToldBackbone(), noise_levels(STEPS[:steps], 5)
    method = RollingForcing(reach, chunk if anchor is None else anchor).build(chunk)
    bank = bank_of(toy, method, chunk, batch, Ahead(steps * chunk, reach))
    return JointRollout(
        backbone=toy,
        clock=ChunkClock(chunks * chunk, chunk),
        prompts=prompts or PromptSchedule.constant(1.0),
        context=KeptContext(toy, bank),
        denoising=Renoising(levels),
        noise=SeededNoise(1, batch, toy.channels, Y, X),
    )


def by_hand(rollout, reach):
    """The same video from the original's own bookkeeping, and attention without caches."""
    toy, chunks, levels = rollout.backbone, list(rollout.clock), rollout.denoising.levels
    slots, listed = RollingSlots(reach, rollout.clock.frames_per_chunk), Listed(Y, X)
    estimates, finished, steps = {}, [], len(levels)
    for window in range(len(chunks) + steps - 1):
        together = chunks[max(0, window - steps + 1) : window + 1]
        frames = range(together[0].start, together[-1].stop)
        noisy, told = [], []
        for chunk in together:
            step = window - chunk.index
            fresh, level = rollout.noise.draw(chunk, step), levels[step]
            noisy.append(add_noise(estimates[chunk], fresh, level) if step else fresh)
            told += [level] * len(chunk)
        text = rollout.prompts.at(together[-1].start)
        read = [(kept.frame, at) for kept, at in slots.joint(frames)]
        attend = listed.attend(read, [(f, f) for f in frames])
        clean = toy.predict_clean(torch.cat(noisy, 2), told, text, attend)
        estimates |= dict(zip(together, clean.split(len(together[0]), 2), strict=True))
        oldest = together[0]
        if window - oldest.index == steps - 1:
            finished.append(estimates[oldest])
            read = [(kept.frame, at) for kept, at in slots.clean(oldest.frames)]
            attend = listed.attend(read, [(f, f) for f in oldest.frames], keep=True)
            toy.predict_clean(estimates[oldest], CLEAN, text, attend)
    return torch.cat(finished, 2)


@given(
    chunk=st.integers(1, 4),
    steps=st.integers(1, 5),
    room=st.integers(1, 4),
    more=st.integers(0, 5),
    batch=st.integers(1, 2),
    change=st.integers(1, 6),
)
@settings(max_examples=15)
def test_as_lists_of_frames_say(chunk, steps, room, more, batch, change):
    """Of any size the original can be set to: what it attends to are whole chunks."""
    as_lists_of_frames_say(chunk, steps, room, more, batch, change)


@pytest.mark.parametrize("chunk", [1, 3])
def test_the_anchor_is_read_by_a_window_as_large_as_what_is_attended(chunk):
    as_lists_of_frames_say(chunk, 3, 0, 4, 1, 2)


def as_lists_of_frames_say(chunk, steps, room, more, batch, change):
    reach, chunks = chunk * (steps + room), steps + more
    starts = (0, chunk * min(change, chunks - 1))[: 1 if chunks == 1 else 2]
    prompts = PromptSchedule(starts, (1.0, -2.0)[: len(starts)])
    sizes = (chunks, chunk, steps, reach, prompts, batch)
    expected = by_hand(make(*sizes), reach)
    torch.testing.assert_close(joined(make(*sizes).run()), expected, rtol=0, atol=3e-5)


def test_every_window_is_one_call_and_every_finished_chunk_another():
    rollout = make()
    done = list(rollout.run())
    assert [chunk.chunk.index for chunk in done] == list(range(8))
    sigmas = [sigma for sigma, _ in rollout.backbone.calls]
    # the toy tells the level of the newest frame: noise, until there is no newer chunk
    first, second, third = (level.sigma for level in rollout.denoising.levels)
    assert sigmas == [first, first, *[first, 0.0] * 6, second, 0.0, third, 0.0]
    assert len(sigmas) == rollout.calls_until(7)


@pytest.mark.parametrize("at", range(8))
def test_calls_are_foretold(at):
    rollout = make()
    stream = rollout.run()
    for _ in range(at + 1):
        next(stream)
    assert len(rollout.backbone.calls) == rollout.calls_until(at)


@pytest.mark.parametrize("steps", [1, 3, 5])
@pytest.mark.parametrize("made", range(1, 8))
def test_going_on_is_never_having_stopped(steps, made):
    going_on_is_never_having_stopped(steps, made, PromptSchedule.constant(1.0))


@pytest.mark.parametrize(("steps", "made"), [(3, 3), (3, 5), (5, 1), (5, 7)])
@pytest.mark.parametrize("cuts", [(), (12,)])
def test_going_on_past_a_new_prompt(steps, made, cuts):
    prompts = PromptSchedule((0, 9, 12, 18), (1.0, 2.0, 5.0, 3.0), frozenset(cuts))
    going_on_is_never_having_stopped(steps, made, prompts)


def going_on_is_never_having_stopped(steps, made, prompts):
    whole = list(make(steps=steps, prompts=prompts).run())
    before = whole[:made]
    frames = joined(before)
    begun = Begun(frames, frames.shape[2], before[-1].ahead)
    again = list(make(steps=steps, prompts=prompts).run(begun))
    assert torch.equal(joined(again), joined(whole))
    for one, other in zip(again[made - 1 :], whole[made - 1 :], strict=True):
        assert (one.ahead is None) == (other.ahead is None)
        assert one.ahead is None or torch.equal(one.ahead, other.ahead)


def test_without_what_was_ahead_it_is_another_video():
    whole = list(make().run())
    frames = joined(whole[:4])
    again = joined(make().run(Begun(frames, frames.shape[2])))
    assert torch.equal(again[:, :, :12], frames)
    assert not torch.equal(again, joined(whole))


@pytest.mark.parametrize("cut", [1, 2, 4, 7])
@pytest.mark.parametrize("steps", [1, 3])
def test_what_comes_after_a_cut_is_a_video_that_begins(cut, steps):
    """Noise is numbered by its place in the video; it has to be the same to compare."""
    prompts = PromptSchedule((0, 3 * cut), (1.0, 2.0), frozenset({3 * cut}))
    rollout = make(steps=steps, prompts=prompts)
    whole = joined(rollout.run())
    alone = make(8 - cut, steps=steps, prompts=PromptSchedule.constant(2.0))
    later = rollout.noise

    class Later:
        def draw(self, chunk, step):
            start = chunk.start + 3 * cut
            return later.draw(type(chunk)(chunk.index + cut, start, start + 3), step)

    begins = joined(type(alone)(**{**vars(alone), "noise": Later()}).run())
    assert torch.equal(whole[:, :, 3 * cut :], begins)
    before = joined(make(cut, steps=steps).run())
    assert torch.equal(whole[:, :, : 3 * cut], before)


@pytest.mark.parametrize("made", range(1, 8))
def test_going_on_across_cuts(made):
    prompts = PromptSchedule((0, 9, 12), (1.0, 2.0, 3.0), frozenset({9, 12}))
    whole = list(make(prompts=prompts).run())
    before = whole[:made]
    begun = Begun(joined(before), 3 * made, before[-1].ahead)
    assert torch.equal(joined(make(prompts=prompts).run(begun)), joined(whole))


@pytest.mark.parametrize(
    ("steps", "reach", "chunk"), [(3, 15, 3), (5, 15, 3), (2, 9, 2), (1, 3, 1)]
)
def test_bytes_are_known_before(steps, reach, chunk):
    bank = make(6, chunk, steps, reach).bank
    assert sum(x.numel() * x.element_size() for x in bank.tensors) == bank.plan.bytes
    assert bank.plan.window_rows > 0


def test_given_frames_are_whole_chunks():
    with pytest.raises(ValueError, match="given frames must fill whole chunks of 3"):
        make().run(torch.zeros(1, 3, 4, Y, X))


def test_a_longer_video_begins_with_the_shorter_one_until_its_window_shrinks():
    """The last chunks of a video are denoised beside fewer others."""
    short, long = joined(make(6).run()), joined(make(9).run())
    assert torch.equal(short[:, :, :12], long[:, :, :12])
    assert not torch.equal(short[:, :, 12:15], long[:, :, 12:15])
