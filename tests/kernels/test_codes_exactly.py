"""Every code, and what lies between two, against what their bits say; and turns without number."""

import pytest
import torch
from ragged import DEVICE, EXACT, GPU, needs_triton

from headforcing.kernels import (
    Impl,
    ReencodeImpl,
    Span,
    WriteImpl,
    head_attention,
    reencode,
    rotate,
    write_rotated,
)
from headforcing.kernels.eight_bits import LARGEST, SCALES

INT8, FP8 = torch.int8, torch.float8_e4m3fn
TRITON = {
    each: pytest.param(each.TRITON, marks=needs_triton) for each in (Impl, WriteImpl, ReencodeImpl)
}
DIM = 128


def value(bits, dtype):
    """Return what eight bits stand for: an integer, or a sign, four of exponent, three more."""
    if dtype is INT8:
        return bits - 256 * (bits >= 128)
    sign, exponent, fraction = 1 - 2 * (bits >> 7), bits >> 3 & 15, bits & 7
    return sign * (2.0 ** (exponent - 7) * (1 + fraction / 8) if exponent else fraction * 2**-9)


def every(dtype):
    """All bits but those that are never written."""
    never = {INT8: [128], FP8: [127, 255]}[dtype]
    return [bits for bits in range(256) if bits not in never]


