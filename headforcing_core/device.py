"""Where a model runs."""

from __future__ import annotations

import torch


def choose_device(name: str | None = None) -> torch.device:
    """Return the named device, or the best one here, after trying it.

    Raises:
        RuntimeError: if a named device cannot be used.
    """
    if name is None:
        return torch.device(_candidates()[0])
    try:
        device = torch.device(name)
        torch.ones(1, device=device).sum().item()
    # torch built without a backend asserts; one that is not there raises RuntimeError
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise RuntimeError(
            f"device must be one this machine and its torch can use, got {name}: {reason}"
        ) from error
    return device


def _candidates() -> list[str]:
    here = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "xpu": torch.xpu.is_available(),
    }
    return [*(name for name, there in here.items() if there), "cpu"]
