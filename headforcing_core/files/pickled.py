"""What a pickle of tensors would make, told without making it.

``torch.load`` runs nothing but what it knows. It believes numbers, though: a file of a few hundred
bytes can make it fill the memory, or count for years.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from io import BytesIO

from .pickled_calls import NAMES, STORAGES, Foreign, Grown, Made, Name, Parts, Storage, call

# ten sets of weights of a model of 40 blocks, with what an optimizer keeps of each
MOST_STEPS = 1 << 20
DEEPEST = 64
# things that are gone through again, by calls
MOST_REPEATED = 1 << 23
# a key is gone through every time it is looked up
MOST_PARTS = 4096
# larger numbers may be chosen so that each is compared with all
LARGEST_KEY = 1 << 53
KEYS = (str, int, float, bool, type(None))


class Pickle:
    """Pickles of one file, gone through one after the other.

    storages: bytes of those that tensors lie in, by key.
    claimed: bytes of all tensors that have a name, each by itself.
    """

    def __init__(self) -> None:
        self.storages: dict[str, int] = {}
        self.claimed = 0
        self._repeated = 0
        self._stack: list[object] = []
        self._below: list[list[object]] = []
        self._memo: dict[int, object] = {}

    def read(self, file: BytesIO) -> object:
        """Go through the pickle that begins here, to its end; return a number or text that it is.

        Raises:
            Foreign: if it holds what tensors do not need.
            Claimed: if a tensor reaches beyond its storage.
            ValueError, IndexError, KeyError: if it is damaged, or nothing that torch writes.
        """
        self._stack, self._below, self._memo = [], [], {}
        for step, (code, told, _) in enumerate(pickletools.genops(file)):
            if step == MOST_STEPS:
                raise ValueError(f"a pickle must have at most {MOST_STEPS} steps, got more")
            if code.name not in STEPS:
                raise ValueError(f"a pickle of torch must do without {code.name}")
            STEPS[code.name](self, told)
        value = self._stack.pop()
        self.claimed += value.bytes if isinstance(value, Made) else 0
        return value

    def _push(self, value: object) -> None:
        self._stack.append(value)

    def _grow(self, kind: str) -> None:
        self._stack.append(Grown(kind))

    def _name(self, told: str) -> None:
        path = told.replace(" ", ".").replace("__builtin__.", "builtins.", 1)
        if path not in NAMES:
            raise Foreign(f"pickled tensors must do without {path}")
        self._stack.append(Name(path))

    def _mark(self, told: None) -> None:
        if len(self._below) == DEEPEST:
            raise ValueError(f"a pickle must nest at most {DEEPEST} deep, got deeper")
        self._below.append(self._stack)
        self._stack = []

    def _put(self, number: int) -> None:
        self._memo[number] = self._stack[-1]

    def _get(self, number: int) -> None:
        self._stack.append(self._memo[number])

    def _gather(self, told: None) -> None:
        items, self._stack = self._stack, self._below.pop()
        self._stack.append(_tuple(items))

    def _bind(self, number: int) -> None:
        if len(self._stack) < number:
            raise IndexError(number)
        self._stack[-number:] = [_tuple(self._stack[-number:])]

    def _append(self, told: None) -> None:
        self._add([self._stack.pop()])

    def _extend(self, told: None) -> None:
        items, self._stack = self._stack, self._below.pop()
        self._add(items)

    def _add(self, items: list[object]) -> None:
        self._top("list").count += sum(map(_count, items))

    def _set(self, told: None) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._name_all([key, value])

    def _fill(self, told: None) -> None:
        items, self._stack = self._stack, self._below.pop()
        self._name_all(items)

    def _name_all(self, items: list[object]) -> None:
        for key in items[::2]:
            if type(key) not in KEYS or (type(key) is int and abs(key) > LARGEST_KEY):
                raise Foreign("pickled tensors must have names")
        self._top("dict").count += len(items)
        # whoever reads all names makes a tensor of each, be it one of them again
        self.claimed += sum(each.bytes for each in items[1::2] if isinstance(each, Made))

    def _top(self, kind: str) -> Grown:
        top = self._stack[-1]
        if not isinstance(top, Grown) or top.kind != kind:
            raise ValueError(f"a pickle must add to a {kind}")
        return top

    def _reduce(self, told: None) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if not isinstance(function, Name) or not isinstance(arguments, Parts):
            raise ValueError("a pickle must call functions with tuples")
        made = call(function.path, arguments)
        self._spend(made.steps)
        self._stack.append(made.value)

    def _build(self, told: None) -> None:
        state = self._stack.pop()
        self._top("dict")
        if not isinstance(state, Grown):
            raise Foreign("pickled tensors must do without a state")
        self._spend(state.count)

    def _spend(self, steps: int) -> None:
        self._repeated += steps
        if self._repeated > MOST_REPEATED:
            raise ValueError("a pickle must not go through one thing again and again")

    def _store(self, told: None) -> None:
        """Follow ``("storage", class, key, place, numbers)`` and, of old, a part of it."""
        known = self._stack.pop()
        items = known.items if isinstance(known, Parts) else ()
        kind, kind_of, key, _, numbers, part = (*items, None)[:6] if len(items) >= 5 else [None] * 6
        if kind != "storage" or not isinstance(kind_of, Name) or kind_of.path not in STORAGES:
            raise ValueError("a pickle must name storages as torch does")
        if type(key) is not str or type(numbers) is not int or numbers < 0:
            raise ValueError("a storage must have a key and a number of numbers")
        itemsize = STORAGES[kind_of.path]
        self.storages[key] = max(self.storages.get(key, 0), numbers * itemsize)
        if part is not None:
            # of storages that were parts of others
            _, start, numbers_of = part.items if isinstance(part, Parts) else ()
            if not (type(start) is type(numbers_of) is int and 0 <= start <= start + numbers_of):
                raise ValueError("a part of a storage must have a place")
            if start + numbers_of > numbers:
                raise ValueError("a part of a storage must lie in it")
            numbers = numbers_of
        self._stack.append(Storage(numbers * itemsize, itemsize))


def _tuple(items: list[object]) -> Parts:
    count = 1 + sum(map(_count, items))
    if count > MOST_PARTS:
        raise ValueError(f"a pickled tuple must have at most {MOST_PARTS} parts, got {count}")
    return Parts(tuple(items), count)


def _count(value: object) -> int:
    return value.count if isinstance(value, Parts) else 1


def _pushing(value: object) -> Callable[[Pickle, object], None]:
    return lambda pickle, told: pickle._push(value)


def _growing(kind: str) -> Callable[[Pickle, object], None]:
    return lambda pickle, told: pickle._grow(kind)


def _binding(number: int) -> Callable[[Pickle, object], None]:
    return lambda pickle, told: pickle._bind(number)


# what torch knows of pickle
STEPS: Mapping[str, Callable[[Pickle, object], None]] = {
    **dict.fromkeys(("PROTO", "STOP"), lambda pickle, told: None),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"), Pickle._push),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINSTRING"), Pickle._push),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), Pickle._put),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), Pickle._get),
    "NONE": _pushing(None),
    "NEWTRUE": _pushing(True),
    "NEWFALSE": _pushing(False),
    "EMPTY_TUPLE": _pushing(Parts((), 1)),
    "EMPTY_LIST": _growing("list"),
    "EMPTY_DICT": _growing("dict"),
    "EMPTY_SET": _growing("set"),
    "TUPLE1": _binding(1),
    "TUPLE2": _binding(2),
    "TUPLE3": _binding(3),
    "TUPLE": Pickle._gather,
    "MARK": Pickle._mark,
    "APPEND": Pickle._append,
    "APPENDS": Pickle._extend,
    "SETITEM": Pickle._set,
    "SETITEMS": Pickle._fill,
    "GLOBAL": Pickle._name,
    "REDUCE": Pickle._reduce,
    "BUILD": Pickle._build,
    "BINPERSID": Pickle._store,
}
