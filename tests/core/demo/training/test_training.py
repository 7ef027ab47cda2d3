"""Training: that it learns what the rollout runs, and can be interrupted."""

import json

import pytest
import torch
from plans import plan_of

from headforcing.headforcing_core.attention import HeadAttention
from headforcing.headforcing_core.demo import course, train
from headforcing.headforcing_core.demo.networks import SHIPPED, Autoencoder, DemoModel
from headforcing.headforcing_core.demo.training import (
    RETURNING,
    Clips,
    Recipe,
    Training,
    make_clips,
    remembering,
    returning_clip,
    train_model,
)
from headforcing.headforcing_core.demo.training.recipe import LEAST_SIGMA, Stage
from headforcing.headforcing_core.demo.training.teacher_forcing import TeacherForcing
from headforcing.headforcing_core.demo.training.train_model import fresh
from headforcing.headforcing_core.demo.training.training_data import random_clip, words_of
from headforcing.headforcing_core.demo.world import HELD_OUT, returns_at
from headforcing.headforcing_core.memory import CacheBank
from headforcing.headforcing_core.methods import HeadPolicy, PositionRule
from headforcing.headforcing_core.models import WanConfig, WanText, fingerprint
from headforcing.headforcing_core.video import CLEAN, ChunkClock, NoiseLevel, Rope

TINY = WanConfig(24, 48, 16, 32, 16, 16, 2, 2, (1, 2, 2), 1e-6, "clean")
RECIPE = Recipe(steps=6, warm_up=2, stages=(Stage(0.5, 2, 5), Stage(1.0, 7, 2)))
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def clips():
    autoencoder = Autoencoder().requires_grad_(False)
    autoencoder.std.fill_(0.35)
    return make_clips(autoencoder, 8, workers=1)


def trained(clips, folder, stop=None, recipe=RECIPE, resume=False):
    training = Training(TINY, recipe, clips, CPU, threads=2)
    if resume:
        training.load(folder / "state.pt")
    lines = []
    for line in training.run(folder / "state.pt", folder / "log.jsonl"):
        lines.append(line)
        if training.step == stop:
            break
    return training, lines


def test_teacher_forcing_is_what_a_rollout_computes():
    """All chunks in one pass, each with its own prompt, equal the drafts of a rollout."""
    torch.manual_seed(0)
    model = fresh(TINY, 0).model.requires_grad_(False)
    torch.nn.init.normal_(model.head.head.weight)
    chunks, rope = 4, Rope(12, TINY.grid(8, 8))
    clean, noise = torch.randn(2, 2, 16, 3 * chunks, 8, 8)
    sigma = torch.tensor([0.9, 0.5, 0.75, 0.3])
    mix = sigma.repeat_interleave(3)[:, None, None]
    noisy = (1 - mix) * clean + mix * noise
    other = torch.randn(noisy.shape)  # another copy changes nothing, wherever it stands
    texts = torch.randn(2, chunks, 5, TINY.text_dim)
    levels = 1000 * sigma.repeat_interleave(3)
    trained_on = []
    for copies, at in (((noisy,), 12), ((noisy, other), 12), ((other, noisy), 24)):
        attend = TeacherForcing(rope.frames(range(3 * chunks), CPU), 3 * 16, len(copies))
        timesteps = torch.cat([torch.zeros(12), levels.repeat(len(copies))]).expand(2, -1)
        text = model.project_text(texts.repeat(1, 1 + len(copies), 1, 1).flatten(0, 1))
        guess = model(torch.cat([clean, *copies], 2), timesteps, text, attend)
        trained_on.append(guess[:, :, at : at + 12])

    everything = HeadPolicy(0, 3 * chunks)
    plan = plan_of(TINY.geometry, rope, everything, PositionRule.ABSOLUTE, 3, 21, batch=2)
    bank = CacheBank(plan)
    for chunk in ChunkClock(3 * chunks, 3):
        own = slice(chunk.start, chunk.stop)
        level = NoiseLevel(float(sigma[chunk.index]), 1000 * float(sigma[chunk.index]))
        said = model.prepare_text(texts[:, chunk.index])
        cached = HeadAttention(bank.open(chunk))
        drafted = model.predict_clean(noisy[:, :, own], level, said, cached)
        for guess in trained_on:
            torch.testing.assert_close(guess[:, :, own], drafted, atol=2e-5, rtol=1e-4)
        model.predict_clean(clean[:, :, own], CLEAN, said, cached)
        bank.commit(chunk)


