"""``headforcing plan``, and what ``generate`` says and refuses before it loads a model."""

import json
import re

import pytest
import torch
from published_vaes import write_vaes
from random_model import TINY, random_weights, write_random_checkpoint
from safetensors.torch import save_file

from headforcing.headforcing_core.autoencoders import open_vae
from headforcing.headforcing_core.cli import main
from headforcing.headforcing_core.inspection import fitting
from headforcing.headforcing_core.models import FAMILY_NAMES, memory_name

MIB = 1024**2


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write_random_checkpoint(tmp_path / "self_forcing.safetensors")
    text = torch.randn(5, TINY.text_dim, generator=torch.Generator().manual_seed(0))
    save_file({"text": text}, tmp_path / "text.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def nothing_free(monkeypatch):
    monkeypatch.setattr(fitting, "free_memory", lambda place: MIB)


SMALL = ("--seconds", "2", "--width", "40", "--height", "32", "--text-tokens", "16")
GENERATE = (
    *("generate", "--model", "self_forcing.safetensors", "--text-embedding", "text.safetensors"),
    *(*SMALL, "--device", "cpu", "--out", "out.safetensors"),
)


def test_a_plan_needs_no_file_and_no_gpu(capsys):
    assert main(["plan", "--method", "rolling", "--free", "8.58"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == ("59.8 s: 240 latent frames, 957 pictures, 80 chunks; 832 x 480; rolling")
    assert "  in all on cuda" in said[5] and said[5].endswith("8.57 GiB of 8.58 free")
    assert said[-1] == "it fits"


@pytest.mark.parametrize("family", [name for name in FAMILY_NAMES if name != "demo"])
def test_every_family_can_be_planned_without_a_file(family, capsys):
    assert main(["plan", "--family", family, "--free", "100", "--seconds", "30"]) == 0
    said = capsys.readouterr().out.splitlines()
    # at 24 pictures per second 180 frames, in chunks of 8
    long = "30.5 s: 184 latent frames" if family == "longlive2" else "29.8 s: 120 latent frames"
    assert said[0].startswith(long) and said[0].endswith(f"832 x 480; {family}")
    # of five and of fourteen billion numbers, and of two models
    others = {"longlive2": "9.31", "krea_14b": "26.61"}
    weights = others.get(family, "5.29" if family.startswith("sgf") else "2.64")
    assert any(line.split() == ["weights", weights, "GiB"] for line in said)


def test_what_does_not_fit_is_a_table_and_a_sentence(capsys):
    assert main(["plan", "--method", "full", "--free", "24"]) == 2
    said = capsys.readouterr()
    assert "67.22 GiB of 24.00 free" in said.out and "it fits\n" not in said.out
    assert said.err == (
        "headforcing plan: caches, text, weights and activations need 67.22 GiB, cuda has 24.00 "
        "GiB free; it fits with method rolling_sink (13.40 GiB), or at 480 x 272 (23.82 GiB), or "
        "for 19.5 s (23.84 GiB)\n"
    )


def test_a_plan_of_a_file_reads_its_shapes_alone(folder, capsys, monkeypatch):
    monkeypatch.setattr(torch.nn.Module, "load_state_dict", None)
    options = ("plan", "--model", "self_forcing.safetensors", *SMALL, "--device", "cpu", "--json")
    assert main(options) == 0
    told = json.loads(capsys.readouterr().out)
    by = {row["kind"]: row["bytes"] for row in told["rows"]}
    assert by["weights"] == 4 * sum(weight.numel() for weight in random_weights(TINY).values())
    assert by["text"] == 2 * TINY.layers * 16 * TINY.dim * 4
    assert told["peak"] == {"cpu": sum(by.values())}
    assert (told["width"], told["height"], told["latent_frames"]) == (40, 32, 9)


def test_generate_says_it_and_runs(folder, capsys):
    assert main(GENERATE) == 0
    said = capsys.readouterr().err
    assert "in all on cpu" in said
    # the bar shows itself at most ten times a second: not every chunk
    assert said.index("in all on cpu") < re.search(r"chunk \d+/", said).start()


def test_generate_refuses_before_it_loads(folder, capsys, nothing_free):
    assert main(GENERATE) == 2
    said = capsys.readouterr().err
    assert "loading" not in said and not (folder / "out.safetensors").exists()
    last = said.splitlines()[-1]
    assert last.startswith("headforcing generate: caches, text, weights, activations and latents")
    assert "nothing fits there" in last and last.endswith("; --anyway tries all the same")


def test_videos_side_by_side_are_counted(folder, capsys, monkeypatch):
    """What is enough for one, to the byte, is not enough for two."""
    model = ("--model", "self_forcing.safetensors", "--device", "cpu")
    assert main(["plan", *model, *SMALL, "--json"]) == 0
    peak = json.loads(capsys.readouterr().out)["peak"]["cpu"]
    monkeypatch.setattr(fitting, "free_memory", lambda place: peak)
    assert main(GENERATE) == 0
    save_file({"text": torch.randn(2, 5, TINY.text_dim)}, folder / "text.safetensors")
    capsys.readouterr()
    assert main(GENERATE) == 2
    assert "cpu has" in capsys.readouterr().err


def test_anyway_tries_all_the_same(folder, capsys, nothing_free):
    assert main([*GENERATE, "--anyway"]) == 0
    assert "nothing fits there" in capsys.readouterr().err
    assert (folder / "out.safetensors").exists()


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["--free", "-1"], "--free must be 0 to 10000 GiB, got -1"),
        (["--free", "nan"], "--free must be 0 to 10000 GiB, got nan"),
        (["--width", "830"], "the nearest is 832"),
        (["--seconds", "0"], "seconds must be more than 0"),
        (["--model", "nowhere.safetensors", "--family", "self_forcing"], "the file must exist"),
        (["--method", "head_forcing"], "must have a head map"),
        (["--lora", "nowhere.safetensors"], "--lora must come with --model, got a size alone"),
        (["--size", "14b", "--heads", "7"], "--heads must come with --model"),
        (["--free", "9", "--device", "mps"], "--free must come without --device"),
        (["--set", "window=9"], "one of kv_dtype, offload, got 'window'; --set of all else must"),
        (["--map", "x.json"], "--map must come with --method"),
    ],
)
def test_bad_options_are_one_sentence(options, rule, capsys):
    assert main(["plan", *options]) == 2
    said = capsys.readouterr()
    assert rule in said.err and len(said.err.strip().splitlines()) == 1 and not said.out


