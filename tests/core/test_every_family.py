"""Every method on every family: it runs, or is refused for a reason; and what every family can."""

from dataclasses import replace

import pytest
import torch
from every_family import (
    FAMILY_NAMES,
    REFUSED,
    SIDE,
    Recoder,
    every_family,
    model_of,
    request_of,
    whole,
)
from random_model import TINY

from headforcing.headforcing_core import Begun, PromptSchedule
from headforcing.headforcing_core.heads import QUICK, Subject, profiled
from headforcing.headforcing_core.methods import NAMES, RollingForcing
from headforcing.headforcing_core.models import family_named


def rollout_of(request, prompts=None):
    model = model_of(request.family.channels)
    rng = torch.Generator().manual_seed(1)
    one, other = torch.randn(2, 1, 4, TINY.text_dim, generator=rng)
    size = request.family.frames_per_chunk
    prompts = prompts or PromptSchedule((0, 2 * size), (one, other))
    return request.rollout(model, prompts, recoder=Recoder())


def played(request, given=None, prompts=None):
    return list(rollout_of(request, prompts).run(given))


@pytest.mark.parametrize("method", NAMES)
@every_family
def test_every_method_runs_on_every_family_or_is_refused_for_a_reason(name, method):
    """With a new prompt, and a cut."""
    reason = REFUSED.get((method, name))
    if reason is not None:
        with pytest.raises(ValueError, match=reason):
            rollout_of(request_of(name, 6, method))
        return
    request = request_of(name, 6, method)
    size = request.family.frames_per_chunk
    texts = torch.randn(3, 1, 4, TINY.text_dim, generator=torch.Generator().manual_seed(2))
    prompts = PromptSchedule((0, size, 4 * size), tuple(texts), frozenset({4 * size}))
    rollout = rollout_of(request, prompts)
    video = whole(list(rollout.run()))
    assert video.shape == (1, request.family.channels, 6 * size, SIDE, SIDE)
    assert video.isfinite().all()
    held = sum(x.numel() * x.element_size() for x in rollout.bank.tensors)
    assert held == rollout.bank.plan.bytes


@every_family
def test_a_run_that_was_killed_goes_on_as_if_nothing_had_been(name):
    request, kept = request_of(name, 8), None
    done = played(request)
    for stop in (1, 4, 7):
        made = whole(done[:stop])
        kept = played(request, Begun(made, made.shape[2], done[stop - 1].ahead))
        assert torch.equal(whole(kept), whole(done)), stop


@every_family
def test_a_video_goes_on_from_frames_that_are_given(name):
    request = request_of(name, 8)
    size = request.family.frames_per_chunk
    given = torch.randn(1, request.family.channels, 2 * size, SIDE, SIDE)
    video = whole(played(request, given))
    assert torch.equal(video[:, :, : 2 * size], given) and video.isfinite().all()
    other = whole(played(request, -given))
    assert not torch.equal(video[:, :, 2 * size :], other[:, :, 2 * size :])


@every_family
def test_a_longer_video_begins_with_the_same_frames(name):
    family = family_named(name)
    short, long = (whole(played(request_of(name, chunks))) for chunks in (6, 9))
    # where chunks are denoised together the last ones see fewer others
    same = short.shape[2] - (len(family.steps) - 1 if family.joint else 0) * family.frames_per_chunk
    # not bit by bit: pages lie in another order where there is room for more of them
    torch.testing.assert_close(short[:, :, :same], long[:, :, :same], rtol=0, atol=1e-5)
    assert ("frames" in request_of(name, 6).settings) == family.joint


def test_a_cut_where_a_kept_video_ends_leaves_nothing_of_it():
    """Also of what was in flight; and what is told in other words is no new prompt."""
    request, texts = request_of("rolling_forcing", 12), torch.randn(2, 1, 4, TINY.text_dim)
    done = played(request, prompts=PromptSchedule.constant(texts[0]))
    begun = Begun(whole(done[:6]), 18, done[5].ahead)
    for starts in ((0, 18), (0, 18, 24)):
        said = (texts[0], texts[1], texts[0])[: len(starts)]
        prompts = PromptSchedule(starts, said, frozenset({18}))
        expected = whole(played(request, begun._replace(ahead=None), prompts))
        assert torch.equal(whole(played(request, begun, prompts)), expected)


