"""Model and adapter files that lie about how they are stored: one sentence, in seconds."""

import json
import struct
from time import monotonic

import pytest
import torch
from published_files import scaled
from random_model import TINY, random_weights
from safetensors.torch import save_file

from headforcing.headforcing_core.files import open_tensors
from headforcing.headforcing_core.models import Lora, load_checkpoint, read_published
from headforcing.headforcing_core.models.published import weight_shapes

WEIGHTS = random_weights(TINY)
FP8, _, MODULES = scaled(WEIGHTS, torch.float8_e4m3fn)
LAYER = MODULES[0]
HEADER = "_quantization_metadata"


def refused(path, said, read):
    began = monotonic()
    with pytest.raises(ValueError, match=said) as error:
        read(path)
    assert len(str(error.value)) < 1200 and "\n" not in str(error.value)
    assert monotonic() - began < 15


def load(path):
    load_checkpoint(path, family="self_forcing")


@pytest.mark.parametrize(
    "heads", ["", "x", "-1", "4.0", "9" * 5000, "\u0664", "\u00b2", "12345", "null", "[" * 10_000]
)
def test_heads_must_be_a_number(tmp_path, heads):
    save_file(WEIGHTS, tmp_path / "x.safetensors", {"headforcing.heads": heads})
    refused(tmp_path / "x.safetensors", "headforcing.heads in the file's metadata must be a", load)


@pytest.mark.parametrize("heads", ["0", "5", "9999"])
def test_heads_must_fit(tmp_path, heads):
    save_file(WEIGHTS, tmp_path / "x.safetensors", {"headforcing.heads": heads})
    refused(tmp_path / "x.safetensors", "heads must|128 channels per head", load)


def test_what_a_model_gives_must_be_known(tmp_path):
    said = {"headforcing.heads": "4", "headforcing.predicts": "x" * 100_000}
    save_file(WEIGHTS, tmp_path / "x.safetensors", said)
    refused(tmp_path / "x.safetensors", "predicts must be one of", load)


HEADERS = {
    "null": ("null", "must be a JSON object"),
    "brackets": ('{"layers":' + "[" * 100_000, "must be a JSON object"),
    "digits": ('{"layers": ' + "9" * 5000 + "}", "must be a JSON object"),
    "a list": ('{"layers": []}', "layers in .* must be a JSON object"),
    "nothing": ('{"layers": null}', "layers in .* must be a JSON object"),
    "a layer of nothing": (json.dumps({"layers": {LAYER: None}}), "must name weights that it"),
    "a format of lists": (json.dumps({"layers": {LAYER: {"format": [[1]]}}}), "must be a name"),
    "a format of numbers": (json.dumps({"layers": {LAYER: {"format": 8}}}), "must be a name"),
    "a long format": (json.dumps({"layers": {LAYER: {"format": "x" * 999}}}), "must be a name"),
    "two lines": (json.dumps({"layers": {LAYER: {"format": "a\nb"}}}), "must be a name"),
    "a layer of dots": (
        json.dumps({"layers": {"blocks.0.ffn." + "." * 1_000_000: {}}}),
        "must name weights that it holds, got 'blocks",
    ),
    "many layers": (
        json.dumps({"layers": {f"blocks.0.ffn.{n}.x" + ".y" * 90: {} for n in range(60_000)}}),
        "must name weights that it holds",
    ),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_says_how_layers_are_quantised_or_is_refused(tmp_path, name):
    text, said = HEADERS[name]
    save_file(FP8, tmp_path / "x.safetensors", {"headforcing.heads": "4", HEADER: text})
    refused(tmp_path / "x.safetensors", said, load)


BESIDE = {
    "floats": torch.ones(3),
    "large": torch.zeros(1_000_000, dtype=torch.uint8),
    "signed": torch.full((4,), -1, dtype=torch.int8),
    "no JSON": torch.full((4,), 255, dtype=torch.uint8),
    "a list": torch.tensor(list(b"[]"), dtype=torch.uint8),
    "nothing": torch.tensor([], dtype=torch.uint8),
}


@pytest.mark.parametrize("name", BESIDE)
def test_bytes_beside_a_layer_are_json_or_refused(tmp_path, name):
    tensors = FP8 | {f"{LAYER}.comfy_quant": BESIDE[name]}
    save_file(tensors, tmp_path / "x.safetensors", {"headforcing.heads": "4"})
    refused(tmp_path / "x.safetensors", "comfy_quant must be", load)


def with_empty(path, shapes):
    """Write a file whose tensors have no numbers, as many as it may name."""
    entries = {
        name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}
        for name, shape in shapes.items()
    }
    text = json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)


@pytest.mark.parametrize("side", [0, 1 << 40])
def test_sizes_of_nothing_are_refused(tmp_path, side):
    shapes = {name: list(shape) for name, shape in weight_shapes(TINY).items()}
    for name in ("blocks.0.ffn.0.weight", "time_embedding.0.weight", "text_embedding.0.weight"):
        shapes[name] = [side, 0]
    shapes["patch_embedding.weight"] = [96, 16, 1, 2, 0]
    shapes = {name: shape if 0 in shape else [0] for name, shape in shapes.items()}
    with_empty(tmp_path / "x.safetensors", shapes)
    refused(tmp_path / "x.safetensors", "patch_embedding.weight must be that of a video", load)


def test_blocks_without_end_are_refused_before_they_are_built(tmp_path):
    names = (f"blocks.{n % 8000}.x{n}" for n in range(60_000))
    save_file(WEIGHTS, tmp_path / "whole.safetensors")
    data = (tmp_path / "whole.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    told = json.loads(data[8 : 8 + length])
    told |= {name: {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for name in names}
    text = json.dumps(told).encode()
    (tmp_path / "x.safetensors").write_bytes(
        struct.pack("<Q", len(text)) + text + data[8 + length :]
    )
    refused(
        tmp_path / "x.safetensors",
        r"must have \d+ tensors, got \d+ missing",
        lambda path: read_published(open_tensors(path), heads=4),
    )


@pytest.mark.parametrize(
    "name",
    [
        "net." * 60 + "{}",
        "net." * 50 + "{}.lora_A",
        "blocks.0.self_attn.q." + "x." * 90 + "{}",
        "lora_A." * 30 + "bias.{}",
        "a" * 240 + "{}",
    ],
)
@pytest.mark.parametrize("count", [300, 16_000, 20_000])
def test_adapters_of_strange_names_are_refused_in_seconds(tmp_path, name, count):
    with_empty(tmp_path / "x.safetensors", {name.format(n): [0] for n in range(count)})
    refused(
        tmp_path / "x.safetensors",
        "at most 16384 tensors, got 20000" if count == 20_000 else "a LoRA must",
        lambda path: Lora.open(path).on(weight_shapes(TINY)),
    )
