"""What is handed to PyTorch's varlen_attn, against a stand-in that does what it documents."""

from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ragged import DEVICE, GPU, coded, make

from headforcing.kernels import Impl, Span, head_attention, span_table
from headforcing.kernels.head_attention import reference, varlen
from headforcing.kernels.head_attention.pools import Pools

documented = pytest.importorskip(
    "torch.nn.attention.varlen", reason="needs a torch that has varlen_attn (2.10)"
)


def stand_in(q, k, v, cu_seq_q, cu_seq_k, max_q, max_k, *, scale, seqused_k):
    """Sequence i: queries cu_seq_q[i]:cu_seq_q[i + 1], the first seqused_k[i] keys from
    cu_seq_k[i]."""
    starts, used, at = cu_seq_k.tolist(), seqused_k.tolist(), cu_seq_q.tolist()
    assert all(x.dtype == torch.int32 for x in (cu_seq_q, cu_seq_k, seqused_k))
    assert starts[0] >= 0 and starts[-1] == len(k) == len(v) and max_k == max(used)
    assert at[0] == 0 and at[-1] == len(q) and max_q == max(b - a for a, b in pairwise(at))
    out = torch.empty_like(q)
    for i, n in enumerate(used):
        assert starts[i] + n <= starts[i + 1]
        own = slice(at[i], at[i + 1])
        out[own] = reference.forward(
            q[None, own], Pools(*(x[None, starts[i] :, 0] for x in (k, v))), [Span(0, n)], scale
        )[0]
    return out


@settings(max_examples=60)
@given(
    batch=st.integers(1, 3),
    tokens=st.integers(1, 5),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    gap=st.integers(0, 2),
    order=st.randoms(use_true_random=False),
    given_table=st.booleans(),
)
def test_heads_are_sequences(batch, tokens, lengths, gap, order, given_table):
    q, k, v, spans = make(batch, tokens, 16, lengths, gap=gap)
    order.shuffle(spans)
    table = span_table(spans, "cpu") if given_table else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documented, "varlen_attn", stand_in)
        found = varlen.forward(q, Pools(k, v), spans, 0.3, table)
    exact = reference.forward(q.double(), Pools(k.double(), v.double()), spans, 0.3)
    torch.testing.assert_close(found.double(), exact, atol=1e-5, rtol=1e-5)


@pytest.mark.skipif(not GPU, reason="needs a GPU")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_the_real_one(dtype):
    if not varlen._takes_parts():
        pytest.skip(
            f"needs a varlen_attn that takes seqused_k; that of torch {torch.__version__} does not"
        )
    q, k, v, spans = make(2, 130, 64, [65, 7, 200], dtype, device=DEVICE)
    exact = reference.forward(q.double(), Pools(k.double(), v.double()), spans, 0.125)
    found = head_attention(q, k, v, spans, impl=Impl.VARLEN)
    torch.testing.assert_close(found.double(), exact, atol=2e-2, rtol=2e-2)


CUDA = SimpleNamespace(device=torch.device("cuda", 0), dtype=torch.float16, shape=(1, 5, 2, 64))
POOL = torch.zeros(1, 20, 64, dtype=torch.float16)
APART = [Span(0, 5), Span(5, 9)]


@pytest.fixture
def capable(monkeypatch):
    monkeypatch.setattr(torch.backends.cuda, "is_flash_attention_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 0))
    monkeypatch.setattr(varlen, "_takes_parts", lambda: True)
    return monkeypatch


def test_a_capable_machine_does_it(capable):
    assert varlen.refusal(CUDA, Pools(POOL, POOL), APART, 0.125) is None


def changed(**what):
    return SimpleNamespace(**{**vars(CUDA), **what})


@pytest.mark.parametrize(
    ("q", "pool", "spans", "message"),
    [
        (changed(device=torch.device("cpu")), POOL, APART, "on cpu, got varlen"),
        (changed(dtype=torch.float32), POOL, APART, "for torch.float32, got varlen"),
        (changed(shape=(1, 5, 2, 36)), POOL, APART, "for 36 channels per head"),
        (CUDA, POOL, [Span(0, 6), Span(5, 9)], "heads that share rows"),
        (CUDA, torch.zeros(2, 40, 64)[:, :20], APART, "gaps between batch entries"),
    ],
)
def test_what_it_cannot_do_is_told(capable, q, pool, spans, message):
    assert message in str(varlen.refusal(q, Pools(pool, pool), spans, 0.125))


def test_machines_without_it_are_told(capable):
    capable.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    assert "needs sm_80" in str(varlen.refusal(CUDA, Pools(POOL, POOL), APART, 0.125))
    capable.setattr(varlen, "_takes_parts", lambda: False)
    assert "must take scale and seqused_k" in str(
        varlen.refusal(CUDA, Pools(POOL, POOL), APART, 0.125)
    )


def test_codes_are_left_to_others(capable):
    pools = coded(POOL, POOL, torch.int8)
    assert "for pools of torch.int8, got varlen" in str(varlen.refusal(CUDA, pools, APART, 0.125))
