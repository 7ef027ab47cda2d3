"""Which layer of a model an adapter means, under the names of every trainer."""

import pytest
from published_adapters import MODULES, published_adapters
from random_model import TINY, random_weights

from headforcing.headforcing_core.models.adapter_names import adapter_names
from headforcing.headforcing_core.models.adapter_shapes import check_adapter

WEIGHTS = random_weights(TINY)
KNOWN = {name.removesuffix(".weight") for name in WEIGHTS if name.endswith(".weight")}
FILES = published_adapters(WEIGHTS)
# what is wrong with these is in their numbers
TWO_WAYS = {"two_kinds_of_pairs", "a_pair_and_a_difference", "a_pair_and_lokr"}
NUMBERS = {"not_a_number", "whole_numbers", "complex_numbers"}
MISFITS = {
    *("half_a_pair", "of_another_size", "of_two_ranks", "flat", "half_a_lokr", "alpha_alone"),
    *("a_flattened_difference", "a_scaled_difference", "of_rank_zero"),
    *("lokr_of_another_size", "loha_of_another_size", "dora_of_another_axis", "several_alphas"),
}
NAMES_ARE_RIGHT = MISFITS | NUMBERS | TWO_WAYS
KINDS = {
    "of_an_unknown_kind": "lora_of_tomorrow.weight",
    "of_a_modulation": "diff_m",
    "with_biases_of_its_own": "lora_B.bias",
}
READ = [name for name, file in FILES.items() if file.made is not None or name in NAMES_ARE_RIGHT]


@pytest.mark.parametrize("layout", READ)
def test_every_tensor_has_its_module(layout):
    names = adapter_names(FILES[layout].tensors, KNOWN)
    assert {name.module for name in names} <= {*MODULES, "blocks.0.self_attn.norm_q"}
    image = {at for at in FILES[layout].tensors if "k_img" in at}
    assert {name.at for name in names} == FILES[layout].tensors.keys() - image
    assert len({(name.module, name.part) for name in names}) == len(names)


@pytest.mark.parametrize("layout", sorted(FILES.keys() - READ))
def test_what_is_of_no_layer_is_named(layout):
    said = r"must be for this model, got \d+ tensors for it and \d"
    if layout in KINDS:
        said = f"of a kind that is read .*, got {KINDS[layout]} for layers of this model"
    with pytest.raises(ValueError, match=said):
        adapter_names(FILES[layout].tensors, KNOWN)


def test_a_layer_that_is_named_twice_is_refused():
    names = [f"{root}blocks.0.self_attn.q.lora_A.weight" for root in ("", "diffusion_model.")]
    with pytest.raises(ValueError, match="must name each layer once, got "):
        adapter_names(names, KNOWN)


@pytest.mark.parametrize("layout", READ)
def test_what_makes_no_change_of_the_weights_size_is_refused(layout):
    tensors = (FILES[layout].tensors, WEIGHTS)
    stored, weights = ({n: tuple(x.shape) for n, x in each.items()} for each in tensors)
    names = adapter_names(stored, KNOWN)
    if layout in TWO_WAYS:
        with pytest.raises(ValueError, match="must change each weight in one way, got "):
            check_adapter(names, stored, weights)
    elif layout in MISFITS:
        with pytest.raises(ValueError, match="a LoRA must fit the model, got "):
            check_adapter(names, stored, weights)
    else:
        check_adapter(names, stored, weights)
