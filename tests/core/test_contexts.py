"""What a chunk is made in front of, computed once more without caches."""

from dataclasses import dataclass, field, replace

import pytest
import torch
from family_rules import Listed, LongLiveSlots
from hypothesis import given, settings
from hypothesis import strategies as st
from told_backbone import ToldBackbone, X, Y, bank_of, joined

from headforcing.headforcing_core import (
    CLEAN,
    ChunkClock,
    KeptContext,
    PromptSchedule,
    RebuiltContext,
    Renoising,
    Rollout,
    SeededNoise,
    noise_levels,
)
from headforcing.headforcing_core.methods import KreaRealtime, LongLive2, SinkWindow
from headforcing.headforcing_core.rollout import Begun
from headforcing.headforcing_core.video import Multistep, truncated_levels

FOUR, TWO = (Renoising(noise_levels(steps, 5)) for steps in ((1000, 750, 500, 250), (1000, 500)))
SOLVER = Multistep(truncated_levels((1000, 750, 500, 250), 5))


@dataclass
class Recoded:
    """What a VAE would make of a picture: here, half of its latent, and its place."""

    frames: list = field(default_factory=list)
    asked: list = field(default_factory=list)

    def add(self, latent):
        self.frames += latent.split(1, 2)

    def frame(self, back):
        self.asked.append(len(self.frames) - 1 - back)
        return 0.5 * self.frames[-1 - back]


def make(method, chunks, chunk, denoising=TWO, prompts=None, batch=1, first=None, holds=False):
    toy, recoder = ToldBackbone(), Recoded()
    bank = bank_of(toy, method, chunk, batch)
    if method.rebuilt is not None:
        past = RebuiltContext(toy, bank, method.rebuilt, recoder)
    else:
        past = KeptContext(toy, bank, method.switch, method.shots)
    noise = SeededNoise(1, batch, toy.channels, Y, X)
    prompts = prompts or PromptSchedule.constant(1.0)
    clock = ChunkClock(chunks * chunk, chunk)
    return Rollout(toy, clock, prompts, past, denoising, noise, first, holds)


def predicting(toy, text, attend):
    return lambda noisy, level, step: toy.predict_clean(noisy, level, text, attend)


# ---- LongLive 2.0: shots


def shots_by_hand(rollout, slots, cuts, given=None):
    """The same video from the original's own bookkeeping, and attention without caches."""
    toy, listed, clean = rollout.backbone, Listed(Y, X), []
    shots, reads = 0, slots.run(cuts)
    for chunk, cut in zip(rollout.clock, cuts, strict=True):
        shots += cut
        own = [(f, f + shots * slots.offset) for f in chunk.frames]
        text, (drafted, kept) = rollout.prompts.at(chunk.start), next(reads)
        predict = predicting(toy, text, listed.attend(drafted, own))
        held = given if chunk.index == 0 else None
        clean.append(rollout.denoising.draft(chunk, predict, rollout.noise, held))
        toy.predict_clean(clean[-1], CLEAN, text, listed.attend(kept, own, keep=True))
    return torch.cat(clean, 2)


