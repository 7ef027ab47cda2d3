"""Finished videos that go on, are made anew from some second on, and branch, by one command."""

import json
import shutil
from typing import NamedTuple

import av
import pytest
import torch
from needs import needs
from published_encoders import spiece, write_encoders
from published_vaes import write_vaes
from random_model import TINY, write_random_checkpoint
from safetensors import safe_open
from safetensors.torch import save_file

from headforcing.headforcing_core.cli import main
from headforcing.headforcing_core.files import Parts, VideoStyle
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.models import family_named
from headforcing.headforcing_core.reel import (
    Film,
    KeptChunks,
    MadeVideo,
    Reel,
    about_video,
    collect,
)
from headforcing.headforcing_core.video import TimedPrompt

pytestmark = needs("sentencepiece", "diffusers")

ENCODER, VAE = "umt5_xxl_fp16.safetensors", "vae/wan_vae.safetensors"
SIZE = ("--seed", 3, "--width", 32, "--height", 16, "--text-tokens", 16)
MODEL = ("--model", "self_forcing.safetensors", "--vae", VAE)
SAID = ("--text-encoder", ENCODER)
CAT, DOG, BIRD = "a cat walks", "the dog runs fast", "a bird"


class Done(NamedTuple):
    code: int
    stderr: str


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_random_checkpoint(folder / "self_forcing.safetensors")
    write_random_checkpoint(folder / "self_forcing_other.safetensors", seed=1)
    write_encoders(folder, spiece())
    write_vaes(folder / "vae", False)
    text = torch.randn(5, TINY.text_dim, generator=torch.Generator().manual_seed(0))
    save_file({"text": text}, folder / "text.safetensors")
    return folder


@pytest.fixture
def generate(models, monkeypatch, capsys):
    monkeypatch.chdir(models)

    def run(*arguments) -> Done:
        try:
            code = main([str(argument) for argument in ("generate", *arguments)])
        except SystemExit as stop:
            code = stop.code
        return Done(code, capsys.readouterr().err)

    return run


@pytest.fixture(scope="module")
def whole(models, tmp_path_factory):
    """A video of two prompts: 12 frames in chunks of 3."""
    path = tmp_path_factory.mktemp("whole") / "whole.mp4"
    with pytest.MonkeyPatch.context() as here:
        here.chdir(models)
        times = f"[0] {CAT}\n[1.4] {DOG}"
        line = (*MODEL, *SAID, *SIZE, "--seconds", 3, "--prompt", times, "--video", path)
        line = (*line, "--window", 9, "--sink", 3, "--steps", "1000,500")
        assert main([str(argument) for argument in ("generate", *line)]) == 0
    return path


def latents_of(path):
    """Return what lies beside a video."""
    made = MadeVideo.read(path)
    return torch.cat(made.latents(made.frames_before()), 2)


def pictures_of(path):
    with av.open(str(path)) as file:
        shown = [f.to_ndarray(format="rgb24") for f in file.decode(video=0)]
    return torch.stack(list(map(torch.from_numpy, shown)))


def about(path):
    return MadeVideo.read(path).about


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_video_says_how_it_was_made_and_keeps_its_latents(whole):
    said = about(whole)
    assert (said["frames"], said["channels"], said["rows"], said["columns"]) == (12, 16, 2, 4)
    # where prompts begin is where a chunk does
    assert said["prompts"] == [
        {"text": CAT, "start": 0.0, "cut": False},
        {"text": DOG, "start": 1.5, "cut": False},
    ]
    assert said["window"] == 9 and said["weights"] and "schedule" not in said
    assert len(names(whole.with_suffix(".latents"))) == 4
    assert latents_of(whole).shape == (1, 16, 12, 2, 4)


def test_the_same_again_is_the_same_bit_by_bit(whole, generate, tmp_path):
    """From a second on; nothing is given but what is read and where it goes."""
    again = tmp_path / "again.mp4"
    done = generate(*MODEL, *SAID, "--start", whole, "--from", 1.6, "--video", again)
    assert done.code == 0, done.stderr
    assert "keeping 1.5 s of whole.mp4" in done.stderr and "made with" not in done.stderr
    assert torch.equal(latents_of(again), latents_of(whole))
    assert torch.equal(pictures_of(again), pictures_of(whole))
    # a start makes it a video of its own
    skipped = ("start", "start_settings", "video")
    assert {n: x for n, x in about(again).items() if n not in skipped} == {
        n: x for n, x in about(whole).items() if n not in skipped
    }
    assert about(again)["start_settings"]["seed"] == 3
    # what is gone on from stays where it is
    assert len(names(whole.with_suffix(".latents"))) == 4


