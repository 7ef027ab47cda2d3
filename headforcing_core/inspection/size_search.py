"""What else could be made where method and length are given: another size."""

from __future__ import annotations

from .forecast import Forecast
from .nearby import Fits, Nearby, Offer


class SizeSearch:
    """Looks for runs of the same method and length, as measurements have them.

    Args:
        asked, fits: see ``Nearby``.
    """

    def __init__(self, asked: Forecast, fits: Fits):
        self._plain, self._near = Offer("", asked), Nearby(asked, fits)

    def offers(self) -> list[Offer]:
        """Return what fits with weights in fewer bytes or smaller, or with both."""
        near, plain = self._near, self._plain
        alone = [way for way in (near.narrower(plain), near.smaller(plain)) if way is not None]
        if alone:
            return alone
        both = (near.smaller(near.narrow(plain, one)) for one in near.weights)
        return [way for way in both if way is not None][:1]

    def least(self) -> list[Forecast]:
        """Return the smallest run, weights in as few bytes as any."""
        narrowest = [None, *self._near.weights][-1]
        return [self._near.smallest(self._near.narrow(self._plain, narrowest)).forecast]
