"""``torchrun -m headforcing generate``, as it is run: several processes, one video."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from random_model import TINY, write_random_checkpoint
from safetensors import safe_open
from safetensors.torch import save_file

from headforcing.headforcing_core.cli import company, following, main
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.methods import HeadMap, settings_named
from headforcing.headforcing_core.models import family_named, load_checkpoint
from headforcing.headforcing_core.ranks import End, Launched, LostRank

WHAT = (
    *("generate", "--model", "self_forcing.safetensors", "--text-embedding", "text.safetensors"),
    *("--width", 40, "--height", 32, "--text-tokens", 16, "--seed", 3),
)
pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="gloo and signals as POSIX has them"
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write_random_checkpoint(tmp_path / "self_forcing.safetensors")
    text = torch.randn(5, TINY.text_dim, generator=torch.Generator().manual_seed(0))
    save_file({"text": text}, tmp_path / "text.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def started(ranks, *arguments, program=("-m", "headforcing")):
    line = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", ranks]
    return subprocess.Popen(
        [sys.executable, *map(str, (*line, *program, *arguments))],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def ended(process):
    """Return the exit code, and what we say: not what torchrun says of it."""
    try:
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, said


def read(path):
    with safe_open(path, "pt") as file:
        return file.get_tensor("latents"), json.loads(file.metadata()["headforcing"])


def sentences(said):
    return [line for line in said.splitlines() if line.startswith("headforcing generate: ")]


def test_the_video_is_that_of_one_process_and_goes_on_with_other_ranks(folder):
    """Stopped on two ranks, it goes on on three, and is what one makes."""
    process = started(2, *WHAT, "--seconds", 40, "--out", "out.safetensors")
    parts = folder / "out.safetensors.unfinished"
    until = time.monotonic() + 50
    while len(list(parts.glob("*/latent_*"))) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = ended(process)
    assert "headforcing_core" not in said  # of a traceback; torchrun has one of its own
    assert not sentences(said) and said.count("latent frames to ") == 1, said
    kept = sorted(parts.glob("*/latent_*"))
    assert len(kept) >= 3
    begun, settings = read(folder / "out.safetensors")
    assert not settings["complete"] and begun.shape[2] == 3 * len(kept)
    for part in kept[4:]:
        part.unlink()
    code, said = ended(started(3, *WHAT, "--seconds", 4, "--out", "out.safetensors"))
    assert code == 0, said
    assert said.count("going on after") == said.count("wrote 18 of 18 latent") == 1
    assert main([str(a) for a in (*WHAT, "--seconds", 4, "--out", "alone.safetensors")]) == 0
    (made, settings), (alone, _) = (
        read(folder / "out.safetensors"),
        read(folder / "alone.safetensors"),
    )
    assert settings["complete"]
    torch.testing.assert_close(made, alone, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(begun[:, :, :9], alone[:, :, :9], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("rank", [1, pytest.param(0, marks=pytest.mark.long)])
def test_a_rank_that_is_killed_ends_all_in_a_sentence(folder, rank):
    process = started(2, *WHAT, "--seconds", 400, "--out", "out.safetensors")
    parts, until = folder / "out.safetensors.unfinished", time.monotonic() + 50
    while len(list(parts.glob("*/latent_*"))) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(child(process.pid, rank), signal.SIGKILL)
    code, said = ended(process)
    assert code != 0
    (sentence,) = sentences(said)
    assert f"nothing is heard of rank {rank} any more; what is finished is kept" in sentence
    assert len(list(parts.glob("*/latent_*"))) >= 3
    if rank:  # of the leading one no file is left but the chunks
        latents, settings = read(folder / "out.safetensors")
        assert not settings["complete"] and latents.shape[2] >= 9


# the program, one of whose ranks has no luck
UNLUCKY = """
import sys
from torch.distributed import get_node_local_rank
from headforcing.__main__ import main
from headforcing.headforcing_core.models import WanModel
real, calls = WanModel.predict_clean, []

