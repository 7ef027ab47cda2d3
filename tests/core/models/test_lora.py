"""Adapters under the names of every trainer, merged as their authors merge them."""

from dataclasses import replace

import pytest
import torch
from published_adapters import published_adapters
from random_model import TINY, random_weights
from safetensors.torch import save_file

from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.headforcing_core.models import Lora, WeightDtype, load_checkpoint
from headforcing.headforcing_core.models.checkpoint import build_wan

WEIGHTS = random_weights(TINY)
MODULES = {"blocks.1.self_attn.q": (96, 96), "blocks.3.ffn.0": (192, 96), "head.head": (64, 96)}
RANK = 4
RNG = torch.Generator().manual_seed(0)
PAIRS = {
    module: (torch.randn(RANK, i, generator=RNG), torch.randn(o, RANK, generator=RNG))
    for module, (o, i) in MODULES.items()
}
DIFFUSERS = {
    "blocks.1.self_attn.q": "blocks.1.attn1.to_q",
    "blocks.3.ffn.0": "blocks.3.ffn.net.0.proj",
    "head.head": "proj_out",
}
STYLES = {  # module -> names of the two factors
    "peft": lambda m: [f"base_model.model.{m}.lora_{x}.weight" for x in "AB"],
    "peft default": lambda m: [f"base_model.model.{m}.lora_{x}.default.weight" for x in "AB"],
    "comfyui": lambda m: [f"diffusion_model.{m}.lora_{x}.weight" for x in "AB"],
    "diffusers": lambda m: [f"transformer.{DIFFUSERS[m]}.lora_{x}.weight" for x in "AB"],
    "kohya double": lambda m: [
        f"lora_unet__{m.replace('.', '_')}.lora_{x}.weight" for x in ("down", "up")
    ],
    "kohya": lambda m: [f"lora_unet_{m.replace('.', '_')}.lora_{x}.weight" for x in ("down", "up")],
}


def tensors(style):
    named = {}
    for module, pair in PAIRS.items():
        named |= dict(zip(STYLES[style](module), pair, strict=True))
    return named


def merged(factor):
    return {
        **WEIGHTS,
        **{f"{m}.weight": WEIGHTS[f"{m}.weight"] + factor * b @ a for m, (a, b) in PAIRS.items()},
    }


def assert_is(model, weights):
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(weight, weights[name], atol=1e-5, rtol=1e-5, msg=name)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("strength", [1.0, -0.5])
def test_every_naming_merges(style, strength):
    lora = Lora(TensorDict(tensors(style)), strength)
    assert_is(build_wan(TensorDict(WEIGHTS), heads=4, lora=lora), merged(strength))


def test_alpha_is_counted_against_the_rank():
    named = tensors("kohya")
    for module in MODULES:
        named[f"lora_unet_{module.replace('.', '_')}.alpha"] = torch.tensor(2.0)
    lora = Lora(TensorDict(named))
    assert_is(build_wan(TensorDict(WEIGHTS), heads=4, lora=lora), merged(2.0 / RANK))


def test_an_alpha_of_several_numbers_is_refused():
    named = {**tensors("peft"), "base_model.model.head.head.alpha": torch.ones(2)}
    with pytest.raises(ValueError, match=r"must fit the model, got alpha \[2\], lora_A"):
        build_wan(TensorDict(WEIGHTS), heads=4, lora=Lora(TensorDict(named)))


def test_published_files_merge_into_any_layout(tmp_path):
    """LongLive: a base under ``model.`` and a bare or wrapped adapter."""
    torch.save({"generator": {f"model.{n}": w for n, w in WEIGHTS.items()}}, tmp_path / "base.pt")
    torch.save({"generator_lora": tensors("peft"), "step": 3}, tmp_path / "lora.pt")
    save_file(tensors("peft"), tmp_path / "lora.safetensors")
    for name in ("lora.pt", "lora.safetensors"):
        lora = Lora.open(tmp_path / name)
        loaded = load_checkpoint(tmp_path / "base.pt", family="longlive", heads=4, lora=lora)
        assert_is(loaded.model, merged(1))


def test_longlive_2_is_a_base_and_an_adapter_of_all_layers_in_its_blocks(tmp_path):
    """Peft, as large an alpha as its rank, which is therefore left out."""
    wide = replace(TINY, layers=2, in_dim=48, out_dim=48)
    weights = random_weights(wide)
    rng = torch.Generator().manual_seed(3)
    named, made = {}, dict(weights)
    for name, weight in weights.items():
        if name.startswith("blocks.") and name.endswith(".weight") and weight.ndim == 2:
            down = 0.1 * torch.randn(RANK, weight.shape[1], generator=rng)
            up = 0.1 * torch.randn(weight.shape[0], RANK, generator=rng)
            module = f"base_model.model.{name.removesuffix('.weight')}"
            named |= {f"{module}.lora_A.weight": down, f"{module}.lora_B.weight": up}
            made[name] = weight + up @ down
    base = {f"model.{name}": weight for name, weight in weights.items()}
    torch.save({"generator": base}, tmp_path / "longlive2_generator.pt")
    torch.save({"generator_lora": named}, tmp_path / "lora.pt")
    lora = Lora.open(tmp_path / "lora.pt")
    loaded = load_checkpoint(tmp_path / "longlive2_generator.pt", heads=wide.heads, lora=lora)
    assert loaded.family.name == "longlive2" and len(named) == 2 * 2 * 10
    assert_is(loaded.model, made)


