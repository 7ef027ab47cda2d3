"""Safetensors headers, shards and metadata that lie."""

import json
import os
import struct
from time import monotonic

import pytest
import torch
from safetensors.torch import save_file

from headforcing.headforcing_core.files import (
    check_writable,
    is_latent_file,
    open_tensors,
    read_latents,
    read_settings,
    read_space,
    read_text_embedding,
    write_latents,
)

SIZE = (1, 4, 2, 3)


def with_header(path, text, rest=b""):
    path.write_bytes(struct.pack("<Q", len(text)) + text.encode() + rest)


def empty(count, name="w{}", shape="[0]"):
    entry = f'{{"dtype":"F32","shape":{shape},"data_offsets":[0,0]}}'
    return "{" + ",".join(f'"{name.format(n)}":{entry}' for n in range(count)) + "}"


ONE = '{{"dtype":"{}","shape":[2],"data_offsets":[0,4]}}'
MOST, NAMES, SIDES = "at most 65536 tensors", "names of 1 to 250 letters", "at most 16 sides"
WHOLE, HEADER = "must be a whole safetensors file", "the header of .* must be read: its"
HEADERS = {
    "a hundred megabytes of empty tensors": (empty(1_400_000), "at most 33554432 bytes"),
    "more tensors than any model has": (empty(70_000), MOST),
    "a tensor twice": (
        '{"a":' + ONE.format("F16") + ',"a":' + ONE.format("BF16") + "}",
        f"{HEADER} JSON must name a key once",
    ),
    "a name of many letters": (empty(1, "x" * 300), NAMES),
    "a name of two lines": (empty(1, "a\\nb"), NAMES),
    "a name of nothing": (empty(1, ""), NAMES),
    "a hundred dimensions": (empty(1, shape=str([0] * 100)), SIDES),
    "a side of any length": (empty(1, shape=str([0, 2**62])), SIDES),
    "a side beyond": (empty(1, shape=str([0, 2**63])), f"{WHOLE}|{SIDES}"),
    "a side that is negative": (empty(1, shape="[-1]"), WHOLE),
    "half a number": (empty(1, shape="[0.5]"), WHOLE),
    "a number of many digits": (empty(1, shape="[" + "9" * 5000 + "]"), f"{HEADER} numbers must"),
    "depth": ('{"a":' + "[" * 50_000 + "]" * 50_000 + "}", f"{HEADER} JSON must nest"),
    "metadata of numbers": ('{"__metadata__":{"a":1}}', WHOLE),
    "a list": ("[]", WHOLE),
    "another type": ('{"a":' + ONE.format("F99") + "}", WHOLE),
    "not a number": ('{"a": NaN}', f"{HEADER} numbers must be finite"),
    "bytes that are no tensor's": (empty(1) + " " * 8, WHOLE),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_lies_is_one_sentence(tmp_path, name):
    path = tmp_path / "x.safetensors"
    text, said = HEADERS[name]
    with_header(path, text, bytes(4) if "[2]" in text or "no tensor" in name else b"")
    began = monotonic()
    with pytest.raises(ValueError, match=said) as error:
        open_tensors(path)
    assert len(str(error.value)) < 300 and "\n" not in str(error.value)
    assert monotonic() - began < 8


def test_empty_tensors_are_read(tmp_path):
    with_header(tmp_path / "x.safetensors", empty(65_000))
    assert len(open_tensors(tmp_path / "x.safetensors").shapes) == 65_000


@pytest.mark.parametrize("length", [0, 1, 1000, 1 << 26, 1 << 40, (1 << 64) - 1])
def test_a_header_is_as_long_as_there_is_file(tmp_path, length):
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", length) + b"{}")
    with pytest.raises(ValueError, match="must be a whole safetensors file"):
        open_tensors(path)
    with path.open("r+b") as file:
        file.truncate(1 << 27)  # a hole: no bytes of it are written
    if length == 1 << 26:
        with pytest.raises(ValueError, match="must have at most 33554432 bytes, got 67108864"):
            open_tensors(path)


def test_a_file_that_changes_after_it_was_opened_is_one_sentence(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"x": torch.ones(1000)}, path)
    source = open_tensors(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="must be a whole safetensors file"):
        with source.reading("x"):
            pass


