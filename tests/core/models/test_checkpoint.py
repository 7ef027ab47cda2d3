"""Checkpoints as people have them."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from random_model import TINY, random_weights
from safetensors.torch import save_file

from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.headforcing_core.models import checkpoint, load_checkpoint
from headforcing.headforcing_core.models.checkpoint import build_wan

WEIGHTS = random_weights(TINY)
OTHER = random_weights(TINY, seed=1)

DIFFUSERS = {  # ours -> diffusers', written down independently of the reader
    "time_embedding.0": "condition_embedder.time_embedder.linear_1",
    "time_embedding.2": "condition_embedder.time_embedder.linear_2",
    "text_embedding.0": "condition_embedder.text_embedder.linear_1",
    "text_embedding.2": "condition_embedder.text_embedder.linear_2",
    "time_projection.1": "condition_embedder.time_proj",
    "head.head": "proj_out",
    "patch_embedding": "patch_embedding",
}
DIFFUSERS_BLOCK = {
    "self_attn.q": "attn1.to_q",
    "self_attn.k": "attn1.to_k",
    "self_attn.v": "attn1.to_v",
    "self_attn.o": "attn1.to_out.0",
    "self_attn.norm_q": "attn1.norm_q",
    "self_attn.norm_k": "attn1.norm_k",
    "cross_attn.q": "attn2.to_q",
    "cross_attn.k": "attn2.to_k",
    "cross_attn.v": "attn2.to_v",
    "cross_attn.o": "attn2.to_out.0",
    "cross_attn.norm_q": "attn2.norm_q",
    "cross_attn.norm_k": "attn2.norm_k",
    "norm3": "norm2",
    "ffn.0": "ffn.net.0.proj",
    "ffn.2": "ffn.net.2",
}


def diffusers_name(name):
    if name == "head.modulation":
        return "scale_shift_table"
    if not name.startswith("blocks."):
        module, _, parameter = name.rpartition(".")
        return f"{DIFFUSERS[module]}.{parameter}"
    block, rest = name.split(".", 2)[:2], name.split(".", 2)[2]
    if rest == "modulation":
        return ".".join([*block, "scale_shift_table"])
    module, _, parameter = rest.rpartition(".")
    return ".".join([*block, DIFFUSERS_BLOCK[module], parameter])


def renamed(rule, weights=WEIGHTS):
    return {rule(name): weight for name, weight in weights.items()}


def load(path, **options):
    return load_checkpoint(path, heads=TINY.heads, **{"family": "self_forcing", **options}).model


def assert_is(model, weights=WEIGHTS, dtype=torch.float32):
    state = model.state_dict()
    assert state.keys() == weights.keys()
    for name, weight in weights.items():
        assert torch.equal(state[name], weight.to(dtype)), name


STYLES = {
    "plain": lambda n: n,
    "model": lambda n: "model." + n,
    "fsdp": lambda n: "model._fsdp_wrapped_module." + n,
    "fsdp_inside": lambda n: (
        n.replace("blocks.", "model.blocks._fsdp_wrapped_module.", 1)
        if n.startswith("blocks.")
        else "model." + n
    ),
    "comfyui": lambda n: "model.diffusion_model." + n,
    "compiled": lambda n: "model._orig_mod." + n,
    "diffusers": diffusers_name,
}


@pytest.mark.parametrize("style", STYLES)
def test_safetensors_under_every_published_name(tmp_path, style):
    save_file(renamed(STYLES[style]), tmp_path / "x.safetensors")
    assert_is(load(tmp_path / "x.safetensors"))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("container", [(), ("generator",), ("generator_ema",), ("state_dict",)])
def test_torch_files_under_every_published_name(tmp_path, style, container):
    content = renamed(STYLES[style])
    for key in container:
        content = {key: content, "step": 3}
    torch.save(content, tmp_path / "x.pt")
    assert_is(load(tmp_path / "x.pt"))


def test_ema_weights_are_preferred_where_the_authors_use_them(tmp_path):
    both = {"generator": OTHER, "generator_ema": WEIGHTS, "critic": {"x": torch.zeros(1)}}
    torch.save(both, tmp_path / "x.pt")
    assert_is(load(tmp_path / "x.pt"), WEIGHTS)
    assert_is(load(tmp_path / "x.pt", family="causal_forcing_chunkwise"), OTHER)


WIDE = replace(TINY, layers=2, in_dim=48, out_dim=48)
LONGLIVE2, LONGLIVE2_EMA = random_weights(WIDE), random_weights(WIDE, seed=1)
LAYOUTS = {  # what LongLive 2.0's loader takes: as it steps into dicts
    "generator": lambda named, ema: {"generator": named, "generator_ema": ema, "step": 3},
    "ema alone": lambda named, ema: {"generator_ema": named},
    "model": lambda named, ema: {"model": named},
    "bare": lambda named, ema: named,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("style", ["model", "fsdp", "plain"])
def test_longlive_2_with_its_48_channels(tmp_path, layout, style):
    (tmp_path / "LongLive-2.0-5B").mkdir()
    path = tmp_path / "LongLive-2.0-5B" / "model_bf16.pt"
    named, ema = (renamed(STYLES[style], w) for w in (LONGLIVE2, LONGLIVE2_EMA))
    torch.save(LAYOUTS[layout](named, ema), path)
    loaded = load_checkpoint(path, heads=WIDE.heads)
    assert loaded.family.name == "longlive2"
    assert loaded.model.config == WIDE
    assert_is(loaded.model, LONGLIVE2)


def test_longlive_2_is_no_model_of_16_channels(tmp_path):
    save_file(WEIGHTS, tmp_path / "LongLive-2.0-5B.safetensors")
    with pytest.raises(ValueError, match=r"48 latent channels, as LongLive 2\.0 is, got one of 16"):
        load_checkpoint(tmp_path / "LongLive-2.0-5B.safetensors", heads=TINY.heads)


def test_a_size_that_is_published_for_another_family_is_warned_of(tmp_path, caplog, monkeypatch):
    """Of a published size no file is written here: only that the warning comes."""
    monkeypatch.setattr(checkpoint, "unlike_published", lambda family, config: family.name)
    save_file(WEIGHTS, tmp_path / "krea_realtime.safetensors")
    assert_is(load(tmp_path / "krea_realtime.safetensors", family=None))
    assert [(r.levelname, r.message) for r in caplog.records] == [("WARNING", "krea_14b")]


def test_old_torch_containers(tmp_path):
    torch.save(WEIGHTS, tmp_path / "x.pt", _use_new_zipfile_serialization=False)
    assert_is(load(tmp_path / "x.pt"))


def test_sharded_folders(tmp_path):
    names = sorted(WEIGHTS)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, part in parts.items():
        save_file({diffusers_name(n): WEIGHTS[n] for n in part}, tmp_path / file)
    index = {"weight_map": {diffusers_name(n): f for f, part in parts.items() for n in part}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert_is(load(tmp_path))
    (tmp_path / "b.safetensors").unlink()
    with pytest.raises(ValueError, match=r"must be beside it, missing: \['b.safetensors'\]"):
        load(tmp_path)


def test_the_root_of_a_diffusers_repository(tmp_path):
    for part in ("vae", "text_encoder", "transformer"):
        (tmp_path / part).mkdir()
    weights = {diffusers_name(name): weight for name, weight in WEIGHTS.items()}
    save_file(weights, tmp_path / "transformer" / "diffusion_pytorch_model.safetensors")
    save_file({"decoder.x": torch.zeros(1)}, tmp_path / "vae" / "model.safetensors")
    assert_is(load(tmp_path))
    (tmp_path / "transformer_2").mkdir()
    with pytest.raises(ValueError, match=r"got two in .*: transformer and transformer_2"):
        load(tmp_path)


def test_loose_values_beside_the_weights_do_not_hide_them(tmp_path):
    torch.save({"generator_ema": WEIGHTS, "step": torch.tensor(3)}, tmp_path / "x.pt")
    assert_is(load(tmp_path / "x.pt"))


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_any_float_type_in_any_out(tmp_path, stored, dtype):
    half = {n: w.to(stored) for n, w in WEIGHTS.items()}
    save_file(half, tmp_path / "x.safetensors")
    assert_is(load(tmp_path / "x.safetensors", dtype=dtype), half, dtype)


@pytest.mark.parametrize("suffix", ["scale_weight", "weight_scale"])
@pytest.mark.parametrize("rows", [False, True], ids=["per tensor", "per row"])
@pytest.mark.parametrize("fp8_type", [torch.float8_e4m3fn, torch.float8_e5m2], ids=str)
def test_scaled_fp8_is_read(tmp_path, suffix, rows, fp8_type):
    stored, exact = {"scaled_fp8": torch.zeros(2)}, dict(WEIGHTS)
    for name, weight in WEIGHTS.items():
        stored[name] = weight
        if name.endswith(("q.weight", "ffn.0.weight")) and weight.ndim == 2:
            scale = weight.abs().amax(1 if rows else (0, 1)) / 448
            fp8 = (weight / (scale[:, None] if rows else scale)).to(fp8_type)
            stored[name] = fp8
            stored[name.removesuffix("weight") + suffix] = scale
            stored[name.removesuffix("weight") + "scale_input"] = torch.ones(())
            exact[name] = fp8.float() * (scale[:, None] if rows else scale)
    save_file(stored, tmp_path / "x.safetensors")
    for dtype in (torch.float32, torch.bfloat16):  # scaled in float32, then cast
        assert_is(load(tmp_path / "x.safetensors", dtype=dtype), exact, dtype)


def test_heads_come_from_metadata_the_caller_or_the_published_width(tmp_path):
    save_file(WEIGHTS, tmp_path / "x.safetensors", {"headforcing.heads": "8"})
    assert load_checkpoint(tmp_path / "x.safetensors", family="longlive").model.config.heads == 8
    assert load(tmp_path / "x.safetensors").config.heads == TINY.heads
    with pytest.raises(ValueError, match="heads must be given for a model of 96 channels"):
        build_wan(TensorDict(WEIGHTS))
    save_file(WEIGHTS, tmp_path / "x.safetensors", {"headforcing.heads": "x"})
    with pytest.raises(ValueError, match="metadata must be a number, got 'x'"):
        load_checkpoint(tmp_path / "x.safetensors", family="longlive")


def test_published_models_have_128_channels_per_head_and_eps_1e_6():
    config = build_wan(TensorDict(random_weights(replace(TINY, dim=256, heads=2)))).config
    assert (config.heads, config.eps) == (2, 1e-6)


MEASURE = """
import sys
sys.path.insert(0, sys.argv[1])
import pack, torch
from headforcing.headforcing_core.models.checkpoint import load_checkpoint
from headforcing.headforcing_core.models import WeightDtype
from pathlib import Path

