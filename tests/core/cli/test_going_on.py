"""Commands that are killed at any moment and given again."""

import os
import random
import signal
import subprocess
import sys
import time

import av
import pytest
import torch
from published_vaes import write_vaes
from random_model import TINY, write_random_checkpoint
from safetensors import safe_open
from safetensors.torch import save_file

pytest.importorskip("diffusers")
MODEL = ("--model", "self_forcing.safetensors", "--text-embedding", "text.safetensors")
WHAT = (*MODEL, "--seconds", 9, "--width", 48, "--height", 32, "--text-tokens", 16)
VIDEO = ("--vae", "vae/wan_vae.safetensors")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_random_checkpoint(folder / "self_forcing.safetensors")
    write_vaes(folder / "vae", False)
    text = torch.randn(5, TINY.text_dim, generator=torch.Generator().manual_seed(0))
    save_file({"text": text}, folder / "text.safetensors")
    return folder


def begun(folder, *arguments):
    line = [sys.executable, "-m", "headforcing", "generate", *WHAT, *arguments]
    return subprocess.Popen(
        [str(argument) for argument in line], cwd=folder, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def done(folder, *arguments):
    process = begun(folder, *arguments)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return said


def pictures_of(path):
    with av.open(str(path)) as file:
        shown = [f.to_ndarray(format="rgb24") for f in file.decode(video=0)]
    return torch.stack(list(map(torch.from_numpy, shown)))


def latents_of(path):
    with safe_open(path, "pt") as file:
        return file.get_tensor("latents")


def kept(place):
    return sorted(place.with_name(place.name + ".unfinished").glob("*/latent_*.part"))


def killed(process, place, chunks):
    """Kill a run when so many chunks are kept, or a moment later."""
    deadline = time.monotonic() + 120
    while len(kept(place)) < chunks and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(random.Random(chunks).uniform(0, 0.1))
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_killed_command_goes_on(models, tmp_path):
    """The file that is there plays; the finished ones are those of a run that was not killed."""
    whole, whole_latents = tmp_path / "whole.mp4", tmp_path / "whole.safetensors"
    done(models, *VIDEO, "--video", whole, "--out", whole_latents)
    place, out = tmp_path / "killed.mp4", tmp_path / "killed.safetensors"
    command = (*VIDEO, "--video", place, "--out", out)
    for chunks in (2, 7):
        killed(begun(models, *command), place, chunks)
        assert not place.exists() and len(kept(place)) >= chunks
        shown = pictures_of(place.with_suffix(".unfinished.mp4"))
        assert len(shown) >= 12 * (chunks - 1) - 3
    # another video of the same name is another video
    said = done(models, *VIDEO, "--video", place, "--out", out, "--seed", 5, "--seconds", 1)
    assert "going on" not in said and not kept(place)
    killed(begun(models, *command), place, 4)
    (first, *_) = kept(place)
    damaged = bytearray(kept(place)[3].read_bytes())
    damaged[-20] ^= 1
    kept(place)[3].write_bytes(damaged)
    said = done(models, *command)
    assert "going on after 3 chunks from" in said and "made again, 9 before it are kept" in said
    assert torch.equal(latents_of(out), latents_of(whole_latents))
    assert torch.equal(pictures_of(place), pictures_of(whole))
    assert not first.exists() and not first.parent.parent.exists()


def test_what_was_stopped_goes_on_too(models, tmp_path):
    out = tmp_path / "out.safetensors"
    process = begun(models, "--out", out, "--seconds", 60)
    while len(kept(out)) < 3:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and out.exists()
    before = latents_of(out)
    chunks = before.shape[2] // 3
    said = done(models, "--out", out, "--seconds", before.shape[2] / 4 + 1.5)
    assert f"going on after {chunks} chunks" in said
    assert torch.equal(latents_of(out)[:, :, : before.shape[2]], before)
