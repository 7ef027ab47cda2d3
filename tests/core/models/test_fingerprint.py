"""The name of a model: the same however it is stored, another when it was changed."""

import pytest
import torch
from random_model import TINY, random_weights
from safetensors.torch import save_file

from headforcing.headforcing_core.models import HEADS_KEY, Lora, fingerprint, load_checkpoint

WEIGHTS = random_weights(TINY)
NAME = fingerprint(WEIGHTS)


@pytest.mark.parametrize(
    "dtype", [torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float8_e5m2], ids=str
)
def test_rounding_does_not_change_it(dtype):
    assert fingerprint({name: w.to(dtype) for name, w in WEIGHTS.items()}) == NAME


def test_scaled_float8_does_not_change_it():
    scaled = {n: (w * 7).to(torch.float8_e4m3fn).float() / 7 for n, w in WEIGHTS.items()}
    assert fingerprint(scaled) == NAME


def test_files_of_any_format_have_one_name(tmp_path):
    metadata = {HEADS_KEY: str(TINY.heads)}
    prefixed = {f"model.diffusion_model.{n}": w.bfloat16() for n, w in WEIGHTS.items()}
    save_file(WEIGHTS, tmp_path / "self_forcing.safetensors", metadata)
    save_file(prefixed, tmp_path / "self_forcing_bf16.safetensors", metadata)
    torch.save({"generator_ema": WEIGHTS}, tmp_path / "self_forcing.pt")
    for path in tmp_path.iterdir():
        model = load_checkpoint(path, heads=TINY.heads, dtype=torch.bfloat16).model
        assert fingerprint(model.state_dict()) == NAME, path.name


@pytest.mark.parametrize("size", [0.001, 0.1])
def test_an_adapter_changes_it(tmp_path, size):
    rng = torch.Generator().manual_seed(0)
    weight = WEIGHTS["blocks.2.self_attn.q.weight"]
    down, up = (torch.randn(shape, generator=rng) for shape in ((8, TINY.dim), (TINY.dim, 8)))
    factor = size * weight.norm() / (up @ down).norm()
    name = "diffusion_model.blocks.2.self_attn.q"
    file = {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up * factor}
    save_file(file, tmp_path / "lora.safetensors")
    save_file(WEIGHTS, tmp_path / "self_forcing.safetensors", {HEADS_KEY: str(TINY.heads)})
    lora = Lora.open(tmp_path / "lora.safetensors", 1.0)
    model = load_checkpoint(tmp_path / "self_forcing.safetensors", lora=lora).model
    assert fingerprint(model.state_dict()) != NAME


def test_another_model_has_another_name():
    assert fingerprint(random_weights(TINY, seed=1)) != NAME
    one = dict(WEIGHTS)
    a, b = "blocks.0.self_attn.q.weight", "blocks.0.self_attn.k.weight"
    one[a], one[b] = one[b], one[a]
    assert fingerprint(one) != NAME


def test_biases_and_order_do_not_count():
    changed = {n: w + (w.ndim == 1) for n, w in reversed(WEIGHTS.items())}
    assert fingerprint(changed) == NAME
