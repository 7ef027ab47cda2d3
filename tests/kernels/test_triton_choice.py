"""Who computes, where there is a choice, and what is said when a machine cannot."""

import logging
import subprocess
import sys
from importlib import import_module
from types import SimpleNamespace

import pytest
import torch
from ragged import DEVICE, EXACT, GPU, needs_triton

from headforcing.kernels import (
    Impl,
    MassImpl,
    ReencodeImpl,
    Span,
    WriteImpl,
    chosen_impl,
    triton_choice,
)
from headforcing.kernels.eight_bits import LARGEST
from headforcing.kernels.head_attention import api, varlen
from headforcing.kernels.triton_choice import chooses_triton, machine_refusal

CUDA = torch.device("cuda", 0)
Q = SimpleNamespace(device=CUDA, dtype=torch.float16, shape=(1, 5, 2, 64))
CALL = (Q, None, None, [Span(0, 4), Span(4, 9)])
OPERATORS = {
    "head_attention": Impl,
    "attention_mass": MassImpl,
    "reencode": ReencodeImpl,
    "write_rotated": WriteImpl,
}


def stub(refused=None, works=True):
    return SimpleNamespace(refusal=lambda *_: refused, works=lambda *_: works)


@pytest.fixture
def installed(monkeypatch):
    """A Triton that need not be there."""
    monkeypatch.setattr(triton_choice, "_installed", lambda: True)
    monkeypatch.setattr(triton_choice, "_imports", lambda _: True)
    monkeypatch.setattr(triton_choice, "triton_file", lambda _: stub())
    return monkeypatch


def test_a_gpu_with_triton_uses_it(installed):
    assert chosen_impl(*CALL) is Impl.TRITON
    assert import_module("headforcing.kernels.attention_mass.api")._chosen((Q,)) is MassImpl.TRITON
    reencode = import_module("headforcing.kernels.reencode.api")
    assert reencode._chosen(Q, Q, None, None, None) is ReencodeImpl.TRITON
    write = import_module("headforcing.kernels.write_rotated.api")
    assert write._chosen(SimpleNamespace(q=Q, codes=None)) is WriteImpl.TRITON


@pytest.mark.parametrize("file", [stub(refused=ValueError("no")), stub(works=False)])
def test_else_it_is_varlen_and_else_sdpa(installed, file):
    installed.setattr(triton_choice, "triton_file", lambda _: file)
    installed.setattr(varlen, "refusal", lambda *_: None)
    assert chosen_impl(*CALL) is Impl.VARLEN
    installed.setattr(varlen, "refusal", lambda *_: ValueError("no"))
    assert chosen_impl(*CALL) is Impl.SDPA


def test_amd_is_only_tried_by_name(installed):
    installed.setattr(torch.version, "hip", "6.4")
    installed.setattr(varlen, "refusal", lambda *_: ValueError("no"))
    assert chosen_impl(*CALL) is Impl.SDPA
    assert machine_refusal(CUDA, "3.7.1", False) is None


def test_what_works_runs_is_a_question_of_device_dtype_and_width(installed):
    asked = []
    file = SimpleNamespace(refusal=lambda *_: None, works=lambda *on: asked.append(on) or True)
    installed.setattr(triton_choice, "triton_file", lambda _: file)
    assert chosen_impl(*CALL) is Impl.TRITON
    assert asked == [(CUDA, torch.float16, 64, None)]


def test_without_triton_it_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(triton_choice, "_installed", lambda: False)
    assert not chooses_triton(api.__package__, (), (CUDA,))
    for operator, impl in OPERATORS.items():
        with pytest.raises(RuntimeError, match="triton is missing, got triton; install it"):
            import_module(f"headforcing.kernels.{operator}.api")._code(impl.TRITON)


@pytest.mark.parametrize(
    ("version", "card", "message"),
    [
        ("3.3.1", (9, 0), "impl must be another one with triton before 3.4, got triton 3.3.1"),
        ("3.4.0", (7, 5), "impl must be another one on Old Card, got triton; it needs sm_80"),
        ("3.4.0", (8, 0), None),
        ("3.10.0+git", (12, 0), None),
    ],
)
def test_old_things_are_told(monkeypatch, version, card, message):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: card)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Old Card")
    error = machine_refusal(CUDA, version, False)
    assert error is None if message is None else message in str(error)


def test_only_the_interpreter_runs_on_a_cpu():
    error = machine_refusal(torch.device("cpu"), "3.7.1", False)
    assert "impl must be another one on cpu, got triton; it needs a GPU" in str(error)
    assert machine_refusal(torch.device("cpu"), "3.7.1", True) is None


@needs_triton
@pytest.mark.parametrize(
    ("operator", "dim"), [*((operator, 48) for operator in OPERATORS), ("reencode", 44)]
)
def test_kernels_work_here(operator, dim):
    file = import_module(f"headforcing.kernels.{operator}.triton_kernel")
    device = torch.device(DEVICE, 0) if GPU else torch.device("cpu")
    assert file.works(device, EXACT, dim)
    for codes in LARGEST if operator != "attention_mass" else ():
        assert file.works(
            device, *((codes, dim) if operator == "reencode" else (EXACT, dim, codes))
        )


def broken(error):
    def forward(*_):
        raise error

    return forward


def wrong(*arguments):
    return torch.full_like(arguments[0], 3.0)


def triton_error():
    import triton

    return triton.TritonError("line one\nno such instruction")


@needs_triton
@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        (lambda: broken(RuntimeError("Failed to find C compiler.")), "Failed to find C compiler."),
        (lambda: broken(subprocess.CalledProcessError(1, ["cc"])), "returned non-zero exit status"),
        (lambda: broken(AssertionError("libcuda.so cannot found!")), "libcuda.so cannot found!"),
        (lambda: broken(triton_error()), "TritonError, no such instruction"),
        (lambda: broken(OSError()), "OSError, without a message"),
        (lambda: wrong, "its result is wrong"),
    ],
)
def test_what_does_not_work_is_told_once(monkeypatch, caplog, forward, reason):
    from headforcing.kernels.head_attention import triton_kernel as file

    file.works.cache_clear()
    monkeypatch.setattr(file, "forward", forward())
    on = (torch.device("cpu"), EXACT, 64)
    with caplog.at_level(logging.DEBUG, "headforcing"):
        assert [file.works(*on) for _ in range(3)] == [False] * 3
    file.works.cache_clear()
    (line,) = caplog.records
    assert line.name == "headforcing" and line.levelno == logging.WARNING
    assert reason in line.getMessage() and "with 64 channels per head on cpu" in line.getMessage()


def test_a_triton_that_cannot_be_imported_is_told_once(monkeypatch, caplog):
    monkeypatch.setattr(triton_choice, "_installed", lambda: True)
    monkeypatch.setattr(triton_choice, "triton_file", broken(OSError("DLL load failed")))
    triton_choice._imports.cache_clear()
    assert [chooses_triton("a.package", (), (CUDA,)) for _ in range(3)] == [False] * 3
    triton_choice._imports.cache_clear()
    (line,) = caplog.records
    assert "a.package" in line.getMessage() and "DLL load failed" in line.getMessage()


def test_kernels_are_imported_without_triton():
    code = "import sys, pack, headforcing.kernels; assert 'triton' not in sys.modules"
    path = ":".join(p for p in sys.path if p)
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": path})
