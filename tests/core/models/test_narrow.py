"""Weights that stay in fp8: the model that has them wide, bit for bit."""

import argparse
from dataclasses import replace
from math import prod

import pytest
import torch
from live_bytes import LiveBytes
from published_files import published_files, rounded
from random_model import TINY, random_weights
from safetensors.torch import save_file

from headforcing.headforcing_core import PromptSchedule
from headforcing.headforcing_core.cli.loading import add_loading_options, load_model
from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.inspection import Forecast, ModelSizes
from headforcing.headforcing_core.models import (
    Lora,
    TwoExperts,
    WeightDtype,
    WeightRoom,
    family_named,
    fingerprint,
    load_checkpoint,
    memory_name,
    read_published,
)
from headforcing.headforcing_core.models.checkpoint import build_wan
from headforcing.headforcing_core.models.narrow import Narrow, NarrowLinear
from headforcing.headforcing_core.models.narrow import rounded as rounded_anew

SMALL = replace(TINY, layers=2)
WEIGHTS = random_weights(SMALL)
FILES = published_files(WEIGHTS)
FP8 = {name: file for name, file in FILES.items() if file.numbers and name != "plain"}
BARE = {n: w.to(torch.float8_e4m3fn) for n, w in WEIGHTS.items() if w.ndim == 2}
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
MATRICES = 2 * 10  # q k v o, twice, and two behind, in each block
STORED, ROUNDED = WeightDtype.STORED, WeightDtype.FP8
MODULE = "blocks.1.self_attn.q"
RNG = torch.Generator().manual_seed(1)
LORA = {
    f"{MODULE}.lora_A.weight": torch.randn(4, SMALL.dim, generator=RNG) / 40,
    f"{MODULE}.lora_B.weight": torch.randn(SMALL.dim, 4, generator=RNG) / 4,
}


def built(tensors, header=None, kept=STORED, dtype=torch.float32, lora=None):
    source = TensorDict(tensors, header)
    return build_wan(source, heads=4, dtype=dtype, weight_dtype=kept, lora=lora)


def request(frames=6):
    family = family_named("self_forcing").tuned(steps=(1000, 500))
    return VideoRequest(family, frames, 4, 6, 0)


def video(model):
    rng = torch.Generator().manual_seed(0)
    text = torch.randn(1, 8, SMALL.text_dim, generator=rng)
    *_, last = request().rollout(model, PromptSchedule.constant(text)).run()
    return last.latent


def narrow(model):
    return {name for name, part in model.named_modules() if isinstance(part, NarrowLinear)}


@pytest.mark.parametrize("name", FP8)
def test_stored_weights_make_the_same_video(name):
    file = FP8[name]
    model = built(file.tensors, file.header)
    assert len(narrow(model)) == MATRICES
    assert torch.equal(video(model), video(build_wan(TensorDict(file.numbers), heads=4)))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ["fp8_header", "fp8_rows", "fp8_e5m2_header", "bare"])
def test_in_every_dtype_a_model_computes_in(name, dtype):
    tensors, header, _ = FP8.get(name, (WEIGHTS | BARE, {}, None))
    same = built(tensors, header, WeightDtype.SAME, dtype)
    stored = built(tensors, header, STORED, dtype)
    assert stored.dtype == dtype and not narrow(same)
    # without scales all matrices are there, those beside the blocks too
    assert len(narrow(stored)) == MATRICES + 6 * (name == "bare")
    assert torch.equal(video(stored), video(same))


def defects():
    """Return what went wrong once, or could: the layer whose numbers would be others."""
    rows = FP8["fp8_rows"].tensors
    scale, other = f"{MODULE}.weight_scale", "blocks.0.ffn.2.weight_scale"
    yield "another row", {scale: rows[scale].roll(1, 0)}
    yield "another layer", {scale: rows[other]}
    yield "none", {scale: torch.ones_like(rows[scale])}


@pytest.mark.parametrize("defect", list(defects()), ids=lambda defect: defect[0])
def test_a_wrong_scale_makes_another_video(defect):
    file = FP8["fp8_rows"]
    wrong = built(file.tensors | defect[1], file.header)
    assert not torch.equal(video(wrong), video(built(file.tensors, file.header)))


def test_what_is_kept_is_what_is_counted():
    for kept, tensors in ((STORED, FP8["fp8_rows"].tensors), (STORED, FP8["fp8_header"].tensors)):
        for dtype in DTYPES:
            check_counted(tensors, kept, dtype)
    check_counted(WEIGHTS, ROUNDED, torch.bfloat16)
    check_counted(WEIGHTS, WeightDtype.SAME, torch.bfloat16)
    plain = WeightRoom.of_size(SMALL, torch.bfloat16, ROUNDED)
    assert plain == WeightRoom.in_file(published(WEIGHTS), torch.bfloat16, ROUNDED)


def published(tensors):
    return read_published(TensorDict(tensors), heads=4)


