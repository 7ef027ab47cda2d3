"""UniPC: a solver that predicts along the flow and corrects itself with what it then sees."""

from __future__ import annotations

from collections.abc import Sequence
from math import expm1, inf, log
from typing import NamedTuple

from torch import Tensor

ORDER = 2


class _Seen(NamedTuple):
    """An estimate of the clean latent, and where it was made. snr: half its logarithm."""

    snr: float
    clean: Tensor


class UniPC:
    """The second-order solver of the B2 kind, for one latent; estimates are of the clean one.

    With sigma the noise level, alpha = 1 - sigma and lambda = log(alpha / sigma), a step over
    h = lambda_next - lambda goes from x to

        (sigma_next / sigma) x + alpha_next (1 - e^-h) (m0 + sum of rho D)

    where m0 is the newest estimate and D are differences of estimates, each divided by how far
    apart, in units of h, they were made. The corrector takes the same step once more when the
    estimate at its end is known.

    Args:
        sigmas: noise levels, descending; the last is 0.

    Source: UniPC (arXiv 2302.04867), algorithms 5 and 6, B2(h) = e^h - 1.
    """

    def __init__(self, sigmas: Sequence[float]):
        self.sigmas = tuple(sigmas)
        self.at = 0
        self._seen: list[_Seen] = []
        self._before: Tensor | None = None
        self._order = 0

    def step(self, clean: Tensor, noisy: Tensor) -> Tensor:
        """Return the latent of the next noise level.

        Args:
            clean: estimated from ``noisy``, which is what the last step returned.
        """
        if self._before is not None:
            noisy = self._corrected(clean)
        self._seen = [*self._seen, _Seen(_snr(self.sigmas[self.at]), clean)][-ORDER:]
        left = len(self.sigmas) - 1 - self.at
        self._before, self._order = noisy, min(ORDER, left, len(self._seen))
        self.at += 1
        return self._predicted(noisy)

    def _predicted(self, x: Tensor) -> Tensor:
        newest = self._seen[-1]
        h = _snr(self.sigmas[self.at]) - newest.snr
        more = 0.5 * self._difference(h) if self._order > 1 else None
        return self._moved(x, h, more)

    def _corrected(self, clean: Tensor) -> Tensor:
        """Take the last step again, with the estimate at its end."""
        newest = self._seen[-1]
        h = _snr(self.sigmas[self.at]) - newest.snr
        ahead = clean - newest.clean
        if self._order == 1:
            return self._moved(self._before, h, 0.5 * ahead)
        first, second = _weights((self._seen[-2].snr - newest.snr) / h, h)
        return self._moved(self._before, h, first * self._difference(h) + second * ahead)

    def _difference(self, h: float) -> Tensor:
        older, newest = self._seen[-2:]
        return (older.clean - newest.clean) / ((older.snr - newest.snr) / h)

    def _moved(self, x: Tensor, h: float, more: Tensor | None) -> Tensor:
        sigma, alpha = self.sigmas[self.at], 1 - self.sigmas[self.at]
        clean = self._seen[-1].clean if more is None else self._seen[-1].clean + more
        return sigma / self.sigmas[self.at - 1] * x - alpha * expm1(-h) * clean


def _snr(sigma: float) -> float:
    return inf if sigma == 0 else log((1 - sigma) / sigma)


def _weights(ratio: float, h: float) -> tuple[float, float]:
    """Solve for the weights of two differences, made ``ratio`` and one step away.

    rho_1 + rho_2 = b_1,  ratio rho_1 + rho_2 = b_2
    """
    phi = expm1(-h)
    first = phi / -h - 1
    second = first / -h - 0.5
    b1, b2 = first / phi, 2 * second / phi
    rho = (b1 - b2) / (1 - ratio)
    return rho, b1 - rho
