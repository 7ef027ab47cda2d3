"""Files people give by mistake: each is one sentence that says what it is."""

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_model import TINY, random_weights
from safetensors.torch import save_file

from headforcing.headforcing_core.files import open_tensors
from headforcing.headforcing_core.models import load_checkpoint

WEIGHTS = random_weights(TINY)
OTHER = random_weights(TINY, seed=1)


def renamed(rule, weights=WEIGHTS):
    return {rule(name): weight for name, weight in weights.items()}


def load(path):
    return load_checkpoint(path, heads=TINY.heads, family="self_forcing").model


def without(*names):
    return {n: w for n, w in WEIGHTS.items() if n not in names}


BAD = {
    "vae": (
        {"encoder.conv1.weight": torch.ones(1), "decoder.conv1.weight": torch.ones(1)},
        "a VAE",
    ),
    "lora": ({"diffusion_model.blocks.0.self_attn.q.lora_A.weight": torch.ones(1)}, "holds a LoRA"),
    "umt5": ({"token_embedding.weight": torch.ones(1)}, "holds a text or image encoder"),
    "t5": (
        {"shared.weight": torch.ones(1), "encoder.block.0.layer.0.x": torch.ones(1)},
        "holds a text or image encoder",
    ),
    "loha": ({"blocks.0.q.hada_w1_a": torch.ones(1)}, "holds a LoRA"),
    "image model": (
        {**WEIGHTS, "patch_embedding.weight": torch.ones(96, 16)},
        r"must be that of a video model, got \(96, 16\)",
    ),
    "empty patch": (
        {**WEIGHTS, "patch_embedding.weight": torch.ones(96, 16, 1, 0, 2)},
        "must be that of a video model",
    ),
    "a stray layer": (
        {**WEIGHTS, "blocks.999999.modulation": torch.ones(1, 6, 96)},
        "got 1 unknown: blocks.999999.modulation",
    ),
    "infinity": (
        {**WEIGHTS, "head.head.bias": torch.tensor([0.0] * 63 + [-torch.inf])},
        "got NaN or infinity in 1 tensors: head.head.bias",
    ),
    "twice": (
        {**WEIGHTS, **renamed(lambda n: "_orig_mod." + n, OTHER)},
        "must hold each weight once, got",
    ),
    "a scale of nothing": (
        {**WEIGHTS, "blocks.0.x.scale_weight": torch.ones(1)},
        "got 1 unknown: blocks.0.x.scale_weight",
    ),
    "a layer is gone": (
        {n: w for n, w in WEIGHTS.items() if not n.startswith("blocks.1.")},
        "got 27 missing: blocks.1.cross_attn.k.bias",
    ),
    "fp8 without its scales": (
        {
            **WEIGHTS,
            "scaled_fp8": torch.zeros(2),
            "head.head.weight": WEIGHTS["head.head.weight"].to(torch.float8_e4m3fn),
        },
        "fp8 weights of a scaled file must have scales, got none for head.head.weight",
    ),
    "two scales": (
        {
            **WEIGHTS,
            "head.head.scale_weight": torch.ones(1),
            "head.head.weight_scale": torch.ones(1),
        },
        "a weight must have one scale",
    ),
    "a scale of zero": (
        {
            **WEIGHTS,
            "head.head.weight": WEIGHTS["head.head.weight"].to(torch.float8_e4m3fn),
            "head.head.scale_weight": torch.zeros(1),
        },
        "one positive scale",
    ),
    "a scale on float32": (
        {**WEIGHTS, "head.head.scale_weight": torch.ones(1)},
        "must be fp8 with one positive scale per tensor or row, got torch.float32",
    ),
    "something": ({"a.b": torch.ones(1)}, "has no patch_embedding.weight among its 1 tensors"),
    "i2v": (
        {**WEIGHTS, "patch_embedding.weight": torch.ones(96, 36, 1, 2, 2)},
        "must be text-to-video, got one that takes 36 and gives 16 latent channels",
    ),
    "i2v that LongLive 2.0 might be": (
        {**WEIGHTS, "patch_embedding.weight": torch.ones(96, 48, 1, 2, 2)},
        "must be text-to-video, got one that takes 48 and gives 16 latent channels",
    ),
    "four bits": (
        {
            **without("blocks.0.ffn.0.weight"),
            "blocks.0.ffn.0.quantized_weight_values": torch.ones(192, 48, dtype=torch.uint8),
            "blocks.0.ffn.0.quantized_weight_scale_factors": torch.ones(4),
        },
        r"must be bf16, fp16, fp32 or fp8, got 1 layers packed to 4 bits \(NVFP4\): blocks",
    ),
    "i2v with image embedding": (
        {**WEIGHTS, "img_emb.proj.0.weight": torch.ones(1)},
        r"has img_emb.proj.0.weight",
    ),
    "missing": (
        without("blocks.1.ffn.2.bias", "head.modulation"),
        r"must have 123 tensors, got 2 missing: blocks.1.ffn.2.bias, head.modulation; the file",
    ),
    "half a model": (without("head.head.weight"), "but it has no head.head.weight"),
    "unknown": (
        {**WEIGHTS, **{f"x.{i}": torch.ones(1) for i in range(9)}},
        "got 9 unknown: x.0, x",
    ),
    "wrong shape": (
        {**WEIGHTS, "blocks.2.modulation": torch.ones(1, 5, 96)},
        r"got 1 of wrong shape: blocks.2.modulation \(1, 5, 96\) for \(1, 6, 96\)",
    ),
    "nan": (
        {**WEIGHTS, "blocks.0.ffn.0.bias": torch.full((192,), torch.nan)},
        "got NaN or infinity in 1 tensors: blocks.0.ffn.0.bias",
    ),
    "int8": (
        {**WEIGHTS, "blocks.0.ffn.0.weight": torch.ones(192, 96, dtype=torch.int8)},
        "must be dense floating point numbers, got torch.int8",
    ),
    "two models": (
        {**renamed(lambda n: "model." + n), **renamed(lambda n: "ema." + n, OTHER)},
        "must hold one model, got 2",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_the_wrong_model_is_named(tmp_path, kind):
    tensors, message = BAD[kind]
    save_file(tensors, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "x.safetensors")


def old_torch(weights, path):
    torch.save(weights, path, _use_new_zipfile_serialization=False)


WRITERS = {"safetensors": save_file, "pt": torch.save, "old pt": old_torch}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_truncated_file_says_so(tmp_path, writer):
    path = tmp_path / f"x.{writer.split()[-1]}"
    WRITERS[writer](WEIGHTS, path)
    data = path.read_bytes()
    for keep in (0, 1, 5, 18, 28, 200, 5000, len(data) // 2, len(data) - 100, len(data) - 1):
        path.write_bytes(data[:keep])
        with pytest.raises(
            ValueError, match=f"must be a whole .* file, got {keep} bytes|or is damaged"
        ):
            load(path)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
@given(content=st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_bytes_are_one_sentence(tmp_path, suffix, content):
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="must"):
        load(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"step": 3}, r"or one of generator_ema, .* got \['step'\]"),
        ({"critic": WEIGHTS}, r"got \['critic'\]"),  # never a guess
        ([1, 2], "must hold named tensors, got list"),
        (torch.ones(3), "has no patch_embedding.weight among its 1 tensors"),
    ],
)
def test_torch_files_without_a_model(tmp_path, content, message):
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "x.pt")


