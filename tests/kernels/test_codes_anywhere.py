"""Codes and their scales wherever they lie: slices, what is not finite, little of it at a time."""

import pytest
import torch
from live_bytes import LiveBytes
from ragged import DEVICE, EXACT, GPU, coded, make, needs_triton

from headforcing.kernels import Impl, ReencodeImpl, WriteImpl, eight_bits, head_attention, reencode
from headforcing.kernels.eight_bits import LARGEST
from headforcing.kernels.head_attention import sdpa
from headforcing.kernels.write_rotated import write_rotated

INT8, FP8 = torch.int8, torch.float8_e4m3fn
EVERY = [Impl.REFERENCE, Impl.SDPA, pytest.param(Impl.TRITON, marks=needs_triton)]


def attend(q, pools, spans, **how):
    scales = (pools.k_scales, pools.v_scales)
    return head_attention(q, pools.k, pools.v, spans, scales=scales, **how)


def part(x, before, behind):
    """Return the same numbers as a part of rows that nobody wrote."""
    junk = [torch.full_like(x[:, :1], 3).expand(-1, n, -1) for n in (before, behind)]
    return torch.cat([junk[0], x, junk[1]], 1)[:, before : before + x.shape[1]]


@pytest.mark.parametrize("impl", EVERY)
@pytest.mark.parametrize("behind", [(1, 2, 4, 4), (1, 2, 3, 4)], ids=["alike", "unlike"])
def test_all_four_may_be_slices(impl, behind):
    """Read right, or refused by name: never the scales of another video."""
    q, k, v, spans = make(3, 9, 64, [20, 33, 20], EXACT, device=DEVICE)
    pools = coded(k, v, INT8)
    sliced = pools._make(part(x, 2, n) for x, n in zip(pools, behind, strict=True))
    if impl is Impl.TRITON and behind[2] != behind[3]:
        with pytest.raises(ValueError, match="for scales that lie unlike, got triton"):
            attend(q, sliced, spans, impl=impl)
    else:
        assert torch.equal(attend(q, sliced, spans, impl=impl), attend(q, pools, spans, impl=impl))


@pytest.mark.parametrize("impl", EVERY)
@pytest.mark.parametrize("codes", LARGEST)
@pytest.mark.parametrize("bad", [float("nan"), torch.inf])
def test_what_is_not_finite_is_seen_by_its_head_alone(impl, codes, bad):
    q, k, v, spans = make(2, 9, 64, [20, 33, 20], EXACT, device=DEVICE)
    k[0, spans[0].start + 19, 40] = bad
    v[0, spans[1].start, 40] = bad
    found = attend(q, coded(k, v, codes), spans, impl=impl)
    assert not found[0, :, 0].isfinite().any()
    assert not found[0, :, 1, 40].isfinite().any() and found[0, :, 1, :32].isfinite().all()
    assert found[0, :, 2].isfinite().all() and found[1].isfinite().all()


@pytest.mark.parametrize("impl", EVERY)
@pytest.mark.parametrize("codes", LARGEST)
def test_few_large_channels_cost_their_own_block(impl, codes, monkeypatch):
    """As in a model's keys: one block of four is coarse; with one scale per row all would be."""
    q, k, v, spans = make(1, 20, 128, [200], EXACT, device=DEVICE)
    k[..., [3, 6]] *= 40
    q[..., [3, 6]] /= 40
    own = slice(spans[0].start, spans[0].start + spans[0].length)
    weights = (q[:, :, 0].double() @ k[:, own].double().mT * 128**-0.5).softmax(-1)
    right = weights @ v[:, own].double()

    def error(impl):
        off = attend(q, coded(k, v, codes), spans, impl=impl)[:, :, 0].double() - right
        return (off.norm() / right.norm()).item()

    fine = error(impl)
    monkeypatch.setattr(eight_bits, "BLOCK", 128)
    # a quarter of the squares; short floats are as fine beside large ones
    assert error(Impl.REFERENCE) > {INT8: 1.8, FP8: 0.9}[codes] * fine
    assert 0 < fine < {INT8: 0.06, FP8: 0.08}[codes]


def plain(q, k, v):
    """The attention of somebody else."""
    return ((q @ k.mT).softmax(-1) @ v).transpose(1, 2)


