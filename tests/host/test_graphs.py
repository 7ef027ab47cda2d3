"""Graphs as people build them: either the right video or one sentence; see ``check_graphs.py``."""

import pytest
from comfy_host import needs_host
from host_script import found_by

pytestmark = needs_host

UNKNOWN = "model must carry only what is known to be right with a memory of the past, got "
MODELS = {
    "context windows": UNKNOWN + "context windows on it",
    "denoise masks": UNKNOWN + "a function of denoise masks (Differential Diffusion) on it",
    "an unknown option": UNKNOWN + "some_pack on it",
    "an unknown transformer option": UNKNOWN + "audio_embeds on it",
    "an unknown wrapper": UNKNOWN + "some_pack on it",
    "a wrapper without a key": UNKNOWN + "a wrapper of outer_sample (with_wrapper) on it",
    "easycache": "model must run every step, got easycache on it",
    "patches of attention": UNKNOWN + "attn1_patch on it",
    "replaced blocks": UNKNOWN + "replaced blocks on it",
    "a LoRA in bypass mode": UNKNOWN + "a LoRA in bypass mode on it",
    "another rope": UNKNOWN + "a patch of diffusion_model.rope_embedder on it",
    "another ffn": UNKNOWN + "a patch of diffusion_model.blocks.1.ffn.forward on it",
    "self-attention": "got a patch of diffusion_model.blocks.1.self_attn.forward on it",
    "another latent format": UNKNOWN + "a patch of latent_format on it",
    "v prediction": "model must be sampled as the flow it was trained as",
    "x0": "model must be sampled as the flow it was trained as",
    "rope options": "model must have its own positions",
    "guidance": "model must be sampled without guidance (CFG 1), got sampler_post_cfg_function",
    "more than an image": UNKNOWN + "window on it",
}
PROMPTS = {
    "context_latents": "reference latents in the context",
    "time_dim_concat": "frames put after the video",
    "reference_latents": "a reference image",
    "vace_frames": "VACE frames",
    "clip_vision_output": "a CLIP vision image",
    "concat_latent_image": "a start image of an image-to-video model",
    "audio_embed": "audio",
    "control": "a ControlNet",
    "area": "an area",
    "mask": "a mask",
    "hooks": "a hook that changes weights on the way",
    "start_percent": "a range of steps",
    "end_percent": "a range of steps",
    "strength": "a strength",
    "some_pack": "some_pack",
    "some_latent": "some_latent",
}
NETWORKS = ("VaceWanModel", "WanModel_S2V", "HumoWanModel", "CameraWanModel")


@pytest.fixture(scope="module")
def found():
    return found_by("check_graphs.py")


@pytest.mark.parametrize("what", MODELS)
def test_what_lies_on_a_model_is_told_by_name(found, what):
    said = found[f"model {what}"]
    assert MODELS[what] in said and said.count("\n") == 0


@pytest.mark.parametrize("what", PROMPTS)
def test_what_comes_with_a_prompt_is_told_by_name(found, what):
    wanted = f"a prompt must be words alone, got {PROMPTS[what]} with it; "
    assert found[f"prompt {what}"].startswith(wanted)


def test_a_prompt_with_what_changes_nothing_is_that_prompt(found):
    assert found["prompt alone"]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_wants_more_than_words_is_told_by_name(found, name):
    if f"network {name}" not in found:
        pytest.skip("this host has no such network")
    assert f"text-to-video model, or Wan 2.2's 5B, got {name};" in found[f"network {name}"]


def test_another_shift_is_told_and_the_same_one_is_right(found):
    assert found["error flow"] == 0
    assert "5 here, got 8 from a ModelSampling node" in found["another shift"]
    assert found["the same shift"] == found["no node"] == "nothing"


def test_flux_shifts_by_an_exponential_and_is_told_as_what_that_is(found):
    assert found["error flux"] == 0 and found["flux of five"] == "nothing"
    assert "0.72 here, got 2.05" in found["flux of two"]


def test_what_is_no_text_is_told(found):
    for what in ("nothing", "no pair"):
        assert "a prompt must be what a text encoder gives, got NoneType" in found[f"text {what}"]
    assert found["text no options"] == "nothing"
    assert "a prompt must be finite numbers, got NaN" in found["text not a number"]


