"""Videos of a family whose latents are packed otherwise: 48 channels, stride 16, 24 per second."""

import json
from dataclasses import replace

import av
import pytest
import torch
from needs import needs
from published_encoders import spiece, write_encoders
from published_vaes import write_vaes
from random_model import TINY, random_weights, write_random_checkpoint
from safetensors import safe_open
from safetensors.torch import save_file

from headforcing.headforcing_core.cli import main
from headforcing.headforcing_core.heads import read_profile
from headforcing.headforcing_core.models import HEADS_KEY
from headforcing.headforcing_core.reel import MadeVideo

CHANNELS, FPS, CHUNK = 48, 24, 8
MODEL, ENCODER, VAE = (
    "longlive2_tiny.safetensors",
    "umt5_xxl_fp16.safetensors",
    "vae/wan_vae.safetensors",
)
SIZE = ("--width", 64, "--height", 32, "--text-tokens", 16, "--device", "cpu")
CAT, DOG, BIRD = "a cat walks", "the dog runs fast", "a bird"
# a chunk is 8 x 4 pictures: a second and a third
ENDS = [32 / FPS, 64 / FPS, 96 / FPS]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    config = replace(TINY, in_dim=CHANNELS, out_dim=CHANNELS)
    save_file(random_weights(config), folder / MODEL, {HEADS_KEY: str(config.heads)})
    write_random_checkpoint(folder / "self_forcing.safetensors")
    text = torch.randn(5, TINY.text_dim, generator=torch.Generator().manual_seed(0))
    save_file({"text": text}, folder / "text.safetensors")
    return folder


@pytest.fixture
def run(models, monkeypatch, capsys):
    monkeypatch.chdir(models)

    def command(*arguments) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def test_a_plan_counts_as_the_family_does(run):
    code, out, _ = run("plan", "--model", MODEL, "--seconds", 10, *SIZE, "--json")
    told = json.loads(out)
    # 60 latent frames, in whole chunks
    assert code == 0 and (told["latent_frames"], told["chunks"]) == (64, 8)
    assert (told["seconds"], told["pictures"]) == ((4 * 63 + 1) / FPS, 4 * 63 + 1)
    assert (told["width"], told["height"]) == (64, 32)
    by = {row["kind"]: row["bytes"] for row in told["rows"]}
    assert by["latents"] == 2 * 64 * CHANNELS * 2 * 4 * 4


def test_sides_are_multiples_of_the_family_stride(run):
    code, _, err = run("plan", "--model", MODEL, "--width", 840)
    assert code == 2 and "width must be a positive multiple of 16 pixels, got 840" in err
    assert run("plan", "--width", 840, "--free", 100)[0] == 0


def test_a_file_is_as_long_and_large_as_was_asked(run, tmp_path):
    out = tmp_path / "out.safetensors"
    embedding = ("--text-embedding", "text.safetensors")
    line = ("generate", "--model", MODEL, *embedding, *SIZE, "--steps", "1000,500")
    code, _, err = run(*line, "--seconds", 2.5, "--out", out)
    assert code == 0, err
    with safe_open(out, "pt") as file:
        assert file.get_tensor("latents").shape == (1, CHANNELS, 16, 2, 4)
    assert "16 latent frames (61 pictures, 2.5 s)" in err
    # what is kept of a file is counted so, too: at 16 per second it would be less than a chunk
    more = tmp_path / "more.safetensors"
    again = (*line, "--start", out, "--from", 1.4, "--seed", 1, "--seconds", 2.5, "--out", more)
    code, _, err = run(*again)
    assert code == 0, err
    with safe_open(out, "pt") as one, safe_open(more, "pt") as two:
        before, after = one.get_tensor("latents"), two.get_tensor("latents")
    assert torch.equal(before[:, :, :CHUNK], after[:, :, :CHUNK])
    assert not torch.equal(before[:, :, CHUNK:], after[:, :, CHUNK:])
    code, _, err = run(*(word if word != 1.4 else 1.3 for word in again))
    assert code == 2 and "--from must leave a chunk, 1.33333 s" in err


