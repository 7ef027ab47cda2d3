"""Every kernel for every card, without one: compiled, and looked at."""

from collections import defaultdict

import offline
import pytest

pytest.importorskip("triton", reason="needs the package triton: pip install triton")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    return list(offline.reports(tmp_path_factory.mktemp("triton")))


def test_everything_was_compiled(compiled):
    assert len(compiled) == len(offline.jobs())


@pytest.mark.parametrize("card", offline.CARDS, ids=str)
def test_kernels_fit_a_card(card, compiled, record_property):
    own = [report for report in compiled if report.card == card]
    if not own and isinstance(card, str):
        pytest.skip("needs Triton 3.6, which brings AMD's linker")
    record_property("compiled", offline.table(own))
    assert own and {r.name: r.complaints for r in own if r.complaints} == {}


def test_the_gate_holds_back_what_it_must(tmp_path):
    said = defaultdict(str)
    for report in offline.reports(tmp_path, planted=True):
        said[report.card] = "; ".join(report.complaints)
    assert "spills" in said[80]
    assert "bytes of shared memory" in said[89]
    assert "tensor cores wait for the rest" in said[90]


def test_a_kernel_without_tensor_cores_is_told():
    report = offline.Report("head_attention", 90, "bf16", 128, registers=1)
    assert report.complaints == ["has no HGMMA"]
    assert offline.Report("reencode", 90, "bf16", 44).complaints == []
    assert offline.Report("reencode", 90, "bf16", 44, error="no").complaints