def test_another_prompt_and_seed_branch_from_a_second_on(whole, generate, tmp_path):
    branch, out = tmp_path / "branch.mkv", tmp_path / "branch.safetensors"
    then = ("--prompt", f"[0:0.75#] {DOG} [0.75] {BIRD}", "--seed", 9)
    line = (*MODEL, *SAID, "--start", whole, "--from", 1.5, "--seconds", 3, *then)
    done = generate(*line, "--video", branch, "--out", out)
    assert done.code == 0, done.stderr
    assert "made with seed 3, not 9" in done.stderr
    latents = latents_of(branch)
    assert torch.equal(latents[:, :, :6], latents_of(whole)[:, :, :6])
    assert not torch.equal(latents[:, :, 6:9], latents_of(whole)[:, :, 6:9])
    with safe_open(out, "pt") as file:
        assert torch.equal(file.get_tensor("latents"), latents)
    starts = [(prompt["text"], prompt["start"]) for prompt in about(branch)["prompts"]]
    assert starts == [(CAT, 0.0), (DOG, 1.5), (BIRD, 2.25)]
    assert torch.equal(pictures_of(branch)[:21], pictures_of(whole)[:21])


def test_a_video_goes_on_at_its_end(whole, generate, tmp_path):
    longer = tmp_path / "longer.mp4"
    line = (*MODEL, *SAID, "--start", whole, "--prompt", BIRD, "--no-latents")
    done = generate(*line, "--seconds", 3.75, "--video", longer)
    assert done.code == 0, done.stderr
    assert torch.equal(pictures_of(longer)[:45], pictures_of(whole))
    assert about(longer)["prompts"][-1] == {"text": BIRD, "start": 3.0, "cut": False}
    # no folder, nothing to go on from
    assert names(tmp_path) == ["longer.drift.json", "longer.drift.png", "longer.mp4"]
    done = generate(*MODEL, *SAID, "--start", longer, "--video", tmp_path / "more.mp4")
    assert done.code == 2 and "must lie beside it, in longer.latents, got none" in done.stderr


def test_an_embedding_and_a_method_are_said_as_far_as_they_can(models, generate, tmp_path):
    first, second = tmp_path / "first.mp4", tmp_path / "second.mp4"
    embedding = ("--text-embedding", "text.safetensors")
    way = ("--method", "rolling_sink", "--set", "recent=9")
    done = generate(*MODEL, *embedding, *SIZE, "--seconds", 0.75, *way, "--video", first)
    assert done.code == 0, done.stderr
    line = (*MODEL, "--start", first, "--seconds", 1.5)
    done = generate(*line, *embedding, "--video", second)
    assert done.code == 0, done.stderr
    assert about(second)["method"] == "rolling_sink" and about(second)["asked"]["set"] == [
        "recent=9"
    ]
    done = generate(*line, *SAID, "--prompt", BIRD, "--video", tmp_path / "third.mp4")
    assert done.code == 2 and "made from an embedding; give that again" in done.stderr
    done = generate(*line, *embedding, "--window", 9, "--video", tmp_path / "third.mp4")
    assert done.code == 0 and "made with method 'rolling_sink', not 'self_forcing'" in done.stderr


@pytest.mark.parametrize("way", [(), ("--method", "rolling_sink", "--set", "recent=9")])
def test_in_how_many_bits_it_was_made_is_gone_on_with(way, models, generate, tmp_path):
    """With the authors' way too, which has no name; one setting more leaves the others."""
    first = tmp_path / "first.mp4"
    embedding, bits = ("--text-embedding", "text.safetensors"), ("--set", "kv_dtype=int8")
    done = generate(*MODEL, *embedding, *SIZE, "--seconds", 0.75, *way, *bits, "--video", first)
    assert done.code == 0, done.stderr
    line = (*MODEL, "--start", first, "--seconds", 1.5, *embedding)
    own = [*way[3:], "kv_dtype=int8"]
    again = ((), own), (("--set", "offload=true"), [*own, "offload=true"])
    for number, (more, told) in enumerate(again):
        video = tmp_path / f"{number}.mp4"
        done = generate(*line, *more, "--video", video)
        assert done.code == 0, done.stderr
        assert about(video)["asked"] == {"method": way[1] if way else None, "set": told}
    if not way:  # another window has as many bits
        done = generate(*line, "--window", 9, "--video", tmp_path / "window.mp4")
        assert done.code == 0 and about(tmp_path / "window.mp4")["asked"]["set"] == own


