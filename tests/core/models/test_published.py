"""Quantised and damaged files: read as what they stand for, or refused in a sentence."""

from dataclasses import replace

import pytest
import torch
from published_files import published_files
from random_model import TINY, random_weights
from safetensors.torch import save_file

from headforcing.headforcing_core.models import HEADS_KEY, load_checkpoint

WEIGHTS = random_weights(TINY)
FILES = published_files(WEIGHTS)
REFUSED = {
    "int8": r"got torch\.int8 in blocks\.0\.\S+: a quantised file; use the bf16",
    "unknown_format": r"got 40 of format int3_of_tomorrow: blocks\.0\.\S+, blocks\.0\.\S+, ",
    "header_of_another_model": r"must name weights that it holds, got blocks\.77\.ffn\.0",
    "header_without_a_scale": "quantised layers must have scales, got none for 1: blocks",
    "one_scale_lost": r"must have scales, got none for blocks\.0\.\S+; the file is incomplete",
    "all_scales_lost": r"must have scales, got none for blocks\.0\.\S+; the file is incomplete",
    "scales_of_columns": r"with one positive scale per tensor or row, got .* \(1, 96\) for blocks",
    "header_damaged": "_quantization_metadata must be a JSON object, got '{'",
    "one_missing": r"got 1 missing: blocks\.1\.norm3\.weight; the file is incomplete",
    "unknown": r"got 1 unknown: blocks\.0\.memory_gate\.weight; ",
    "no_head": r"must hold a whole Wan video model, but it has no head\.head\.weight",
    "not_a_number": r"got NaN or infinity in 1 tensors: blocks\.1\.norm3\.weight",
}


def loaded(tmp_path, file):
    path = tmp_path / "self_forcing.safetensors"
    save_file(file.tensors, path, {**file.header, HEADS_KEY: str(TINY.heads)})
    return load_checkpoint(path).model.state_dict()


@pytest.mark.parametrize("layout", [name for name, file in FILES.items() if file.numbers])
def test_a_file_is_read_as_the_numbers_it_stands_for(tmp_path, layout):
    weights = loaded(tmp_path, FILES[layout])
    assert weights.keys() == FILES[layout].numbers.keys()
    for name, number in FILES[layout].numbers.items():
        torch.testing.assert_close(weights[name], number, rtol=1e-6, atol=0)


@pytest.mark.parametrize("layout", REFUSED)
def test_a_file_is_refused_in_a_sentence(tmp_path, layout):
    assert FILES[layout].numbers is None
    with pytest.raises(ValueError, match=REFUSED[layout]) as error:
        loaded(tmp_path, FILES[layout])
    assert "\n" not in str(error.value)


def test_every_layout_is_tried():
    assert {name for name, file in FILES.items() if file.numbers is None} == REFUSED.keys()


def test_a_model_of_other_latents_is_named(tmp_path):
    weights = random_weights(replace(TINY, in_dim=48, out_dim=48))
    path = tmp_path / "self_forcing.safetensors"
    save_file(weights, path, {HEADS_KEY: str(TINY.heads)})
    with pytest.raises(ValueError, match=r"16 latent channels, as Self-Forcing is, got one of 48"):
        load_checkpoint(path)
