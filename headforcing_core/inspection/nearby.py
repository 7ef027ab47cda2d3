"""Runs near another: smaller, shorter, with weights in fewer bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import floor
from typing import NamedTuple

import torch

from ..device import has_dtype
from .forecast import Forecast
from .model_sizes import Narrower

# sizes that are tried between the one that was asked for and the smallest
MOST_SIZES = 300

Fits = Callable[[Forecast], bool]


class Offer(NamedTuple):
    """A run that could be made, and in words what is different about it."""

    how: str
    forecast: Forecast


@dataclass(frozen=True)
class Nearby:
    """Runs near the one that was asked for.

    Args:
        asked: what does not fit.
        fits: says what does; of two that differ in length or size alone the lesser does first.
        start_frames: first frames that are given: they have their size, and more must follow.
    """

    asked: Forecast
    fits: Fits
    start_frames: int = 0

    @property
    def weights(self) -> tuple[Narrower, ...]:
        """What else weights could be kept in where the model runs."""
        device = torch.device(self.asked.device)
        # a forecast may be for a GPU that is not here
        able = device.type in ("cpu", "cuda") or has_dtype(device, torch.float8_e4m3fn)
        return self.asked.sizes.narrower if able else ()

    def narrower(self, offer: Offer) -> Offer | None:
        """Return the same with weights in fewer bytes, in as many as fit."""
        found = (self.narrow(offer, one) for one in self.weights)
        return next((one for one in found if self.fits(one.forecast)), None)

    @staticmethod
    def narrow(offer: Offer, one: Narrower | None) -> Offer:
        """Return the same with weights in fewer bytes; None: as they are."""
        if one is None:
            return offer
        how = with_both(offer.how, f"with weight dtype {one.kept.value}")
        return Offer(how, replace(offer.forecast, sizes=one.sizes))

    def smaller(self, offer: Offer) -> Offer | None:
        """Return the largest picture that fits."""
        found = (self._of_size(offer, *size) for size in self._sizes())
        return next((one for one in found if one and self.fits(one.forecast)), None)

    def smallest(self, offer: Offer) -> Offer:
        """Return the smallest picture there is, whether it fits or not."""
        found = (self._of_size(offer, *size) for size in reversed(self._sizes()))
        return next(filter(None, found), offer)

    def _of_size(self, offer: Offer, rows: int, columns: int) -> Offer | None:
        try:
            smaller = replace(offer.forecast.request, rows=rows, columns=columns)
            found = replace(offer.forecast, request=smaller)
        except ValueError:  # a method that cannot divide such pictures
            return None
        width, height = found.size
        return Offer(_at(offer.how, f"at {width} x {height}"), found)

    def _sizes(self) -> list[tuple[int, int]]:
        """Return smaller pictures of about the same shape, in whole patches, largest first."""
        request, (_, *patch) = self.asked.request, self.asked.sizes.config.patch
        if self.start_frames or request.family.latent_size is not None:
            return []
        # sides in patches, one that is begun is whole
        sides = [-(-n // p) for n, p in zip((request.rows, request.columns), patch, strict=True)]
        long, short = max(sides), min(sides)
        every = range(long - 1, 0, -1)
        sizes = []
        # all of them, or some and the least
        some = every[:: max(1, -(-len(every) // MOST_SIZES))]
        for side in dict.fromkeys((*some, *every[-1:])):
            other = max(1, round(short * side / long))
            rows, columns = (side, other) if sides[0] == long else (other, side)
            sizes.append((rows * patch[0], columns * patch[1]))
        return sizes

    @property
    def fewest(self) -> int:
        """Chunks of the shortest video."""
        request, given = self.asked.request, self.start_frames
        after = 1 + (sum(chunk.stop <= given for chunk in request.clock) if given else 0)
        return max(after, request.fewest_chunks)

    def shorter(self, offer: Offer) -> Offer | None:
        """Return the longest video that fits and is shorter."""
        fewest, most = self.fewest, offer.forecast.chunks - 1
        if most < fewest or not self.fits(self.of_chunks(offer, fewest).forecast):
            return None
        while fewest < most:
            middle = (fewest + most + 1) // 2
            if self.fits(self.of_chunks(offer, middle).forecast):
                fewest = middle
            else:
                most = middle - 1
        return self.of_chunks(offer, fewest)

    def of_chunks(self, offer: Offer, chunks: int) -> Offer:
        """Return the same with fewer chunks, the first as long as it is."""
        request = offer.forecast.request
        clock = request.clock
        frames = clock.total_frames - (len(clock) - chunks) * clock.frames_per_chunk
        shorter = replace(offer.forecast, request=replace(request, frames=frames))
        # more than is said would be a frame more
        seconds = floor(100 * request.family.video.moment(frames)) / 100
        return Offer(_at(offer.how, f"for {seconds:g} s"), shorter)


def with_both(how: str, more: str) -> str:
    """Say two things with which something is made."""
    return f"{how} and {more.removeprefix('with ')}" if how else more


def _at(how: str, more: str) -> str:
    return f"{how} {more}".strip()