def host_video(path, latents, request, prompts, settings=None):
    """Write a video as the node does: of the request alone, decoded by whatever."""
    settings = settings or request.settings
    said = about_video(settings, 16, request.clock.total_frames, prompts, [0.0])
    film = Film(path, VideoStyle(16), {"headforcing": json.dumps(said)})

    class Grey:
        reach = 1

        def begin(self):
            return self

        def decode(self, latent):
            return torch.full((4 * latent.shape[2], 3, 16, 32), 0.5)

    reel = Reel(Grey(), torch.device("cpu"), film, request.clock.total_frames)
    chunks = KeptChunks(Parts([path.with_suffix(".kept")]), request.clock)
    for chunk in request.clock:
        part = latents[:, :, chunk.start : chunk.stop]
        chunks.write(chunk, part)
        reel.add(chunk, part)
    collect(chunks, reel.end(), request.clock.total_frames)


def test_a_video_of_the_node_goes_on(whole, generate, tmp_path):
    """Which says neither weights nor the settings of a method."""
    family = family_named("self_forcing").tuned(sigmas=(1.0, 0.6, 0.0))
    request = VideoRequest(family, 4, 2, 4, 2**63, first_chunk=1)
    path, more = tmp_path / "node.mp4", tmp_path / "more.mp4"
    host_video(path, torch.randn(1, 16, 4, 2, 4), request, [TimedPrompt(CAT)])
    line = (*MODEL, *SAID, "--start", path, "--text-tokens", 16, "--video", more)
    done = generate(*line, "--seconds", 1.5)
    assert done.code == 0, done.stderr
    said = about(more)
    assert (said["seed"], said["first_chunk"], said["sigmas"]) == (2**63, 1, [1.0, 0.6, 0.0])
    assert torch.equal(latents_of(more)[:, :, :4], latents_of(path))
    assert "made with" not in done.stderr
    # of a method that is lost the family's own takes the place
    lost = tmp_path / "lost.mp4"
    request = VideoRequest(family, 3, 2, 4, 0)
    said = {**request.settings, "method": "head_forcing", "window": 12}
    host_video(lost, torch.randn(1, 16, 3, 2, 4), request, [TimedPrompt(CAT)], said)
    line = (*MODEL, *SAID, "--start", lost, "--text-tokens", 16, "--seconds", 1.5)
    done = generate(*line, "--video", tmp_path / "found.mp4")
    assert done.code == 0, done.stderr
    assert "made with method 'head_forcing', not 'self_forcing'" in done.stderr
    assert about(tmp_path / "found.mp4")["window"] == 21


def test_what_is_damaged_is_one_sentence(whole, generate, tmp_path):
    copy, folder = tmp_path / "copy.mp4", tmp_path / "copy.latents"
    shutil.copy(whole, copy)
    shutil.copytree(whole.with_suffix(".latents"), folder)
    third = folder / "latent_0000006.part"
    content = bytearray(third.read_bytes())
    content[-7] ^= 4
    third.write_bytes(content)
    line = (*MODEL, *SAID, "--start", copy, "--video", tmp_path / "new.mp4")
    done = generate(*line, "--seconds", 4)
    last = done.stderr.splitlines()[-1]
    assert done.code == 2 and "got after 1.5 s" in last
    assert last.endswith("; go on from second 1.5, until which they are")
    third.unlink()
    done = generate(*line, "--seconds", 4)
    assert done.code == 2 and "none of the next chunk; go on from second 1.5" in done.stderr
    assert generate(*line, "--from", 1.5).code == 0