def test_what_another_clone_left_on_a_loaded_model_is_not_taken_for_its_own(found):
    assert found["errors after others"] == [0, 0, 0] and all(found["names after others"])
    assert "reads another prediction (Sampled)" in found["another's sampling"]


def test_what_a_pack_put_in_place_is_told_or_left_there(found):
    assert "another forward in place in block 1's self-attention" in found["in place"]
    assert "another forward in place in block 0's self-attention" in found["in its class"]
    assert found["text in place"] > 1e-3 and found["after all"] == 0
    assert "a patch of diffusion_model.blocks.1.ffn on it" in found["another thing compiled"]
    assert "compiled and put in the whole model's place" in found["compiled whole"]


def test_a_node_that_says_what_is_computed_in_is_obeyed(found):
    if "compute dtype" not in found:
        pytest.skip("this host has no such node")
    assert 1e-4 < found["compute dtype"] < 0.3


def test_copies_for_other_gpus_are_taken_off_the_clone_alone(found):
    assert found["copies left"] == 0 and found["options left"] == []
    assert found["copies on the user's"] == 1 and found["error with copies"] == 0


def test_the_room_asked_for_is_the_models_own_measure(found):
    assert 1 <= found["room"] < 1.02


def test_the_attention_a_user_asked_for_is_obeyed(found):
    assert found["by itself"]
    assert found["flag use_ck_attention"] and found["flag use_sage_attention"]
    # fifteen calls of three layers, self- and cross-attention: none by another way
    assert found["replaced calls"] == 90 and found["error replaced"] < 1e-4
    assert found["brought calls"] == 45 and found["error brought"] < 1e-4


def test_what_outlives_a_block_is_made_outside_of_its_recording(found):
    assert found["paused"] == 48  # fifteen calls of three layers, and the text of three


def test_the_hosts_own_autoregressive_sampler_and_ours_take_turns(found):
    assert found["error loaded"] == 0 and found["start taken"] and found["no start"]
    if "core's video" not in found:
        pytest.skip("this host has no autoregressive sampler")
    finite, spread = found["core's video"]
    assert found["kind"] == "CausalWanModel" and finite and spread > 0.1
    assert found["error after core"] == 0


def test_models_are_named_however_their_weights_are_kept(found):
    assert found["gguf same"] and found["gguf other"] == 4 and found["meta"]
    assert found["gguf loaded"]


def test_videos_are_told_apart_by_adapters_and_readers_of_the_text(found):
    assert found["videos apart"] == 3 and found["video again"]
    assert found["text readers apart"] == 3 and found["a text reader again"]
    assert found["overrides apart"] == 3 and found["values apart"] == 3


def test_profiles_are_kept_apart_by_what_was_connected(found):
    assert found["profiles apart"] == 4 and found["the same profile"]


def test_seconds_and_pixels_are_the_family(found):
    """Of 16 pictures per second and of 24; of 8 and of 16 pixels for each of a latent."""
    assert found["shapes"] == [[40, 88, 160], [60, 44, 80]]
    few = [f"must be a video of two stretches at least, {n} pictures" for n in (64, 96)]
    assert all(map(str.__contains__, found["stretches"], few))
    assert found["prompts"] == [3.0, 2.0] and found["told"] == [3.0, 2.0]


def test_a_family_is_told_prompts_in_the_words_it_knows(found):
    """LongLive 2.0 hears of a shot in its first chunk; other models hear what was typed."""
    words = "The scene transitions. "
    plain, shots = found["shots"]
    assert plain == [["a", "b", words + "c"], [False, True, False], {}]
    told = {"1": words + "b", "2": words + "c"}
    assert shots == [["a", "b", "c"], [False, True, True], told]


def test_functions_are_told_apart_by_what_they_do(found):
    assert found["digests"].keys() == {"defaults", "inner", "itself", "attention"}
    assert all(found["digests"].values())


def test_empty_options_are_nothing_and_an_empty_size_is_told(found):
    assert "size must be the empty latent of one video" in found["empty"]
