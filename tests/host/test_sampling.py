"""The rollout inside ComfyUI's sampling chain; see check_sampling.py for what is done there."""

import json
import subprocess

import pytest
from comfy_host import HOST, ROOT, host_python, needs_host

pytestmark = needs_host


@pytest.fixture(scope="module")
def found():
    script = ROOT / "tests" / "host" / "check_sampling.py"
    done = subprocess.run(
        [host_python(), script, HOST], cwd=HOST, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("FOUND "))
    return json.loads(line.removeprefix("FOUND "))


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


def test_a_lora_is_what_merging_it_gives(found):
    assert found["error lora"] < 1e-4 < 0.1 < found["lora matters"]
    assert found["error without it again"] < 1e-4
    assert found["name with lora"] and found["name without"]


def test_fp8_weights_are_what_their_rounded_values_give(found):
    assert found["fp8 weights"] > 50
    assert found["error fp8"] < 1e-4


def test_what_skips_forwards_is_refused(found):
    assert "got easycache on it" in found["refused easycache"]
    assert "wrapper around the model's forward" in found["refused wrapped"]
