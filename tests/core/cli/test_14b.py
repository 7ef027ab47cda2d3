"""The shape of Wan 14B, from a file in fp8 to a video: planned whole, made of narrow heads."""

import json
import struct
from dataclasses import replace
from math import prod
from pathlib import Path

import pytest
import torch
from published_files import scaled
from random_model import random_weights
from safetensors.torch import load_file, save_file

from headforcing.headforcing_core.cli import main, profile_subject
from headforcing.headforcing_core.heads import profile_report
from headforcing.headforcing_core.inspection import fitting
from headforcing.headforcing_core.methods import read_head_map
from headforcing.headforcing_core.models import HEADS_KEY, SIZES, choose_family, weight_shapes
from headforcing.headforcing_core.models.families import unlike_published

GIB = 1024**3
WHOLE = SIZES["14b"]
# as many layers and heads, each of six channels
NARROW = replace(WHOLE, dim=240, ffn_dim=32, freq_dim=16, text_dim=16)
SIZE = ("--width", "48", "--height", "32", "--text-tokens", "8", "--device", "cpu")
README = Path(__file__).parents[3] / "README.md"
STORED = ("--weight-dtype", "stored")
PREFIX = "model.diffusion_model."


def of_block(name, shape):
    return name.startswith("blocks.") and name.endswith(".weight") and len(shape) == 2


def write_holes(path):
    """Write a file of the whole shape whose numbers are holes: fp8 with a scale, and bfloat16."""
    entries, at = {}, 0
    for name, shape in weight_shapes(WHOLE).items():
        small = of_block(name, shape)
        parts = [(name, "F8_E4M3" if small else "BF16", shape, 1 if small else 2)]
        if small:
            parts.append((name.replace("weight", "weight_scale"), "F32", (1,), 4))
        for part, dtype, sides, size in parts:
            end = at + prod(sides) * size
            about = {"dtype": dtype, "shape": list(sides), "data_offsets": [at, end]}
            entries[PREFIX + part], at = about, end
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + at)
    return at