@pytest.mark.parametrize("change", ["a matrix", "a bias"])
def test_a_file_that_has_all_in_fp8_takes_an_adapter(change):
    small = {name: weight.to(torch.float8_e4m3fn) for name, weight in WEIGHTS.items()}
    wide = {name: weight.float() for name, weight in small.items()}
    named, module = tensors("peft"), "blocks.1.self_attn.q"
    if change == "a bias":
        bias = torch.linspace(-1, 1, 96)
        named, wide[f"{module}.bias"] = {f"{module}.diff_b": bias}, wide[f"{module}.bias"] + bias
    else:
        for name, (a, b) in PAIRS.items():
            wide[f"{name}.weight"] = wide[f"{name}.weight"] + b @ a
    assert_is(build_wan(TensorDict(small), heads=4, lora=Lora(TensorDict(named))), wide)


def test_an_adapter_of_no_strength_changes_nothing():
    small = {n: w.to(torch.float8_e4m3fn) if w.ndim == 2 else w for n, w in WEIGHTS.items()}
    for kept in (WeightDtype.SAME, WeightDtype.STORED):
        plain, with_none = (
            build_wan(TensorDict(small), heads=4, weight_dtype=kept, lora=lora).state_dict()
            for lora in (None, Lora(TensorDict(tensors("peft")), 0.0))
        )
        assert plain.keys() == with_none.keys()
        assert all(torch.equal(x.float(), with_none[name].float()) for name, x in plain.items())
    endless = {name: torch.full_like(x, torch.inf) for name, x in tensors("peft").items()}
    assert_is(build_wan(TensorDict(WEIGHTS), heads=4, lora=Lora(TensorDict(endless), 0.0)), WEIGHTS)


def test_merging_precedes_the_cast():
    lora = Lora(TensorDict(tensors("peft")), 1e-3)
    half = build_wan(TensorDict(WEIGHTS), heads=4, lora=lora, dtype=torch.bfloat16)
    exact = merged(1e-3)["head.head.weight"].bfloat16()
    assert torch.equal(half.head.head.weight, exact)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {"x": torch.ones(1)}, "got 0 tensors for it and 1 others: x"),
        (
            lambda t: {n: x for n, x in t.items() if "lora_B" not in n},
            r"must fit the model, got lora_A.weight \[4, 96\] for ",
        ),
        (
            lambda t: {**t, "blocks.0.diff": torch.ones(1)},
            "got 6 tensors for it and 1 others: blocks.0.diff",
        ),
        (
            lambda t: {n.replace("blocks.1", "blocks.9"): x for n, x in t.items()},
            r"got 4 tensors for it and 2 others: base_model.model.blocks.9.self_attn.q.lora_A",
        ),
        (
            lambda t: {n: x[..., :90] if "lora_A" in n else x for n, x in t.items()},
            r"must fit the model, got lora_A.weight \[4, 90\], lora_B.weight \[96, 4\] for ",
        ),
        (
            lambda t: {n: x[:0] if "lora_A" in n else x[:, :0] for n, x in t.items()},
            r"must fit the model, got lora_A.weight \[0, 96\], lora_B.weight \[96, 0\] for ",
        ),
        (lambda t: {n: x * torch.inf for n, x in t.items()}, "must hold finite numbers, got NaN"),
        (lambda t: {n: x.to(torch.int8) for n, x in t.items()}, "got torch.int8 in base_model"),
        (
            lambda t: {n.replace("attn.q.", "attn.q.bias."): x for n, x in t.items()},
            "must be of a kind that is read .* got bias.lora_A.weight, bias.lora_B.weight",
        ),
        (
            lambda t: {**t, **{n.replace("base_model.model.", ""): x for n, x in t.items()}},
            "must name each layer once",
        ),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        lora = Lora(TensorDict(change(tensors("peft"))))
        build_wan(TensorDict(WEIGHTS), heads=4, lora=lora)


FILES = published_adapters(WEIGHTS)


@pytest.mark.parametrize("layout", FILES)
def test_the_command_line_reads_what_the_node_reads(layout):
    tensors, made = FILES[layout]
    if made is None:
        with pytest.raises(ValueError, match="a LoRA must "):
            build_wan(TensorDict(WEIGHTS), heads=4, lora=Lora(TensorDict(tensors)))
        return
    own = build_wan(TensorDict(WEIGHTS), heads=4, lora=Lora(TensorDict(tensors)))
    assert_is(own, made)
    half = build_wan(TensorDict(WEIGHTS), heads=4, lora=Lora(TensorDict(tensors), 0.5))
    assert_is(half, {n: (w + made[n]) / 2 for n, w in WEIGHTS.items()})


def test_a_strength_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="strength of a LoRA must be -100 to 100, got nan"):
        Lora(TensorDict(tensors("peft")), float("nan"))
