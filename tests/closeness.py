"""One tolerance rule for every kernel."""

import torch
from torch import Tensor


def assert_as_good_as(actual: Tensor, plain: Tensor, exact: Tensor, slack: float = 2.0) -> None:
    """Fail if ``actual`` is further from ``exact`` than plain low-precision code is.

    Args:
        actual: output under test, any float dtype.
        plain: the same result from ordinary PyTorch in the dtype of ``actual``, by other code.
        exact: the float64 reference computed from the same, already rounded, inputs.
        slack: how many times the error of ``plain`` is allowed.
    """
    assert torch.isfinite(actual).all(), "output has NaN or Inf"
    rounding = torch.finfo(actual.dtype).eps * exact.abs().max().item()
    error = (actual.double() - exact).abs().max().item()
    allowed = slack * (plain.double() - exact).abs().max().item() + rounding
    assert error <= allowed, f"max error {error:.3e}, allowed {allowed:.3e}"
