import pytest
import torch
from closeness import assert_as_good_as
from hypothesis import given, settings
from hypothesis import strategies as st
from ragged import make

from headforcing.kernels import Impl, Span, chosen_impl, head_attention, span_table
from headforcing.kernels.head_attention import reference
from headforcing.kernels.head_attention.pools import Pools
from headforcing.kernels.head_attention.sdpa import _runs

SHAPES = [  # B, T, D, length of each head: one token, odd sizes, mixed, a lone head at the end
    (1, 1, 16, [1]),
    (2, 63, 64, [200, 200, 200]),
    (1, 130, 128, [65, 65, 7, 200, 200]),
    (2, 5, 24, [3, 1, 2, 2]),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_matches_reference(shape, dtype):
    q, k, v, spans = make(*shape, dtype=dtype)
    scale = shape[2] ** -0.5
    exact = reference.forward(q.double(), Pools(k.double(), v.double()), spans, scale)
    plain = reference.forward(q, Pools(k, v), spans, scale, compute=dtype)
    assert_as_good_as(head_attention(q, k, v, spans, impl=Impl.SDPA), plain, exact)


@settings(max_examples=60)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=7),
    order=st.randoms(use_true_random=False),
    scale=st.floats(0.05, 2.0),
)
def test_heads_in_any_order_anywhere_in_the_pool(lengths, order, scale):
    q, k, v, spans = make(2, 3, 16, lengths)
    order.shuffle(spans)
    exact = reference.forward(q.double(), Pools(k.double(), v.double()), spans, scale)
    torch.testing.assert_close(
        head_attention(q, k, v, spans, scale=scale).double(), exact, atol=1e-5, rtol=1e-5
    )


def test_equal_heads_are_one_call():
    def runs(*spans):
        return [(run.heads, run.step) for run in _runs(spans)]

    even = [(0, 4), (10, 4), (20, 4), (30, 2), (40, 2)]
    assert runs(*even) == [([0, 1, 2], 10), ([3, 4], 10)]
    assert runs((0, 4), (4, 4), (20, 4)) == [([0, 1], 4), ([2], 4)]  # uneven starts
    # heads of a type need not be neighbours, their rows are
    assert runs((0, 4), (8, 2), (4, 4), (10, 2)) == [([0, 2], 4), ([1, 3], 2)]
    assert runs((8, 4), (0, 4)) == [([1, 0], 8)]


def test_pools_that_are_slices_are_read_where_they_lie():
    q, k, v, spans = make(2, 3, 16, [4, 4])
    wide = [torch.cat([torch.full_like(x, torch.nan), x], 1)[:, x.shape[1] :] for x in (k, v)]
    assert torch.equal(head_attention(q, *wide, spans), head_attention(q, k, v, spans))


def test_batch_entries_do_not_mix():
    q, k, v, spans = make(3, 7, 16, [9, 4])
    whole = head_attention(q, k, v, spans)
    for i in range(3):
        one = head_attention(q[i : i + 1], k[i : i + 1], v[i : i + 1], spans)
        torch.testing.assert_close(one[0], whole[i])


def test_no_heads_and_no_queries_are_nothing_to_do():
    q, k, v, spans = make(2, 3, 16, [4, 4])
    for impl in (None, Impl.REFERENCE):
        none = head_attention(q[:, :, :0], k, v, [], table=span_table([], "cpu"), impl=impl)
        assert none.shape == (2, 3, 0, 16)
        assert head_attention(q[:, :0], k, v, spans, impl=impl).shape == (2, 0, 2, 16)


def test_a_table_has_the_longest_heads_first():
    table = span_table([Span(3, 5), Span(10, 9), Span(30, 1), Span(40, 9)], "cpu")
    assert table.tolist() == [[3, 10, 30, 40], [5, 9, 1, 9], [1, 3, 0, 2]]
    assert table.dtype == torch.int32


def test_the_cpu_is_pytorchs():
    q, k, v, spans = make(1, 2, 16, [3, 3])
    assert chosen_impl(q, k, v, spans) is Impl.SDPA
    with pytest.raises(RuntimeError, match="impl must be another one on cpu, got varlen"):
        head_attention(q, k, v, spans, impl=Impl.VARLEN)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda q, k, v, s: (q, k, v[:, :1], s), r"v_pool must have shape \(1, 12, 16\)"),
        (lambda q, k, v, s: (q, k, v.half(), s), "v_pool must be torch.float32"),
        (lambda q, k, v, s: (q, k.transpose(1, 2).contiguous().transpose(1, 2), v, s), "rows"),
        (lambda q, k, v, s: (q, k, v, s[:1]), "spans must name 2 heads, got 1"),
        (lambda q, k, v, s: (q, k, v, [Span(0, 3), Span(10, 3)]), "within 12 rows"),
        (lambda q, k, v, s: (q, k, v, [Span(0, 3), Span(4, 0)]), "within 12 rows"),
    ],
)
def test_bad_input_names_the_argument(change, message):
    with pytest.raises(ValueError, match=message):
        head_attention(*change(*make(1, 2, 16, [3, 3])))


@pytest.mark.parametrize(
    "change",
    [lambda t: t[:, :1], lambda t: t.long(), lambda t: t.T.contiguous().T],
    ids=["narrow", "long", "strided"],
)
def test_a_table_of_something_else_is_refused(change):
    q, k, v, spans = make(1, 2, 16, [3, 3])
    with pytest.raises(ValueError, match=r"table must be int32 \[3, 2\] on cpu, contiguous, got"):
        head_attention(q, k, v, spans, table=change(span_table(spans, "cpu")))