REFUSED = [
    (("--from", 1.5, "--seconds", 1.5), "must be more than the 1.5 s that are kept of whole.mp4"),
    ((), "must be more than the 3 s that are kept of whole.mp4, got 3; or choose --from"),
    (("--from", 0.5), "must be kept, which is there after 0.75 s, got 0.5 s"),
    (("--from", 1.5, "--width", 48), "must be 32 and 16, as whole.mp4 is, got 48 and 16"),
    (("--from", -1), "--from must be 0 to 86400 seconds"),
    (("--from", 1.5, "--first-chunk", 1), "given frames must fill whole chunks"),
    (("--from", 1.5, "--prompt", f"{CAT} | {DOG}"), "that follow must say when each begins"),
    (("--from", 1.5, "--family", "causal_forcing_framewise"), "family must fit the file"),
]


@pytest.mark.parametrize(("more", "message"), REFUSED, ids=str)
def test_what_cannot_go_on_is_one_sentence(whole, generate, tmp_path, more, message):
    done = generate(*MODEL, *SAID, "--start", whole, "--video", tmp_path / "new.mp4", *more)
    assert done.code == 2 and message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr and not names(tmp_path)


def test_what_is_no_video_of_ours_is_one_sentence(whole, generate, tmp_path):
    stranger = tmp_path / "stranger.mp4"
    with av.open(str(stranger), "w") as file:
        stream = file.add_stream("libx264", rate=16)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        file.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        file.mux(stream.encode(None))
    line = (*MODEL, *SAID, "--video", tmp_path / "new.mp4")
    for path, message in (
        (stranger, "must say what made it"),
        (tmp_path / "absent.mp4", "--start must be a file that exists"),
    ):
        done = generate(*line, "--start", path)
        assert done.code == 2 and message in done.stderr, done.stderr
    done = generate(*MODEL, "--start", whole, "--video", tmp_path / "new.mp4")
    assert "the prompts of the video must come with --text-encoder, got none" in done.stderr
    done = generate(*line, "--prompt", CAT, "--from", 1)
    assert "--from must come with --start, got none" in done.stderr


def test_another_model_is_told(whole, generate, tmp_path):
    other = ("--model", "self_forcing_other.safetensors", "--vae", VAE)
    line = (*other, *SAID, "--start", whole, "--from", 2.25, "--video", tmp_path / "new.mp4")
    done = generate(*line)
    assert done.code == 0 and "going on from latents that were made with weights" in done.stderr


def test_latents_take_the_place_of_no_others(whole, generate, tmp_path):
    one, two = tmp_path / "same.mp4", tmp_path / "same.mkv"
    line = (*MODEL, "--text-embedding", "text.safetensors", *SIZE, "--steps", "1000")
    assert generate(*line, "--seconds", 1.5, "--video", one).code == 0
    done = generate(*line, "--seconds", 0.75, "--video", two)
    assert done.code == 2 and "must not take the place of another video's" in done.stderr
    assert generate(*line, "--seconds", 0.75, "--video", two, "--no-latents").code == 0
    assert len(names(tmp_path / "same.latents")) == 2
    two.unlink()
    # of what is replaced nothing is left
    assert generate(*line, "--seconds", 0.75, "--video", one, "--seed", 4).code == 0
    assert len(names(tmp_path / "same.latents")) == 1
    assert generate(*line, "--seconds", 0.75, "--video", one, "--no-latents").code == 0
    assert not (tmp_path / "same.latents").exists()


def test_latents_of_a_file_are_cut_too(whole, generate, tmp_path):
    start, out = tmp_path / "start.safetensors", tmp_path / "out.safetensors"
    latents = latents_of(whole)
    save_file({"latents": latents.contiguous()}, start)
    line = (*MODEL[:2], "--text-embedding", "text.safetensors", *SIZE, "--start", start)
    done = generate(*line, "--from", 1.7, "--seconds", 2.25, "--out", out)
    assert done.code == 0, done.stderr
    with safe_open(out, "pt") as file:
        made = file.get_tensor("latents")
    assert torch.equal(made[:, :, :6], latents[:, :, :6]) and made.shape[2] == 9
    assert not torch.equal(made[:, :, 6:], latents[:, :, 6:9])
    done = generate(*line, "--from", 0.7, "--out", tmp_path / "no.safetensors")
    assert done.code == 2 and "--from must leave a chunk, 0.75 s" in done.stderr