def peak():  # of this process alone: getrusage would count the parent's memory before exec
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])

torch.ones(9).to(torch.bfloat16).isfinite().all()
before = peak()
how = {"dtype": getattr(torch, sys.argv[3]), "weight_dtype": WeightDtype(sys.argv[4])}
model = load_checkpoint(sys.argv[2], family="self_forcing", **how).model
print((peak() - before) / sum(p.numel() * p.element_size() for p in model.parameters()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize(
    ("dtype", "kept", "limit"),
    [
        ("float32", "same", 1.2),
        ("bfloat16", "same", 1.2),
        # a quarter as large, and one matrix of the file is as much again as a sixth of them
        ("bfloat16", "stored", 1.3),
        ("bfloat16", "fp8", 1.4),
    ],
)
def test_loading_peaks_at_little_more_than_the_weights(tmp_path, dtype, kept, limit):
    """100 million parameters, 400 MB on disk, in a process of its own."""
    big = {"dim": 1024, "ffn_dim": 4096, "heads": 8, "layers": 6}
    weights = random_weights(replace(TINY, **big))
    if kept == "stored":
        weights = {n: w.to(torch.float8_e4m3fn) if w.ndim == 2 else w for n, w in weights.items()}
    save_file(weights, tmp_path / "x.safetensors")
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            MEASURE,
            str(Path(__file__).parents[2]),
            "x.safetensors",
            dtype,
            kept,
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert 0.9 < float(run.stdout) <= limit
