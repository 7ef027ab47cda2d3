"""Decoders with known pasts: chunk by chunk as in one go, and from the middle of a video.

Wan's own autoencoders are compared where a host is, or diffusers.
"""

from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn.functional import pad

from headforcing.headforcing_core.decoding import (
    CausalDecoder,
    FramewiseDecoder,
    MemoryBlockDecoder,
    OverlappedDecoder,
    TiledDecoder,
)

FRAMES = 11
CUTS = ([3, 3, 3, 2], [1] * FRAMES, [FRAMES], [1, 4, 4, 2])


class Causal(nn.Module):
    """Three causal convolutions, and what is remembered of frames as hosts remember it.

    Args:
        forgets: of one frame only one is remembered, though a convolution wants two.
    """

    def __init__(self, forgets: bool, side: int = 1):
        super().__init__()
        torch.manual_seed(0)
        widths = (4, 6, 6, 3 * side**2)
        self.convs = nn.ModuleList(
            nn.Conv3d(a, b, 3, padding=(0, 1, 1)) for a, b in pairwise(widths)
        )
        self.forgets = forgets

    def forward(self, x, feat_cache, feat_idx):
        for number, conv in enumerate(self.convs):
            past = feat_cache[number]
            kept = x[:, :, -2:]
            if past is None:
                past = x[:, :, :0]
            elif not self.forgets and kept.shape[2] < 2:
                kept = torch.cat([past[:, :, -1:], kept], 2)
            if self.forgets:
                feat_cache[number] = None
            missing = 2 - past.shape[2]
            x = torch.tanh(conv(pad(torch.cat([past, x], 2), (0, 0, 0, 0, missing, 0))))
            feat_cache[number] = kept
        return [x] if self.forgets else x

    def whole(self, x):
        for conv in self.convs:
            x = torch.tanh(conv(pad(x, (0, 0, 0, 0, 2, 0))))
        return x


class Vae(nn.Module):
    def __init__(self, decoder):
        super().__init__()
        self.decoder, self.conv2 = decoder, nn.Conv3d(4, 4, 1)


def in_parts(decoder, latent, cut):
    decoding = decoder.begin()
    return torch.cat([decoding.decode(part) for part in latent.split(cut, 2)])


def latents(channels=4, rows=6, columns=5):
    return torch.randn(
        1, channels, FRAMES, rows, columns, generator=torch.Generator().manual_seed(1)
    )


@pytest.mark.parametrize("forgets", [False, True])
@pytest.mark.parametrize("cut", CUTS)
def test_causal_convolutions_remember_across_chunks(forgets, cut):
    vae = Vae(Causal(forgets))
    z = latents()
    whole = vae.decoder.whole(vae.conv2(z))[0].transpose(0, 1)
    seen = in_parts(CausalDecoder(vae, lambda x: x), z, cut)
    torch.testing.assert_close(seen, whole, atol=1e-6, rtol=0)


def test_what_is_remembered_does_not_grow():
    decoding = CausalDecoder(Vae(Causal(True)), lambda x: x).begin()
    decoding.decode(latents())
    for past in decoding.pasts.values():
        assert past.shape[2] <= 2
        assert past.untyped_storage().nbytes() == past.numel() * past.itemsize


@pytest.mark.parametrize("reach", [5, 6])
def test_a_decoding_may_begin_its_reach_earlier(reach):
    """Three convolutions look two frames back each: with fewer frames in front something is off."""
    decoder = CausalDecoder(Vae(Causal(True)), lambda x: x, reach=6)
    z = latents()
    late = decoder.begin()
    late.decode(z[:, :, FRAMES - 2 - reach : FRAMES - 2])
    same = torch.equal(late.decode(z[:, :, -2:]), in_parts(decoder, z, [1] * FRAMES)[-2:])
    assert same == (reach == decoder.reach)


def test_packed_pixels_are_unpacked():
    vae = Vae(Causal(False, side=2))
    z = latents()
    packed = vae.decoder.whole(vae.conv2(z))
    seen = in_parts(CausalDecoder(vae, lambda x: x, patch=2), z, [FRAMES])
    assert seen.shape == (FRAMES, 3, 12, 10)
    # channel = colour * 4 + column * 2 + row
    torch.testing.assert_close(seen[:, 1, 1::2, 0::2], packed[0, 5], atol=1e-6, rtol=0)
    torch.testing.assert_close(seen[:, 2, 0::2, 1::2], packed[0, 10], atol=1e-6, rtol=0)


class MemBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, x, past):
        return self.conv(torch.cat([x, past], 1)).relu_()


class Tiny(nn.Module):
    patch_size, frames_to_trim = 1, 1

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        grow = nn.Conv2d(4, 8, 1)
        self.decoder = nn.Sequential(
            MemBlock(),
            grow,
            nn.Unflatten(1, (2, 4)),
            nn.Flatten(0, 1),
            MemBlock(),
            nn.Conv2d(4, 3, 3, padding=1),
        )

    def process_in(self, x):
        return 2 * x

    def whole(self, z):
        x = (2 * z)[0].transpose(0, 1)
        for layer in self.decoder:
            x = (
                layer(x, pad(x, (0, 0, 0, 0, 0, 0, 1, 0))[:-1])
                if isinstance(layer, MemBlock)
                else layer(x)
            )
        return x[self.frames_to_trim :].clamp(0, 1)


@pytest.mark.parametrize("cut", CUTS)
def test_memory_blocks_remember_across_chunks(cut):
    vae, z = Tiny(), latents()
    seen = in_parts(MemoryBlockDecoder(vae, lambda x: x), z, cut)
    assert len(seen) == 2 * FRAMES - 1
    torch.testing.assert_close(seen, vae.whole(z), atol=1e-6, rtol=0)


@pytest.mark.parametrize("cut", CUTS)
def test_frames_by_themselves(cut):
    def frames(z):
        return z[:, :3].transpose(1, 2).repeat_interleave(4, 1)

    z = latents()
    seen = in_parts(FramewiseDecoder(frames, 4), z, cut)
    assert torch.equal(seen, frames(z)[0, 3:])


def averaged(z):
    """A whole video's pictures, each the mean of this frame and the five before it."""
    frames = z[0, :3].transpose(0, 1)
    seen = torch.stack([frames[max(0, n - 5) : n + 1].mean(0) for n in range(len(frames))])
    return torch.cat([seen[:1], seen[1:].repeat_interleave(4, 0)])


@pytest.mark.parametrize(("reach", "exact"), [(5, True), (8, True), (4, False), (2, False)])
def test_the_error_of_an_overlap_is_measured(reach, exact):
    told, z = [], latents()
    decoder = OverlappedDecoder(averaged, lambda *off: told.append(off), reach)
    seen, whole = in_parts(decoder, z, [2, 3, 3, 3]), averaged(z)
    assert seen.shape == whole.shape
    assert (torch.equal(seen, whole)) == exact
    ((mean, most),) = told or [(0.0, 0.0)]
    off = (seen - whole).abs()
    assert most <= off.max() and (most > 0) != exact and (mean > 0) != exact


@pytest.mark.parametrize("size", [(6, 5), (9, 12), (4, 4), (17, 8)])
def test_tiles_of_what_needs_no_neighbours_are_the_whole(size):
    def frames(z):
        return z[:, :3].transpose(1, 2).repeat_interleave(2, 3).repeat_interleave(2, 4)

    z = latents(4, *size)
    tiled = TiledDecoder(FramewiseDecoder(frames, 1), tile=5, overlap=2)
    torch.testing.assert_close(in_parts(tiled, z, CUTS[0]), frames(z)[0], atol=1e-6, rtol=0)


def test_tiles_blend_and_remember():
    """Far from where tiles meet a tile is the whole; each has its own past."""
    vae, z = Vae(Causal(True)), latents(4, 24, 24)
    plain = CausalDecoder(vae, lambda x: x)
    whole, tiled = (in_parts(d, z, CUTS[0]) for d in (plain, TiledDecoder(plain, 16, 8)))
    off = (whole - tiled).abs()
    assert off[..., :5, :5].max() < 1e-6 and off[..., -5:, -5:].max() < 1e-6
    assert 0 < off.max() < 0.5 * (whole.max() - whole.min())


def test_an_overlap_must_fit():
    with pytest.raises(ValueError, match="at most half a tile, 8, and more than 0, got 9"):
        TiledDecoder(FramewiseDecoder(lambda z: z, 1), 16, 9)
