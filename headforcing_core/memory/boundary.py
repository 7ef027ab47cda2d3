"""The way between a device and the memory of its host."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from .arena_plan import aligned

# devices that have no host beside them: the host itself, and one that has no memory
ALONE = ("cpu", "meta")
# bytes of pinned memory that are taken at a time
BLOCK = 2**26


class Arrival:
    """Copies on their way to the device."""

    def wait(self) -> None:
        """Let all that the device computes from now on see them."""


class Boundary:
    """Where memory lies that is out of the way, and every copy between there and the device.

    Copies are made in the order in which they were asked for, and what is out of the way is touched
    by nothing else: who fetches what was stored before gets that. This one waits for each of them.

    Args:
        device: of the caches.
    """

    def __init__(self, device: torch.device):
        self.device = device

    @property
    def apart(self) -> bool:
        """Whether the host is another place than the device."""
        return self.device.type not in ALONE

    def room(self, pages: int, shape: Sequence[int], dtype: torch.dtype) -> list[Tensor]:
        """Allocate pages of the host's memory, all zeros.

        Args:
            shape: of each of them.
        """
        return list(torch.zeros((pages, *shape), dtype=dtype))

    def landing(self, size: int) -> Tensor:
        """Allocate bytes of the device, into which things are fetched again and again."""
        return torch.zeros(size, dtype=torch.uint8, device=self.device)

    def fetch(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> Arrival:
        """Begin to copy to the device.

        Args:
            pairs: target on the device, and source with the host, both contiguous. What was asked
                of the device before may still use the target; nothing may after.
        """
        for target, source in pairs:
            target.copy_(source)
        return Arrival()

    def give(self, target: Tensor, own: Tensor) -> None:
        """Begin to copy to the host.

        Args:
            target: with the host, contiguous.
            own: on the device, contiguous; nobody else has it.
        """
        target.copy_(own)

    def store(self, target: Tensor, x: Tensor) -> None:
        """Begin to copy to the host what may be overwritten before it is there."""
        own = torch.empty(target.shape, dtype=target.dtype, device=x.device)
        self.give(target, own.copy_(x))

    def brought(self, source: Tensor) -> Tensor:
        """Return a copy on the device of what lies with the host."""
        own = torch.empty(source.shape, dtype=source.dtype, device=self.device)
        self.fetch([(own, source)]).wait()
        return own


class _Recorded(Arrival):
    """Copies that a stream has made when it reaches an event."""

    def __init__(self, event: torch.cuda.Event, device: torch.device):
        self._event, self._device = event, device

    def wait(self) -> None:
        torch.cuda.current_stream(self._device).wait_event(self._event)


class StreamBoundary(Boundary):
    """The same for CUDA: copies go on beside what is computed, and the host waits for nothing.

    Host memory is pinned. PyTorch takes that in powers of two: pages share blocks of such a size.
    """

    def __init__(self, device: torch.device):
        super().__init__(device)
        self._stream = torch.cuda.Stream(device)
        self._left = torch.empty(0, dtype=torch.uint8)

    def room(self, pages: int, shape: Sequence[int], dtype: torch.dtype) -> list[Tensor]:
        return [self._page(shape, dtype) for _ in range(pages)]

    def _page(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        size = prod(shape) * dtype.itemsize
        if aligned(size) > len(self._left):
            self._left = pinned(max(BLOCK, aligned(size)))
        own, self._left = self._left[:size], self._left[aligned(size) :]
        return own.view(dtype).view(*shape)

    def landing(self, size: int) -> Tensor:
        own = super().landing(size)
        own.record_stream(self._stream)  # nobody may have its memory while a copy is on its way
        return own

    def fetch(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> Arrival:
        self._follow()
        with torch.cuda.stream(self._stream):
            for target, source in pairs:
                target.copy_(source, non_blocking=True)
            return _Recorded(self._stream.record_event(), self.device)

    def give(self, target: Tensor, own: Tensor) -> None:
        self._follow()
        with torch.cuda.stream(self._stream):
            target.copy_(own, non_blocking=True)
        own.record_stream(self._stream)

    def _follow(self) -> None:
        """Let copies come after all that the device was asked to compute until now."""
        self._stream.wait_stream(torch.cuda.current_stream(self.device))


def pinned(size: int) -> Tensor:
    """Allocate bytes of the host that a device copies from and to by itself, all zeros.

    Raises:
        RuntimeError: if there are not so many.
    """
    return torch.zeros(size, dtype=torch.uint8, pin_memory=True)


def boundary_of(device: torch.device) -> Boundary:
    """Return the way between a device and its host."""
    return StreamBoundary(device) if device.type == "cuda" else Boundary(device)
