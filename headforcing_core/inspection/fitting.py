"""Whether a run fits where it shall run, and what does if it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import ceil, floor

from ..device import GIB, free_memory
from ..methods import HeadMap
from .forecast import Forecast
from .nearby import Offer
from .search import Search
from .size_search import SizeSearch

# place -> bytes that are free there, None where that is not known
Free = Mapping[str, int | None]


def free_in(forecast: Forecast) -> Free:
    """Return the bytes that are free now in the places of a forecast."""
    return {place: free_memory(place) for place in forecast.places}


def check_fits(
    forecast: Forecast,
    free: Free,
    head_maps: Sequence[HeadMap] = (),
    start_frames: int = 0,
    measuring: bool = False,
) -> None:
    """Refuse what cannot fit, and name what would.

    Args:
        free: what is None or missing refuses nothing.
        head_maps: of this model, for methods that need one; that of the request is known.
        start_frames: first frames that are given, which have their size.
        measuring: the run is watched, its method and length are given.

    Raises:
        RuntimeError: if it does not fit.
    """
    short = next(_short(forecast, free), None)
    if short is None:
        return
    there, need = free[short], forecast.peak(short)

    def fits(one: Forecast) -> bool:
        return not any(_short(one, free))

    if measuring:
        search: Search | SizeSearch = SizeSearch(forecast, fits)
    else:
        search = Search(forecast, fits, head_maps, start_frames)
    raise RuntimeError(
        f"{_kinds(forecast, short)} need {_gib(need, ceil)}, {short} has {_gib(there, floor)} "
        f"free; {_remedy(search, short)}"
    )


def _short(forecast: Forecast, free: Free) -> Iterator[str]:
    """Yield the places that are known to be too small."""
    for place in forecast.places:
        there = free.get(place)
        if there is not None and there < forecast.peak(place):
            yield place


def _kinds(forecast: Forecast, place: str) -> str:
    kinds = dict.fromkeys(row.kind for row in forecast.rows if row.place == place)
    *most, last = kinds
    return f"{', '.join(most)} and {last}" if most else last


def _remedy(search: Search | SizeSearch, place: str) -> str:
    offers = search.offers()
    if offers:
        return f"it fits {', or '.join(_said(offer, place) for offer in offers)}"
    least = min(one.peak(place) for one in search.least())
    return f"nothing fits there: the least that can be made needs {_gib(least, ceil)}"


def _said(offer: Offer, place: str) -> str:
    return f"{offer.how} ({_gib(offer.forecast.peak(place), ceil)})"


def _gib(size: int, to_whole: Callable[[float], int]) -> str:
    """Say a size; what is needed is rounded up and what there is down, so that they differ."""
    return f"{to_whole(size / GIB * 100) / 100:.2f} GiB"
