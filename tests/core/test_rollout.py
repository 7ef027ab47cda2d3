import pytest
import torch
from plans import frames_held, plan_of
from toy_backbone import ToyBackbone

from headforcing.headforcing_core import (
    CacheBank,
    Chunk,
    ChunkClock,
    HeadPolicy,
    KeptContext,
    PositionRule,
    PromptSchedule,
    Renoising,
    Rollout,
    Rope,
    SeededNoise,
    noise_levels,
)

Y, X = 2, 3
LEVELS = noise_levels((1000, 500), 5)
CALLS = [level.sigma for level in LEVELS] + [0.0]


def make(frames=6, chunk=2, window=5, sink=1, batch=1, seed=1, first=None, prompts=None):
    toy = ToyBackbone()
    rope = Rope(toy.geometry.head_dim, toy.grid(Y, X))
    policy = HeadPolicy.of_window(window, sink, chunk)
    plan = plan_of(toy.geometry, rope, policy, PositionRule.CONTIGUOUS, chunk, 21, batch)
    return Rollout(
        backbone=toy,
        clock=ChunkClock(frames, chunk, first),
        prompts=prompts or PromptSchedule.constant("rain"),
        context=KeptContext(toy, CacheBank(plan)),
        denoising=Renoising(LEVELS),
        noise=SeededNoise(seed, batch, toy.channels, Y, X),
    )


def video(*args, given=None, **kwargs):
    return torch.cat([done.latent for done in make(*args, **kwargs).run(given)], 2)


def test_every_chunk_is_drafted_then_committed_under_its_prompt():
    rollout = make(prompts=PromptSchedule((0, 4), ("rain", "sun")))
    chunks = list(rollout.run())
    assert [c.chunk.index for c in chunks] == [0, 1, 2]
    assert all(c.latent.shape == (1, 3, 2, Y, X) for c in chunks)
    assert [sigma for sigma, _ in rollout.backbone.calls] == CALLS * 3
    assert [text for _, text in rollout.backbone.calls[::3]] == ["rain", "rain", "sun"]
    assert sorted(frames_held(rollout.bank)) == [0, 4, 5]


def test_chunks_arrive_as_soon_as_they_are_done():
    rollout = make()
    stream = rollout.run()
    assert rollout.backbone.calls == []
    next(stream)
    assert len(rollout.backbone.calls) == len(CALLS)
    stream.close()
    assert frames_held(rollout.bank) == [0, 1]


def test_same_seed_same_video_and_another_seed_another():
    assert torch.equal(video(), video())
    assert not torch.allclose(video(), video(seed=2), atol=0.1)


def test_a_longer_video_begins_with_the_same_frames():
    assert torch.equal(video(12)[:, :, :6], video(6))


def test_batch_entries_do_not_mix():
    two = video(batch=2)
    torch.testing.assert_close(two[:1], video())
    assert not torch.allclose(two[0], two[1], atol=0.1)


@pytest.mark.parametrize(("chunk", "first", "frames"), [(1, None, 5), (3, None, 9), (3, 1, 10)])
def test_chunk_sizes(chunk, first, frames):
    assert video(frames, chunk, window=8, first=first).shape == (1, 3, frames, Y, X)
    assert video(frames, chunk, window=8, first=first).isfinite().all()


def test_going_on_from_given_frames_is_the_same_video():
    """Cached keys are a function of the clean latents, so a video can be taken up anywhere."""
    whole = video(12)
    for frames in (2, 8):
        torch.testing.assert_close(video(12, given=whole[:, :, :frames]), whole)


def test_given_frames_are_only_committed():
    rollout = make(first=1, frames=5, batch=1)
    image = torch.ones(1, 3, 1, Y, X)
    chunks = list(rollout.run(image))
    assert torch.equal(chunks[0].latent, image)
    assert [sigma for sigma, _ in rollout.backbone.calls] == [0.0, *CALLS, *CALLS]


def test_given_frames_must_fill_chunks():
    for frames in (0, 3, 8):
        with pytest.raises(ValueError, match=rf"of 2\) of a video of 6 frames, got {frames}"):
            make().run(torch.ones(1, 3, frames, Y, X))


def test_what_is_forgotten_no_longer_matters():
    """With window 2 + no sink a chunk of two sees nothing but itself."""
    a, b = torch.ones(1, 3, 2, Y, X), torch.zeros(1, 3, 2, Y, X)
    alone = [video(6, window=2, sink=0, given=x) for x in (a, b)]
    assert torch.equal(alone[0][:, :, 2:], alone[1][:, :, 2:])
    seeing = [video(6, window=4, sink=0, given=x) for x in (a, b)]
    assert not torch.allclose(seeing[0][:, :, 2:4], seeing[1][:, :, 2:4], atol=1e-3)


def test_noise_depends_on_seed_entry_chunk_and_step_alone():
    noise = SeededNoise(3, 2, 4, Y, X)
    chunk, later = Chunk(0, 0, 2), Chunk(1, 2, 4)
    draws = [noise.draw(c, s) for c in (chunk, later) for s in (0, 1)]
    different = [x for draw in draws for x in draw] + [SeededNoise(4, 1, 4, Y, X).draw(chunk, 0)[0]]
    for i, x in enumerate(different):
        assert all(not torch.equal(x, y) for y in different[:i])
    assert torch.equal(SeededNoise(3, 1, 4, Y, X).draw(chunk, 1)[0], draws[1][0])
    assert torch.equal(noise.draw(Chunk(7, 2, 4), 0), draws[2])  # counted in frames, not chunks
    # draws that shared their 32-bit seed when noise came from torch's CPU generator
    far = SeededNoise(514, 1, 4, Y, X)
    assert not torch.equal(far.draw(Chunk(0, 12, 13), 1), far.draw(Chunk(0, 1000, 1001), 0))
    sample = torch.cat([SeededNoise(s, 1, 4, 8, 8).draw(chunk, 0).flatten() for s in range(50)])
    assert abs(sample.mean()) < 0.03 and abs(sample.std() - 1) < 0.03
    with pytest.raises(ValueError, match="seed must be"):
        SeededNoise(-1, 1, 4, Y, X)


def test_prompt_schedules_begin_at_zero_and_ascend():
    schedule = PromptSchedule((0, 4), ("a", "b"))
    assert [schedule.at(f) for f in (0, 3, 4, 99)] == ["a", "a", "b", "b"]
    for starts in ((1, 4), (0, 0), ()):
        with pytest.raises(ValueError, match="starts must"):
            PromptSchedule(starts, ("a", "b")[: len(starts)])
