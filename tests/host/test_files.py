"""Files as people have them, in Load AR Model; see check_files.py for what is done."""

import pytest
from comfy_host import needs_host
from host_script import found_by

pytestmark = needs_host
REFUSED = {
    "int8": "got torch.int8 in blocks.0.",
    "unknown_format": "got 30 layers of int3_of_tomorrow: blocks.0.",
    "header_of_another_model": "must name weights that it holds, got blocks.77.ffn.0",
    "header_without_a_scale": "quantised layers must have scales, got none for 1: blocks",
    "one_scale_lost": "must have scales, got none for blocks.0.",
    "all_scales_lost": "must have scales, got none for blocks.0.",
    "scales_of_columns": "with one positive scale per tensor or row, got ",
    "other_heads": "must have 128 channels per head in ComfyUI, got 4 heads for 256 channels",
    "clean": "must predict the flow, got one that gives the clean latent",
    "too_large": "weights must fit the chosen dtype, torch.float16 up to 65504, got 1e+06 in ",
    "header_damaged": "must be a JSON object, got '{'",
    "one_missing": "got 1 missing: blocks.1.norm3.weight",
    "unknown": "got 1 unknown: blocks.0.memory_gate.weight",
    "no_head": "it has no head.head.weight",
    "not_a_number": "got NaN or infinity in 1 tensors: blocks.1.norm3.weight",
    "5b": "of 16 latent channels, as Self-Forcing is, got one of 48: another model",
}


@pytest.fixture(scope="module")
def found():
    return found_by("check_files.py")


def test_a_file_is_run_as_the_numbers_it_stands_for(found):
    off = found["off"]
    assert len(off) == 13
    # scales per row are numbers of 16 bits in the host
    assert off.pop("fp8_rows") < 1e-3
    assert max(off.values()) < 1e-4
    assert found["as the host's own"] == 0


def test_the_name_of_a_file_tells_the_family_of_a_hosts_own_loader(found):
    if found["told by the name"] is None:
        pytest.skip("this host forgets which file a model is from")
    assert found["told by the name"] == "self_forcing"


def test_what_cannot_be_run_is_refused_in_a_sentence(found):
    assert found["refused"].keys() == REFUSED.keys()
    for layout, sentence in found["refused"].items():
        assert REFUSED[layout] in sentence and "\n" not in sentence