class Harmful:
    def __reduce__(self):
        return (Path.touch, (Path("harm.txt"),))


def test_a_file_that_could_run_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"generator": Harmful()}, "x.pt")
    torch.save({"generator": Harmful()}, "y.pt", _use_new_zipfile_serialization=False)
    for name in ("x.pt", "y.pt"):
        with pytest.raises(ValueError, match="could run code, so it is refused"):
            load(name)
    assert not Path("harm.txt").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.pt", "the file must exist"),
        ("x.gguf", "GGUF files are not read"),
        ("x.txt", "must be .safetensors or one of"),
        ("empty", "must hold one safetensors model, got 0"),
    ],
)
def test_files_that_cannot_be_models(tmp_path, name, message):
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    (tmp_path / "x.txt").write_text("hello")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=message):
        open_tensors(tmp_path / name)


@pytest.mark.parametrize("index", ["{", "[]", '{"weight_map": {"a": 5}}', '{"weight_map": 5}'])
def test_broken_indices(tmp_path, index):
    (tmp_path / "m.safetensors.index.json").write_text(index)
    with pytest.raises(ValueError, match="must be a safetensors index"):
        open_tensors(tmp_path)


@pytest.mark.parametrize("old", [False, True], ids=["zip", "pickle"])
@pytest.mark.parametrize("name", ["x.safetensors", "x.sft", "x.pt", "x.download"])
def test_a_torch_file_is_read_under_any_name(tmp_path, name, old):
    file = tmp_path / name
    torch.save(
        {"generator": WEIGHTS, "generator_ema": {}}, file, _use_new_zipfile_serialization=not old
    )
    assert torch.equal(load(file).head.head.weight, WEIGHTS["head.head.weight"])


@pytest.mark.parametrize("name", ["x.pt", "x.bin", "x.sft", "x.download"])
def test_a_safetensors_file_is_read_under_any_name(tmp_path, name):
    save_file(WEIGHTS, tmp_path / name)
    assert torch.equal(load(tmp_path / name).head.head.weight, WEIGHTS["head.head.weight"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "a pointer of git-lfs"),
        (b"<!DOCTYPE html><html>", "a web page: download the file itself"),
        (b"GGUF\3\0\0\0", "GGUF"),
    ],
)
def test_what_was_downloaded_instead_is_named(tmp_path, content, said):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=said):
        load(tmp_path / "x.safetensors")


def test_two_models_in_a_torch_file_are_told(tmp_path):
    torch.save({**WEIGHTS, "ema": OTHER}, tmp_path / "x.pt")
    with pytest.raises(
        ValueError, match=r"must hold one set of tensors, got \d+ beside \d+ in ema"
    ):
        load(tmp_path / "x.pt")


def test_tensors_that_are_shapes_alone_are_told(tmp_path):
    torch.save({n: w.to("meta") for n, w in WEIGHTS.items()}, tmp_path / "x.pt")
    with pytest.raises(ValueError, match="must hold numbers, got tensors that are shapes alone"):
        load(tmp_path / "x.pt")
