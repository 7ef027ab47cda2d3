"""What turns latents into pictures, a few frames at a time."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Decoding(Protocol):
    """One video being decoded; what it remembers of the past dies with it."""

    def decode(self, latent: Tensor) -> Tensor:
        """Decode the next latent frames.

        Args:
            latent: ``[1, C, n, Y, X]`` as the autoencoder takes it, not normalised.

        Returns:
            ``[m, 3, H, W]`` from 0 to 1, wherever the decoder works; the first latent frame of a
            video is one picture, every other one as many as the autoencoder packs in one.
        """


class Decoder(Protocol):
    """A video autoencoder's way back, as a value: every video begins anew.

    Args:
        reach: latent frames before a frame on which its pictures depend, at least 1. A decoding
            that begins that many frames earlier gives the same pictures, bit by bit.
    """

    reach: int

    def begin(self) -> Decoding:
        """Return a decoding at the first frame of a video."""