@pytest.mark.parametrize("impl", [Impl.REFERENCE, Impl.SDPA, TRITON[Impl]])
@pytest.mark.parametrize("dtype", LARGEST)
def test_every_code_is_read(impl, dtype):
    """A head that has one row gives back its values."""
    bits = [*every(dtype), *every(dtype)][: 2 * DIM]
    v = torch.tensor(bits, dtype=torch.uint8, device=DEVICE).view(dtype).view(1, 2, DIM)
    scales = torch.tensor([1, 0.5, 2, 0.25, 4, 1, 8, 0.125], device=DEVICE).to(SCALES).view(1, 2, 4)
    # keys of zeros: a weight is one, to the last bit
    found = head_attention(
        *(torch.ones(1, 3, 2, DIM, device=DEVICE).to(EXACT), torch.zeros_like(v), v),
        *([Span(0, 1), Span(1, 1)],),
        scales=(scales, scales),
        impl=impl,
    )
    each = scales.flatten().tolist()
    right = [value(b, dtype) * each[at // 32] for at, b in enumerate(bits)]
    assert found.shape == (1, 3, 2, DIM)
    for token in range(3):
        assert found[0, token].flatten().tolist() == right


def between(dtype):
    """All codes as numbers, what lies halfway to the next, and beside it on both sides."""
    numbers = torch.tensor(sorted({float(value(bits, dtype)) for bits in every(dtype)}))
    halves = (numbers[1:] + numbers[:-1]) / 2
    near = [halves.nextafter(torch.tensor(to)) for to in (-torch.inf, torch.inf)]
    return torch.cat([numbers, halves, *near, torch.rand(999) * LARGEST[dtype], torch.zeros(1)])


@pytest.mark.parametrize("impl", [WriteImpl.REFERENCE, WriteImpl.EAGER, TRITON[WriteImpl]])
@pytest.mark.parametrize("dtype", LARGEST)
@pytest.mark.skipif(GPU, reason="a GPU is given half precision, which has not what lies between")
def test_everything_is_rounded_to_the_nearest(impl, dtype):
    """With the largest code first in a block its scale is one, whatever the others are."""
    x = between(dtype)
    x = torch.nn.functional.pad(x, (0, -len(x) % 31)).view(-1, 31)
    x = torch.cat([torch.full((len(x), 1), float(LARGEST[dtype])), x], 1)[None, :, None]
    still = torch.ones(x.shape[1], 16).cfloat()
    pools = torch.zeros(2, 1, x.shape[1] + 1, 32).to(dtype)
    scales = torch.zeros(2, 1, x.shape[1] + 1, 1).to(SCALES)
    rows = torch.tensor([[1]], dtype=torch.int32)
    write_rotated(x, x, x, still, *pools, rows, scales=tuple(scales), impl=impl)
    assert scales[1, 0, 1:].unique().tolist() == [1] and scales[1, 0, 0] == 0
    codes = torch.tensor([value(b, dtype) for b in every(dtype)])
    found, exact = pools[1, 0, 1:].float().flatten(), x.double().flatten()
    nearest = (exact[:, None] - codes).abs().amin(1)
    assert torch.equal((found - exact).abs(), nearest)
    halfway = ((exact[:, None] - codes).abs() == nearest[:, None]).sum(1) > 1
    bits = pools[1, 0, 1:].view(torch.uint8).flatten()
    assert halfway.sum() > 200 and not (bits[halfway] & 1).any()


@pytest.mark.parametrize("dtype", LARGEST)
@needs_triton
def test_triton_writes_what_pytorch_writes(dtype):
    """Values bit for bit; a card may round the lengths of keys otherwise."""
    rng, found = torch.Generator().manual_seed(0), []
    q, k, v = torch.randn(3, 2, 40, 2, 80, generator=rng).to(DEVICE, EXACT)
    angles = torch.randn(40, 40, generator=rng)
    turn = torch.polar(torch.ones_like(angles), angles).to(DEVICE)
    rows = torch.tensor([[3, 90]], dtype=torch.int32, device=DEVICE)
    for impl in (WriteImpl.EAGER, WriteImpl.TRITON):
        pools = torch.zeros(2, 2, 140, 80, device=DEVICE).to(dtype)
        scales = torch.zeros(2, 2, 140, 3, device=DEVICE).to(SCALES)
        write_rotated(q, k, v, turn, *pools, rows, scales=tuple(scales), impl=impl)
        found.append((pools.float(), scales))
    (plain, plain_scales), (own, own_scales) = found
    assert torch.equal(own[1], plain[1]) and torch.equal(own_scales[1], plain_scales[1])
    torch.testing.assert_close(own_scales[0], plain_scales[0], rtol=2**-7, atol=0)
    assert (own[0] != plain[0]).float().mean() < 2e-3


def turned(keys, raw, angle, impl):
    """Re-encode the one page of a head, its pairs turned by multiples of an angle."""
    angles = angle * torch.arange(1, 23, dtype=torch.float64)
    turns = torch.polar(torch.ones_like(angles), angles).cfloat()[None].to(DEVICE)
    first = torch.zeros(1, dtype=torch.long, device=DEVICE)
    reencode(keys, raw, first, first, turns, impl=impl)
    return turns[0]


@pytest.mark.parametrize("impl", [ReencodeImpl.REFERENCE, ReencodeImpl.EAGER, TRITON[ReencodeImpl]])
@pytest.mark.parametrize("dtype", LARGEST)
def test_only_what_is_kept_may_be_turned_without_end(impl, dtype):
    """The millionth position is as near as the first; from its own codes a slot drifts away."""
    raw = 20 * torch.randn(1, 1, 1, 60, 44, generator=torch.Generator().manual_seed(0))
    raw = raw.clamp(-80, 80).to(DEVICE).to(dtype)
    keys, errors, angle = raw.clone(), [], 0.37
    for position in [*range(1, 30), 10**5, 10**6]:
        turn = turned(keys, raw, angle * position, impl)
        exact = rotate(raw.float(), turn)
        errors.append(((keys.float() - exact).norm() / exact.norm()).item())
    assert max(errors) < 1.2 * errors[0] < {INT8: 0.02, FP8: 0.04}[dtype]
    assert errors[-1] > 0
    drifting = raw.clone()
    for _ in range(30):
        turned(drifting, drifting.clone(), angle, impl)
    turn = turned(keys, raw, 30 * angle, impl)
    exact = rotate(raw.float(), turn)
    assert (drifting.float() - exact).norm() > 4 * (keys.float() - exact).norm()