def check_counted(tensors, kept, dtype):
    model = built(tensors, None, kept, dtype)
    state = model.state_dict().values()
    room = WeightRoom.in_file(published(tensors), dtype, kept)
    assert room.bytes == sum(x.numel() * x.element_size() for x in state)
    largest = 0 if kept is WeightDtype.SAME else SMALL.dim * SMALL.ffn_dim * dtype.itemsize
    assert room.widened == largest


def test_an_adapter_is_merged_before_weights_are_rounded_anew():
    file = FP8["fp8_header"]
    model = built(file.tensors, file.header, lora=Lora(TensorDict(LORA), 0.5))
    a, b = LORA.values()
    merged = file.numbers[f"{MODULE}.weight"] + 0.5 * b @ a
    layer = model.get_submodule(MODULE)
    assert layer.weight.dtype == torch.float8_e4m3fn and layer.weight_scale.shape == (SMALL.dim,)
    wide = layer.weight.float() * layer.weight_scale[:, None]
    # three bits behind the first one, and what is smallest of a row
    least = merged.abs().amax(1, keepdim=True) / 448 * 2**-10
    assert ((wide - merged).abs() <= merged.abs() / 16 + least).all()
    numbers, scale = rounded(merged, torch.float8_e4m3fn, rows=True)
    exact = file.numbers | {f"{MODULE}.weight": numbers.float() * scale}
    assert torch.equal(video(model), video(build_wan(TensorDict(exact), heads=4)))
    assert not torch.equal(video(model), video(built(file.tensors, file.header)))
    # all others are as they were stored
    for name in narrow(model) - {MODULE}:
        assert torch.equal(
            model.get_submodule(name).weight.float(), file.tensors[f"{name}.weight"].float()
        )


def test_an_adapter_of_a_bias_leaves_the_matrix_as_it_is():
    file, bias = FP8["fp8_header"], torch.full((SMALL.dim,), 0.25)
    model = built(file.tensors, file.header, lora=Lora(TensorDict({f"{MODULE}.diff_b": bias})))
    layer, name = model.get_submodule(MODULE), f"{MODULE}.bias"
    assert layer.weight_scale.shape == (1,)
    assert torch.equal(layer.bias, file.tensors[name].float() + bias)


def test_wide_weights_are_rounded_where_that_is_asked_for():
    model = built(WEIGHTS, kept=ROUNDED)
    assert len(narrow(model)) == MATRICES
    exact = dict(WEIGHTS)
    for module in narrow(model):
        numbers, scale = rounded(WEIGHTS[f"{module}.weight"], torch.float8_e4m3fn, rows=True)
        exact[f"{module}.weight"] = numbers.float() * scale
    assert torch.equal(video(model), video(build_wan(TensorDict(exact), heads=4)))
    # what is in fp8 already is not rounded twice
    file = FP8["fp8_header"]
    again = built(file.tensors, file.header, ROUNDED)
    assert torch.equal(video(again), video(built(file.tensors, file.header)))


@pytest.mark.parametrize("row", [0.0, 1e-44, 3e38])
def test_rows_of_any_size_are_rounded(row):
    matrix = torch.tensor([[row, -row / 2], [1.0, -1.0]])
    wide = rounded_anew(matrix, torch.empty(2, 2, dtype=torch.uint8)).widened(torch.float32)
    assert torch.allclose(wide, matrix, rtol=1 / 16, atol=1e-37)


def test_a_matrix_of_many_rows_is_looked_at_in_parts_and_is_one():
    matrix = torch.randn(1200, 301, generator=RNG)  # 217 rows at once, and a rest
    small, scale = rounded(matrix, torch.float8_e4m3fn, rows=True)
    into = torch.empty(matrix.shape, dtype=torch.uint8)
    made = rounded_anew(matrix, into)
    assert torch.equal(made.numbers.float(), small.float())
    assert made.numbers.data_ptr() == into.data_ptr()
    assert torch.equal(made.scale[:, None], scale)
    for like in (made, Narrow(small, scale.mean().reshape(1)), Narrow(small, None)):
        wide = like.widened(torch.float16)
        found = like.extremes(torch.float16)
        assert (found.min(), found.max()) == (wide.min(), wide.max())
        assert len(found) > 4
    small[1199, 300] = float("nan")
    assert not Narrow(small, made.scale).extremes(torch.float16).isfinite().all()


def test_a_file_without_fp8_is_not_kept_as_it_is():
    with pytest.raises(ValueError, match="must have matrices in fp8, got none; weight dtype fp8"):
        built(WEIGHTS)
    with pytest.raises(ValueError, match="must have matrices in fp8"):
        WeightRoom.in_file(published(WEIGHTS), torch.bfloat16, STORED)
    with pytest.raises(ValueError, match="must come with a file, got a size alone"):
        ModelSizes.plain(SMALL, torch.bfloat16, kept=STORED)


