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
from needs import needs
from published_vaes import write_vaes
from random_model import TINY, write_random_checkpoint
from safetensors import safe_open
from safetensors.torch import save_file

from headforcing.headforcing_core.cli import generate, main
from headforcing.headforcing_core.reel import MadeVideo

pytestmark = needs("diffusers")

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


@pytest.fixture
def done(models, monkeypatch, capsys):
    """Run a command here, which costs no start of a process; return what it says."""
    monkeypatch.chdir(models)

    def run(*arguments):
        code = main(["generate", *(str(argument) for argument in (*WHAT, *arguments))])
        said = capsys.readouterr().err
        assert code == 0, said
        return said

    return run


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


def check_killed(models, done, folder, times):
    """The file that is there plays; the finished ones are those of a run that was not killed.

    Args:
        times: how many chunks are kept each time that it is killed.
    """
    whole, whole_latents = folder / "whole.mp4", folder / "whole.safetensors"
    done(*VIDEO, "--video", whole, "--out", whole_latents)
    place, out = folder / "killed.mp4", folder / "killed.safetensors"
    command = (*VIDEO, "--video", place, "--out", out)
    for chunks in times:
        killed(begun(models, *command), place, chunks)
        assert not place.exists() and len(kept(place)) >= chunks
        shown = pictures_of(place.with_suffix(".unfinished.mp4"))
        assert len(shown) >= 12 * (chunks - 2) - 3
    (first, *_) = kept(place)
    damaged = bytearray(kept(place)[3].read_bytes())
    damaged[-20] ^= 1
    kept(place)[3].write_bytes(damaged)
    said = done(*command)
    assert "going on after 3 chunks from" in said and "made again, 9 before it are kept" in said
    assert torch.equal(latents_of(out), latents_of(whole_latents))
    assert torch.equal(pictures_of(place), pictures_of(whole))
    assert not first.exists() and not first.parent.parent.exists()
    assert len(list(place.with_suffix(".latents").iterdir())) == 12


def test_a_killed_command_goes_on(models, done, tmp_path):
    check_killed(models, done, tmp_path, (5,))


@pytest.mark.long
def test_a_command_that_is_killed_again_and_again_goes_on(models, done, tmp_path):
    check_killed(models, done, tmp_path, (2, 4, 7))


def test_another_video_of_the_same_name_is_another(done, tmp_path, monkeypatch):
    """Of another seed, or other settings of a method, which its name does not tell."""
    out = tmp_path / "out.safetensors"
    way = ("--method", "rolling_sink", "--set", "recent=6", "--seconds", 3)
    with monkeypatch.context() as broken:
        broken.setattr(generate.Unfinished, "remove", lambda left: None)
        done("--out", out, *way)
    assert len(kept(out)) == 4
    for other in (("--seed", 5), ("--set", "recent=9")):
        with monkeypatch.context() as broken:
            broken.setattr(generate.Unfinished, "remove", lambda left: None)
            said = done("--out", out, *way, *other)
        assert "going on" not in said
    assert "going on after 4 chunks" in done("--out", out, *way)
    assert not kept(out)


def test_what_was_stopped_goes_on_too(done, tmp_path, monkeypatch):
    """Longer, and as a video: latents are beside it however it ended."""
    place, out = tmp_path / "out.mp4", tmp_path / "out.safetensors"

    def stop(showing, chunk):
        show(showing, chunk)
        if chunk.chunk.index == 3:
            raise KeyboardInterrupt

    show = generate.Showing.show
    command = ("generate", *WHAT, *VIDEO, "--video", place, "--out", out)
    with monkeypatch.context() as stopped:
        stopped.setattr(generate.Showing, "show", stop)
        assert main([str(argument) for argument in command]) == 130
    before = latents_of(out)
    assert before.shape[2] == 12 and len(pictures_of(place)) == 45
    made = MadeVideo.read(place)
    assert made.frames_before() == 12
    assert torch.equal(torch.cat(made.latents(12), 2), before)
    said = done(*VIDEO, "--video", place, "--out", out, "--seconds", 4.5)
    assert "going on after 4 chunks" in said
    assert torch.equal(latents_of(out)[:, :, :12], before) and latents_of(out).shape[2] == 18
    assert MadeVideo.read(place).frames_before() == 18


@pytest.mark.long
def test_a_process_that_is_stopped_goes_on_too(models, done, tmp_path):
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
    said = done("--out", out, "--seconds", before.shape[2] / 4 + 1.5)
    assert f"going on after {chunks} chunks" in said
    assert torch.equal(latents_of(out)[:, :, : before.shape[2]], before)
