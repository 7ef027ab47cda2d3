"""Measuring heads: what is measured is what attention is, and when and how it is drawn."""

from dataclasses import replace

import pytest
import torch
from planted import FRAMES, GEOMETRY, HEADS, planted_profile
from random_model import TINY, random_weights

from headforcing.headforcing_core import PromptSchedule
from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.heads import (
    FULL,
    QUICK,
    ProfileSettings,
    Subject,
    frames_to_make,
    preset_named,
    profiled,
    read_profile,
    write_profile,
)
from headforcing.headforcing_core.heads.head_profile import joined
from headforcing.headforcing_core.heads.profiling import Profiler
from headforcing.headforcing_core.models import family_named
from headforcing.headforcing_core.models.checkpoint import build_wan

FAMILY = family_named("self_forcing")
SIZE = (6, 8)
SETTINGS = ProfileSettings(prompts=2, seeds=2, frames=36, chunks=2, rows=0, clean=True)


@pytest.fixture(scope="module")
def subject():
    model = build_wan(TensorDict(random_weights(TINY)), heads=TINY.heads)
    texts = list(torch.randn(2, 1, 5, TINY.text_dim, generator=torch.Generator().manual_seed(1)))
    return Subject(model, FAMILY, SIZE, texts, {"model": "random"})


@pytest.fixture(scope="module")
def profile(subject):
    *_, whole = profiled(subject, SETTINGS)
    return whole


def test_what_is_measured_is_the_whole_matrix_summed_up(subject):
    """Against a softmax over everything in float64, in calls of every kind."""
    settings = replace(SETTINGS, prompts=1, seeds=1)
    seen = {}

    def matrix(read):
        (of_layer,) = read.opened.reads(read.layer)
        pool, spans = of_layer.k, of_layer.rows.spans
        k = torch.stack([pool[:, start : start + length] for start, length in spans], 1)
        scores = read.q.transpose(1, 2).double() @ k.transpose(2, 3).double() * 24**-0.5
        frames = [page.at for page in read.opened.pages(read.layer, 0, read.frame)]
        order = sorted(range(len(frames)), key=frames.__getitem__)
        by_frame = scores.softmax(-1).unflatten(-1, (len(frames), -1)).sum(-1).mean((0, 2))
        last = scores[:, :, -12:].unflatten(-1, (len(frames), -1)).mean((0, 2, 4))
        key = (read.opened.chunk.index, read.step)
        seen.setdefault(key, []).append((by_frame[:, order], last[:, order], sorted(frames)))

    request = VideoRequest(FAMILY, settings.frames, *SIZE, 7)
    profiler = Profiler(settings, 0, 0, [4, 11])

    def both(read):
        profiler(read)
        matrix(read)

    list(request.rollout(subject.model, PromptSchedule.constant(subject.texts[0]), both).run())
    assert [(s.chunk, s.step) for s in profiler.samples] == [
        (chunk, step) for chunk in (4, 11) for step in (0, 1, 2, 3, None)
    ]
    for sample in profiler.samples:
        layers = seen[sample.chunk, sample.step]
        for layer, (mass, scores, frames) in enumerate(layers):
            assert list(sample.frames) == frames and sample.current == 3
            torch.testing.assert_close(sample.mass[layer].double(), mass, atol=2e-6, rtol=1e-5)
            torch.testing.assert_close(sample.scores[layer].double(), scores, atol=1e-5, rtol=1e-4)


def test_planted_heads_look_where_they_were_planted():
    (sample,) = planted_profile().samples
    assert sample.mass.shape == (GEOMETRY.layers, len(HEADS), FRAMES)
    present, first, uniform, wave = range(4)
    assert sample.mass[0, present, -3:].sum() > 0.999
    assert sample.mass[0, first, 0] > 0.999
    torch.testing.assert_close(sample.mass[0, uniform], torch.full((FRAMES,), 1 / FRAMES))
    assert sample.scores[0, wave].diff().sign().unique().tolist() == [-1, 1]


def test_in_pieces_as_in_one_run(subject, profile):
    pieces = []
    for prompts, seeds in ((1, 1), (1, 2), (2, 2)):
        known = joined(pieces) if pieces else None
        *_, grown = profiled(subject, replace(SETTINGS, prompts=prompts, seeds=seeds), known)
        pieces = [grown]
    backwards = joined(
        replace(profile, samples=tuple(s for s in profile.samples if (s.prompt, s.seed) == video))
        for video in reversed(SETTINGS.videos)
    )
    for other in (pieces[0], backwards):
        assert len(other.samples) == len(profile.samples) == 2 * 2 * 2 * 5
        for mine, its in zip(profile.samples, other.samples, strict=True):
            assert (mine.prompt, mine.seed, mine.chunk) == (its.prompt, its.seed, its.chunk)
            assert torch.equal(mine.mass, its.mass) and torch.equal(mine.scores, its.scores)