@pytest.mark.parametrize("name", [name for name, file in FILES.items() if not file.numbers])
def test_what_is_refused_wide_is_refused_narrow(name):
    with pytest.raises(ValueError):
        built(FILES[name].tensors, FILES[name].header)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(value):
    file = FP8["fp8_e5m2_header"]
    name = f"{MODULE}.weight"
    for broken in (name, f"{MODULE}.weight_scale"):
        bad = file.tensors[broken].float()
        bad.view(-1)[-1] = value
        bad = bad.to(file.tensors[broken].dtype)
        with pytest.raises(ValueError, match=f"finite numbers|positive scale.*{name}") as said:
            built(file.tensors | {broken: bad}, file.header)
        assert name in str(said.value)
    # 448 times this is more than float16 holds
    much = {f"{MODULE}.weight_scale": torch.tensor(1e3)}
    with pytest.raises(ValueError, match=f"finite numbers.*{name}"):
        built(file.tensors | much, file.header, dtype=torch.float16)


def test_it_is_the_same_model_by_its_name():
    file = FP8["fp8_rows"]
    names = {
        fingerprint(built(file.tensors, file.header, kept, dtype).state_dict())
        for kept in WeightDtype
        for dtype in DTYPES
    }
    assert len(names) == 1


def test_both_of_two_models_are_kept_narrow():
    file = FP8["fp8_rows"]
    second = {memory_name(name): tensor for name, tensor in file.tensors.items()}
    model = built(file.tensors | second)
    assert isinstance(model, TwoExperts)
    assert len(narrow(model.denoiser)) == len(narrow(model.memory)) == MATRICES
    plain = {memory_name(name): tensor for name, tensor in WEIGHTS.items()}
    mixed = built(file.tensors | plain)
    assert len(narrow(mixed.denoiser)) == MATRICES and not narrow(mixed.memory)
    both = read_published(TensorDict(file.tensors | second), heads=4, two_experts=True)
    one = WeightRoom.in_file(published(file.tensors), torch.bfloat16, STORED)
    assert WeightRoom.in_file(both, torch.bfloat16, STORED).bytes == 2 * one.bytes
    assert torch.equal(video(model), video(built(file.tensors | second, kept=WeightDtype.SAME)))


def test_a_file_is_copied_and_may_change_afterwards(tmp_path):
    path, file = tmp_path / "x.safetensors", FP8["fp8_rows"]
    save_file(file.tensors, path, file.header)
    options = {"family": "self_forcing", "heads": 4, "weight_dtype": STORED}
    model = load_checkpoint(path, **options).model
    before = video(model)
    with path.open("r+b") as whole:
        whole.seek(-1000, 2)
        whole.write(bytes(1000))
    assert torch.equal(video(model), before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("wide", [(128, 700, 4), (256, 1500, 2)])
def test_the_wide_matrix_is_foreseen(wide, dtype):
    """A small picture, so that a matrix is much of what a call takes."""
    dim, ffn_dim, heads = wide
    config = replace(SMALL, dim=dim, ffn_dim=ffn_dim, heads=heads)
    tensors = random_weights(config)
    source = TensorDict(tensors)
    model = build_wan(source, heads=heads, dtype=dtype, weight_dtype=ROUNDED)
    sizes = ModelSizes.of_file(read_published(source, heads), dtype, ROUNDED)
    assert sizes.widened_bytes == prod((dim, ffn_dim)) * dtype.itemsize
    text = torch.zeros(1, 16, config.text_dim)
    with LiveBytes() as live:
        for _ in request(9).rollout(model, PromptSchedule.constant(text)).run():
            pass
    forecast = Forecast(request(9), sizes, 16)
    kept = forecast.plan.bytes + forecast.text_bytes
    ratio = forecast.activation_bytes / (live.peak - kept)
    assert 0.95 < ratio < 1.3


def test_what_only_one_of_several_stores_in_fp8_stays():
    """Matrices beside the blocks, and those of a second model alone."""
    outside = len([name for name in BARE if not name.startswith("blocks.")])
    assert len(narrow(built(WEIGHTS | BARE, kept=ROUNDED))) == MATRICES + outside
    second = {memory_name(name): tensor for name, tensor in FP8["fp8_header"].tensors.items()}
    mixed = built(WEIGHTS | second)
    assert not narrow(mixed.denoiser) and len(narrow(mixed.memory)) == MATRICES


def test_commands_load_what_they_are_told_to(tmp_path):
    file = FP8["fp8_header"]
    save_file(file.tensors, tmp_path / "x.safetensors", file.header)
    parser, kept, found = argparse.ArgumentParser(), {}, {}
    add_loading_options(parser)
    parser.add_argument("--model")
    family, device = family_named("self_forcing"), torch.device("cpu")
    for said in (None, "same", "stored", "fp8"):
        line = ["--model", str(tmp_path / "x.safetensors"), "--heads", "4"]
        options = parser.parse_args([*line, *(["--weight-dtype", said] if said else [])])
        found[said] = len(narrow(load_model(options, family, device, kept)))
    assert found == {None: 0, "same": 0, "stored": MATRICES, "fp8": MATRICES}
