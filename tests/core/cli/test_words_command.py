"""From a prompt to a video in one command, on tiny random models, and what is refused before."""

import json
import shutil
import sys
from dataclasses import replace
from typing import NamedTuple

import av
import pytest
import torch
from needs import needs
from published_encoders import SIZES, of_transformers, random_encoder, spiece, write_encoders
from published_vaes import of_authors, random_vae, tiny, write_vaes
from random_model import TINY, write_random_checkpoint
from safetensors import safe_open
from safetensors.torch import save_file

from headforcing.headforcing_core.autoencoders import open_vae
from headforcing.headforcing_core.cli import main
from headforcing.headforcing_core.cli.jobs import read_jobs
from headforcing.headforcing_core.words import TextEncoder

pytestmark = needs("sentencepiece", "diffusers")

SMALL = ("--seconds", 2, "--width", 48, "--height", 32, "--text-tokens", 16, "--seed", 3)
ENCODER, VAE = "umt5_xxl_fp16.safetensors", "vae/wan_vae.safetensors"


class Done(NamedTuple):
    code: int
    stderr: str


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_random_checkpoint(folder / "self_forcing.safetensors")
    write_encoders(folder, spiece())
    write_vaes(folder / "vae", False)
    text = torch.randn(5, TINY.text_dim, generator=torch.Generator().manual_seed(0))
    save_file({"text": text}, folder / "text.safetensors")
    save_file({"text": text.expand(2, 5, -1).contiguous()}, folder / "two.safetensors")
    wide = of_transformers(random_encoder(replace(SIZES, width=32)))
    with safe_open(folder / ENCODER, "pt") as file:
        wide["spiece_model"] = file.get_tensor("spiece_model")
    save_file(wide, folder / "wide.safetensors")
    save_file(of_authors(random_vae(tiny(True)), True), folder / "wan22.safetensors")
    (folder / "x.gguf").write_bytes(b"GGUF" + bytes(60))
    return folder