def test_parts_that_do_not_belong_together_are_refused(profile):
    with pytest.raises(ValueError, match="different videos, got one of them twice"):
        joined([profile, profile])
    other = replace(profile, fingerprint="another")
    with pytest.raises(ValueError, match="must have one fingerprint"):
        joined([profile, other])


def test_what_is_known_is_not_made_again(subject, profile):
    assert frames_to_make(subject, SETTINGS, profile) == 0
    assert 0 < frames_to_make(subject, SETTINGS) <= 4 * 36
    assert list(profiled(subject, SETTINGS, profile)) == []


def test_a_profile_survives_its_file(profile, tmp_path):
    write_profile(tmp_path / "p.safetensors", profile)
    again = read_profile(tmp_path / "p.safetensors")
    assert (again.geometry, again.fingerprint) == (profile.geometry, profile.fingerprint)
    assert again.parameters == profile.parameters
    for mine, its in zip(profile.samples, again.samples, strict=True):
        assert (mine.frames, mine.step, mine.current) == (its.frames, its.step, its.current)
        assert torch.equal(mine.mass, its.mass) and torch.equal(mine.scores, its.scores)


def test_files_that_are_no_profile_are_one_sentence(profile, tmp_path):
    from safetensors.torch import save_file

    file = tmp_path / "p.safetensors"
    save_file({"x": torch.zeros(1)}, file)
    with pytest.raises(ValueError, match="must be a head profile"):
        read_profile(file)
    write_profile(file, profile)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"p\.safetensors"):
        read_profile(file)


def test_some_rows_say_nearly_what_all_say(subject, profile):
    *_, some = profiled(subject, replace(SETTINGS, rows=18))
    for all_, part in zip(profile.samples, some.samples, strict=True):
        assert not torch.equal(all_.mass, part.mass)
        torch.testing.assert_close(all_.mass, part.mass, atol=0.2, rtol=0)
        torch.testing.assert_close(part.mass.sum(-1), torch.ones(part.mass.shape[:2]))
    *_, again = profiled(subject, replace(SETTINGS, rows=18))
    assert all(
        torch.equal(a.mass, b.mass) for a, b in zip(some.samples, again.samples, strict=True)
    )


def test_rows_are_drawn_anew_for_every_call_and_never_twice():
    drawn = [
        FULL.drawn_rows(4680, 0, 0, chunk, step).tolist() for chunk in (3, 4) for step in (0, 1)
    ]
    assert all(len(set(rows)) == 256 and max(rows) < 4680 for rows in drawn)
    assert len({tuple(rows) for rows in drawn}) == 4
    assert FULL.drawn_rows(256, 0, 0, 3, 0) is None


def test_chunks_are_drawn_where_there_is_a_past(subject):
    clock = VideoRequest(FAMILY, 120, *SIZE, 0).clock
    drawn = [FULL.drawn_chunks(clock, prompt, 0) for prompt in range(300)]
    assert all(len(set(chunks)) == 3 for chunks in drawn)
    assert {chunk for chunks in drawn for chunk in chunks} == set(range(3, 40))
    early = replace(FULL, last_chunk=6)
    assert {c for p in range(99) for c in early.drawn_chunks(clock, p, 0)} == {3, 4, 5, 6}
    with pytest.raises(ValueError, match="make it longer"):
        FULL.drawn_chunks(VideoRequest(FAMILY, 9, *SIZE, 0).clock, 0, 0)


def test_the_first_frames_can_be_kept(subject):
    late = replace(SETTINGS, prompts=1, seeds=1, first_chunk=11)
    for keep, oldest in ((0, 15), (2, 0)):
        *_, measured = profiled(subject, replace(late, keep_first=keep))
        assert {sample.frames[0] for sample in measured.samples} == {oldest}
        assert {len(sample.frames) for sample in measured.samples} == {21}


def test_the_presets_are_the_protocols():
    assert (FULL.prompts, FULL.frames, FULL.chunks, FULL.first_chunk) == (20, 120, 3, 3)
    assert (QUICK.prompts, QUICK.frames) == (4, 40)
    for name, own in (("full", FULL), ("quick", QUICK)):
        assert preset_named(name, FAMILY.video) == own
        # seconds are the same where a frame is a sixth of one
        other = preset_named(name, family_named("longlive2").video)
        assert other == replace(own, frames=own.frames * 3 // 2)


@pytest.mark.parametrize("values", [{"prompts": 0}, {"first_chunk": 0}, {"rows": -1}])
def test_settings_that_mean_nothing_are_refused(values):
    with pytest.raises(ValueError, match=r"must be [01] to "):
        ProfileSettings(**values)


def test_fewer_texts_than_prompts_are_refused(subject):
    with pytest.raises(ValueError, match="at most the texts there are, 2, got 3"):
        next(profiled(subject, replace(SETTINGS, prompts=3)))
