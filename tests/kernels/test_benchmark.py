"""The benchmark works where it cannot measure, and says so."""

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import which

import contestants
import pytest
import torch
from ragged import DEVICE, EXACT, GPU, make

from headforcing.kernels.head_attention import reference
from headforcing.kernels.head_attention.pools import Pools

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "attention.py"
CODED = {", int8": 0.03, ", fp8": 0.1}
ALONE = ("grouped SDPA", "dense SDPA, whole window")


def run(*options, **settings):
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    return subprocess.run(
        [sys.executable, SCRIPT, *options],
        env={**environment, "OMP_NUM_THREADS": "1", **settings},
        capture_output=True,
        text=True,
    )


def limit(contestant):
    """Return how far a result may be off: what is in eight bits by a step of its codes."""
    return next((most for name, most in CODED.items() if contestant.endswith(name)), 1e-5)


@pytest.mark.skipif(GPU, reason="with a GPU it would measure")
def test_without_a_gpu_it_says_so_in_a_sentence(tmp_path):
    done = run("--json", str(tmp_path / "none.json"))
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1
    assert "torch must see a GPU to time attention, it sees none; --small" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_small_run_is_right_everywhere(tmp_path):
    file = tmp_path / "small.json"
    done = run("--small", "--json", str(file))
    assert done.returncode == 0, done.stderr
    found = json.loads(file.read_text())
    assert found["command"] == ["python", "benchmarks/attention.py", "--small"]
    assert {"system", "torch", "threads"} <= set(found["machine"])
    rows = {(row["what"], row["contestant"]): row for row in found["rows"]}
    for what, ratio in {"dense 21": 1, "6 / 6 / 21": 252 / 132, "9 / 4 / 15": 252 / 112}.items():
        dense, grouped = rows[what, ALONE[1]], rows[what, ALONE[0]]
        assert dense["faster"] == dense["fewer_keys"] == 1
        assert grouped["fewer_keys"] == pytest.approx(ratio)
        assert grouped["faster"] == pytest.approx(dense["ms"] / grouped["ms"])
    assert rows["Pyramid's map", "grouped SDPA"]["fewer_keys"] > 1.5
    for row in found["rows"]:
        assert bool(row["missing"]) != bool(row["ms"])  # measured, or a reason why not
        assert row["error"] is None or row["error"] < limit(row["contestant"])
        # numbers of a GPU come from a GPU
        assert row["ms"] is None or not row["contestant"].startswith("triton")


@pytest.mark.skipif(not (GPU or which("g++")), reason="needs a GPU or g++: it is compiled")
def test_flex_attention_is_asked_the_same(monkeypatch):
    monkeypatch.undo()  # poisoned memory is not for compilers
    q, k, v, spans = make(1, 48, 16, [32, 64, 48, 48], EXACT, gap=0, device=DEVICE)
    found = contestants.flex(q, k, v, spans)()
    exact = reference.forward(q.double(), Pools(k.double(), v.double()), spans, 16**-0.5)
    torch.testing.assert_close(found.double(), exact, atol=2e-3, rtol=0)


@pytest.mark.skipif(GPU, reason="there is no need to interpret")
def test_the_interpreter_is_not_timed(tmp_path):
    pytest.importorskip("triton", reason="needs the package triton: pip install triton")
    file = tmp_path / "small.json"
    assert run("--small", "--json", str(file), TRITON_INTERPRET="1").returncode == 0
    own = [r for r in json.loads(file.read_text())["rows"] if r["contestant"].startswith("triton")]
    assert own and all(row["ms"] is None and not row["missing"] for row in own)
    found = [(row["error"], row["contestant"]) for row in own if row["error"] is not None]
    assert all(error < limit(contestant) for error, contestant in found)
    assert {"triton", "triton, int8", "triton, fp8"} <= {contestant for _, contestant in found}