def predict_clean(self, *arguments):
    calls.append(1)
    if len(calls) == 23 and get_node_local_rank() == 1:
        raise ValueError("luck must hold, got none")
    return real(self, *arguments)

WanModel.predict_clean = predict_clean
sys.exit(main())
"""


def test_a_rank_that_fails_is_told_by_the_first_one(folder):
    """What it had no luck with is what is said; chunks before are kept."""
    (folder / "unlucky.py").write_text(UNLUCKY)
    out = ("--seconds", 40, "--out", "out.safetensors")
    code, said = ended(started(2, *WHAT, *out, program=("unlucky.py",)))
    assert code != 0
    assert sentences(said) == ["headforcing generate: rank 1: luck must hold, got none"]
    latents, settings = read(folder / "out.safetensors")
    assert latents.shape[2] == 12 and not settings["complete"]


def child(agent, rank):
    """Return the process of a rank, of those that an agent has started."""
    import psutil

    (found,) = (p for p in psutil.Process(agent).children() if p.environ()["RANK"] == str(rank))
    return found.pid


def test_too_many_ranks_are_refused_once_and_before_a_model_is_loaded(folder):
    small = ("--width", 16, "--height", 16)
    code, said = ended(started(2, *WHAT, *small, "--out", "out.safetensors"))
    assert code != 0 and "loading" not in said
    (sentence,) = sentences(said)
    assert sentence.endswith("at most the tokens of a frame, which are 1, got 2; start fewer")


def test_the_name_of_what_ranks_read_tells_weights_and_maps_apart(folder):
    model = load_checkpoint(folder / "self_forcing.safetensors").model
    request = VideoRequest(family_named("self_forcing"), 9, 4, 5, 0)
    name = following._name(request, model)
    assert name == following._name(
        request, load_checkpoint(folder / "self_forcing.safetensors").model
    )
    method = settings_named("forcing_kv").build()
    maps = [HeadMap(method.scheme, ((kind,) * 4,) * 4) for kind in method.rules]
    names = {following._name(replace(request, method=method, head_map=m), model) for m in maps}
    with torch.no_grad():
        model.blocks[0].self_attn.q.weight.neg_()
    assert len({name, *names, following._name(request, model)}) == 2 + len(maps)


def test_other_commands_are_for_one_process(monkeypatch, capsys):
    monkeypatch.setattr(company, "launched", lambda: Launched(Store(), 0, 2))
    assert main(["plan"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("headforcing plan: torchrun must start headforcing generate, got plan")


class Store(dict):
    """What ranks meet in, and no other process."""

    def check(self, keys):
        return all(key in self for key in keys)

    def get(self, key):
        return self[key]

    def set(self, key, value):
        self[key] = value.encode()


@pytest.mark.parametrize(
    ("own", "others", "said"),
    [
        (LostRank("lost"), [(End.FAILED, "a file is gone")], "rank 1: a file is gone"),
        (KeyboardInterrupt(), [(End.LOST, ""), (End.FAILED, "no")], "rank 2: no"),
        (ValueError("own"), [(End.FAILED, "own, too")], "own"),
        (LostRank("lost"), [], "nothing is heard of rank 1"),
        (KeyboardInterrupt(), [(End.STOPPED, "")], None),
        (LostRank("lost"), [(End.LOST, ""), (End.STOPPED, "")], None),
        (KeyboardInterrupt(), [(End.DONE, "")], None),
    ],
)
def test_what_ended_the_first_of_all_is_what_is_said(monkeypatch, own, others, said):
    monkeypatch.setattr(sys.modules[Launched.__module__], "SAID_WITHIN", 0)
    store, size = Store(), max(2, len(others) + 1)
    for rank, word in enumerate(others, 1):
        Launched(store, rank, size).ends(*word)
    first = Launched(store, 0, size)
    cause = company._first_cause(first, own)
    assert first.heard()
    assert said in str(cause) if said else isinstance(cause, KeyboardInterrupt)
    assert company._first_cause(first, own) is own  # it has been said