@pytest.fixture
def generate(models, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(models)

    def run(*arguments) -> Done:
        line = ["generate", "--model", "self_forcing.safetensors", *SMALL, *arguments]
        try:
            code = main([str(argument) for argument in line])
        except SystemExit as stop:
            code = stop.code
        return Done(code, capsys.readouterr().err)

    return run


def prompted(*prompt, encoder=ENCODER):
    return (*prompt, "--text-encoder", encoder)


def pictures_of(path):
    with av.open(str(path)) as file:
        shown = [f.to_ndarray(format="rgb24") for f in file.decode(video=0)]
        return torch.stack(list(map(torch.from_numpy, shown))), dict(file.metadata)


def latents_of(path):
    with safe_open(path, "pt") as file:
        return file.get_tensor("latents"), json.loads(file.metadata()["headforcing"])


def test_a_prompt_becomes_a_video(models, generate, tmp_path):
    video, out = tmp_path / "out.mp4", tmp_path / "out.safetensors"
    done = generate(
        *prompted("--prompt", "a cat walks"), "--vae", VAE, "--video", video, "--out", out
    )
    assert done.code == 0, done.stderr
    assert "encoding 1 prompts" in done.stderr and f"wrote the video to {video}" in done.stderr
    latents, settings = latents_of(out)
    assert settings["complete"] and settings["vae"] == "wan_vae.safetensors"
    assert settings["text_encoder"] == ENCODER and settings["text_embedding"] is None
    assert settings["schedule"] == [{"text": "a cat walks", "start": None, "cut": False}]
    # what the latents of the file show
    vae = open_vae(models / VAE).build()
    expected = vae.decoder.begin().decode(vae.taken(latents))
    seen, said = pictures_of(video)
    assert seen.shape == (33, 32, 48, 3)
    # colours of random pictures are more than a video keeps
    grey = seen.float().mean(3) / 255 - expected.mean(1)
    assert grey.abs().mean() < 0.05 and expected.mean(1).std() > 0.1
    assert json.loads(said["headforcing"])["prompts"] == [{**settings["schedule"][0], "start": 0.0}]
    assert not [path for path in tmp_path.iterdir() if path.name[0] == "." or "unf" in path.name]


def test_a_tokenizer_that_is_found_is_in_the_name_of_a_job(models, tmp_path, monkeypatch):
    monkeypatch.chdir(models)
    copy = tmp_path / "authors"
    shutil.copytree(models / "authors", copy)
    job = {
        "model": "self_forcing.safetensors",
        "prompt": "a cat",
        "text_encoder": str(copy / "models_t5_umt5-xxl-enc-bf16.pth"),
        **{"seconds": 2, "width": 48, "height": 32, "text_tokens": 16},
    }
    (tmp_path / "jobs.jsonl").write_text(json.dumps(job))
    (before,) = read_jobs(tmp_path / "jobs.jsonl")
    found = copy / "google" / "umt5-xxl" / "spiece.model"
    assert str(found) in [file.path for file in before.inputs]
    found.write_bytes(spiece(words="a dog"))
    (after,) = read_jobs(tmp_path / "jobs.jsonl")
    assert before.name != after.name
    with pytest.raises(ValueError, match=r"spiece\.model, which was changed since"):
        before.check_inputs()


def test_a_batch_makes_videos_of_words(models, generate, tmp_path):
    job = {
        "model": "self_forcing.safetensors",
        "prompt": "[0:1] a cat walks [1:2] # a dog",
        **{"text_encoder": ENCODER, "vae": VAE, "container": "mkv", "seed": [3, 4]},
        **{"seconds": 2, "width": 48, "height": 32, "text_tokens": 16},
    }
    jobs, out = tmp_path / "jobs.jsonl", tmp_path / "results"
    jobs.write_text(json.dumps(job))
    assert main(["batch", str(jobs), "--out", str(out), "--workers", "1"]) == 0
    made = {path.stem: path for path in out.glob("*.mkv")}
    notes = {path.stem: json.loads(path.read_text()) for path in out.glob("*.json")}
    notes = {name: note for name, note in notes.items() if name in made}
    assert len(made) == len(notes) == 2 and all(
        name.startswith("0_1_a_cat_walks_1_2_a_dog_") for name in made
    )
    (name,) = (name for name, note in notes.items() if note["job"]["seed"] == 3)
    files = notes[name]["files"]
    assert {f"{name}.mkv", f"{name}.drift.json"} < set(files)
    assert any(file.startswith(f"{name}.latents") for file in files)
    assert all((out / file).stat().st_size == size for file, size in files.items())
    assert notes[name]["threads"] == torch.get_num_threads()  # on which last bits depend
    single = tmp_path / "single.mkv"
    said = prompted("--prompt", job["prompt"])
    assert generate(*said, "--vae", VAE, "--video", single).code == 0
    assert torch.equal(pictures_of(made[name])[0], pictures_of(single)[0])
    # a prompt in a file is the same job
    (tmp_path / "words.txt").write_text(job.pop("prompt"))
    jobs.write_text(json.dumps(job | {"prompts": str(tmp_path / "words.txt")}))
    assert main(["batch", str(jobs), "--out", str(out)]) == 0
    assert len(list(out.glob("*.mkv"))) == 2
    (first, _) = read_jobs(jobs)
    (tmp_path / "words.txt").write_text("a dog")  # while the batch runs
    with pytest.raises(ValueError, match=r"must stay what they are .*words.txt"):
        first.check_inputs()
    # what a video goes on from are its latents
    more = {"model": job["model"], "start": str(made[name]), "seconds": 4, "vae": VAE}
    jobs.write_text(json.dumps(more | {"prompt": "a cow", "text_encoder": ENCODER}))
    (goes_on,) = read_jobs(jobs)
    assert any(one.path == str(out / f"{name}.latents") for one in goes_on.inputs)


def test_the_embedding_of_a_prompt_gives_the_same_latents(models, generate, tmp_path):
    one, other = tmp_path / "one.safetensors", tmp_path / "other.safetensors"
    assert generate(*prompted("--prompt", "a (cat:1.3) walks"), "--out", one).code == 0
    encoder = TextEncoder.open(models / ENCODER)
    (text,) = encoder.encode(encoder.texts(["a (cat:1.3) walks"], 16), 16)
    save_file({"text": text}, tmp_path / "text.safetensors")
    embedding = ("--text-embedding", tmp_path / "text.safetensors")
    assert generate(*embedding, "--out", other).code == 0
    assert torch.equal(latents_of(one)[0], latents_of(other)[0])


def test_prompts_take_each_others_place(models, generate, tmp_path):
    times = "[0] a cat walks\n[0.75#] the dog runs " + "fast " * 20
    (tmp_path / "prompts.txt").write_text(times, "utf-8")
    runs = {
        "one": ("--prompt", "a cat walks"),
        "two": ("--prompt", times),
        "file": ("--prompts", tmp_path / "prompts.txt"),
    }
    made = {}
    for name, said in runs.items():
        out = tmp_path / f"{name}.safetensors"
        done = generate(*prompted(*said), "--out", out)
        assert done.code == 0, done.stderr
        made[name] = latents_of(out)
    (one, _), (two, settings), (file, _) = made.values()
    assert torch.equal(one[:, :, :3], two[:, :, :3]) and not torch.equal(one, two)
    assert torch.equal(two, file)
    assert [each["cut"] for each in settings["schedule"]] == [False, True]
    assert "0.75 s to 2.25 s, latent frames 3 to 8, cut" in done.stderr


def test_a_video_needs_no_latents(models, generate, tmp_path):
    video = tmp_path / "alone.mkv"
    done = generate(
        "--text-embedding", "text.safetensors", "--vae", "vae/diffusers", "--video", video
    )
    assert done.code == 0, done.stderr
    assert pictures_of(video)[0].shape == (33, 32, 48, 3)
    assert not list(tmp_path.glob("*.safetensors"))
    # and takes the place of one of ours
    again = ("--text-embedding", "text.safetensors", "--vae", VAE, "--video", video)
    assert generate(*again).code == 0
    video.write_bytes(b"mine")
    done = generate(*again)
    assert done.code == 2 and "may replace only one that this command wrote" in done.stderr
    assert video.read_bytes() == b"mine"


def test_what_is_finished_stays_when_a_run_breaks(models, generate, tmp_path):
    wild = torch.zeros(1, 16, 3, 4, 6)
    wild[:, 0] = 1e30
    save_file({"latents": wild}, tmp_path / "wild.safetensors")
    video = tmp_path / "broken.mp4"
    done = generate(
        "--text-embedding",
        "text.safetensors",
        "--vae",
        VAE,
        "--video",
        video,
        "--start",
        tmp_path / "wild.safetensors",
        "--dtype",
        "float16",
    )
    assert done.code == 2 and "latents must stay finite" in done.stderr
    assert len(pictures_of(video)[0]) == 9


REFUSED = [
    ((), "one of --prompt, --prompts, --text-embedding must say what is shown, got none"),
    (("--prompt", "a", "--text-embedding", "text.safetensors"), "got --prompt and --text-embeddin"),
    (("--prompt", "a cat"), "--prompt must come with --text-encoder, got none"),
    (("--text-embedding", "text.safetensors", "--tokenizer", "x"), "must come with --prompt"),
    (prompted("--prompt", ""), "a prompt schedule must have a text, got none"),
    (prompted("--prompt", "[5:8] a"), "the first prompt must begin at 0"),
    (prompted("--prompt", "[0] a\n[9] b"), "prompts must begin before the video ends"),
    (prompted("--prompt", "a embedding:b"), "got 'embedding:b', the name of a file"),
    (prompted("--prompt", "a " * 5000), "a prompt must have at most 4096 tokens, got"),
    (prompted("--prompts", "absent.txt"), "--prompts must be a file that exists"),
    (prompted("--prompt", "a", encoder="absent"), "--text-encoder must be a file that exists"),
    (prompted("--prompt", "a", encoder=VAE), "must hold one umT5 encoder, got a VAE"),
    (
        prompted("--prompt", "a", encoder="self_forcing.safetensors"),
        "must hold one umT5 encoder, got a video model",
    ),
    (prompted("--prompt", "a", encoder="wide.safetensors"), "must give the 64 numbers per token"),
    (prompted("--prompt", "a", encoder="x.gguf"), "GGUF files are not read"),
    ((*prompted("--prompt", "a"), "--tokenizer", VAE), "must be a sentencepiece model"),
]
VIDEO = ("--text-embedding", "text.safetensors", "--video", "new.mp4")
REFUSED_VIDEO = [
    (VIDEO, "--video must come with --vae, got none"),
    (VIDEO[:2], "one of --video, --out must say where to write, got none"),
    ((*VIDEO[:2], "--out", "new.safetensors", "--vae", VAE), "--vae must come with --video"),
    ((*VIDEO, "--vae", "self_forcing.safetensors"), "must hold one Wan VAE, got a video model"),
    ((*VIDEO, "--vae", ENCODER), "must hold one Wan VAE, got a text encoder"),
    ((*VIDEO, "--vae", "wan22.safetensors"), "must take the 16 latent channels that the model"),
    ((*VIDEO[:3], "new.gif", "--vae", VAE), "container must be one of mp4, mkv, webm, got gif"),
    ((*VIDEO[:3], "absent/new.mp4", "--vae", VAE), "the folder for new.mp4 must exist"),
    ((*VIDEO[:3], VAE, "--vae", VAE), "--video must not be one of the inputs"),
    (
        ("--text-embedding", "two.safetensors", *VIDEO[2:], "--vae", VAE),
        "--video must come with one embedding, got 2 side by side",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED + REFUSED_VIDEO, ids=str)
def test_what_cannot_be_is_one_sentence_before_a_model_is_loaded(
    models, generate, arguments, message
):
    if (arguments, message) in REFUSED:
        arguments = (*arguments, "--out", "new.safetensors")
    done = generate(*arguments)
    assert done.code == 2
    assert message in done.stderr and "loading" not in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(models.glob("new.*")) and not list(models.glob(".new*"))


def test_what_is_not_installed_is_named(models, generate, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    done = generate(*prompted("--prompt", "a"), "--out", "new.safetensors")
    assert done.code == 2 and 'pip install "headforcing[words]"' in done.stderr
    monkeypatch.setitem(sys.modules, "diffusers", None)
    done = generate(*VIDEO, "--vae", VAE)
    assert done.code == 2 and "a VAE needs diffusers, which is not installed" in done.stderr
