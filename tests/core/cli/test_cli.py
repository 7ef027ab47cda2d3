"""The command line as its users run it: files in, files out, one sentence when it fails."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from random_model import TINY, write_random_checkpoint
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from headforcing.headforcing_core.cli import main, recording
from headforcing.headforcing_core.cli.progress import progress
from headforcing.headforcing_core.files import latent_file, read_text_embedding
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.models import family_named, load_checkpoint
from headforcing.headforcing_core.video import PromptSchedule

TESTS = Path(__file__).parents[2]
START = """
import signal, sys
# a suite that runs in the background hands down an ignored SIGINT
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, sys.argv.pop(1))
import pack
from headforcing.headforcing_core.cli import main
sys.exit(main(sys.argv[1:]))
"""


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write_random_checkpoint(tmp_path / "self_forcing.safetensors")
    text = torch.randn(5, TINY.text_dim, generator=torch.Generator().manual_seed(0))
    save_file({"text": text}, tmp_path / "text.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys):
    def in_this_process(*arguments) -> Done:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse
            code = stop.code
        return Done(code, *capsys.readouterr())

    return in_this_process


@pytest.fixture
def generate(run):
    return lambda *arguments, **settings: run(*generate_line(*arguments, **settings))


def generate_line(*arguments, out="out.safetensors", seconds=2):
    return (
        "generate",
        *("--model", "self_forcing.safetensors", "--text-embedding", "text.safetensors"),
        *("--seconds", seconds, "--width", 40, "--height", 32, "--text-tokens", 16),
        *("--seed", 3, "--out", out, *arguments),
    )


def read(path):
    with safe_open(path, "pt") as file:
        return file.get_tensor("latents"), json.loads(file.metadata()["headforcing"])


def test_generates_latents_and_says_how(folder, generate):
    done = generate()
    assert done.returncode == 0, done.stderr
    latents, settings = read(folder / "out.safetensors")
    assert latents.shape == (1, 16, 9, 4, 5) and latents.isfinite().all()
    assert settings["complete"] and settings["frames"] == 9
    assert settings["family"] == "self_forcing" and settings["seed"] == 3
    assert settings["steps"] == [1000, 750, 500, 250] and settings["model"].startswith("self_")
    assert "chunk 3/3 commit: 100%" in done.stderr
    assert (settings["text_embedding"], settings["dtype"]) == ("text.safetensors", "float32")
    assert "9 latent frames (33 pictures, 2.1 s) in 3 chunks; 6 tokens per frame" in done.stderr


def test_the_same_command_gives_the_same_latents_and_a_longer_one_begins_with_them(
    folder, generate
):
    for out, seconds in (("a", 1.5), ("b", 1.5), ("c", 3)):
        assert generate(out=f"{out}.safetensors", seconds=seconds).returncode == 0
    a, b, c = (read(folder / f"{name}.safetensors")[0] for name in "abc")
    assert torch.equal(a, b)
    assert torch.equal(c[:, :, :6], a)


def test_goes_on_from_latents_it_wrote(folder, generate):
    generate(out="whole.safetensors", seconds=3)
    whole, _ = read(folder / "whole.safetensors")
    save_file({"latents": whole[:, :, :6].contiguous()}, folder / "begin.safetensors")
    done = generate("--start", "begin.safetensors", seconds=3)
    assert done.returncode == 0, done.stderr
    torch.testing.assert_close(read(folder / "out.safetensors")[0], whole)


def test_a_video_can_start_from_one_image(folder, generate):
    image = torch.zeros(1, 16, 1, 4, 5)
    save_file({"latents": image}, folder / "image.safetensors")
    refused = generate("--start", "image.safetensors")
    assert refused.returncode == 2 and "fill whole chunks of 3" in refused.stderr
    done = generate("--start", "image.safetensors", "--first-chunk", 1)
    latents, settings = read(folder / "out.safetensors")
    assert latents.shape[2] == 10 and torch.equal(latents[:, :, :1], image)
    assert settings["first_chunk"] == 1, done.stderr


def test_method_options_reach_the_rollout(folder, generate):
    done = generate("--window", 6, "--sink", 1, "--steps", "1000,500", "--shift", 3)
    _, settings = read(folder / "out.safetensors")
    assert (settings["window"], settings["sink"], settings["positions"]) == (6, 1, "contiguous")
    assert (settings["steps"], settings["shift"]) == ([1000, 500], 3.0)
    assert "a head sees at most 6 frames" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as POSIX has them")
@pytest.mark.parametrize(
    ("stop", "again"),
    [
        *(("SIGINT", after) for after in (None, 0.01)),
        *(("SIGTERM", None), ("SIGHUP", None)),
        *(pytest.param("SIGINT", 0, marks=pytest.mark.long),),
        *(pytest.param("SIGTERM", 0.002, marks=pytest.mark.long),),
        *(pytest.param("SIGHUP", 0, marks=pytest.mark.long),),
    ],
)
def test_interrupting_keeps_what_is_finished(folder, generate, stop, again):
    """Once, or impatiently twice."""
    generate(out="whole.safetensors", seconds=3)
    process = subprocess.Popen(
        [sys.executable, "-c", START, TESTS, *map(str, generate_line(seconds=2000))],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    seen = ""
    while not re.search(r"chunk ([5-9]|\d\d)", seen) and process.poll() is None:
        seen = (seen + process.stderr.read(20))[-40:]
    process.send_signal(getattr(signal, stop))
    if again is not None:
        time.sleep(again)
        process.send_signal(getattr(signal, stop))
    try:
        _, rest = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, rest
    assert "Traceback" not in rest
    latents, settings = read(folder / "out.safetensors")
    assert not settings["complete"]
    assert 12 <= latents.shape[2] == settings["frames"] < 8000
    assert f"wrote {settings['frames']} of 8001 latent frames" in rest
    assert torch.equal(latents[:, :, :12], read(folder / "whole.safetensors")[0])


def test_what_is_finished_is_saved_on_the_way(folder, generate, monkeypatch):
    saved = []
    monkeypatch.setattr(recording, "SAVE_EVERY", 0)
    monkeypatch.setattr(
        recording, "write_latents", lambda out, latents, done: saved.append((latents, done))
    )
    assert generate(seconds=3).returncode == 0
    assert [done["frames"] for _, done in saved] == [3, 6, 9, 12, 12]
    assert [done["complete"] for _, done in saved] == [False, False, False, True, True]
    assert torch.equal(saved[0][0], saved[-1][0][:, :, :3])


def test_an_error_on_the_way_keeps_what_is_finished(folder, generate):
    """Numbers overflow in float16 as soon as the text is large enough."""
    done = generate()
    text = torch.full((5, TINY.text_dim), 6e4)
    save_file({"text": text}, folder / "text.safetensors")
    (folder / "out.safetensors").unlink()
    done = generate("--start", "begin.safetensors", "--dtype", "float16")
    assert done.returncode == 2 and "--start must be a file that exists" in done.stderr
    done = generate("--dtype", "float16")
    assert done.returncode == 2, done.stderr
    assert "got NaN or infinity from frame 0 on" in done.stderr
    assert "no chunk was finished, nothing is written" in done.stderr
    save_file({"latents": torch.zeros(1, 16, 3, 4, 5)}, folder / "begin.safetensors")
    done = generate("--start", "begin.safetensors", "--dtype", "float16")
    assert done.returncode == 2 and "from frame 3 on" in done.stderr
    latents, settings = read(folder / "out.safetensors")
    assert latents.shape[2] == 3 and not settings["complete"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--family", "krea_14b"), "rollout is of another kind than that of krea_14b"),
        (("--family", "causal_forcing_framewise"), "family must fit the file"),
        (("--family", "wan"), "family must be one of"),
        (("--width", 41), "width must be a positive multiple of 8 pixels, got 41; the nearest"),
        (("--seconds", 0), "seconds must be more than 0 and at most 86400, got 0.0"),
        (("--window", 2), "window must hold the sink and the current chunk, at least 0 + 3"),
        (("--window", 30, "--sink", 1, "--seconds", 9), "at most horizon=21 frames"),
        (("--steps", "1000,250,750"), "steps must descend"),
        (("--steps", "all"), "--steps: must be whole numbers with commas between them, got 'all'"),
        (("--seed", -1), "seed must be a non-negative integer"),
        (("--heads", 5), "heads must divide dim=96, got 5"),
        (("--model", "text.safetensors", "--family", "longlive"), "has no patch_embedding.weight"),
        (("--text-embedding", "self_forcing.safetensors"), "must hold one tensor"),
        (("--text-tokens", 4), "with 1 to 4 rows for this model, got [1, 5, 64]"),
        (
            ("--out", "absent/out.safetensors"),
            "the folder for out.safetensors must exist, be writable",
        ),
        (
            ("--out", "text.safetensors"),
            "must not be one of the inputs, got the file of --text-",
        ),
        (("--out", "self_forcing.safetensors"), "must not be one of the inputs"),
        (("--out", "notes.safetensors"), "may replace only latents"),
        (("--out", "folder.safetensors"), "which is a folder; choose another name"),
        (("--width", 80_000_000), "width must be at most 65536 pixels"),
        (("--width", 65_536, "--height", 65_536, "--seconds", 86_400), "the latents need"),
        (("--text-tokens", 0), "--text-tokens must be 1 to 4096, got 0"),
        (("--start", ""), "--start must be a file that exists, got ''"),
        (("--family", ""), "family must be one of"),
        (("--first-chunk", 4), "first_chunk must be 1 to frames_per_chunk=3 frames, got 4"),
        (("--device", "hpu"), "device must be one this machine and its torch can use, got hpu"),
        (("--lora-strength", 1), "--lora-strength must come with --lora"),
        (("--heads", 0), "heads must divide dim=96, got 0"),
        (("--heads", -4), "heads must divide dim=96, got -4"),
        (("--shift", "nan"), "shift must be 0.01 to 100, got nan"),
        (("--steps", "500,250"), "steps must begin at 1000: a chunk starts as pure noise"),
        (("--start", "nan.safetensors"), "must be finite numbers, got NaN"),
        (("--start", "long.safetensors"), "of a video of 9 frames, got 12"),
        (("--start", "small.safetensors"), "must be [1, 16, frames, 4, 5], got [1, 16, 3, 4, 4]"),
        (("--device", "meta"), "device must be one this machine and its torch can use, got meta"),
        (("--out", "out.mp4"), "must go to a .safetensors file"),
        (("--start", "text.safetensors"), "must hold a tensor named 'latents'"),
        (("--device", "abacus"), "abacus"),
    ],
    ids=str,
)
def test_bad_input_is_one_sentence(folder, generate, arguments, message):
    (folder / "notes.safetensors").write_text("mine")
    (folder / "folder.safetensors").mkdir()
    for name, latents in {
        "nan": torch.full((1, 16, 3, 4, 5), torch.nan),
        "long": torch.zeros(1, 16, 12, 4, 5),
        "small": torch.zeros(1, 16, 3, 4, 4),
    }.items():
        save_file({"latents": latents}, folder / f"{name}.safetensors")
    done = generate(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 4 or "usage:" in done.stderr
    assert not (folder / "out.safetensors").exists()
    assert (folder / "notes.safetensors").read_text() == "mine"
    assert not list(folder.glob(".*.partial"))


def test_what_can_be_checked_is_checked_before_the_model_is_loaded(folder, generate):
    (folder / "self_forcing.safetensors").write_bytes(b"not read yet")
    for arguments in (
        *(("--window", 2), ("--sink", -1), ("--steps", "1000,1000"), ("--shift", 0)),
        ("--window", 30, "--sink", 1, "--seconds", 9),
        *(("--first-chunk", 4), ("--seed", -1), ("--seconds", 0), ("--text-embedding", "typo.pt")),
    ):
        done = generate(*arguments)
        assert done.returncode == 2 and "loading" not in done.stderr, arguments


def test_names_of_others_are_left_alone(folder, generate):
    """A file under a name like that of our temporary one, and a link to an input."""
    (folder / "out.safetensors.partial").write_text("mine")
    os.link(folder / "text.safetensors", folder / "link.safetensors")
    assert generate().returncode == 0
    assert (folder / "out.safetensors.partial").read_text() == "mine"
    done = generate("--out", "link.safetensors")
    assert "must not be one of the inputs" in done.stderr
    save_file({"profile": torch.ones(1)}, folder / "profile.safetensors", {"headforcing": "{}"})
    assert "may replace only latents" in generate("--out", "profile.safetensors").stderr


def test_an_interrupt_of_the_last_save_waits_for_it(folder, generate, monkeypatch):
    real, interrupted = latent_file.save_file, []

    def impatient(*arguments):
        real(*arguments)
        if not interrupted:
            interrupted.append(True)
            raise KeyboardInterrupt

    monkeypatch.setattr(latent_file, "save_file", impatient)
    assert generate().returncode == 130
    assert read(folder / "out.safetensors")[1]["complete"]
    assert not list(folder.glob(".*.partial"))


def test_the_sentence_comes_last(folder, generate):
    """The bar has ended by then, or it would be drawn over it."""
    save_file({"text": torch.full((5, TINY.text_dim), 6e4)}, folder / "text.safetensors")
    done = generate("--dtype", "float16")
    assert done.stderr.splitlines()[-1].startswith("headforcing generate: latents must stay finite")


def test_a_window_beyond_the_trained_range_is_said(folder, generate):
    said = "a head sees 30 frames, the model was trained on 21"
    assert said in generate("--window", 30, seconds=9).stderr
    assert said not in generate(seconds=9).stderr


def test_a_beginning_with_broken_settings_is_one_sentence(folder, generate):
    save_file(
        {"latents": torch.zeros(1, 16, 3, 4, 5)}, folder / "x.safetensors", {"headforcing": "x"}
    )
    done = generate("--start", "x.safetensors")
    assert done.returncode == 2 and "settings in x.safetensors must be JSON, got 'x'" in done.stderr


def test_going_on_records_what_made_the_beginning(folder, generate):
    generate(out="begin.safetensors", seconds=1.5)
    generate("--start", "begin.safetensors", "--shift", 3)
    _, settings = read(folder / "out.safetensors")
    assert (settings["shift"], settings["start_settings"]["shift"]) == (3, 5)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are POSIX")
def test_latents_are_as_readable_as_other_files(folder, generate):
    before = os.umask(0o027)
    try:
        generate()
    finally:
        os.umask(before)
    assert (folder / "out.safetensors").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (torch.zeros(0, 5, TINY.text_dim), "got [0, 5, 64]"),
        (torch.zeros(5, 32), "got [1, 5, 32]"),
        (torch.zeros(5), "got [5]"),
        (torch.full((5, TINY.text_dim), torch.inf), "must hold finite numbers"),
        (torch.ones(5, TINY.text_dim).to_sparse(), "must be a dense tensor"),
        (torch.ones(5, TINY.text_dim, dtype=torch.complex64), "must be a dense tensor"),
        (torch.ones(5, TINY.text_dim, dtype=torch.int64), "must be a dense tensor"),
    ],
    ids=["no batch", "another width", "one row", "infinite", "sparse", "complex", "integers"],
)
def test_text_of_another_kind(folder, generate, stored, message):
    torch.save({"text": stored}, folder / "text.pt")
    done = generate("--text-embedding", "text.pt")
    assert done.returncode == 2 and message in done.stderr


def test_text_is_padded_with_zero_rows(folder):
    text = torch.randn(2, 3, 8)
    torch.save(text, folder / "bare.pt")
    padded = read_text_embedding(folder / "bare.pt", text_dim=8, tokens=5)
    assert torch.equal(padded[:, :3], text)
    assert torch.equal(padded[:, 3:], torch.zeros(2, 2, 8))


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_device_that_is_not_there_is_one_sentence(folder, generate):
    done = generate("--device", "cuda")
    assert done.returncode == 2
    assert "can use, got cuda: " in done.stderr and "Traceback" not in done.stderr


def test_a_base_without_its_adapter_is_said(folder, generate):
    assert "without --lora this is the base alone" in generate("--family", "longlive").stderr


def test_progress_keeps_what_observes(folder):
    """The bar replaces the backbone and nothing else."""
    family, seen = family_named("self_forcing"), []
    model = load_checkpoint("self_forcing.safetensors").model
    rollout = VideoRequest(family, 3, 4, 5, seed=0).rollout(
        model,
        PromptSchedule.constant(torch.zeros(1, 4, 64)),
        observe=lambda read: seen.append(read.layer),
    )
    assert len(list(progress(rollout))) == 1
    assert len(seen) == TINY.layers * 5


@pytest.fixture
def full_disk(monkeypatch):
    """Fill the disk that holds a folder: files in it end half written."""

    def fill(folder):
        def save(tensors, path, metadata):
            if path.parent == folder:
                path.write_bytes(b"half")
                raise SafetensorError("I/O error: No space left on device (os error 28)")
            save_file(tensors, path, metadata)

        monkeypatch.setattr(latent_file, "save_file", save)

    return fill


def test_a_full_disk_loses_nothing(folder, generate, full_disk, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    generate(seconds=1.5)
    before = (folder / "out.safetensors").read_bytes()
    full_disk(folder)
    done = generate("--seed", 9)
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    elsewhere = Path(re.search(r"the latents are in (\S+) instead", done.stderr)[1])
    assert read(elsewhere)[1]["complete"]
    assert (folder / "out.safetensors").read_bytes() == before
    assert not list(folder.glob(".*.partial"))


def test_a_failed_save_on_the_way_does_not_stop_the_run(folder, generate, monkeypatch):
    monkeypatch.setattr(recording, "SAVE_EVERY", 0)
    tries = []
    real = recording.write_latents

    def refuse_twice(*arguments):
        tries.append(arguments)
        if len(tries) <= 2:
            raise OSError("the disk is full")
        real(*arguments)

    monkeypatch.setattr(recording, "write_latents", refuse_twice)
    done = generate()
    assert done.returncode == 0 and done.stderr.count("not saved yet: the disk is full") == 2
    assert read(folder / "out.safetensors")[1]["complete"]


def test_help_is_enough(run):
    done = run("generate", "--help")
    assert done.returncode == 0
    for word in (
        "--text-embedding",
        "multiple of 8",
        "longlive",
        "24 pictures per second",
        "Ctrl-C",
    ):
        assert word in done.stdout
