"""Adapters of one random model as trainers publish them: tensors, and the weights they make."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

RANK, ALPHA = 4, 2.0
MODULES = tuple(f"blocks.{i}.self_attn.{part}" for i in range(2) for part in "qkvo")


class PublishedAdapter(NamedTuple):
    """An adapter, and the model's weights with it at strength 1; None where it is refused."""

    tensors: dict[str, Tensor]
    made: dict[str, Tensor] | None


def drawn(weights: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """Return module -> (down, up)."""
    rng = torch.Generator().manual_seed(0)
    pairs = {}
    for module in MODULES:
        rows, columns = weights[f"{module}.weight"].shape
        down, up = ((RANK, columns), (rows, RANK))
        pairs[module] = tuple(0.1 * torch.randn(shape, generator=rng) for shape in (down, up))
    return pairs


def diffusers(module: str) -> str:
    part = re.sub(r"self_attn\.([qkv])$", r"attn1.to_\1", module)
    return "transformer." + part.replace("self_attn.o", "attn1.to_out.0")


def kohya(module: str) -> str:
    return "lora_unet_" + module.replace(".", "_")


def named(
    pairs: Mapping[str, tuple[Tensor, Tensor]],
    name: Callable[[str], str],
    words: tuple[str, str] = ("lora_A.weight", "lora_B.weight"),
) -> dict[str, Tensor]:
    return {
        f"{name(module)}.{word}": factor.clone()
        for module, pair in pairs.items()
        for word, factor in zip(words, pair, strict=True)
    }


def published_adapters(weights: Mapping[str, Tensor]) -> dict[str, PublishedAdapter]:
    """Return the layouts that were met, by name."""
    pairs = drawn(weights)
    plain = dict(weights)

    def made(change: Callable[[Tensor, Tensor], Tensor]) -> dict[str, Tensor]:
        new = {
            f"{module}.weight": change(weights[f"{module}.weight"], up @ down)
            for module, (down, up) in pairs.items()
        }
        return plain | new

    added, kohyas = made(torch.add), ("lora_down.weight", "lora_up.weight")
    peft = named(pairs, "base_model.model.{}".format)
    files = {"peft": PublishedAdapter(peft, added)}
    default = ("lora_A.default.weight", "lora_B.default.weight")
    files["peft_default"] = PublishedAdapter(
        named(pairs, "base_model.model.{}".format, default), added
    )
    files["comfyui"] = PublishedAdapter(named(pairs, "diffusion_model.{}".format), added)
    files["diffusers"] = PublishedAdapter(named(pairs, diffusers), added)
    files["bare"] = PublishedAdapter(named(pairs, str, kohyas), added)
    alphas = {f"{kohya(module)}.alpha": torch.tensor(ALPHA) for module in pairs}
    halved = made(lambda weight, product: weight + ALPHA / RANK * product)
    flat = named(pairs, kohya, kohyas) | alphas
    files["kohya"] = PublishedAdapter(flat, halved)
    double = {name.replace("lora_unet_", "lora_unet__"): x for name, x in flat.items()}
    files["kohya_double"] = PublishedAdapter(double, halved)
    for style, words in {
        "peft_of_another_name": [f"lora_{x}.generator.weight" for x in "AB"],
        "without_weight": ["lora_A", "lora_B"],
        "old_diffusers": ["lora.down.weight", "lora.up.weight"],
        "linear_layers": ["lora_linear_layer.down.weight", "lora_linear_layer.up.weight"],
    }.items():
        files[style] = PublishedAdapter(named(pairs, "transformer.{}".format, tuple(words)), added)
    inside = "model._fsdp_wrapped_module.{}._checkpoint_wrapped_module".format
    files["wrapped_layers"] = PublishedAdapter(named(pairs, inside), added)
    lycoris = {name.replace("lora_unet_", "lycoris_"): x for name, x in flat.items()}
    files["lycoris"] = PublishedAdapter(lycoris, halved)
    image = "diffusion_model.blocks.0.cross_attn.k_img"
    pair = {f"{image}.lora_{x}.weight": torch.ones(RANK, RANK) for x in "AB"}
    files["with_image_layers"] = PublishedAdapter(files["comfyui"].tensors | pair, added)
    return files | _of_other_kinds(plain, pairs) | _refused(peft)


def _of_other_kinds(
    weights: dict[str, Tensor], pairs: Mapping[str, tuple[Tensor, Tensor]]
) -> dict[str, PublishedAdapter]:
    module, name = MODULES[0], f"{MODULES[0]}.weight"
    weight, bias = weights[name], weights[f"{module}.bias"]
    rows, columns = weight.shape
    rng = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return 0.1 * torch.randn(shape, generator=rng)

    diff, diff_b = draw(rows, columns), draw(rows)
    one, two = draw(2, 2), draw(rows // 2, columns // 2)
    low = 3 * draw(rows // 2, 3), 3 * draw(3, columns // 2)
    loha = {w: {"a": 4 * draw(rows, RANK), "b": 4 * draw(RANK, columns)} for w in ("w1", "w2")}
    wide = 1 + draw(1, columns)
    down, up = pairs[module]
    scale = 1 + draw(rows, 1)
    moved = weight + up @ down
    root = f"diffusion_model.{module}"
    dora = {f"{root}.lora_A.weight": down.clone(), f"{root}.lora_B.weight": up.clone()}
    return {
        "diff": PublishedAdapter(
            {f"{root}.diff": diff, f"{root}.diff_b": diff_b},
            weights | {name: weight + diff, f"{module}.bias": bias + diff_b},
        ),
        "loha": PublishedAdapter(
            {f"{root}.hada_{w}_{x}": loha[w][x] for w in loha for x in "ab"}
            | {f"{root}.alpha": torch.tensor(ALPHA)},
            weights
            | {
                name: weight
                + ALPHA
                / RANK
                * (loha["w1"]["a"] @ loha["w1"]["b"])
                * (loha["w2"]["a"] @ loha["w2"]["b"])
            },
        ),
        "lokr_of_low_rank": PublishedAdapter(
            {f"{root}.lokr_w1": one, f"{root}.lokr_w2_a": low[0], f"{root}.lokr_w2_b": low[1]}
            | {f"{root}.alpha": torch.tensor(ALPHA)},
            weights | {name: weight + ALPHA / 3 * torch.kron(one, low[0] @ low[1])},
        ),
        "dora_of_columns": PublishedAdapter(
            dora | {f"{root}.dora_scale": wide},
            weights | {name: wide * moved / moved.norm(dim=0, keepdim=True)},
        ),
        "whole_alpha": PublishedAdapter(
            dora | {f"{root}.alpha": torch.tensor(2)},
            weights | {name: weight + 2 / RANK * up @ down},
        ),
        "lokr": PublishedAdapter(
            {f"{root}.lokr_w1": one, f"{root}.lokr_w2": two},
            weights | {name: weight + torch.kron(one, two)},
        ),
        "dora": PublishedAdapter(
            dora | {f"{root}.dora_scale": scale},
            # as ComfyUI does; the paper, arXiv 2402.09353, divides by the norm of what was moved
            weights | {name: scale * moved / weight.norm(dim=1, keepdim=True)},
        ),
    }


def _refused(peft: dict[str, Tensor]) -> dict[str, PublishedAdapter]:
    first = f"base_model.model.{MODULES[0]}.lora_A.weight"
    weight = (peft[first.replace("lora_A", "lora_B")].shape[0], peft[first].shape[1])
    changed = {
        "another_models": {name.replace("blocks.1", "blocks.77"): x for name, x in peft.items()},
        "nothing_of_it": {"double_blocks.0.img_attn.qkv.lora_A.weight": torch.ones(4, 4)},
        "image_layers_alone": {"blocks.0.cross_attn.k_img.lora_A.weight": torch.ones(4, 4)},
        "half_a_pair": {name: x for name, x in peft.items() if name != first},
        "of_another_size": peft | {first: torch.ones(RANK, 7)},
        "of_two_ranks": peft | {first: torch.ones(RANK + 1, peft[first].shape[1])},
        "flat": peft | {first: torch.ones(RANK)},
        "half_a_lokr": {f"{MODULES[0]}.lokr_w1": torch.ones(2, 2)},
        "lokr_of_another_size": {f"{MODULES[0]}.lokr_w{n}": torch.ones(n, n) for n in (1, 2)},
        "loha_of_another_size": {
            f"{MODULES[0]}.hada_{w}_{x}": torch.ones(5, 5) for w in ("w1", "w2") for x in "ab"
        },
        "dora_of_another_axis": peft | {f"{MODULES[0]}.dora_scale": torch.ones(RANK)},
        "several_alphas": peft | {f"{MODULES[0]}.alpha": torch.ones(2)},
        "alpha_alone": {f"{MODULES[0]}.alpha": torch.tensor(1.0)},
        "two_kinds_of_pairs": peft
        | {f"{MODULES[0]}.lora_down.weight": peft[first] + 0}
        | {f"{MODULES[0]}.lora_up.weight": torch.ones(weight[0], RANK)},
        "a_pair_and_a_difference": peft | {f"{MODULES[0]}.diff": torch.ones(weight)},
        "a_pair_and_lokr": peft
        | {f"{MODULES[0]}.lokr_w1": torch.ones(weight[0], 1)}
        | {f"{MODULES[0]}.lokr_w2": torch.ones(1, weight[1])},
        "a_flattened_difference": {"blocks.0.self_attn.norm_q.diff": torch.ones(weight[0], 1)},
        "a_scaled_difference": {f"{MODULES[0]}.diff": torch.ones(weight)}
        | {f"{MODULES[0]}.dora_scale": torch.ones(weight[0], 1)},
        "of_rank_zero": peft
        | {first: torch.ones(0, weight[1])}
        | {first.replace("lora_A", "lora_B"): torch.ones(weight[0], 0)},
        "whole_numbers": {name: x.to(torch.int8) for name, x in peft.items()},
        "complex_numbers": {name: x.to(torch.complex64) for name, x in peft.items()},
        "of_a_text_encoder": peft
        | {name.replace("base_model.model", "text_encoder"): x + 0 for name, x in peft.items()},
        "of_a_critic": peft
        | {name.replace("base_model.model", "fake_score"): x + 0 for name, x in peft.items()},
        "not_a_number": peft | {first: torch.full_like(peft[first], torch.inf)},
        "of_a_modulation": peft | {"diffusion_model.blocks.0.diff_m": torch.ones(1, 6, 4)},
        "with_biases_of_its_own": peft
        | {first.replace("A.weight", "B.bias"): torch.ones(weight[0])},
        "of_an_unknown_kind": peft | {first.replace("lora_A", "lora_of_tomorrow"): torch.ones(1)},
    }
    return {name: PublishedAdapter(tensors, None) for name, tensors in changed.items()}
