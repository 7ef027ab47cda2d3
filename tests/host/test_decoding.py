"""Decoding in a ComfyUI: equal to its own, chunk by chunk, and when memory runs out."""

import pytest
from comfy_host import needs_host
from host_script import found_by

pytestmark = needs_host


@pytest.mark.whole
def test_every_autoencoder_streams_as_the_host_decodes():
    found = found_by("check_decoders.py")
    refused, unknown = found.pop("refused"), found.pop("unknown")
    for name, one in found.items():
        assert one["shapes"] and one["alike"] and one["from the middle"], name
        assert one["off"] < 2e-6 < 0.01 < one["spread"], name
        assert one["tiled"] < 0.1, name
    assert unknown["overlapped"] and unknown["shapes"] and unknown["mean off"] < 0.05
    none, channels, pictures, large = refused
    assert "vae must be what Load VAE gives, got str" in none
    assert "vae must decode latents of 48 channels, got one of 16" in channels
    assert "must be one of videos" in pictures and "it enlarges" in large


def test_when_memory_runs_out_nothing_is_lost():
    check(found_by("check_memory_runs_out.py"), 2)


@pytest.mark.long
def test_when_memory_runs_out_anywhere_nothing_is_lost():
    check(found_by("check_memory_runs_out.py", "40"), 40)


def check(found, count):
    assert len(found["said"]) == count
    for kind, said, context in found["said"]:
        assert kind == "RuntimeError" and not context
        assert "must have room" in said and "what is finished is kept" in said
    assert found["caches"] == [0] * count
    assert all(found["kept"]) and all(found["played"]) and all(found["whole"])
