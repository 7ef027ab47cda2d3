"""The Triton kernel in its interpreter, on a GPU where there is one."""

import pytest
import torch
from closeness import assert_as_good_as
from hypothesis import given, settings
from hypothesis import strategies as st
from ragged import DEVICE, EXACT, GPU, TRITON_DTYPES, coded, make, needs_triton

from headforcing.kernels import Impl, Span, head_attention, span_table
from headforcing.kernels.eight_bits import LARGEST
from headforcing.kernels.head_attention import reference
from headforcing.kernels.head_attention.pools import Pools

pytestmark = needs_triton

SHAPES = [  # B, T, D, length of each head
    (1, 1, 16, [1]),
    (2, 63, 64, [200, 200, 200]),
    (1, 130, 128, [65, 63, 7, 200]),
    (2, 65, 48, [130, 1, 64]),
    (1, 64, 80, [128, 129]),
    (1, 200, 96, [63]),
    (2, 5, 24, [3, 1, 2, 2]),
    (1, 17, 40, [65, 130]),
]
LAYOUTS = {
    "plain": lambda q: q,
    "head after head": lambda q: q.transpose(1, 2).contiguous().transpose(1, 2),
    "part of q, k and v": lambda q: torch.cat([q, q, q], -1)[..., : q.shape[-1]],
    "every other channel": lambda q: torch.stack([q, q], -1).flatten(-2)[..., ::2],
    "one for all tokens": lambda q: q[:, :1].expand(q.shape),
    "odd start": lambda q: torch.cat([q.flatten()[:1], q.flatten()])[1:].view(q.shape),
}


def kernel():
    from headforcing.kernels.head_attention import triton_kernel

    return triton_kernel


def exactly(q, k, v, spans, scale):
    return reference.forward(q.double(), Pools(k.double(), v.double()), spans, scale)


def assert_right(found, q, k, v, spans, scale):
    """Compare with float64; what is allowed is what rounding weights and scores can do."""
    exact = exactly(q, k, v, spans, scale)
    scores = max(
        torch.einsum("btd,bsd->bts", q[:, :, h].double(), k[:, s : s + n].double()).abs().max()
        for h, (s, n) in enumerate(spans)
    )
    allowed = 2 * torch.finfo(q.dtype).eps + 5e-7 * (1 + scale * scores.item())
    error = (found.double() - exact).abs().max().item()
    largest = v.double().nan_to_num().abs().max().item()
    assert found.dtype == q.dtype and torch.isfinite(found).all()
    assert error <= allowed * largest, f"max error {error:.3e}, allowed {allowed * largest:.3e}"