def test_what_cannot_be_is_refused_in_the_family_units(run):
    line = ("generate", "--model", MODEL, "--text-embedding", "text.safetensors")
    code, _, err = run(
        *line, "--seconds", 86_400, "--width", 65_536, "--height", 65_536, "--out", "x"
    )
    size = 2 * (86_400 * FPS // 4) * CHANNELS * 4096**2 * 4
    assert code == 2 and f"the latents need {size / 2**30:.2f} GiB" in err


@pytest.fixture(scope="module")
def spoken(models):
    """The same models, with what reads prompts and shows latents."""
    write_encoders(models, spiece())
    write_vaes(models / "vae", True)
    return models


@pytest.fixture(scope="module")
def whole(spoken, tmp_path_factory):
    """A video of two prompts: 24 frames in chunks of 8."""
    path = tmp_path_factory.mktemp("whole") / "whole.mp4"
    said = ("--text-encoder", ENCODER, "--prompt", f"[0] {CAT}\n[2.6] {DOG}")
    line = ("--model", MODEL, "--vae", VAE, *said, *SIZE, "--steps", "1000,500")
    with pytest.MonkeyPatch.context() as here:
        here.chdir(spoken)
        line = ("generate", *line, "--seconds", 4, "--video", path)
        assert main([str(argument) for argument in line]) == 0
    return path


WORDS = needs("sentencepiece", "diffusers")
SAID = ("--text-encoder", ENCODER, "--text-tokens", 16)
GOING_ON = ("generate", "--model", MODEL, "--vae", VAE, "--start")


@WORDS
def test_a_video_has_the_family_rate_and_says_when_prompts_begin(whole):
    with av.open(str(whole)) as file:
        (stream,) = file.streams.video
        assert stream.average_rate == FPS and (stream.width, stream.height) == (64, 32)
        assert sum(1 for _ in file.decode(video=0)) == 4 * 23 + 1
    made = MadeVideo.read(whole)
    assert (made.size, made.clock.total_frames) == ((CHANNELS, 2, 4), 24)
    # the chunk next to 2.6 s; at 16 pictures per second it would be the one before
    assert [(p.text, p.start) for p in made.prompts] == [(CAT, 0.0), (DOG, ENDS[1])]


@WORDS
def test_seconds_of_a_video_are_its_own(whole):
    made = MadeVideo.read(whole)
    # as it is shown, to the hundredth as widgets round it, and whole
    for second in (1.3333, 1.33, ENDS[0], 1.4, 2.6):
        assert made.frames_before(second) == CHUNK, second
    assert made.frames_before(2.67) == 2 * CHUNK
    with pytest.raises(ValueError, match=r"which is there after 1\.33333 s, got 1\.3 s"):
        made.frames_before(1.3)
    counted = made.prompts_then(ENDS[1], f'"0": "{BIRD}", "48": "{CAT}"')
    assert [p.start for p in counted] == [0.0, ENDS[1], ENDS[1] + 2]


@WORDS
def test_a_video_goes_on_and_is_made_anew(run, whole, tmp_path):
    longer, anew = tmp_path / "longer.mp4", tmp_path / "anew.mp4"
    then = (*SAID, "--prompt", BIRD, "--seconds", 5.3)
    code, _, err = run(*GOING_ON, whole, *then, "--video", longer)
    assert code == 0, err
    assert "keeping 4 s of whole.mp4" in err
    made = MadeVideo.read(longer)
    assert made.clock.total_frames == 32 and made.prompts[-1].start == ENDS[2]
    code, _, err = run(*GOING_ON, whole, *SAID, "--from", 1.33, "--video", anew)
    assert code == 0 and "keeping 1.33333 s of whole.mp4" in err, err
    # nothing else is said: length, size and prompts are the video's
    assert MadeVideo.read(anew).size == (CHANNELS, 2, 4)
    assert MadeVideo.read(anew).prompts == MadeVideo.read(whole).prompts
    one, two = (MadeVideo.read(path).latents(24) for path in (whole, anew))
    assert all(map(torch.equal, one, two))


@WORDS
def test_a_video_made_anew_may_be_shorter(run, whole, tmp_path):
    """Of its prompts those are left out that it does not come to."""
    line = (*GOING_ON, whole, *SAID, "--from", 1.33, "--video", tmp_path / "new.mp4")
    code, _, err = run(*line, "--seconds", 2.6)
    assert code == 0, err
    assert [p.text for p in MadeVideo.read(tmp_path / "new.mp4").prompts] == [CAT]
    code, _, err = run(*line, "--seconds", 1.3)
    assert code == 2 and "more than the 1.33333 s that are kept of whole.mp4, got 1.33333;" in err
    code, _, err = run(*line, "--width", 80)
    assert code == 2 and "must be 64 and 32, as whole.mp4 is, got 80 and 32" in err


@WORDS
def test_a_video_does_not_go_on_with_a_model_of_other_latents(run, whole, tmp_path):
    other = ("generate", "--model", "self_forcing.safetensors", "--vae", VAE)
    line = (*other, "--start", whole, *SAID, "--video", tmp_path / "new.mp4")
    code, _, err = run(*line, "--seconds", 9)
    assert code == 2 and "--start must be of the 16 latent channels of Self-Forcing, got" in err


@WORDS
def test_pictures_that_prompts_count_are_the_family(run, spoken, tmp_path):
    said = (*SAID, "--prompt", f'"0": "{CAT}", "64": "{DOG}"', *SIZE, "--steps", "1000")
    line = ("generate", "--model", MODEL, *said, "--seconds", 4)
    code, _, err = run(*line, "--out", tmp_path / "out.safetensors")
    assert code == 0 and "2.66667 s to 4 s, latent frames 16 to 23" in err, err


def test_profiles_are_made_of_videos_of_the_family(run, tmp_path):
    few = ("--prompts", 1, "--chunks", 1, "--rows", 4, "--width", 32, "--height", 32)
    line = ("profile", MODEL, "--report", tmp_path, "--preset", "quick", *few)
    code, _, err = run(*line, "--last-chunk", 3, "--device", "cpu")
    assert code == 0, err
    assert read_profile(tmp_path / "profile.safetensors").parameters["frames"] == 60
