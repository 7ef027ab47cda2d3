"""Adapters as trainers publish them, in Load AR LoRA; see check_adapters.py for what is done."""

import pytest
from comfy_host import needs_host
from host_script import found_by

pytestmark = needs_host
LAYOUTS = {
    *("peft", "peft_default", "comfyui", "diffusers", "bare", "kohya", "kohya_double"),
    *("with_image_layers", "diff", "lokr", "dora", "loha", "lokr_of_low_rank", "dora_of_columns"),
    *("whole_alpha", "peft_of_another_name", "without_weight", "old_diffusers", "linear_layers"),
    *("wrapped_layers", "lycoris"),
}
REFUSED = {
    "another_models": "got 8 tensors for it and 8 others: base_model.model.blocks.77.self_attn.k",
    "nothing_of_it": "got 0 tensors for it and 1 others: double_blocks.0",
    "image_layers_alone": "got 0 tensors for it and 0 others: layers of an image-to-video model",
    "half_a_pair": "got lora_B.weight [256, 4] for blocks.0.self_attn.q of [256, 256]; ",
    "of_another_size": "got lora_A.weight [4, 7], lora_B.weight [256, 4] for blocks.0.self_attn.q ",
    "of_two_ranks": "for blocks.0.self_attn.q of [256, 256]; it is of another model, or incomplete",
    "flat": "got lora_A.weight [4], lora_B.weight [256, 4] for blocks.0.self_attn.q of [256, 256]",
    "half_a_lokr": "got lokr_w1 [2, 2] for blocks.0.self_attn.q of [256, 256]",
    "lokr_of_another_size": "got lokr_w1 [1, 1], lokr_w2 [2, 2] for blocks.0.self_attn.q of",
    "loha_of_another_size": "got hada_w1_a [5, 5], hada_w1_b [5, 5], hada_w2_a [5, 5], ",
    "dora_of_another_axis": "got dora_scale [4], lora_A.weight [4, 256], lora_B.weight [256, 4]",
    "several_alphas": "got alpha [2], lora_A.weight [4, 256], lora_B.weight [256, 4] for blocks.0.",
    "alpha_alone": "got alpha [] for blocks.0.self_attn.q of [256, 256]",
    "not_a_number": "got NaN or infinity in base_model.model.blocks.0.self_attn.q.lora_A.weight",
    "of_an_unknown_kind": "of a kind that is read (LoRA, DoRA, LoKr, LoHa, diff), got lora_of_",
    "of_a_modulation": "of a kind that is read (LoRA, DoRA, LoKr, LoHa, diff), got diff_m for ",
    "with_biases_of_its_own": "(LoRA, DoRA, LoKr, LoHa, diff), got lora_B.bias for layers of",
    "two_kinds_of_pairs": "must change each weight in one way, got lora_A.weight [4, 256], ",
    "a_pair_and_a_difference": "must change each weight in one way, got diff [256, 256], ",
    "a_pair_and_lokr": "must change each weight in one way, got lokr_w1 [256, 1], ",
    "a_flattened_difference": "got diff [256, 1] for blocks.0.self_attn.norm_q of [256]",
    "a_scaled_difference": "got diff [256, 256], dora_scale [256, 1] for blocks.0.self_attn.q",
    "of_rank_zero": "got lora_A.weight [0, 256], lora_B.weight [256, 0] for blocks.0.self_attn.q",
    "whole_numbers": "must hold dense floating point numbers, got torch.int8 in base_model.model",
    "complex_numbers": "must hold dense floating point numbers, got torch.complex64 in base_model",
    "of_a_text_encoder": "got 16 tensors for it and 16 others: text_encoder.blocks.0.self_attn.k",
    "of_a_critic": "got 16 tensors for it and 16 others: fake_score.blocks.0.self_attn.k",
}


@pytest.fixture(scope="module")
def found():
    return found_by("check_adapters.py")


def test_an_adapter_gives_what_merging_it_gives(found):
    assert found["off"].keys() == LAYOUTS
    for layout, (error, matters) in found["off"].items():
        assert error < 1e-4 < 1e-3 < matters, layout
    assert found["two halves"] < 1e-4
    assert found["left on the model"] == 0


def test_an_adapter_that_would_be_passed_over_is_refused(found):
    assert found["refused"].keys() == REFUSED.keys()
    for layout, sentence in found["refused"].items():
        assert REFUSED[layout] in sentence and "\n" not in sentence
