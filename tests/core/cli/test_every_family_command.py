"""From a file of every family, told by its name, to latents and to a video."""

import json
from dataclasses import replace

import pytest
import torch
from needs import needs
from published_vaes import write_vaes
from random_model import TINY, random_weights
from safetensors import safe_open
from safetensors.torch import save_file

from headforcing.headforcing_core.cli import main
from headforcing.headforcing_core.files import write_latents
from headforcing.headforcing_core.models import FAMILIES, family_named, memory_name

FILES = {
    "longlive": "longlive_base",
    "longlive2": "LongLive-2.0-5B",
    "rolling_forcing": "rolling_forcing_dmd",
    "reward_forcing": "rewardforcing",
    "krea_14b": "krea-realtime-video-14b",
    "causal_forcing_pp_2step": "causal-forcing++_framewise-2step",
    "causal_forcing_pp_1step": "causal-forcing++_framewise-1step",
    "causal_forcing_framewise": "causal_forcing_framewise",
    "causal_forcing_chunkwise": "causal_forcing_chunkwise",
    "sgf_chunkwise": "self_gradient_forcing_plus_chunkwise",
    "sgf_framewise": "self_gradient_forcing_plus_framewise",
    "self_forcing": "self_forcing_dmd",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = torch.randn(5, TINY.text_dim, generator=torch.Generator().manual_seed(0))
    save_file({"text": text}, "text.safetensors")
    return tmp_path


def written(family):
    """Write a model of the family's layout; return its name."""
    config = replace(TINY, in_dim=family.channels, out_dim=family.channels)
    weights = random_weights(config)
    if family.two_experts:
        weights |= {memory_name(name): x for name, x in random_weights(config, 1).items()}
    file = f"{FILES[family.name]}.safetensors"
    save_file({f"model.{name}": weight for name, weight in weights.items()}, file)
    return file


def command(family, chunks, *more):
    video = family.video
    side, seconds = 4 * video.space_stride, video.moment(chunks * family.frames_per_chunk)
    line = [
        "--model",
        written(family),
        "--heads",
        TINY.heads,
        "--text-embedding",
        "text.safetensors",
    ]
    line += ["--text-tokens", 8, "--seconds", seconds, "--width", side, "--height", side]
    return main([str(argument) for argument in ("generate", *line, *more)])


def latents_of(path):
    with safe_open(path, "pt") as file:
        return file.get_tensor("latents"), file.metadata()


def test_every_family_is_tried():
    assert set(FILES) == {family.name for family in FAMILIES} - {"demo"}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_run_as_its_name_says(name, folder, capsys):
    family = family_named(name)
    alone = ("--method", "krea", "--set", "keep_first=true") if name == "krea_14b" else ()
    assert command(family, 6, "--out", "out.safetensors", *alone) == 0, capsys.readouterr().err
    latents, about = latents_of("out.safetensors")
    frames = 6 * family.frames_per_chunk
    assert latents.shape == (1, family.channels, frames, 4, 4) and latents.isfinite().all()
    assert json.dumps(name) in " ".join(about.values())


def test_krea_needs_a_vae(folder, capsys):
    assert command(family_named("krea_14b"), 4, "--out", "out.safetensors") == 2
    assert "must have a VAE" in capsys.readouterr().err


@needs("diffusers")
def test_a_picture_of_krea_is_encoded_again(folder, capsys):
    """Other than its first frame; and a run that was stopped goes on with the same pictures."""
    write_vaes(folder / "vae", False)
    family, vae = family_named("krea_14b"), ("--vae", "vae/wan_vae.safetensors")
    first = ("--method", "krea", "--set", "keep_first=true")
    for name, more in (("again", ()), ("first", first)):
        line = (*vae, "--video", f"{name}.mp4", "--out", f"{name}.safetensors", *more)
        assert command(family, 4, *line) == 0, capsys.readouterr().err
    again, kept = (latents_of(f"{name}.safetensors")[0] for name in ("again", "first"))
    assert torch.equal(again[:, :, :6], kept[:, :, :6])
    assert not torch.allclose(again[:, :, 6:9], kept[:, :, 6:9], atol=1e-3)


@needs("diffusers")
@pytest.mark.parametrize("name", ["causal_forcing_pp_2step", "krea_14b"])
def test_a_video_from_given_frames_is_made_again_as_it_was(name, folder, capsys):
    """What it was given counts as given still: first steps, and what a past is computed from."""
    write_vaes(folder / "vae", False)
    family = family_named(name)
    given = torch.randn(1, 16, family.frames_per_chunk, 4, 4)
    write_latents(folder / "start.safetensors", given, {})
    vae = ("--vae", "vae/wan_vae.safetensors")
    line = (*vae, "--start", "start.safetensors", "--video", "one.mp4", "--out", "one.safetensors")
    assert command(family, 6, *line) == 0, capsys.readouterr().err
    one, _ = latents_of("one.safetensors")
    for chunks in (1, 2):
        second = family.video.moment(chunks * family.frames_per_chunk)
        redo = (*vae, "--start", "one.mp4", "--from", second, "--out", "two.safetensors")
        assert command(family, 6, *redo, "--video", "two.mp4") == 0, capsys.readouterr().err
        assert torch.equal(latents_of("two.safetensors")[0], one), chunks