@pytest.mark.parametrize("family", ["self_forcing", "krea_14b", "rolling_forcing"])
def test_the_authors_way_is_kept_in_other_bits_or_elsewhere(family, capsys):
    def planned(*more):
        """Of heads; what a window of several chunks is copied to is in the model's dtype."""
        assert main(["plan", "--family", family, "--free", "200", "--json", *more]) == 0
        rows = json.loads(capsys.readouterr().out)["rows"]
        return sum(row["bytes"] for row in rows if row["what"] == "caches, all")

    wide, narrow = planned(), planned("--set", "kv_dtype=int8")
    # half of it, and of scales a sixteenth more
    assert 0.5 * wide < narrow < 0.55 * wide
    # only what is re-encoded from frames kept unturned lies beside the pool
    away = planned("--set", "kv_dtype=model", "--set", "offload=true")
    assert away < wide if family == "rolling_forcing" else away == wide


def test_decoding_beside_it_is_counted(folder, capsys):
    pytest.importorskip("diffusers")
    write_vaes(folder / "vae", False)
    vae = ("--vae", "vae/wan_vae.safetensors")
    options = ("plan", "--model", "self_forcing.safetensors", *SMALL, "--device", "cpu", "--json")
    assert main([*options, *vae]) == 0
    by = {row["kind"]: row["bytes"] for row in json.loads(capsys.readouterr().out)["rows"]}
    assert by["decoding"] == open_vae(vae[1]).room(4, 5, torch.float32, 3)
    assert main([*GENERATE, *vae, "--video", "out.mp4"]) == 0
    assert "  decoding " in capsys.readouterr().err


def test_two_models_are_two(tmp_path, monkeypatch, capsys):
    """Of SGF+, by its file and by its name: weights and the keys of a prompt."""
    monkeypatch.chdir(tmp_path)

    def bytes_of(*options):
        line = ("plan", *options, "--seconds", "9", "--width", "64", "--height", "64", "--json")
        assert main([str(option) for option in line]) == 0
        rows = json.loads(capsys.readouterr().out)["rows"]
        return {row["kind"]: row["bytes"] for row in rows}

    weights = random_weights(TINY)
    second = {memory_name(name): x for name, x in random_weights(TINY, 1).items()}
    found = {}
    for name, more in (("one", {}), ("two", second)):
        file = f"self_gradient_forcing_chunkwise_{name}.safetensors"
        save_file({**weights, **more}, file)
        found[name] = bytes_of("--model", file, "--heads", TINY.heads, "--text-tokens", 16)
    for kind in ("weights", "text"):
        assert found["two"][kind] == 2 * found["one"][kind]
    by_name = {f: bytes_of("--family", f) for f in ("sgf_chunkwise", "self_forcing")}
    assert by_name["sgf_chunkwise"]["weights"] == 2 * by_name["self_forcing"]["weights"]