@pytest.mark.parametrize("dense", [None, plain])
@pytest.mark.parametrize("heads", [1, 3])
def test_a_whole_cache_is_never_there(dense, heads, monkeypatch):
    """All that is made is counted, whatever makes it."""
    q, k, v, spans = make(1, 2, 64, [500] * 12, gap=0)
    pools, one = coded(k, v, INT8), sdpa._decoded_bytes(1, 500, 64, 4)
    monkeypatch.setattr(sdpa, "AT_ONCE", heads * one)
    with LiveBytes() as live:
        attend(q, pools, spans, dense=dense)
    scores = heads * 2 * 500 * 4
    assert 0.5 * heads * one < live.peak < heads * one + 3 * scores + 4 * q.nbytes
    assert live.peak < k.nbytes + v.nbytes


def written(change, impl=None):
    """Write one frame of two heads, its pools and scales changed first; return all of it."""
    q, k, v = torch.randn(3, 2, 5, 2, 64, generator=torch.Generator().manual_seed(0))
    pools = [torch.zeros(2, 20, 64).to(INT8) for _ in "kv"]
    scales = [torch.zeros(2, 20, 2, dtype=torch.bfloat16) for _ in "kv"]
    change(pools, scales)
    turn, rows = torch.ones(5, 32).cfloat(), torch.tensor([[0, 9]], dtype=torch.int32)
    out = write_rotated(q, k, v, turn, *pools, rows, scales=tuple(scales), impl=impl)
    return [out, *pools, *scales]


@pytest.mark.parametrize(
    ("at", "change", "message"),
    [
        ((0, 0), lambda x: x.float(), "k_pool must be torch.int8 or torch.float8_e4m3fn"),
        ((0, 1), lambda x: x.to(FP8), "v_pool must be torch.int8 like k_pool"),
        ((1, 0), lambda x: x[:, :19], r"scales of k_pool must be torch.bfloat16 \[2, 20, 2\]"),
        ((1, 1), lambda x: x[..., :1], r"scales of v_pool must be torch.bfloat16 \[2, 20, 2\]"),
        ((1, 1), lambda x: x.float(), "scales of v_pool must be torch.bfloat16"),
        ((1, 0), lambda x: x.to("meta"), "scales of k_pool must be torch.bfloat16"),
        ((1, 1), lambda x: x.mT.contiguous().mT, "scales of v_pool must have contiguous rows"),
    ],
)
def test_what_cannot_be_written_is_told(at, change, message):
    def changed(*both):
        both[at[0]][at[1]] = change(both[at[0]][at[1]])

    assert all(x.float().isfinite().all() for x in written(lambda *_: None))
    with pytest.raises(ValueError, match=message):
        written(changed)


def sliced(*names):
    """Return a change that makes parts of what is wider, for some only."""

    def change(*both):
        for at, n in names:
            both[at[0]][at[1]] = part(both[at[0]][at[1]], 1, n)

    return change


@pytest.mark.skipif(GPU, reason="it is about places, and tensors of the CPU")
@pytest.mark.parametrize(
    "impl", [WriteImpl.EAGER, pytest.param(WriteImpl.TRITON, marks=needs_triton)]
)
def test_codes_are_written_where_they_lie(impl):
    right = written(lambda *_: None, WriteImpl.REFERENCE)
    alike = [((0, 0), 2), ((0, 1), 3), ((1, 0), 4), ((1, 1), 4)]
    found = written(sliced(*alike), impl)
    for x, y in zip(found[1:], right[1:], strict=True):
        rows = [*range(5), *range(9, 14)]
        torch.testing.assert_close(x[:, rows].float(), y[:, rows].float(), atol=1e-6, rtol=2**-7)
        around = [row for row in range(20) if row not in rows]
        assert not x[:, around].any() and (x._base[:, [0, -1]].float() == 3).all()
    if impl is WriteImpl.TRITON:
        with pytest.raises(ValueError, match="for scales that lie unlike, got triton"):
            written(sliced(((1, 0), 3)), impl)


def test_codes_are_turned_from_their_like():
    raw = torch.zeros(1, 1, 1, 5, 8)
    first, turns = torch.zeros(1, dtype=torch.long), torch.ones(1, 4).cfloat()
    for impl in (None, ReencodeImpl.REFERENCE):
        with pytest.raises(ValueError, match=r"raw must be torch\.int8 like keys, got torch\.fl"):
            reencode(raw.to(INT8), raw.to(FP8), first, first, turns, impl=impl)
