"""A digest of whatever lies on a model: numbers, tensors, adapters, functions, other objects."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence, Set
from functools import partial
from hashlib import sha256
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

SAMPLES = 4096
PLAIN = (str, bytes, int, float, complex, torch.dtype, type(None), type(...))
NAMED = (BuiltinFunctionType, type, ModuleType)
_tokens: WeakKeyDictionary[object, str] = WeakKeyDictionary()


def digest_of(value: Any) -> str:
    """Return a digest that equal values have in every process.

    A function counts by its code, what it has closed over, its defaults, and the functions and
    numbers that it calls by name. What has no value that could be looked at is itself and nothing
    else: it has another digest in another process, never one that another object has.
    """
    digest = _Digest()
    digest.add(value)
    return digest.sha.hexdigest()


class _Digest:
    """One digest in the making; functions are looked into once, however they call each other."""

    def __init__(self) -> None:
        self.sha, self.seen = sha256(), {}

    def add(self, value: Any) -> None:
        if isinstance(value, Tensor):
            self._say(f"{tuple(value.shape)}{value.dtype}")
            self.sha.update(_sampled(value))
        elif isinstance(value, PLAIN):
            self._say(f"{type(value).__name__} {value!r}")
        elif isinstance(value, CodeType):
            self._say(value.co_code.hex())
            self.add([*value.co_names, *value.co_consts])
        elif isinstance(value, FunctionType):
            self._function(value)
        elif isinstance(value, NAMED):
            self._say(f"{getattr(value, '__module__', '')} {getattr(value, '__qualname__', value)}")
        else:
            self._compound(value)

    def _compound(self, value: Any) -> None:
        if isinstance(value, partial):
            self.add([value.func, value.args, value.keywords])
        elif isinstance(value, MethodType):
            self.add([value.__func__, value.__self__])
        elif isinstance(value, Mapping):
            self.add(sorted(([str(k), v] for k, v in value.items()), key=lambda pair: pair[0]))
        elif isinstance(value, Set):
            self.add(sorted(map(digest_of, value)))
        elif isinstance(value, Sequence):
            self._say(f"[{len(value)}")
            for each in value:
                self.add(each)
        elif hasattr(value, "weights"):  # an adapter of the host
            self.add([type(value).__name__, value.weights])
        else:
            self._say(token_of(value))

    def _function(self, value: FunctionType) -> None:
        if id(value) in self.seen:
            self._say(f"again {self.seen[id(value)]}")
            return
        self.seen[id(value)] = len(self.seen)
        self.add([value.__module__, value.__qualname__, value.__code__])
        self.add([value.__defaults__, value.__kwdefaults__])
        self.add([cell.cell_contents for cell in value.__closure__ or () if _filled(cell)])
        known = value.__globals__
        called = [known[name] for name in value.__code__.co_names if name in known]
        self.add([x for x in called if isinstance(x, (FunctionType, str, int, float))])

    def _say(self, text: str) -> None:
        self.sha.update(f"{text};".encode())


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # nothing was put there yet
        return False


def _sampled(tensor: Tensor) -> bytes:
    if tensor.device.type == "meta":
        return b""
    # an odd step walks over rows and columns alike
    step = max(1, tensor.numel() // SAMPLES) | 1
    values = tensor.detach().flatten()[::step].cpu().contiguous()
    return values.view(torch.uint8).numpy().tobytes() if values.numel() else b""


def token_of(thing: object) -> str:
    """Return a name that a thing keeps while it lives in this process, and no other gets."""
    try:
        return _tokens.setdefault(thing, uuid.uuid4().hex)
    except TypeError:  # it cannot be remembered: nothing is like it
        return uuid.uuid4().hex
