"""The rollout inside ComfyUI's sampling chain; see check_sampling.py for what is done there."""

import pytest
from comfy_host import CPU, needs_host
from host_script import found_by

pytestmark = needs_host
in_full = pytest.mark.skipif(not CPU, reason="a card adds LoRAs and reads fp8 in half precision")


@pytest.fixture(scope="module")
def found():
    return found_by("check_sampling.py")


@pytest.fixture(scope="module")
def memory():
    return found_by("check_memory.py")


@pytest.mark.parametrize("name", ["rolling", "head_forcing", "pyramid", "full"])
def test_equal_to_our_own_module(found, name):
    """20 chunks with a prompt switch, in float32."""
    assert found[f"size {name}"] > 0.5
    assert found[f"error {name}"] < 1e-4


def test_nothing_leaks(found):
    assert found["same again"] and not found["another seed"]
    assert found["stopped"] and found["same after a stop"]
    assert found["plain sampler unchanged"]
    assert found["left behind"] == [] and found["patches left"] == 0


def test_a_model_that_made_room_for_a_text_encoder_goes_on_as_if_it_had_not(found):
    """Its patches with it: without them it would remember nothing, and say nothing of it."""
    assert found["loaded"] == [1, 0] and found["put aside"]


@in_full
def test_a_lora_is_what_merging_it_gives(found):
    assert found["error lora"] < 1e-4 < 0.1 < found["lora matters"]
    assert found["error without it again"] < 1e-4
    assert found["name with lora"] and found["name without"]


@in_full
def test_fp8_weights_are_what_their_rounded_values_give(found):
    assert found["fp8 weights"] > 50
    assert found["error fp8"] < 1e-4


@in_full
@pytest.mark.parametrize("dtype", ["float32", "fp8"])
def test_streamed_weights_with_a_lora_are_what_merging_it_gives(memory, dtype):
    assert memory[f"patched late {dtype}"] > 0  # the LoRA was added as the weight was used
    assert memory[f"error streaming {dtype}"] < 1e-4
    assert memory[f"name streaming {dtype}"]


def test_the_host_keeps_room_for_a_chunk_and_the_caches_alone(memory):
    """As much for an hour as for a minute."""
    short, long = memory["asked"]
    assert short == long < memory["whole video"] / 10
    assert memory["needed"] <= short < memory["needed"] + memory["a frame"]


def test_newer_hosts_calls_are_handed_on(memory):
    assert memory["newer call"]


def test_the_attention_that_a_user_chose_reads_the_caches(memory):
    """All two heads, in each of 3 layers in 5 calls of 4 chunks."""
    assert memory["asked heads"] == 2 * 3 * 5 * 4
    assert memory["error asked"] < 1e-4


def test_keys_of_a_prompt_are_computed_once(memory):
    """Two prompts in 15 chunks; by a patch of another pack, in each of the 5 calls of a chunk."""
    assert memory["text projected, kept"] == 2
    assert memory["text projected, patched by others"] == 15 * 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("cached", "got easycache on it"),
        ("wrapped", "got a wrapper around the model's forward on it"),
        ("replaced", "got a patch of diffusion_model.forward_orig on it"),
        ("attending", "got a patch of diffusion_model.blocks.1.self_attn.forward on it"),
        ("image_to_video", "text-to-video model, or Wan 2.2's 5B, got i2v"),
        ("guided", "without guidance (CFG 1), got sampler_post_cfg_function on it"),
    ],
)
def test_a_model_that_would_spoil_the_memory_is_refused(memory, change, message):
    assert message in memory["refused"][change]


def test_what_does_not_touch_self_attention_may_stay(memory):
    assert memory["refused"]["crossing"] == ""


def test_a_compiled_model_is_compiled_once_and_gives_the_same():
    """Twelve layers, of which the compiler must not make twelve versions; a prompt on the way."""
    found = found_by("check_compiled.py")
    for way, most in (("whole", 16), ("blocks", 6)):
        assert found[f"error {way}"] < 1e-4
        graphs = found[f"graphs {way}"]
        assert 0 < graphs[0] == graphs[-1] <= most


@pytest.fixture(scope="module")
def kept():
    return found_by("check_keeping.py")


def test_what_is_finished_is_not_lost(kept):
    """Of a process that died after four chunks of three frames."""
    assert kept["died"] == [9, [".part"] * 4] and kept["kept"]
    assert kept["lengths"] == [12, 6]  # in a longer video, and in one of two chunks
    assert kept["mistaken"] == []  # by other seeds, methods, prompts, LoRAs, dtypes, beginnings
    assert "must stay finite, got NaN" in kept["nan"]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "not_a_number"])
def test_a_damaged_chunk_is_told_and_made_again(kept, damage):
    """Bit by bit as in a run that was not interrupted; the two chunks before it are not made."""
    assert kept[damage] == [6, 1, "nothing"]


def test_what_a_full_disk_does_not_take_is_found_elsewhere(kept):
    if isinstance(kept["full"], str):
        pytest.skip(kept["full"])
    assert kept["full"] == {
        "told": [1, True],
        "in two places": [True, 8, 0],
        "read": True,
        "difference": "nothing",
        "half written": [],
        "kept until it is old": True,
        "left over": 0,
    }


def test_where_nothing_can_be_written_the_run_ends_well(kept):
    assert kept["nowhere"] == "nothing" and kept["told once"] == 1
    assert "stopped after 2 of 20 chunks; the last 2 could not be saved: " in kept["lost"]
    said, frames = kept["room again"]
    assert "stopped after 2 of 20 chunks; they are kept in " in said and frames == 6


def test_folders_that_fail_and_files_in_them_that_lie_are_told():
    found = found_by("check_places.py")
    assert found["unwritable"] and found["forced"] and found["went on"]
    assert found["interrupted"] == 1  # of two videos
    assert found["beside it"] == []
    for name in ("half", "empty", "flipped"):
        said = found[f"{name} profile"]
        assert "must be whole" in said and said.endswith("delete it, or set force")
    assert "must be of this model measured like this" in found["another model's"]
    # nothing is left to be made of what is known
    assert found["known"] == "nothing was refused"
    assert "has 0.00 GiB free; nothing fits there" in found["no room"]
    assert found["choices"] == ["big.json", "bomb.json", "nothing.CSV"]
    for name in found["choices"]:
        assert found[name].startswith(f"{name} must be a ") and "\n" not in found[name]
    assert found["without a folder"]
    # in the host as in our own module; a prompt that is said twice is one
    assert found["returns"] == 2 and found["returns apart"] < 1e-4 < found["returns shift"]
    assert "4 different prompts or more, which take turns, got 3" in found["few returns"]
    assert found["possible"] == [4, 0]


def test_importing_the_pack_is_quick_and_brings_nothing_along(tmp_path):
    """As on every start but the first: compiled files are there."""
    tries = [found_by("check_import.py", PYTHONPYCACHEPREFIX=str(tmp_path)) for _ in range(3)]
    assert tries[0]["nodes"] == 13
    assert tries[0]["brought"] == [] and tries[0]["demo"] == []
    assert min(done["seconds"] for done in tries) < 0.3
