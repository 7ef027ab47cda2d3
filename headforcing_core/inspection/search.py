"""What else could be made: another method, another size, another length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from ..device import has_dtype
from ..methods import ALL_HEADS, NAMES, HeadMap, KVDtype, Method, settings_named
from .forecast import Forecast
from .model_sizes import Narrower

# sizes that are tried between the one that was asked for and the smallest
MOST_SIZES = 300


class Offer(NamedTuple):
    """A run that could be made, and in words what is different about it."""

    how: str
    forecast: Forecast


class Search:
    """Looks for runs near the one that was asked for.

    Args:
        asked: what does not fit.
        fits: says what does; of two that differ in length or size alone the lesser does first.
        head_maps: of this model, beside the one that the request has.
        start_frames: first frames that are given: they have their size, and more must follow.
    """

    def __init__(
        self,
        asked: Forecast,
        fits: Callable[[Forecast], bool],
        head_maps: Sequence[HeadMap] = (),
        start_frames: int = 0,
    ):
        self._asked, self._fits, self._start = asked, fits, start_frames
        own = asked.request.head_map
        self._maps = {m.scheme: m for m in (*head_maps, *([] if own is None else [own]))}

    def offers(self) -> list[Offer]:
        """Return what fits with one thing changed, or with several if none alone is enough."""
        plain = Offer("", self._asked)
        ways = [self._in_int8(), self._away(plain), self._narrower(plain), self._other_method()]
        ways += [self._smaller(plain), self._shorter(plain)]
        if self._asked.images:
            latents = Offer("without all pictures at once", replace(self._asked, images=False))
            ways.append(latents if self._fits(latents.forecast) else None)
        return [way for way in ways if way is not None] or self._together()

    def least(self) -> list[Forecast]:
        """Return the smallest and shortest run of every method, weights in as few bytes as any."""
        narrowest = [None, *self._weights][-1]
        ways = (self._smallest(self._narrow(way, narrowest)) for way in self._ways())
        return [self._of_chunks(way, self._fewest).forecast for way in ways]

    def _together(self) -> list[Offer]:
        narrow = self._narrower_and_more()
        ways = [self._away(self._all_in_int8()), *narrow]
        lean = min(self._ways(), key=lambda offer: offer.forecast.plan.bytes)
        # weights are made narrow only where nothing fits without, and of this size and length
        weights = [None] if narrow else [None, *self._weights]
        leanest = [self._narrow(lean, one) for one in weights]
        ways += next(filter(any, ([self._smaller(o), self._shorter(o)] for o in leanest)), [])
        found = [way for way in ways if way is not None]
        last = None if found else self._shorter(self._smallest(leanest[-1]))
        return found if last is None else [last]

    def _narrower(self, offer: Offer) -> Offer | None:
        """Return the same with weights in fewer bytes, in as many as fit."""
        found = (self._narrow(offer, one) for one in self._weights)
        return next((one for one in found if self._fits(one.forecast)), None)

    def _narrower_and_more(self) -> list[Offer | None]:
        """Return what fits with weights in fewer bytes and one thing more."""
        for one in self._weights:
            how, narrow = self._narrow(Offer("", self._asked), one)
            search = Search(narrow, self._fits, [*self._maps.values()], self._start)
            ways = [search._in_int8(), search._away(Offer("", narrow)), search._other_method()]
            found = [Offer(_and(how, w.how), w.forecast) for w in ways if w is not None]
            if found:
                return found
        return []

    @property
    def _weights(self) -> tuple[Narrower, ...]:
        """What else weights could be kept in where the model runs."""
        device = torch.device(self._asked.device)
        # a forecast may be for a GPU that is not here
        able = device.type in ("cpu", "cuda") or has_dtype(device, torch.float8_e4m3fn)
        return self._asked.sizes.narrower if able else ()

    @staticmethod
    def _narrow(offer: Offer, one: Narrower | None) -> Offer:
        if one is None:
            return offer
        how = _and(offer.how, f"with weight dtype {one.kept.value}")
        return Offer(how, replace(offer.forecast, sizes=one.sizes))

    def _in_int8(self) -> Offer | None:
        """Return the run with keys and values in eight bits, of as few types of heads as fit."""
        method, caches = self._method, self._asked.caches
        rules = {t: r for t, r in method.rules.items() if r.kv_dtype is KVDtype.MODEL}
        types = sorted((t for t in rules if caches.get(t)), key=caches.__getitem__, reverse=True)
        one = ALL_HEADS in rules or method.online is not None  # of all heads or of none
        for count in [len(types)] if one else range(1, len(types) + 1):
            # a type that no head has costs nothing
            chosen = [*types[:count], *(rules if one or count == len(types) else ())]
            kept = method.kept_in(dict.fromkeys(chosen, KVDtype.INT8))
            found = self._with(self._asked, kept)
            if types and self._fits(found):
                return Offer(f"with {_heads(types[:count], one)} in int8", found)
        return None

    def _all_in_int8(self) -> Offer:
        method = self._method.kept_in(dict.fromkeys(self._method.rules, KVDtype.INT8))
        return Offer("with keys and values in int8", self._with(self._asked, method))

    def _away(self, offer: Offer) -> Offer | None:
        """Return the same with what is read once per chunk lying with the host, if that fits."""
        method = offer.forecast.request.method or self._method
        found = self._with(offer.forecast, method.offloading())
        return Offer(_and(offer.how, "with offload"), found) if self._fits(found) else None

    @property
    def _method(self) -> Method:
        """How the past would be kept."""
        request = self._asked.request
        return request.method or request.family.method

    @staticmethod
    def _with(forecast: Forecast, method: Method) -> Forecast:
        return replace(forecast, request=replace(forecast.request, method=method))

    def _other_method(self) -> Offer | None:
        """Return the method that remembers most of those that fit."""
        fit = [offer for offer in self._methods() if self._fits(offer.forecast)]
        return max(fit, key=lambda offer: offer.forecast.plan.bytes, default=None)

    def _ways(self) -> Iterator[Offer]:
        yield Offer("", self._asked)
        yield from self._methods()

    def _methods(self) -> Iterator[Offer]:
        """Yield what ships and can run with the head maps there are."""
        family = self._asked.request.family
        for name in NAMES:
            try:
                method = settings_named(name).build(family.frames_per_chunk)
            except ValueError:  # of no such chunks
                continue
            head_map = self._maps.get(method.scheme) if method.scheme else None
            if method.needs_map and head_map is None:
                continue
            try:
                request = replace(self._asked.request, method=method, head_map=head_map)
                yield Offer(f"with method {name}", replace(self._asked, request=request))
            except ValueError:  # such a method cannot make this video
                continue

    def _smaller(self, offer: Offer) -> Offer | None:
        """Return the largest picture that fits."""
        found = (self._of_size(offer, *size) for size in self._sizes())
        return next((one for one in found if one and self._fits(one.forecast)), None)

    def _smallest(self, offer: Offer) -> Offer:
        found = (self._of_size(offer, *size) for size in reversed(self._sizes()))
        return next(filter(None, found), offer)

    def _of_size(self, offer: Offer, rows: int, columns: int) -> Offer | None:
        try:
            smaller = replace(offer.forecast.request, rows=rows, columns=columns)
            found = replace(offer.forecast, request=smaller)
        except ValueError:  # a method that cannot divide such pictures
            return None
        width, height = found.size
        return Offer(_both(offer.how, f"at {width} x {height}"), found)

    def _sizes(self) -> list[tuple[int, int]]:
        """Return smaller pictures of about the same shape, in whole patches, largest first."""
        request, (_, *patch) = self._asked.request, self._asked.sizes.config.patch
        if self._start or request.family.latent_size is not None:
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
    def _fewest(self) -> int:
        """Chunks of the shortest video."""
        clock = self._asked.request.clock
        return 1 + sum(chunk.stop <= self._start for chunk in clock) if self._start else 1

    def _shorter(self, offer: Offer) -> Offer | None:
        """Return the longest video that fits and is shorter."""
        fewest, most = self._fewest, offer.forecast.chunks - 1
        if most < fewest or not self._fits(self._of_chunks(offer, fewest).forecast):
            return None
        while fewest < most:
            middle = (fewest + most + 1) // 2
            if self._fits(self._of_chunks(offer, middle).forecast):
                fewest = middle
            else:
                most = middle - 1
        return self._of_chunks(offer, fewest)

    def _of_chunks(self, offer: Offer, chunks: int) -> Offer:
        request = offer.forecast.request
        clock = request.clock
        frames = clock.total_frames - (len(clock) - chunks) * clock.frames_per_chunk
        shorter = replace(offer.forecast, request=replace(request, frames=frames))
        seconds = request.family.video.moment(frames)
        return Offer(_both(offer.how, f"for {seconds:g} s"), shorter)


def _heads(types: Sequence[str], every: bool) -> str:
    """Say whose keys and values are meant."""
    if every:
        return "keys and values"
    *most, last = (type_.rpartition(".")[2] for type_ in types)
    return f"{', '.join(most)} and {last} heads" if most else f"{last} heads"


def _and(how: str, more: str) -> str:
    """Say two things with which something is made."""
    return f"{how} and {more.removeprefix('with ')}" if how else more


def _both(how: str, more: str) -> str:
    return f"{how} {more}".strip()