@pytest.mark.parametrize("dtype", TRITON_DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_is_as_good_as_plain_code(shape, dtype):
    q, k, v, spans = make(*shape, dtype=dtype, device=DEVICE)
    scale = shape[2] ** -0.5
    plain = reference.forward(q, Pools(k, v), spans, scale, compute=dtype)
    found = head_attention(q, k, v, spans, impl=Impl.TRITON)
    assert_as_good_as(found, plain, exactly(q, k, v, spans, scale))
    sdpa = head_attention(q, k, v, spans, impl=Impl.SDPA)
    torch.testing.assert_close(found, sdpa, atol=8 * torch.finfo(dtype).eps, rtol=0.01)


@settings(max_examples=100)
@given(
    batch=st.integers(1, 2),
    tokens=st.integers(1, 40),
    dim=st.sampled_from([16, 24, 32, 48, 64, 80, 96, 128]),
    lengths=st.lists(st.integers(1, 70), min_size=1, max_size=4),
    gap=st.integers(0, 2),
    seed=st.integers(0, 999),
    order=st.randoms(use_true_random=False),
    scale=st.floats(0.05, 4.0),
    layout=st.sampled_from(sorted(LAYOUTS)),
    tiles=st.tuples(*[st.sampled_from([16, 32, 64])] * 2, st.sampled_from([1, 2])),
    dtype=st.sampled_from([EXACT, torch.float16]),
    codes=st.sampled_from([None, *LARGEST]),
)
def test_any_shape_with_any_tiles(
    batch, tokens, dim, lengths, gap, seed, order, scale, layout, tiles, dtype, codes
):
    dim = dim if codes is None else -(-dim // 16) * 16
    q, k, v, spans = make(batch, tokens, dim, lengths, dtype, gap, seed, DEVICE)
    order.shuffle(spans)
    config = kernel().Config(*tiles[:2], 4, 2, tiles[2])
    q = LAYOUTS[layout](q)
    pools = Pools(k, v) if codes is None else coded(k, v, codes)
    found = kernel().launch(q, pools, span_table(spans, DEVICE), scale, config)
    k, v = (x.to(dtype) for x in pools.rows(0, k.shape[1]))
    assert_right(found, q, k, v, spans, scale)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=list(LAYOUTS))
def test_queries_are_read_as_they_lie(layout):
    q, k, v, spans = make(2, 19, 32, [20, 33], EXACT, device=DEVICE)
    q = layout(q)
    found = head_attention(q, k, v, spans, impl=Impl.TRITON)
    plain = head_attention(q.contiguous().clone(), k, v, spans, impl=Impl.TRITON)
    assert torch.equal(found, plain)
    assert found.is_contiguous()


@pytest.mark.parametrize("spread", [1.0, 30.0])
def test_scores_that_are_all_negative(spread):
    """A tail that is masked with 0 would outweigh them."""
    q, k, v, spans = make(1, 9, 32, [17, 33, 64], EXACT, device=DEVICE)
    q, k = -spread * q.abs(), k.abs()
    assert_right(head_attention(q, k, v, spans, impl=Impl.TRITON), q, k, v, spans, 32**-0.5)


def test_scores_beyond_what_exp_can_hold():
    q, k, v, spans = make(1, 9, 32, [17, 70], EXACT, device=DEVICE)
    found = head_attention(100 * q, k, v, spans, scale=4.0, impl=Impl.TRITON)
    assert torch.isfinite(found).all()


def test_the_order_of_heads_is_only_about_time():
    q, k, v, spans = make(2, 9, 32, [5, 40, 70, 33], EXACT, device=DEVICE)
    table = span_table(spans, DEVICE)
    found = head_attention(q, k, v, spans, table=table, impl=Impl.TRITON)
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [0, 3, 1, 2]):
        table[2] = torch.tensor(order)
        assert torch.equal(head_attention(q, k, v, spans, table=table, impl=Impl.TRITON), found)
    back = [3, 1, 0, 2]
    moved = head_attention(q[:, :, back], k, v, [spans[h] for h in back], impl=Impl.TRITON)
    assert torch.equal(moved, found[:, :, back])


def test_with_a_table_nothing_is_sent(monkeypatch):
    q, k, v, spans = make(1, 9, 32, [5, 40], EXACT, device=DEVICE)
    table = span_table(spans, DEVICE)
    found = head_attention(q, k, v, spans, impl=Impl.TRITON)

    def sent(*_):
        raise AssertionError("the call made a table")

    monkeypatch.setattr(kernel(), "span_table", sent)
    assert torch.equal(head_attention(q, k, v, spans, table=table, impl=Impl.TRITON), found)


def test_batch_entries_do_not_mix():
    q, k, v, spans = make(3, 7, 16, [33, 4], EXACT, device=DEVICE)
    whole = head_attention(q, k, v, spans, impl=Impl.TRITON)
    for i in range(3):
        one = head_attention(*(x[i : i + 1] for x in (q, k, v)), spans, impl=Impl.TRITON)
        assert torch.equal(one[0], whole[i])