def test_a_training_that_was_interrupted_is_the_same(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(train_model, "SAVE_EVERY", 2)
    monkeypatch.setattr(train_model, "LOG_EVERY", 2)
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    whole, lines = trained(clips, tmp_path / "whole")
    trained(clips, tmp_path / "parts", stop=4)
    # the line of step 4 came before step 4 was saved: it goes on from step 2
    parts, rest = trained(clips, tmp_path / "parts", resume=True)
    assert [line["step"] for line in lines] == [2, 4, 6] and rest[-1]["step"] == 6
    assert [line["first"] for line in lines[1:]] == [line["first"] for line in rest]
    for name, weight in whole.average.items():
        torch.testing.assert_close(parts.average[name], weight, rtol=0, atol=0)
    assert parts.seconds > 0
    logged = [json.loads(line)["step"] for line in (tmp_path / "parts" / "log.jsonl").open()]
    assert logged == [2, 4, 6]


def test_another_recipe_is_refused(clips, tmp_path):
    trained(clips, tmp_path)
    with pytest.raises(ValueError, match="the recipe it began with"):
        trained(clips, tmp_path, recipe=Recipe(steps=7), resume=True)


def test_the_loss_falls(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(train_model, "LOG_EVERY", 10)
    recipe = Recipe(steps=60, warm_up=5, rate=5e-3, stages=(Stage(1.0, 2, 8),))
    _, lines = trained(clips, tmp_path, recipe=recipe)
    assert lines[-1]["later"] < 0.7 * lines[0]["later"]


def test_noise_levels_are_those_the_model_is_run_with_or_between():
    recipe = Recipe(steps=1)
    sigmas = recipe.sigmas((400, 50), torch.Generator().manual_seed(0))
    assert sigmas.min() >= LEAST_SIGMA - 1e-6 and sigmas.max() <= 1
    used = torch.tensor([1.0, 0.9375, 5 / 6, 0.625])
    share = (sigmas[..., None] - used).abs().amin(-1).lt(1e-6).float().mean()
    assert abs(share - recipe.used) < 0.02


def test_the_rate_rises_and_falls():
    recipe = Recipe(steps=1000)
    rates = [recipe.rate_at(step) for step in range(1000)]
    assert rates[0] == recipe.rate / 100 and max(rates) == recipe.rate
    assert rates[-1] == pytest.approx(recipe.rate / 400)
    assert recipe.stage(0) == recipe.stages[0] and recipe.stage(999) == recipe.stages[-1]


def test_clips_that_would_reach_what_is_held_out_are_refused():
    with pytest.raises(ValueError, match="must be fewer"):
        make_clips(Autoencoder(), HELD_OUT + 1, workers=1)


def test_a_batch_holds_clips_with_the_words_of_their_chunks(clips):
    batch = Training(TINY, RECIPE, clips, CPU)._draw()
    assert batch.clean.shape == (5, 16, 6, 8, 8) and batch.words.shape[:2] == (5, 2)
    for clean, words in zip(batch.clean, batch.words, strict=True):
        same = (clips.latents[:, :, :6] == clean).flatten(1).all(1)
        assert torch.equal(clips.words[same.nonzero()[0, 0], :2].long(), words)
    assert any(len(set(map(tuple, w.tolist()))) > 1 for w in clips.words[:, :2])


def test_each_chunk_is_told_its_own_prompt():
    clip = next(c for c in map(random_clip, range(100)) if len(c.story) == 3)
    words = words_of(clip)
    starts = [0, *(cut.start // 3 for cut in clip.story[1:])]
    assert [words[at] != words[at - 1] for at in starts[1:]] == [True, True]
    assert len({tuple(w) for w in words}) in (2, 3)


def test_clips_are_the_same_on_any_number_of_processes(clips):
    autoencoder = Autoencoder().requires_grad_(False)
    autoencoder.std.fill_(0.35)
    again = make_clips(autoencoder, 8, workers=2)
    assert isinstance(again, Clips)
    torch.testing.assert_close(again.latents, clips.latents, rtol=0, atol=0)
    assert torch.equal(again.words, clips.words)


def test_the_command_trains_stops_and_goes_on(tmp_path, monkeypatch, capsys):
    work = str(tmp_path / "work")
    few = ["--work", work, "--steps", "2", "--autoencoder-steps", "3", "--clips", "6"]
    few += ["--recall-steps", "2", "--recall-clips", "4", "--finish-steps", "2"]
    monkeypatch.setattr(course, "CONFIG", TINY)
    monkeypatch.setattr(train_model, "LOG_EVERY", 1)
    monkeypatch.setattr(train_model, "SAVE_EVERY", 1)
    real = Training.save

    def interrupted(self, path):
        real(self, path)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Training, "save", interrupted)
        # in the middle of each of three trainings, and at its end
        assert [train.main(few) for _ in range(6)] == [130] * 6
    assert train.main(few) == 0
    model = DemoModel.load(tmp_path / "work" / "weights")
    assert model.wan.config == TINY
    draws, remembers, last = (
        DemoModel.load(tmp_path / "work" / part / "weights").wan.state_dict()
        for part in ("drawing", "remembering", "finishing")
    )
    assert len({fingerprint(part) for part in (draws, remembers, last)}) == 3
    for name, weight in model.wan.state_dict().items():  # in float16
        between = 0.3 * draws[name] + 0.7 * last[name]
        torch.testing.assert_close(weight, between, atol=1e-3, rtol=1e-3)
    for at, rule in (
        (3, "the recipe it began with"),
        (5, "made with"),
        (7, "made with"),
        (9, "the recipe it began with"),
        (11, "made with"),
        (13, "the recipe it began with"),
    ):
        other = [*few[:at], "5", *few[at + 1 :]]
        assert train.main(other) == 2
        assert rule in capsys.readouterr().err
    assert train.main(["--work", work, "--steps", "0"]) == 2
    assert "--steps must be 1 to 600000, got 0" in capsys.readouterr().err
    (tmp_path / "work" / "drawing" / "clips.safetensors").write_bytes(b"cut short")
    assert train.main(few) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_model_that_draws_can_be_brought(tmp_path, monkeypatch, capsys):
    work = ["--work", str(tmp_path / "work"), "--recall-steps", "1", "--recall-clips", "4"]
    work += ["--finish-steps", "1"]
    assert train.main([*work, "--from", str(SHIPPED)]) == 0
    assert not (tmp_path / "work" / "drawing").exists()
    made, shipped = (DemoModel.load(f) for f in (tmp_path / "work" / "weights", SHIPPED))
    for name, weight in shipped.autoencoder.state_dict().items():
        assert torch.equal(made.autoencoder.state_dict()[name], weight)
    assert fingerprint(made.wan.state_dict()) != fingerprint(shipped.wan.state_dict())
    # a step changes little: it did begin with those weights
    change = [
        (made.wan.state_dict()[name] - weight).abs().max()
        for name, weight in shipped.wan.state_dict().items()
    ]
    assert 0 < max(change) < 0.01
    assert train.main([*work, "--from", str(tmp_path / "work" / "weights")]) == 2
    assert "the weights it began with" in capsys.readouterr().err
    assert train.main([*work, "--from", str(tmp_path)]) == 2
    assert "must have a file headforcing_demo" in capsys.readouterr().err


def test_what_returns_weighs_more_and_is_not_seen_in_noise(clips):
    autoencoder = Autoencoder().requires_grad_(False)
    autoencoder.std.fill_(0.35)
    made = make_clips(autoencoder, 12, 1, RETURNING, returning_clip)
    assert set(made.weights.unique().tolist()) == {1.0, 3.0}
    for number, weights in enumerate(made.weights):
        story = returning_clip(RETURNING + number).story
        back = [returns_at(story, start) for start in range(0, 21, 3)]
        assert [weight > 1 for weight in weights] == back
    training = Training(TINY, RECIPE, made, CPU)
    batch = training._draw()
    plain, heavy = (replace_weights(batch, value) for value in (1.0, 2.0))
    one, other = (training._gradients(b)[1] for b in (plain, heavy))
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(b, 2 * a)
    sigmas = remembering(1, 0).sigmas((200, 70), torch.Generator().manual_seed(0))
    ones = (sigmas == 1).float().mean()
    recipe = remembering(1, 0)
    assert abs(ones - (recipe.unseen + (1 - recipe.unseen) * recipe.used / 4)) < 0.02


def replace_weights(batch, value):
    return batch._replace(weights=torch.full_like(batch.weights, value))


def test_a_folder_without_a_model_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="must have a file headforcing_demo"):
        DemoModel.load(tmp_path)


def test_texts_of_frames_fall_into_runs():
    model = fresh(TINY, 0).model
    text = model.project_text(torch.zeros(6, 5, TINY.text_dim))
    assert isinstance(text, WanText) and text.layers[0][0].shape == (6, 5, 2, 12)
    assert SHIPPED.name == "weights"
