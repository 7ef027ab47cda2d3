"""What else could be made: another method, another size, another length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..methods import ALL_HEADS, NAMES, HeadMap, KVDtype, Method, settings_named
from .forecast import Forecast
from .nearby import Fits, Nearby, Offer, with_both


class Search:
    """Looks for runs near the one that was asked for.

    Args:
        asked, fits, start_frames: see ``Nearby``.
        head_maps: of this model, beside the one that the request has.
    """

    def __init__(
        self,
        asked: Forecast,
        fits: Fits,
        head_maps: Sequence[HeadMap] = (),
        start_frames: int = 0,
    ):
        self._asked, self._fits = asked, fits
        self._near = Nearby(asked, fits, start_frames)
        own = asked.request.head_map
        self._maps = {m.scheme: m for m in (*head_maps, *([] if own is None else [own]))}

    def offers(self) -> list[Offer]:
        """Return what fits with one thing changed, or with several if none alone is enough."""
        plain, near = Offer("", self._asked), self._near
        ways = [self._in_int8(), self._away(plain), near.narrower(plain), self._other_method()]
        ways += [near.smaller(plain), near.shorter(plain)]
        if self._asked.images:
            latents = Offer("without all pictures at once", replace(self._asked, images=False))
            ways.append(latents if self._fits(latents.forecast) else None)
        return [way for way in ways if way is not None] or self._together()

    def least(self) -> list[Forecast]:
        """Return the smallest and shortest run of every method, weights in as few bytes as any."""
        narrowest = [None, *self._near.weights][-1]
        ways = (self._near.smallest(self._near.narrow(way, narrowest)) for way in self._ways())
        return [self._near.of_chunks(way, self._near.fewest).forecast for way in ways]

    def _together(self) -> list[Offer]:
        near, narrow = self._near, self._narrower_and_more()
        ways = [self._away(self._all_in_int8()), *narrow]
        lean = min(self._ways(), key=lambda offer: offer.forecast.plan.bytes)
        # weights are made narrow only where nothing fits without, and of this size and length
        leanest = [near.narrow(lean, one) for one in (None, *(() if narrow else near.weights))]
        ways += next(filter(any, ([near.smaller(o), near.shorter(o)] for o in leanest)), [])
        found = [way for way in ways if way is not None]
        last = None if found else near.shorter(near.smallest(leanest[-1]))
        return found if last is None else [last]

    def _narrower_and_more(self) -> list[Offer | None]:
        """Return what fits with weights in fewer bytes and one thing more."""
        for one in self._near.weights:
            how, narrow = self._near.narrow(Offer("", self._asked), one)
            search = Search(narrow, self._fits, [*self._maps.values()], self._near.start_frames)
            ways = [search._in_int8(), search._away(Offer("", narrow)), search._other_method()]
            found = [Offer(with_both(how, w.how), w.forecast) for w in ways if w is not None]
            if found:
                return found
        return []

    def _in_int8(self) -> Offer | None:
        """Return the run with keys and values in eight bits, of as few types of heads as fit."""
        method, caches = self._method, self._asked.caches
        rules = {t: r for t, r in method.rules.items() if r.kv_dtype is KVDtype.MODEL}
        types = sorted((t for t in rules if caches.get(t)), key=caches.__getitem__, reverse=True)
        one = _alike(method)  # of all heads or of none
        for count in [len(types)] if one else range(1, len(types) + 1):
            # a type that no head has costs nothing
            chosen = [*types[:count], *(rules if one or count == len(types) else ())]
            kept = method.kept_in(dict.fromkeys(chosen, KVDtype.INT8))
            found = self._with(self._asked, kept)
            if types and self._fits(found):
                heads, by = _heads(types[:count], one), _settings("kv_dtype", method, types[:count])
                return Offer(f"with {heads} in int8 by {by}", found)
        return None

    def _all_in_int8(self) -> Offer:
        method = self._method.kept_in(dict.fromkeys(self._method.rules, KVDtype.INT8))
        by = _settings("kv_dtype", method, [t for t in method.rules if self._asked.caches.get(t)])
        return Offer(f"with keys and values in int8 by {by}", self._with(self._asked, method))

    def _away(self, offer: Offer) -> Offer | None:
        """Return the same with what is read once per chunk lying with the host, if that fits."""
        method = offer.forecast.request.method or self._method
        found = self._with(offer.forecast, method.offloading())
        if not self._fits(found):
            return None
        moved = {group.type for group in found.plan.own if found.plan.arena(group).host_bytes(1)}
        by = _settings("offload", method, sorted(moved))
        return Offer(with_both(offer.how, f"with {by}"), found)

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
                # a map of others' types would be refused
                alone = method.scheme and head_map is None and self._asked.request.head_map
                how = f"with method {name}{' and no map' if alone else ''}"
                yield Offer(how, replace(self._asked, request=request))
            except ValueError:  # such a method cannot make this video
                continue


def _alike(method: Method) -> bool:
    """Whether how memory is kept is one setting for all heads."""
    return ALL_HEADS in method.rules or method.online is not None


def _settings(setting: str, method: Method, types: Sequence[str]) -> str:
    """Say with which settings that is chosen for some types of heads."""
    if _alike(method) or not types:
        return setting
    return _listed([f"{type_.rpartition('.')[2]}_{setting}" for type_ in types])


def _listed(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _heads(types: Sequence[str], every: bool) -> str:
    """Say whose keys and values are meant."""
    if every:
        return "keys and values"
    return f"{_listed([type_.rpartition('.')[2] for type_ in types])} heads"
