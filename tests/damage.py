"""Files damaged at random, the same ones every time: bytes, and values inside of what is whole."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from random import Random

# what stands for a text that is put in raw
RAW = "raw value {}"
NASTY = (
    *("null", "true", "false", "0", "-1", "1", "3", "1.5", "-0.5", "1e300", "1e999", "-1e999"),
    *("NaN", "Infinity", "-Infinity", "9" * 40, "9" * 400, "9" * 5000, "0." + "3" * 5000),
    *('""', '"x"', '"' + "x" * 20_000 + '"', '"\\ud800"', '"a\\nb"', '"\\u0000"', '"-1"', '"1"'),
    *("[]", "{}", "[[]]", "[[[1]]]", "[1, 2, 3]", '["a"]', '{"a": 1}', '[["a", "b"]]', "[null]"),
    *("[" * 400 + "]" * 400, "[" * 100_000, '{"a":' * 90_000, '{"a": 1, "a": 2}', "[0, 0.5, true]"),
    *("1000000000", "9007199254740993", "-9223372036854775809", "18446744073709551616", "1025"),
)
Damage = Callable[[bytes, Random], bytes]


def flipped(data: bytes, rng: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 40))):
        changed[rng.randrange(len(data))] = rng.choice((rng.randrange(256), 0, 255))
    return bytes(changed)


def flipped_early(data: bytes, rng: Random) -> bytes:
    """Where headers are."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[rng.randrange(min(len(data), 400))] = rng.randrange(256)
    return bytes(changed)


def cut(data: bytes, rng: Random) -> bytes:
    return data[: rng.randrange(len(data))]


def spliced(data: bytes, rng: Random) -> bytes:
    """Put a piece of the file in another place of it, over what is there or between."""
    start, place = rng.randrange(len(data)), rng.randrange(len(data))
    piece = data[start : start + rng.choice((1, 4, 8, 60, 1000))]
    rest = place + rng.choice((0, len(piece)))
    return data[:place] + piece + data[rest:]


def extended(data: bytes, rng: Random) -> bytes:
    return data + rng.choice((b"\0", b"}", data[:50], b"\n", bytes(5000), b'{"a": 1}'))


BYTES = (flipped, flipped_early, cut, spliced, extended)


def with_values(text: str, rng: Random) -> str:
    """Put nasty values in random places of a JSON, take some out, or name some twice."""
    value = json.loads(text)
    swapped = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        holder, key = rng.choice(list(_places(value)) or [({"": 0}, "")])
        how = rng.random()
        if how < 0.1:
            del holder[key]
        elif how < 0.2 and isinstance(holder, list):
            holder.append(holder[key])
        else:
            swapped.append(rng.choice(NASTY))
            holder[key] = RAW.format(len(swapped) - 1)
    text = json.dumps(value)
    for number, raw in enumerate(swapped):
        text = text.replace(json.dumps(RAW.format(number)), raw)
    if rng.random() < 0.05:
        text = text.replace("{", '{"version": 1, "version": 1, ', 1)
    return text


def _places(value: object) -> Iterator[tuple[list | dict, object]]:
    if isinstance(value, list | dict):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def json_damaged(data: bytes, rng: Random) -> bytes:
    marks = rng.choice((b"", b"", b"", b"\xef\xbb\xbf"))
    text = with_values(data.decode(), rng)
    return text.encode("utf-16") if rng.random() < 0.02 else marks + text.encode()


def header_damaged(data: bytes, rng: Random) -> bytes:
    """Damage values of a safetensors header, or the JSON that its metadata holds."""
    (length,) = struct.unpack("<Q", data[:8])
    text, rest = data[8 : 8 + length].decode(), data[8 + length :]
    told = json.loads(text)
    inner = [name for name, held in told.get("__metadata__", {}).items() if held[:1] == "{"]
    if inner and rng.random() < 0.7:
        name = rng.choice(inner)
        told["__metadata__"][name] = with_values(told["__metadata__"][name], rng)
        text = json.dumps(told)
    else:
        text = with_values(text, rng)
    header = text.encode()
    if rng.random() < 0.05:
        length = rng.choice((0, 1, len(header) + 7, 1 << 40, (1 << 64) - 1))
        return struct.pack("<Q", length) + header + rest
    return struct.pack("<Q", len(header)) + header + rest


def pickle_damaged(data: bytes, rng: Random) -> bytes:
    """Damage the pickle in a zip that stays one: its checks of sums are right."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(written, "w") as new:
        for entry in old.infolist():
            held = old.read(entry)
            if entry.filename.endswith("data.pkl"):
                held = rng.choice((flipped, spliced, cut))(held, rng)
            elif rng.random() < 0.02:
                held = held[: len(held) // 2]
            new.writestr(entry.filename, held)
    return written.getvalue()