def planned(capsys, *options):
    assert main(["plan", *map(str, options), "--free", "100", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    return {row["kind"]: row["bytes"] for row in told["rows"]}


@pytest.mark.parametrize("name", ["krea-realtime-video-14b_fp8", "self_forcing_14b_fp8"])
def test_a_file_of_the_whole_shape_is_planned_as_it_lies(name, tmp_path, capsys):
    path = tmp_path / f"{name}.safetensors"
    stored = write_holes(path)
    if path.stat().st_blocks * 512 > GIB:
        pytest.skip("this disk keeps no holes")
    kept = planned(capsys, "--model", path, *STORED)
    assert kept["weights"] == stored < 14.6e9
    wide = planned(capsys, "--model", path)
    numbers = sum(map(prod, weight_shapes(WHOLE).values()))
    assert wide["weights"] == 2 * numbers
    # one matrix at a time is wide, in a moment that was not the largest
    assert 0 <= kept["activations"] - wide["activations"] <= 2 * WHOLE.dim * WHOLE.ffn_dim
    assert kept["caches"] == wide["caches"] and kept["text"] == wide["text"]
    # without the file, but for scales, which are those of rows then
    size = ("--family", choose_family(path, None).name, "--size", "14b")
    rows = sum(s[0] for n, s in weight_shapes(WHOLE).items() if of_block(n, s))
    by_size = planned(capsys, *size, "--weight-dtype", "fp8")
    assert by_size["weights"] - kept["weights"] == 4 * (rows - 10 * WHOLE.layers)


def test_a_14b_of_another_family_is_warned_of_and_planned(capsys):
    family = choose_family("self_forcing_14b.safetensors", None)
    assert "30 layers of 1536 channels, got a file with 40 of 5120" in unlike_published(
        family, WHOLE
    )
    small = planned(capsys, "--family", "self_forcing")
    large = planned(capsys, "--family", "self_forcing", "--size", "14b")
    assert large["caches"] * 30 * 12 == small["caches"] * 40 * 40


def inspected(capsys, *options):
    assert main(["inspect", *options]) == 0
    return capsys.readouterr().out


def test_inspect_tells_what_fits_a_card(capsys):
    size = ("--size", "14b", "--weight-dtype", "fp8", "--frames", "60", "--free", "23")
    rows = {row["method"]: row for row in json.loads(inspected(capsys, *size, "--json"))}
    assert {"head_forcing", "pyramid", "forcing_kv", "deep"} <= rows.keys()
    assert all(row["fits"] == (row["in_all"] <= 23 * GIB) for row in rows.values())
    assert rows["head_forcing:compact_int8"]["fits"] and not rows["head_forcing"]["fits"]
    lines = inspected(capsys, *size).splitlines()
    assert lines[0].endswith("| in all, GiB | fits in 23 GiB |") and lines[1].endswith("|---|")
    marks = {line.split("`")[1]: line.split("|")[-2].strip() for line in lines[2:]}
    assert marks == {name: "yes" if row["fits"] else "no" for name, row in rows.items()}
    # what a plan says of one of them
    plan = ("--size", "14b", "--weight-dtype", "fp8", "--method", "rolling", "--seconds", "14.8")
    assert sum(planned(capsys, *plan).values()) - rows["rolling"]["in_all"] < 0.2 * GIB
    wide = {row["method"]: row for row in json.loads(inspected(capsys, *size[:2], "--json"))}
    assert "fits" not in wide["rolling"]
    assert wide["rolling"]["in_all"] - rows["rolling"]["in_all"] > 12 * GIB


def test_the_readme_says_what_fits(capsys):
    """The command that it names tells the rows of its table, and no other that fits."""
    section = README.read_text("utf-8").partition("**14B on 24 GB.**")[2].partition("\n\n    ")[0]
    command = " ".join(section.partition("`headforcing ")[2].partition("`")[0].split())
    _, _, *rows = inspected(capsys, *command.split()[1:]).splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    sizes = [(name, caches, whole) for name, _, _, caches, whole, fit in cells if fit == "yes"]
    by_size = sorted(sizes, key=lambda size: float(size[1]))
    fits = [f"| {name} | {caches} | {whole} |" for name, caches, whole in by_size]
    assert section.rstrip().splitlines()[-len(fits) :] == fits
    assert section.count("\n| `") == len(fits) > 1


class Loaded(Exception):
    """There was room for the model."""


def test_the_readme_says_how_a_profile_fits(tmp_path, monkeypatch, capsys):
    """Refused at the usual size with the very size that its command has, at which it fits."""
    command = README.read_text("utf-8").partition("headforcing profile my_14b_fp8.")[2]
    _, *options = command.partition("\n")[0].split()
    monkeypatch.chdir(tmp_path)
    write_holes(Path("x.safetensors"))
    if Path("x.safetensors").stat().st_blocks * 512 > GIB:
        pytest.skip("this disk keeps no holes")

    def load(*given):
        raise Loaded

    monkeypatch.setattr(fitting, "free_memory", lambda place: 22 * GIB)
    monkeypatch.setattr(profile_subject, "load_model", load)
    begin = ["profile", "x.safetensors", "--dtype", "bfloat16", "--device", "cpu"]
    with pytest.raises(Loaded):
        main([*begin, *options])
    size = options[options.index("--width") :]
    assert main([*begin, *options[: -len(size)]]) == 2
    _, width, _, height = size
    assert f"it fits at {width} x {height} (2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["inspect", "--size", "5b"], "16 latent channels of Self-Forcing, got 5b of 48"),
        (["inspect", "rolling", "--free", "3"], "--free must come without METHOD"),
        (["inspect", "rolling", "--weight-dtype", "fp8"], "--weight-dtype must come without"),
        (["inspect", "--free", "-1"], "--free must be 0 to 10000 GiB"),
        (["plan", "--size", "5b", "--family", "krea_14b"], "16 latent channels of Krea"),
        (["plan", "--model", "x.pt", "--size", "14b"], "--size must come without --model"),
        (["plan", *STORED], "must come with a file, got a size alone"),
        (["profile", "demo", "--report", "x", *STORED], "--weight-dtype must come with a check"),
    ],
)
def test_bad_options_are_one_sentence(options, rule, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(options) == 2
    said = capsys.readouterr().err
    assert rule in said and len(said.strip().splitlines()) == 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("narrow")
    tensors, *_ = scaled(random_weights(NARROW), torch.float8_e4m3fn, "scale_weight", prefix=PREFIX)
    header = {HEADS_KEY: str(NARROW.heads)}
    save_file(tensors, folder / "self_forcing_14b_fp8.safetensors", header)
    text = torch.randn(8, NARROW.text_dim, generator=torch.Generator().manual_seed(0))
    save_file({"text": text}, folder / "text.safetensors")
    return folder


def generated(out, *options):
    model = ("--model", "self_forcing_14b_fp8.safetensors", "--text-embedding", "text.safetensors")
    line = ("generate", *model, *SIZE, "--seconds", "1.4", "--steps", "1000", *options)
    assert main([*line, "--out", out]) == 0
    (latents,) = load_file(out).values()
    return latents


def test_the_whole_chain_on_narrow_heads(folder, monkeypatch, capsys):
    """Planned, profiled, and made with the map that came of it."""
    monkeypatch.chdir(folder)
    # drawn of any map in tests/core/heads; of so many heads it takes longest
    monkeypatch.setattr(profile_report, "plots", lambda *of: ())
    file = ("--model", "self_forcing_14b_fp8.safetensors")
    plan = planned(capsys, *file, *SIZE[:6], *STORED, "--dtype", "float32")
    same = planned(capsys, *file, *SIZE[:6], "--dtype", "float32")
    assert plan["weights"] < 0.4 * same["weights"]
    report = ("--report", "report", "--prompts", "1", "--seconds", "3", "--chunks", "1")
    few = (*report, "--first-chunk", "2", "--returns", "0", "--rows", "2", "--workers", "1")
    assert main(["profile", file[1], *SIZE[:4], *SIZE[6:], *few, *STORED]) == 0
    head_map = read_head_map("report/head_forcing.json")
    assert (len(head_map.types), len(head_map.types[0])) == (WHOLE.layers, WHOLE.heads)
    method = ("--method", "head_forcing", "--map", "report/head_forcing.json")
    capsys.readouterr()
    by_types = generated("types.safetensors", *method, *STORED)
    said = capsys.readouterr().err
    assert "measured on another model" not in said
    weights = next(line.split()[1] for line in said.splitlines() if "  weights  " in line)
    assert weights == f"{plan['weights'] / GIB:.2f}" != f"{same['weights'] / GIB:.2f}"
    assert torch.isfinite(by_types).all() and by_types.shape[2] == 6
