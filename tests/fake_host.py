"""A host that is another place than the device, on a machine that has one place."""

from collections import deque

import torch

from headforcing.headforcing_core.memory import cache
from headforcing.headforcing_core.memory.boundary import Arrival, Boundary


class FakeBoundary(Boundary):
    """What lies with the host has no values here: only copies through this know them.

    Copies are made when they are waited for, those before them too, and not a moment earlier;
    until then NaN lies where they will be.
    """

    apart = True

    def __init__(self, device):
        super().__init__(device)
        self._true, self._asked, self._made = {}, deque(), 0
        self.to_device, self.to_host = [], []

    def room(self, pages, shape, dtype):
        shown = torch.zeros((pages, *shape), dtype=dtype, device="meta")
        # the key lives as long as its storage, which is kept beside it
        true = torch.zeros(shown.shape, dtype=dtype)
        self._true[shown.untyped_storage()._cdata] = shown, true
        return list(shown)

    def _values(self, shown):
        assert shown.is_meta and shown.is_contiguous()
        _, true = self._true[shown.untyped_storage()._cdata]
        return true.as_strided(shown.shape, shown.stride(), shown.storage_offset())

    def fetch(self, pairs):
        for target, source in pairs:
            assert target.is_contiguous() and target.dtype == source.dtype
            target.view(torch.uint8).fill_(255)  # NaN, of any floats
            self.to_device.append(source.numel() * source.element_size())
            self._asked.append((target, self._values(source)))
        return FakeArrival(self)

    def give(self, target, own):
        self.to_host.append(own.numel() * own.element_size())
        self._asked.append((self._values(target), own))

    def make(self, until):
        """Make the copies that were asked for first."""
        while self._made < until:
            target, source = self._asked.popleft()
            target.copy_(source)
            self._made += 1

    @property
    def asked(self):
        return self._made + len(self._asked)


class FakeArrival(Arrival):
    def __init__(self, boundary):
        self._boundary, self._until = boundary, boundary.asked

    def wait(self):
        self._boundary.make(self._until)


def apart(monkeypatch, made=FakeBoundary):
    """Let the host of all caches be another place; return the ways there, as they are made."""
    ways = []

    def way(device):
        ways.append(made(device))
        return ways[-1]

    monkeypatch.setattr(cache, "boundary_of", way)
    return ways