def test_heads_may_share_rows_and_pools_may_be_slices():
    q, k, v, _ = make(2, 7, 16, [40], EXACT, gap=0, device=DEVICE)
    q = q.expand(-1, -1, 3, -1)
    spans = [Span(0, 40), Span(10, 30), Span(39, 1)]
    wide = [torch.cat([torch.full_like(x, torch.nan), x], 1)[:, x.shape[1] :] for x in (k, v)]
    for pools in (wide, (wide[0], v), (k, wide[1])):
        found = head_attention(q, *pools, spans, impl=Impl.TRITON)
        assert_right(found, q, k, v, spans, 0.25)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda q, k, v: (q[..., :12], k[..., :12], v[..., :12]), "for 12 channels per head"),
        (lambda q, k, v: (q.double(), k.double(), v.double()), "for torch.float64"),
        (lambda q, k, v: tuple(torch.cat([x] * 9, -1) for x in (q, k, v)), "for 144 channels"),
        (lambda q, k, v: (q, LAYOUTS["odd start"](k), v), "pools that do not start at a multiple"),
    ],
)
def test_what_it_cannot_do_is_refused_by_name_and_done_by_choice(change, message):
    q, k, v, spans = make(1, 5, 16, [4, 9], EXACT, device=DEVICE)
    q, k, v = (x.contiguous() if x.shape[-1] < 16 else x for x in change(q, k, v))
    with pytest.raises(ValueError, match=f"impl must be another one for .*{message}|{message}"):
        head_attention(q, k, v, spans, impl=Impl.TRITON)
    plain = exactly(q, k, v, spans, q.shape[-1] ** -0.5)
    torch.testing.assert_close(head_attention(q, k, v, spans).double(), plain, atol=2e-3, rtol=2e-3)


def test_a_scale_that_turns_scores_around_is_refused():
    q, k, v, spans = make(1, 5, 16, [4, 9], EXACT, device=DEVICE)
    with pytest.raises(ValueError, match=r"impl must be another one for scale=-1.0, got triton"):
        head_attention(q, k, v, spans, scale=-1.0, impl=Impl.TRITON)


@pytest.mark.skipif(DEVICE == "cuda", reason="a GPU takes bfloat16")
def test_the_interpreter_does_not_pretend_to_know_bfloat16():
    q, k, v, spans = make(1, 5, 16, [4, 9], torch.bfloat16)
    with pytest.raises(ValueError, match=r"impl must be another one for torch.bfloat16"):
        head_attention(q, k, v, spans, impl=Impl.TRITON)


@pytest.mark.skipif(not GPU, reason="needs a GPU")
def test_at_the_size_of_a_model_it_is_right_and_always_the_same():
    lengths = [6 * 1560] * 8 + [21 * 1560] * 3 + [21 * 1560 - 7]
    q, k, v, spans = make(1, 3 * 1560, 128, lengths, torch.bfloat16, device=DEVICE)
    found = [head_attention(q, k, v, spans, impl=Impl.TRITON) for _ in range(3)]
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])
    exact = exactly(q[:, ::97], k, v, spans, 128**-0.5)
    plain = reference.forward(q[:, ::97], Pools(k, v), spans, 128**-0.5, compute=torch.bfloat16)
    assert_as_good_as(found[0][:, ::97], plain, exact)


@pytest.mark.skipif(not GPU, reason="needs a GPU")
def test_pools_of_more_numbers_than_an_integer_counts():
    rows = (1 << 31) // 128 + 300
    if torch.cuda.mem_get_info()[0] < 6 * rows * 128:
        pytest.skip("needs a GPU with 14 GB of free memory")
    q, k, v, _ = make(1, 65, 128, [130], torch.float16, gap=0, device=DEVICE)
    pools = [torch.zeros(1, rows, 128, dtype=torch.float16, device=DEVICE) for _ in range(2)]
    for pool, own in zip(pools, (k, v), strict=True):
        pool[:, -130:] = own
    found = head_attention(q, *pools, [Span(rows - 130, 130)], impl=Impl.TRITON)
    assert torch.equal(found, head_attention(q, k, v, [Span(0, 130)], impl=Impl.TRITON))


def test_every_card_has_tiles():
    config_for = kernel().config_for
    for capability in [None, (8, 0), (8, 7), (9, 0), (10, 3), (11, 0), (12, 1), (13, 0)]:
        for dim in (16, 64, 128):
            for programs in (1, 263, 264, 10_000):
                for codes in (False, True):
                    config = config_for(capability, dim, programs, codes)
                    assert all(n & (n - 1) == 0 for n in config[:3]) and config.stages >= 1