def test_a_window_is_as_large_as_its_method_says():
    for window in (18, 21):
        method = RollingForcing(window)
        request = replace(request_of("rolling_forcing", 12), method=method.build(3))
        tuned = request.family.tuned(window=window)
        own = replace(request, family=tuned, method=None)
        assert request.ahead == own.ahead and request.ahead.reach == window
    for more in ({"window": 24}, {"anchor": 7}):
        method = RollingForcing(**more).build(3)
        with pytest.raises(ValueError, match="at most horizon=21 frames"):
            replace(request_of("rolling_forcing", 12), method=method)


def test_a_short_first_chunk_is_refused_where_the_past_is_made_of_whole_ones():
    """Of means, whatever the family: a frame would go to the mean of another place in a chunk."""
    whole = ("rolling_forcing", "reward_forcing", "krea_14b", "longlive2")
    for name, method in (*((name, None) for name in whole), ("self_forcing", "reward_forcing")):
        request = request_of(name, 6, method)
        with pytest.raises(ValueError, match="first frames must be whole chunks"):
            replace(request, first_chunk=1)
    replace(request_of("self_forcing", 6), first_chunk=1)


def test_a_past_that_is_computed_anew_has_room_for_nothing_else():
    own, full = (rollout_of(request_of("krea_14b", 12, name)) for name in ("krea", "full"))
    assert own.bank.plan.bytes == full.bank.plan.bytes


@every_family
def test_heads_are_profiled_on_every_family(name):
    family = family_named(name).without_pictures()
    settings = replace(
        QUICK,
        returns=0,
        prompts=1,
        seeds=1,
        frames=9 * family.frames_per_chunk,
        first_chunk=3,
        chunks=2,
    )
    texts = [torch.randn(1, 4, TINY.text_dim)]
    subject = Subject(model_of(family.channels), family, (SIDE, SIDE), texts, {})
    (profile,) = profiled(subject, settings)
    assert {sample.chunk for sample in profile.samples} == set(
        settings.drawn_chunks(request_of(name, 9).clock, 0, 0)
    )
    for sample in profile.samples:
        torch.testing.assert_close(sample.mass.sum(2), torch.ones(sample.mass.shape[:2]))
        together = len(family.steps) if family.joint else 1
        assert sample.current == together * family.frames_per_chunk


def test_few_steps_are_few_calls():
    """Of the model: as many as there are steps, and one that keeps the chunk."""

    class Counted:
        def __init__(self, model):
            self.model, self.calls = model, []

        def predict_clean(self, noisy, level, text, attend):
            self.calls.append(attend.step is None)
            return self.model.predict_clean(noisy, level, text, attend)

    found = {}
    for name in FAMILY_NAMES:
        request = request_of(name, 8)
        rollout = rollout_of(request, PromptSchedule.constant(torch.zeros(1, 4, TINY.text_dim)))
        counted, before, calls = Counted(rollout.backbone), 0, []
        counting = rollout.through(counted)
        for done in counting.run():
            drafts = counted.calls[before:]
            calls.append((drafts.count(False), drafts.count(True)))
            before = len(counted.calls)
            assert before == counting.calls_until(done.chunk.index)
        found[name] = calls
    plain = [(4, 1)] * 8
    assert found["causal_forcing_pp_2step"] == [(4, 1)] + [(2, 1)] * 7
    assert found["causal_forcing_pp_1step"] == [(4, 1)] + [(1, 1)] * 7
    assert found["rolling_forcing"] == [(5, 1)] + [(1, 1)] * 7
    assert found["krea_14b"] == [(5, 0)] + [(5, 1)] * 7
    others = {"causal_forcing_pp_2step", "causal_forcing_pp_1step", "rolling_forcing", "krea_14b"}
    assert all(calls == plain for name, calls in found.items() if name not in others)
