"""Bytes of tensors that are alive, followed operation by operation, for tests."""

from collections.abc import Iterator

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """Counts the storages that are made within, as long as they live.

    What an operation needs inside itself is not seen.

    Attributes:
        peak: most bytes at once.
    """

    def __init__(self):
        super().__init__()
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        given = {x.untyped_storage()._cdata for x in tensors((args, kwargs))}
        result = function(*args, **(kwargs or {}))
        self._alive = {at: (s, n) for at, (s, n) in self._alive.items() if not s.expired()}
        for x in tensors(result):
            storage = x.untyped_storage()
            if storage._cdata not in given:
                self._alive[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self.peak = max(self.peak, sum(size for _, size in self._alive.values()))
        return result


def tensors(values: object) -> Iterator[torch.Tensor]:
    return (x for x in tree_leaves(values) if isinstance(x, torch.Tensor))
