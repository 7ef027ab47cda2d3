"""Keys and values in eight bits, against float64 and by hand: written, turned, read."""

from itertools import product

import pytest
import torch
from ragged import DEVICE, EXACT, needs_triton

from headforcing.kernels import (
    Impl,
    ReencodeImpl,
    Span,
    WriteImpl,
    blocks_of,
    decoded,
    eight_bits,
    encoded,
    head_attention,
    reencode,
    rotate,
    rounded,
    write_rotated,
)
from headforcing.kernels.eight_bits import LARGEST, SCALES, codes_of, scales_of
from headforcing.kernels.head_attention import sdpa
from headforcing.kernels.head_attention.pools import Pools

INT8, FP8 = torch.int8, torch.float8_e4m3fn
TRITON = {
    each: pytest.param(each.TRITON, marks=needs_triton) for each in (Impl, WriteImpl, ReencodeImpl)
}
# half a step of the largest code, or of the last of three bits
OFF = {INT8: 0.5 / 127, FP8: 2**-4}
CASES = list(product(LARGEST, (16, 48, 64, 80, 128)))
NAN = float("nan")


def random(*shape, seed=0, spread=True):
    """Numbers whose rows and channels differ in size."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(*shape, generator=rng)
    if not spread:
        return x.to(DEVICE)
    # down to a hundred thousandth, which short floats have still another way to write
    sizes = torch.randn(*shape[:-1], 1, generator=rng).exp() * torch.randn(shape[-1], generator=rng)
    return (x * sizes * (-12 * torch.rand(*shape, generator=rng)).exp()).to(DEVICE)


def unit(*shape, seed=0):
    angles = 7 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return torch.polar(torch.ones_like(angles), angles).to(DEVICE)


@pytest.mark.parametrize(("dtype", "dim"), CASES)
def test_codes_count_in_their_own_block(dtype, dim):
    """By hand, number by number, in float64."""
    x = random(2, 3, dim)
    codes, scales = encoded(x, dtype, turns=False)
    assert (codes.dtype, scales.dtype, scales.shape[-1]) == (dtype, SCALES, blocks_of(dim))
    back = decoded(codes, scales)
    for row, channel in product(range(3), range(dim)):
        block = slice(channel // 32 * 32, channel // 32 * 32 + 32)
        largest = x[1, row, block].double().abs().max().item()
        scale = scales[1, row, channel // 32].item()
        assert scale == pytest.approx(largest / LARGEST[dtype], rel=2**-8)
        assert back[1, row, channel].item() == pytest.approx(
            codes[1, row, channel].item() * scale, rel=1e-6
        )
        assert abs(back[1, row, channel] - x[1, row, channel]) <= 1.02 * OFF[dtype] * largest


@pytest.mark.parametrize(("dtype", "dim"), CASES)
def test_turning_keeps_what_codes_count_in(dtype, dim):
    k, turn = random(2, 9, dim), unit(9, dim // 2)
    codes, scales = encoded(k, dtype, turns=True)
    turned = scales_of(rotate(k, turn), dtype, turns=True)
    torch.testing.assert_close(turned, scales, rtol=2**-7, atol=0)
    fresh = codes_of(rotate(k, turn), scales, dtype).float()
    assert fresh.abs().max() <= LARGEST[dtype]
    # turned from codes: one rounding more
    again = rounded(rotate(codes.float(), turn), dtype).float()
    step = 1.3 if dtype is INT8 else 448 * 2**-4 * 1.3
    assert (again - fresh).abs().max() <= step


def test_all_codes_are_read_and_made_again():
    """All 256 of them but what is no number, and what lies halfway goes to the even one."""
    every = torch.arange(256, dtype=torch.uint8).view(FP8)
    numbers = every.float()
    there = numbers.isfinite()
    assert torch.equal(
        rounded(numbers[there], FP8).view(torch.uint8), every[there].view(torch.uint8)
    )
    halves = torch.tensor([0.5, 1.5, -2.5, 126.5, 127.4, 300, NAN, -torch.inf])
    assert rounded(halves, INT8).tolist() == [0, 2, -2, 126, 127, 127, 0, -127]


def written(impl, dtype, dim, k, v, turn, rows, size=300):
    q = random(*k.shape, seed=5)
    pools = torch.zeros(2, k.shape[0], size, dim, device=DEVICE).to(dtype)
    scales = torch.full((2, k.shape[0], size, blocks_of(dim)), NAN, device=DEVICE).to(SCALES)
    out = write_rotated(
        q.to(EXACT), k.to(EXACT), v.to(EXACT), turn, *pools, rows, scales=tuple(scales), impl=impl
    )
    return out, *pools, *scales


ROWS = torch.tensor([[3, 100, 200], [40, 140, 262]], dtype=torch.int32)


@pytest.mark.parametrize("impl", [WriteImpl.EAGER, TRITON[WriteImpl]])
@pytest.mark.parametrize(("dtype", "dim"), CASES)
def test_new_tokens_are_written_as_the_specification_says(impl, dtype, dim):
    k, v = random(2, 66, 3, dim), random(2, 66, 3, dim, seed=1)
    case = (dtype, dim, k, v, unit(66, dim // 2), ROWS.to(DEVICE))
    found, right = written(impl, *case), written(WriteImpl.REFERENCE, *case)
    for x, y in zip(found[1:], right[1:], strict=True):
        assert torch.equal(x.float().isnan(), y.float().isnan())
        x, y = (each.float().nan_to_num() for each in (x, y))
        # a number between two codes may go to either
        assert (x != y).float().mean() < 2e-3
        assert (x - y).abs().max() <= 1 if dtype is INT8 else True
    k_back = decoded(found[1], found[3])
    turned, tokens = rotate(k, unit(66, dim // 2)[:, None]), slice(33, 66)
    own = slice(140, 173)  # of the second frame, the second head
    largest = turned[:, tokens, 1].abs().max()
    torch.testing.assert_close(
        k_back[:, own], turned[:, tokens, 1], atol=float(1.5 * OFF[dtype] * largest), rtol=0.07
    )


@pytest.mark.parametrize("impl", [WriteImpl.EAGER, TRITON[WriteImpl]])
@pytest.mark.parametrize("bad", [NAN, torch.inf])
def test_what_is_not_finite_is_seen_when_it_is_read(impl, bad):
    k, v = random(1, 66, 3, 64), random(1, 66, 3, 64, seed=1)
    k[0, 7, 1, 40] = bad
    v[0, 9, 2, 3] = bad
    _, k_pool, v_pool, k_scales, v_scales = written(
        impl, INT8, 64, k, v, unit(66, 32), ROWS.to(DEVICE)
    )
    assert not decoded(k_pool, k_scales)[0, 107, 40].isfinite()
    assert not decoded(v_pool, v_scales)[0, 209, 3].isfinite()
    assert k_scales[0, 107, 0].isfinite() and v_scales[0, 209, 1].isfinite()


def kept(dtype, dim, lengths, batch=2, gap=7, seed=0, spread=True):
    """Codes of heads behind each other; between them there is nothing that may be read."""
    at, spans = gap, []
    for length in lengths:
        spans.append(Span(at, length))
        at += length + gap
    k, v = (random(batch, at, dim, seed=seed + n, spread=spread) for n in (0, 1))
    (k_codes, k_scales), (v_codes, v_scales) = (
        encoded(x, dtype, turns=turns) for x, turns in ((k, True), (v, False))
    )
    for start, _ in [*spans, Span(at, 0)]:
        for scales in (k_scales, v_scales):
            scales[:, start - gap : start] = NAN
    return k, v, Pools(k_codes, v_codes, k_scales, v_scales), spans


@pytest.mark.parametrize("impl", [Impl.REFERENCE, Impl.SDPA, None, TRITON[Impl]])
@pytest.mark.parametrize(("dtype", "dim"), CASES)
def test_attention_reads_what_codes_stand_for(impl, dtype, dim):
    """By hand: decode, then softmax, in float64; heads of several lengths."""
    _, _, pools, spans = kept(dtype, dim, [33, 150, 1, 64], seed=dim)
    q = random(2, 70, 4, dim, seed=9, spread=False)
    found = head_attention(
        q.to(EXACT), pools.k, pools.v, spans, scales=(pools.k_scales, pools.v_scales), impl=impl
    )
    for head, (start, length) in enumerate(spans):
        own = slice(start, start + length)
        k = decoded(pools.k[:, own], pools.k_scales[:, own]).double()
        v = decoded(pools.v[:, own], pools.v_scales[:, own]).double()
        weights = (q[:, :, head].to(EXACT).double() @ k.mT * dim**-0.5).softmax(-1)
        tolerance = 1e-5 if EXACT is torch.float32 else 4e-3
        right = weights @ v
        scale = float(right.abs().max())
        torch.testing.assert_close(
            found[:, :, head].double(), right, atol=tolerance * scale, rtol=tolerance
        )


@pytest.mark.parametrize(("dtype", "most"), [(INT8, 0.02), (FP8, 0.08)])
def test_attention_is_near_what_it_was(dtype, most):
    k, v, pools, spans = kept(dtype, 128, [512], batch=1, spread=False)
    q = random(1, 64, 1, 128, seed=9, spread=False)
    (start, length), scales = spans[0], (pools.k_scales, pools.v_scales)
    found = head_attention(q, pools.k, pools.v, spans, scales=scales, impl=Impl.SDPA)
    own = slice(start, start + length)
    weights = (q[:, :, 0].double() @ k[:, own].double().mT * 128**-0.5).softmax(-1)
    right = weights @ v[:, own].double()
    assert 0 < (found[:, :, 0].double() - right).norm() / right.norm() < most


def test_a_few_large_channels_spoil_their_block_alone(monkeypatch):
    k = random(64, 128, spread=False)
    k[:, [3, 40]] *= 30

    def error():
        back = decoded(*encoded(k, INT8, turns=True))
        return (back - k)[:, 64:].norm() / k[:, 64:].norm()

    fine = error()
    monkeypatch.setattr(eight_bits, "BLOCK", 128)
    assert error() > 10 * fine


@pytest.mark.parametrize("impl", [ReencodeImpl.EAGER, TRITON[ReencodeImpl]])
@pytest.mark.parametrize("dtype", LARGEST)
def test_pages_are_turned_from_codes(impl, dtype):
    raw = (30 * random(2, 2, 4, 33, 44, spread=False)).to(dtype)
    slots, source = (torch.tensor(x, device=DEVICE) for x in ([3, 0], [1, 2]))
    turns, found = unit(2, 10), []
    for each in (impl, ReencodeImpl.REFERENCE):
        keys = torch.zeros(2, 2, 5, 33, 64, device=DEVICE).to(dtype)
        reencode(keys, raw, slots, source, turns, impl=each)
        found.append(keys.float())
    assert (found[0] != found[1]).float().mean() < 1e-3
    assert (found[0] - found[1]).abs().max() <= (1 if dtype is INT8 else 32)
    right = rotate(raw[:, :, [1, 2], :, :20].float(), turns[:, None])
    off = (found[0][:, :, [3, 0], :, :20] - right).abs()
    assert (off <= 0.5 + right.abs() * (0 if dtype is INT8 else 2**-4) + 1e-4).all()
    assert torch.equal(found[0][:, :, [3, 0], :, 20:44], raw[:, :, [1, 2], :, 20:].float())
    assert not found[0][:, :, [1, 2, 4]].any() and not found[0][..., 44:].any()


def test_turning_what_was_turned_adds_up_and_turning_what_is_kept_does_not():
    codes = (20 * random(64, 44, spread=False)).round().clamp(-80, 80).to(INT8)
    small, drifting = unit(22, seed=3) ** (1 / 64), codes
    for _ in range(64):
        drifting = rounded(rotate(drifting.float(), small), INT8)
    right = rotate(codes.float(), small**64)
    once = rounded(right, INT8)
    assert (once.float() - right).abs().max() < 0.51
    assert (drifting.float() - right).norm() > 5 * (once.float() - right).norm()


def plain(q, k, v):
    """The attention of somebody else."""
    return ((q @ k.mT).softmax(-1) @ v).transpose(1, 2)


@pytest.mark.parametrize("dense", [None, plain])
def test_little_of_a_cache_is_decoded_at_a_time(dense, monkeypatch):
    _, _, pools, spans = kept(INT8, 32, [60, 60, 60, 60, 60], batch=1)
    q, seen = random(1, 8, 5, 32, seed=9, spread=False), []
    one = sdpa._decoded_bytes(1, 60, 32, 4)
    monkeypatch.setattr(sdpa, "decoded", lambda c, s: (seen.append(c.shape[1]), decoded(c, s))[1])
    for most, heads in ((2 * one, 2), (one - 1, 1), (5 * one, 5)):
        monkeypatch.setattr(sdpa, "AT_ONCE", most)
        seen.clear()
        impl = {} if dense else {"impl": Impl.SDPA}
        scales = (pools.k_scales, pools.v_scales)
        found = head_attention(q, pools.k, pools.v, spans, scales=scales, dense=dense, **impl)
        if dense is None:
            right = head_attention(q, pools.k, pools.v, spans, scales=scales, impl=Impl.REFERENCE)
            torch.testing.assert_close(found, right, atol=1e-4, rtol=1e-4)
        assert max(seen) == heads and sum(seen) == 2 * 5
        assert sdpa.decoded_bytes(1, 5, 60, 32, 4) == max(one, min(most, 5 * one))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p._replace(k=p.k.float()), "k_pool must be torch.int8 or torch.float8_e4m3fn"),
        (lambda p: p._replace(v=p.v.float().to(FP8)), "v_pool must be torch.int8 on"),
        (
            lambda p: p._replace(k_scales=p.k_scales[:, :-1]),
            "scales of k_pool must be torch.bfloat16",
        ),
        (lambda p: p._replace(v_scales=p.v_scales[..., :1]), "scales of v_pool must be"),
        (lambda p: p._replace(v_scales=p.v_scales.float()), "scales of v_pool must be"),
    ],
)
def test_what_is_no_code_is_refused(change, message):
    _, _, pools, spans = kept(INT8, 64, [9])
    k, v, *scales = change(pools)
    with pytest.raises(ValueError, match=message):
        head_attention(random(2, 4, 1, 64), k, v, spans, scales=tuple(scales))


def test_codes_without_scales_are_refused():
    _, _, pools, spans = kept(INT8, 24, [9])
    with pytest.raises(ValueError, match=r"must be torch\.float32"):
        head_attention(random(2, 4, 1, 24), pools.k, pools.v, spans)


@needs_triton
def test_rows_that_are_no_whole_sixteen_bytes_are_left_to_pytorch():
    _, _, pools, spans = kept(INT8, 24, [9])
    with pytest.raises(ValueError, match=r"24 channels per head in torch\.int8, got triton"):
        head_attention(
            *(random(2, 4, 1, 24).to(EXACT), pools.k, pools.v, spans),
            scales=(pools.k_scales, pools.v_scales),
            impl=Impl.TRITON,
        )
