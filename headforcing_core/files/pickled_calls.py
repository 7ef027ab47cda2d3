"""What pickles of tensors call, and what comes of it: told from the arguments, without calling."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import torch

MOST_DIMENSIONS = 16
# letters that take as long as another thing
LETTERS = 16
STORED = {
    "Double": torch.float64,
    "Float": torch.float32,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
    "Bool": torch.bool,
    "ComplexFloat": torch.complex64,
    "ComplexDouble": torch.complex128,
}
STORAGES = {f"torch.{name}Storage": dtype.itemsize for name, dtype in STORED.items()}
STORAGES["torch.storage.UntypedStorage"] = 1
DTYPES = {str(x): x.itemsize for x in vars(torch).values() if isinstance(x, torch.dtype)}
CLASSES = ("torch.Tensor", "torch.nn.parameter.Parameter")
ENCODINGS = ("latin1", "latin-1")


class Foreign(ValueError):
    """A pickle holds other things than tensors and plain values."""


class Claimed(ValueError):
    """A pickle speaks of more numbers than are stored."""


class Name(NamedTuple):
    """What is imported."""

    path: str


class Storage(NamedTuple):
    """Numbers of a file, by the bytes of all of them and of one."""

    bytes: int
    itemsize: int


class Made(NamedTuple):
    """A tensor, by the bytes that it has if it lies by itself."""

    bytes: int


class Parts(NamedTuple):
    """A tuple; all that is in it counts as often as it is there."""

    items: tuple[object, ...]
    count: int


@dataclass
class Grown:
    """A list, dict or set; what is in it is counted, not known."""

    kind: str
    count: int = 1


class Called(NamedTuple):
    """What a call gives, and how many things it goes through."""

    value: object
    steps: int


def call(path: str, arguments: Parts) -> Called:
    """Return what a call gives.

    Raises:
        Foreign: if it is none that tensors need.
        Claimed: if a tensor reaches beyond its storage.
        ValueError: if it is never made with such arguments.
    """
    if path not in CALLS:
        raise Foreign(f"pickled tensors must do without a call of {path}")
    steps = 1 + sum(map(_steps, arguments.items))
    try:
        return Called(CALLS[path](*arguments.items), steps**2 if path in LOOKING_UP else steps)
    except TypeError:
        raise ValueError(f"{path} must be called as torch does") from None


def _steps(value: object) -> int:
    if isinstance(value, str):
        return 1 + len(value) // LETTERS
    return value.count if isinstance(value, Parts | Grown) else 1


def _tensor(
    storage: Storage, offset: int, size: Parts, stride: Parts, *others: object, itemsize: int = 0
) -> Made:
    if not isinstance(storage, Storage):
        raise ValueError("a tensor must have a storage")
    itemsize = itemsize or storage.itemsize
    (start,), sizes, strides = _counts([offset]), _counts(size), _counts(stride)
    if len(sizes) != len(strides):
        raise ValueError("a tensor must have as many strides as sizes")
    last = start + sum((n - 1) * step for n, step in zip(sizes, strides, strict=True))
    if prod(sizes) and (last + 1) * itemsize > storage.bytes:
        raise Claimed(f"a tensor must lie in its storage, got one that ends at {last}")
    return Made(prod(sizes) * itemsize)


def _tensor_of(
    storage: Storage,
    offset: int,
    size: Parts,
    stride: Parts,
    gradient: bool,
    hooks: object,
    dtype: Name,
    metadata: object = None,
) -> Made:
    return _tensor(storage, offset, size, stride, itemsize=_itemsize(dtype))


def _shape_alone(dtype: Name, size: Parts, stride: Parts, gradient: bool) -> Made:
    _itemsize(dtype), _counts(size), _counts(stride)
    return Made(0)


def _itemsize(dtype: Name) -> int:
    if not isinstance(dtype, Name) or dtype.path not in DTYPES:
        raise ValueError("a tensor must have a dtype")
    return DTYPES[dtype.path]


def _counts(values: Parts | Sequence[object]) -> list[int]:
    """Return sizes or strides; torch takes tuples and its own of them."""
    items = list(values.items if isinstance(values, Parts) else values)
    if len(items) > MOST_DIMENSIONS or not all(type(n) is int and n >= 0 for n in items):
        raise ValueError(f"sizes must be at most {MOST_DIMENSIONS} numbers from 0")
    return items


def _sparse(layout: None, data: Parts) -> Made:
    """Follow a tensor that readers will refuse, in words of their own."""
    if not isinstance(data, Parts):
        raise ValueError("a sparse tensor must have parts")
    return Made(0)


def _layout(name: str) -> None:
    if type(name) is not str:
        raise ValueError("a layout must have a name")


def _parameter(data: Made, gradient: bool, hooks: object, state: object = None) -> Made:
    if not isinstance(data, Made):
        raise ValueError("a parameter must be a tensor")
    return data


def _with_attributes(function: Name, kind: Name, arguments: Parts, state: object) -> Made:
    """Follow a tensor that has attributes, or is a parameter that has some."""
    known = isinstance(function, Name) and function.path in REBUILD
    if not known or not isinstance(kind, Name) or kind.path not in CLASSES:
        raise Foreign("pickled tensors must be tensors or parameters")
    if not isinstance(arguments, Parts):
        raise ValueError("arguments must be a tuple")
    return REBUILD[function.path](*arguments.items)


def _no_more() -> Grown:
    # with arguments it was written by a Python 2
    return Grown("dict")


def _counted(counts: Grown) -> Grown:
    return _grown("dict", counts)


def _set(values: Grown) -> Grown:
    _grown("list", values)
    return Grown("set", values.count)


def _grown(kind: str, value: Grown) -> Grown:
    if not isinstance(value, Grown) or value.kind != kind:
        raise ValueError(f"an argument must be a {kind}")
    return value


def _size(sizes: Parts) -> Parts:
    _counts(sizes)
    return sizes


def _device(name: str, number: int = 0) -> None:
    if type(name) is not str or type(number) is not int:
        raise ValueError("a device must be a name and a number")


def _encoded(text: str, encoding: str = ENCODINGS[0]) -> Grown:
    if type(text) is not str or encoding not in ENCODINGS:
        raise ValueError("bytes must be written as text")
    return Grown("bytes", 1 + len(text) // LETTERS)


def _bytearray(held: Grown | str = "", encoding: str = ENCODINGS[0]) -> Grown:
    # of a number it would make as many zeros
    return _grown("bytes", held) if isinstance(held, Grown) else _encoded(held, encoding)


def _complex(real: float, imaginary: float) -> None:
    if not all(isinstance(part, float) for part in (real, imaginary)):
        raise ValueError("a complex number must have two parts")


REBUILD: Mapping[str, Callable[..., Made]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of,
    "torch._utils._rebuild_meta_tensor_no_storage": _shape_alone,
    "torch._utils._rebuild_sparse_tensor": _sparse,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
}
CALLS: Mapping[str, Callable[..., object]] = {
    **REBUILD,
    "torch._tensor._rebuild_from_type_v2": _with_attributes,
    "torch.serialization._get_layout": _layout,
    "torch.Size": _size,
    "torch.device": _device,
    "collections.OrderedDict": _no_more,
    "collections.Counter": _counted,
    "builtins.set": _set,
    "builtins.complex": _complex,
    "builtins.bytearray": _bytearray,
    "_codecs.encode": _encoded,
}
# numbers may be chosen so that each is compared with all
LOOKING_UP = ("builtins.set", "collections.Counter")
NAMES = {*CALLS, *STORAGES, *DTYPES, *CLASSES}
