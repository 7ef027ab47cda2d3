"""A GPU's second lane, on which finished chunks are decoded while the next is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class Aside:
    """Work that the next chunk does not wait for, where a device can do so.

    Args:
        device: that decodes.
    """

    def __init__(self, device: torch.device):
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    @contextmanager
    def working(self, latent: Tensor) -> Iterator[None]:
        """Do what follows beside other work, once the latent is there."""
        if self.stream is None:
            yield
            return
        self.stream.wait_stream(torch.cuda.current_stream(self.stream.device))
        if latent.is_cuda:
            latent.record_stream(self.stream)
        with torch.cuda.stream(self.stream):
            yield

    def fetched(self, pictures: Tensor) -> Callable[[], Tensor]:
        """Return what waits for pictures and gives them on the CPU; call it from any thread.

        Pictures must be made by ``working``, in which this is called.
        """
        if self.stream is None or not pictures.is_cuda:
            here = pictures.cpu()
            return lambda: here
        copy = torch.empty(pictures.shape, dtype=pictures.dtype, pin_memory=True)
        copy.copy_(pictures, non_blocking=True)
        there = torch.cuda.Event()
        there.record(self.stream)

        def fetch() -> Tensor:
            there.synchronize()
            return copy

        return fetch