INDICES = {
    "depth": '{"weight_map":' + "[" * 100_000,
    "a list": "[]",
    "no map": "{}",
    "null": '{"weight_map": null}',
    "names of tensors": '{"weight_map": {"a": 1}}',
    "nested": '{"weight_map": {"a": ["m.safetensors"]}}',
    "above": '{"weight_map": {"a": "../m.safetensors"}}',
    "from the root": '{"weight_map": {"a": "/etc/m.safetensors"}}',
    "of another drive": '{"weight_map": {"a": "C:m.safetensors"}}',
    "a folder": '{"weight_map": {"a": ".."}}',
    "of nothing": '{"weight_map": {"a": ""}}',
    "two lines": '{"weight_map": {"a": "a\\nb"}}',
    "a zero": '{"weight_map": {"a": "a\\u0000b"}}',
    "long": json.dumps({"weight_map": {"a": "x" * 10_000}}),
    "many": json.dumps({"weight_map": {str(n): f"{n}.safetensors" for n in range(200_000)}}),
    "digits": '{"weight_map": {"a": ' + "9" * 5000 + "}}",
    "twice": '{"weight_map": {}, "weight_map": {"a": "m.safetensors"}}',
}


@pytest.mark.parametrize("name", INDICES)
def test_an_index_that_lies_is_one_sentence(tmp_path, name):
    save_file({"a": torch.ones(2)}, tmp_path / "m.safetensors")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "m.safetensors.index.json").write_text(INDICES[name])
    began = monotonic()
    with pytest.raises(ValueError, match="must be a safetensors index: ") as error:
        open_tensors(tmp_path / "in")
    assert len(str(error.value)) < 300 and "\n" not in str(error.value)
    assert monotonic() - began < 5


def test_an_index_with_a_mark_before_it_is_read(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "m.safetensors")
    index = tmp_path / "m.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "m.safetensors"}}', "utf-8-sig")
    assert open_tensors(tmp_path).shapes == {"a": (2,)}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX")
@pytest.mark.parametrize("name", ["x.safetensors", "x.pt", "x.safetensors.index.json"])
def test_pipes_and_devices_are_no_models(tmp_path, name):
    os.mkfifo(tmp_path / name)
    (tmp_path / f"zero.{name}").symlink_to("/dev/zero")
    for path in (tmp_path / name, tmp_path / f"zero.{name}"):
        with pytest.raises(ValueError, match="must be a plain file, got a pipe"):
            open_tensors(path)
        assert not is_latent_file(path)


SETTINGS = [
    *("null", "[]", "3", '"x"', "true", "{", "NaN", "[" * 100_000, "9" * 5000),
    *('{"a": 1e999}', '{"a": 1, "a": 2}', "\x00", "x" * 100_000),
]


@pytest.mark.parametrize("settings", SETTINGS, ids=range(len(SETTINGS)))
def test_settings_that_are_no_object_are_one_sentence(tmp_path, settings):
    path = tmp_path / "x.safetensors"
    save_file({"latents": torch.ones(1, 4, 3, 2, 3)}, path, {"headforcing": settings})
    with pytest.raises(ValueError, match=r"the settings in x\.safetensors must be") as error:
        read_settings(path)
    assert len(str(error.value)) < 400 and "\n" not in str(error.value)
    assert not is_latent_file(path)
    with pytest.raises(ValueError, match="may replace only latents"):
        check_writable(path)
    assert read_latents(path, SIZE).shape == (1, 4, 3, 2, 3)


def test_a_file_may_say_nothing_of_its_settings(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"latents": torch.ones(1, 4, 3, 2, 3)}, path, {"headforcing": ""})
    assert read_settings(path) is None and not is_latent_file(path) and read_space(path) is None
    save_file({"latents": torch.ones(1)}, path)
    assert read_settings(path) is None and read_space(path) is None


def test_what_is_written_is_read(tmp_path):
    path, settings = tmp_path / "x.safetensors", {"a": [1, 2.5, None], "start_settings": None}
    for _ in range(100):  # a video that goes on from another, again and again
        settings = {**settings, "start_settings": settings}
    latents = torch.randn(1, 4, 3, 2, 3)
    write_latents(path, latents, settings)
    assert is_latent_file(path) and read_settings(path) == settings
    assert read_space(path) == "normalised" and torch.equal(read_latents(path, SIZE), latents)


@pytest.mark.parametrize(
    "tensors",
    [
        {"latents": torch.ones(1, 4, 0, 2, 3)},
        {"latents": torch.ones(4, 3, 2, 3)},
        {"latents": torch.ones(1, 4, 3, 2, 3, dtype=torch.int32)},
        {"latents": torch.full((1, 4, 3, 2, 3), torch.nan)},
        {"latents": torch.full((1, 4, 3, 2, 3), 1e300, dtype=torch.float64)},
        {"Latents": torch.ones(1, 4, 3, 2, 3)},
        {f"{n}" * 200: torch.ones(1) for n in range(9)},
    ],
)
def test_latents_that_are_none_are_one_sentence(tmp_path, tensors):
    save_file(tensors, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="must") as error:
        read_latents(tmp_path / "x.safetensors", SIZE)
    assert len(str(error.value)) < 300
    with pytest.raises(ValueError, match="must") as error:
        read_text_embedding(tmp_path / "x.safetensors", 8, 6)
    assert len(str(error.value)) < 300
