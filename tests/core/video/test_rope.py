import pytest
import torch
from closeness import assert_as_good_as
from hypothesis import given, settings
from hypothesis import strategies as st

from headforcing.headforcing_core import LatentGrid, Rope
from headforcing.kernels import rotate

GRID = LatentGrid(4, 6, 2, 2)  # 2 x 3 tokens
CPU = torch.device("cpu")


def published(x, frames, grid, dim):
    """Wan's rotation as the paper has it: one complex number per channel pair, float64."""
    axis = dim // 6
    pairs = [(dim // 2 - 2 * axis), axis, axis]
    angles = []
    for f in frames:
        for row in range(grid.token_rows):
            for column in range(grid.token_columns):
                angles.append(
                    [
                        at * 10000.0 ** (-j / n)
                        for at, n in zip((f, row, column), pairs, strict=True)
                        for j in range(n)
                    ]
                )
    turn = torch.polar(
        torch.ones(1, dtype=torch.float64), torch.tensor(angles, dtype=torch.float64)
    )
    turned = torch.view_as_complex(x.double().unflatten(-1, (-1, 2))) * turn[:, None]
    return torch.view_as_real(turned).flatten(-2)


@pytest.mark.parametrize("dim", [8, 12, 24, 32, 40, 64, 128])
def test_is_the_published_rotation(dim):
    x = torch.randn(2, 3 * GRID.tokens_per_frame, 2, dim)
    frames = [0, 5, 1099]
    exact = published(x, frames, GRID, dim)
    got = rotate(x, Rope(dim, GRID).frames(frames, CPU))
    torch.testing.assert_close(got.double(), exact, atol=1e-6, rtol=0)


def test_channels_split_as_published():
    assert Rope(128, GRID).channels == (44, 42, 42)
    assert Rope(32, GRID).channels == (12, 10, 10)


@settings(max_examples=30)
@given(shift=st.integers(0, 100_000), distance=st.integers(0, 40))
def test_only_differences_matter_however_long_the_video(shift, distance):
    rope = Rope(24, GRID)
    q, k = torch.randn(2, 1, GRID.tokens_per_frame, 1, 24, generator=torch.Generator())

    def scores(at):
        turned_q = rotate(q, rope.frames([at + distance], CPU))[0, :, 0]
        return turned_q @ rotate(k, rope.frames([at], CPU))[0, :, 0].T

    torch.testing.assert_close(scores(0), scores(shift), atol=2e-5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_time_channels_can_be_rotated_alone(dtype):
    """Re-encoding rewrites the time channels from unrotated keys: as good as a fresh rotation.

    Not always to the bit: how a processor rounds a product of complex numbers depends on how many
    it takes at a time.
    """
    rope = Rope(32, GRID)
    x = torch.randn(1, GRID.tokens_per_frame, 2, 32).to(dtype)
    time = rope.channels[0]
    moved = rotate(x, rope.frames([3], CPU))
    moved[..., :time] = rotate(x[..., :time], rope.temporal([700], CPU))
    pairs = torch.view_as_complex(x.double().unflatten(-1, (-1, 2)))
    exact = torch.view_as_real(pairs * rope.frames([700], CPU).to(torch.complex128)).flatten(-2)
    for found in (moved, rotate(x, rope.frames([700], CPU))):
        assert_as_good_as(found, plain_rotation(x, rope.frames([700], CPU)), exact, slack=1.0)


def plain_rotation(x, rotation):
    """The rotation written out in real numbers."""
    even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = rotation.real, rotation.imag
    turned = torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1)
    return turned.flatten(-2).to(x.dtype)