@given(
    chunk=st.integers(1, 4),
    sink=st.integers(0, 5),
    more=st.integers(1, 2),
    shot_sink=st.booleans(),
    offset=st.sampled_from([0, 3, 8]),
    recache=st.booleans(),
    cuts=st.lists(st.booleans(), min_size=9, max_size=9),
    image=st.booleans(),
    batch=st.integers(1, 2),
)
@settings(max_examples=15)
def test_shots_are_as_lists_of_frames_say(
    chunk, sink, more, shot_sink, offset, recache, cuts, image, batch
):
    full = max(1, -(-sink // chunk))
    cuts = [cut and number >= full for number, cut in enumerate(cuts)]
    window, recache = sink + chunk * (1 + more), recache and shot_sink and sink > 0
    method = LongLive2(window, sink, shot_sink, offset, recache).build(chunk)
    starts = tuple(range(0, 9 * chunk, chunk))
    jumps = frozenset(start for start, cut in zip(starts, cuts, strict=True) if cut)
    prompts = PromptSchedule(starts, tuple(0.3 * n for n in range(9)), jumps)
    given_ = torch.ones(batch, 3, 1, Y, X) if image and chunk > 1 else None
    sizes = (method, 9, chunk, SOLVER, prompts, batch)
    slots = LongLiveSlots(window, sink, shot_sink, offset, recache, chunk)
    expected = shots_by_hand(make(*sizes), slots, cuts, given_)
    found = joined(make(*sizes, holds=True).run(given_))
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-5)


@pytest.mark.parametrize("recache", [False, True])
@pytest.mark.parametrize("made", range(1, 9))
def test_going_on_across_shots(made, recache):
    method = LongLive2(8, 2, True, 8, recache).build(2)
    starts = (0, 4, 10, 12)
    prompts = PromptSchedule(starts, (1.0, 2.0, 3.0, 4.0), frozenset(starts[1:]))
    whole = joined(make(method, 9, 2, SOLVER, prompts).run())
    begun = Begun(whole[:, :, : 2 * made], 2 * made)
    assert torch.equal(joined(make(method, 9, 2, SOLVER, prompts).run(begun)), whole)


def test_a_shot_is_no_new_video():
    prompts = PromptSchedule((0, 6), (1.0, 2.0), frozenset({6}))
    parts = 6, 2, SOLVER, prompts
    shots = LongLive2(8, 2).build(2)
    told = joined(make(shots, *parts).run())
    anew = joined(make(replace(shots, shots=None), *parts).run())
    assert torch.equal(told[:, :, :6], anew[:, :, :6])
    assert not torch.equal(told[:, :, 6:], anew[:, :, 6:])


# ---- first steps of their own


@pytest.mark.parametrize("made", range(1, 6))
@pytest.mark.parametrize("given_frames", [0, 1, 2])
def test_going_on_with_first_steps(made, given_frames):
    method = SinkWindow(4, 1).build(1)
    known = torch.full((1, 3, given_frames, Y, X), 0.5) if given_frames else None
    rollout = make(method, 8, 1, first=FOUR)
    whole = joined(rollout.run(known))
    drafts = 4 + 2 * (7 - given_frames)
    assert len(rollout.backbone.calls) == drafts + 8
    frames = whole[:, :, : given_frames + made]
    again = joined(make(method, 8, 1, first=FOUR).run(Begun(frames, made)))
    assert torch.equal(again, whole)


def test_the_first_steps_are_of_the_first_chunk_that_is_made():
    method = SinkWindow(4, 1).build(1)
    rollout = make(method, 4, 1, first=FOUR)
    list(rollout.run(torch.zeros(1, 3, 2, Y, X)))
    sigmas = [sigma for sigma, _ in rollout.backbone.calls]
    four, two = ([level.sigma for level in steps.levels] for steps in (FOUR, TWO))
    assert sigmas == [0.0, 0.0, *four, 0.0, *two, 0.0]


def test_frames_that_all_come_from_before_have_no_first_steps_left():
    """An earlier run made them: its first chunk is among them."""
    method = SinkWindow(4, 1).build(1)
    frames = torch.zeros(1, 3, 2, Y, X)
    rollout = make(method, 4, 1, first=FOUR)
    list(rollout.run(Begun(frames, 2)))
    assert len(rollout.backbone.calls) == 4 + 2 * 2


# ---- Krea Realtime: a past that is computed anew


def rebuilt_by_hand(rollout, rule, known=0, given=None):
    """The same video as the original's session makes it: one masked call on a few clean frames."""
    toy, frames, size = rollout.backbone, [], rollout.clock.frames_per_chunk
    frames = [] if given is None else list(given.split(1, 2))
    before, heads = rollout.prompts.at(0), []
    for chunk in list(rollout.clock)[known // size :]:
        block, text = chunk.index - known // size, rollout.prompts.at(chunk.start)
        listed, n = Listed(Y, X), rule.frames
        context = []
        if frames:
            early = rule.keep_first or (block - 1) * size < n
            head = frames[0] if early else 0.5 * frames[-n]
            heads.append(None if early else len(frames) - n)
            context = [head, *frames[1:][-(n - 1) :]] if n > 1 else [head]
        for start in range(0, len(context), size):  # block-causal: each sees those before it
            own = [(f, f) for f in range(start, start + size)]
            attend = listed.attend([(f, f) for f in range(start)], own, keep=True)
            clean = torch.cat(context[start : start + size], 2)
            toy.predict_clean(clean, CLEAN, before, attend)
        past = [(f, f) for f in range(len(context))]
        own = [(len(context) + i, len(context) + i) for i in range(size)]
        attend = listed.attend(past, own, fade=rule.fade)
        predict = predicting(toy, text, attend)
        frames += rollout.denoising.draft(chunk, predict, rollout.noise).split(1, 2)
        before = text
    return torch.cat(frames, 2), heads


def krea(context, keep_first, fade, chunks, chunk, prompts=None, batch=1):
    method = KreaRealtime(context * chunk, keep_first, fade).build(chunk)
    return make(method, chunks, chunk, TWO, prompts, batch)


@given(
    chunk=st.integers(1, 4),
    context=st.integers(1, 3),
    keep_first=st.booleans(),
    fade=st.sampled_from([1.0, 0.3]),
    chunks=st.integers(1, 7),
    image=st.booleans(),
    batch=st.integers(1, 2),
    change=st.integers(1, 6),
)
@settings(max_examples=12)
def test_a_past_is_computed_as_lists_of_frames_say(
    chunk, context, keep_first, fade, chunks, image, batch, change
):
    if chunk * context == 1:
        context = 2  # one frame of context is none but the first picture's: refused upstream
    known = chunk * context if image else 0
    chunks += known // chunk
    prompts = PromptSchedule((0, known + change * chunk), (1.0, -2.0))
    given_ = torch.full((batch, 3, known, Y, X), 0.5) if known else None
    sizes = (context, keep_first, fade, chunks, chunk, prompts, batch)
    rollout = krea(*sizes)
    expected, heads = rebuilt_by_hand(krea(*sizes), rollout.context.rule, known, given_)
    found = joined(rollout.run(given_))
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-5)
    assert rollout.context.recoder.asked == [head for head in heads if head is not None]


@pytest.mark.parametrize("made", range(1, 7))
@pytest.mark.parametrize("given_chunks", [0, 1])
@pytest.mark.parametrize("context", [1, 2])
def test_going_on_in_front_of_a_computed_past(made, given_chunks, context):
    prompts = PromptSchedule((0, 9, 15), (1.0, 2.0, 3.0), frozenset({15}))
    known = torch.full((1, 3, 3, Y, X), 0.5) if given_chunks else None
    whole = joined(krea(context, False, 0.3, 8, 3, prompts).run(known))
    frames = whole[:, :, : 3 * (given_chunks + made)]
    again = krea(context, False, 0.3, 8, 3, prompts).run(Begun(frames, 3 * made))
    assert torch.equal(joined(again), whole)


def test_a_computed_past_ends_at_a_cut():
    prompts = PromptSchedule((0, 9), (1.0, 2.0), frozenset({9}))
    rollout = krea(2, True, 1.0, 6, 3, prompts)
    whole = joined(rollout.run())
    alone = krea(2, True, 1.0, 3, 3, PromptSchedule.constant(2.0))
    noise = rollout.noise

    class Later:
        def draw(self, chunk, step):
            return noise.draw(replace(chunk, start=chunk.start + 9, stop=chunk.stop + 9), step)

    assert torch.equal(joined(replace(alone, noise=Later()).run()), whole[:, :, 9:])


def test_context_calls_are_never_faded():
    """With two chunks of context, the second sees the first."""
    clean, pools = torch.rand(2, 1, 3, 3, Y, X), []
    for fade in (1.0, 0.3):
        rollout = krea(2, True, fade, 4, 3)
        first, second, third, *_ = rollout.clock
        for chunk, latent in zip((first, second), clean, strict=True):
            rollout.context.keep(chunk, latent, 1.0)
        assert rollout.context.open(third).fade == fade
        pools.append(
            torch.cat([pool.k.codes for layer in rollout.bank.layers for pool in layer.pools])
        )
    assert pools[0].abs().sum() > 0 and torch.equal(*pools)


def test_calls_of_a_computed_past_are_foretold():
    rollout = krea(2, True, 1.0, 6, 3)
    for number, _ in enumerate(rollout.run()):
        assert len(rollout.backbone.calls) == rollout.calls_until(number)


def test_a_computed_past_without_a_vae_keeps_its_first_frame():
    toy = ToldBackbone()
    method = KreaRealtime(3).build(3)
    with pytest.raises(ValueError, match="must have a VAE"):
        RebuiltContext(toy, bank_of(toy, method, 3), method.rebuilt)
