"""Head maps as files: ours, and those that Pyramid Forcing and Forcing-KV publish."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from hashlib import sha256
from io import StringIO
from pathlib import Path

from . import forcing_kv, pyramid
from .head_map import Evidence, HeadMap

FORMAT = "headforcing head map"
VERSION = 1
LARGEST = 1 << 24
PUBLISHED = Path(__file__).with_name("maps")
PYRAMID_LABELS = {"-1": pyramid.WAVE, "1": pyramid.ANCHOR, "2": pyramid.VEIL}
CHECKSUM, BY_HAND = 8, "types were changed in the file"
# digits of measured shares: more than their spread over videos
DIGITS = 5


def published_map(name: str) -> HeadMap:
    """Return a head map that ships: "pyramid_self_forcing", "forcing_kv_longlive", ...

    Raises:
        ValueError: if there is none of this name.
    """
    files = {path.stem: path for path in sorted(PUBLISHED.iterdir()) if path.suffix != ".md"}
    if name not in files:
        raise ValueError(f"a published head map must be one of {', '.join(files)}, got {name!r}")
    return read_head_map(files[name])


def read_head_map(path: str | Path) -> HeadMap:
    """Read a head map: our JSON, Forcing-KV's JSON, or Pyramid Forcing's CSV.

    Raises:
        ValueError: if the file is none of them, or is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"a head map must be a file that exists, got {path}")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"a head map must be a small text file, got {path.name}")
    text = path.read_text("utf-8", errors="replace")
    try:
        head_map = _from_json(json.loads(text)) if text.lstrip()[:1] == "{" else _from_csv(text)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{path.name} must be a head map (ours, Forcing-KV's JSON or Pyramid Forcing's CSV): "
            f"{_why(error)}"
        ) from None
    return head_map


def write_head_map(path: str | Path, head_map: HeadMap) -> None:
    """Write a head map as JSON that people can read and edit: a line for every layer."""
    Path(path).write_text(as_text(head_map), "utf-8")


def as_text(head_map: HeadMap) -> str:
    """Return the text of a head map's file."""
    head = {"format": FORMAT, "version": VERSION, "scheme": head_map.scheme}
    head |= {"source": head_map.source, "edits": list(head_map.edits)}
    parts = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    parts.append(f'"counts": {json.dumps(head_map.counts)}')
    parts.append(f'"checksum": {json.dumps(_checksum(head_map.types))}')
    parts.append(f'"types": {_table(head_map.types)}')
    if head_map.evidence is not None:
        evidence = asdict(head_map.evidence)
        tables = {name: evidence.pop(name) for name in ("statistics", "votes")}
        parts += [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in evidence.items()]
        parts.append(f'"votes": {_table(_rounded(tables["votes"]))}')
        named = ",\n  ".join(
            f"{json.dumps(name)}: {_table(_rounded(values), '   ')}"
            for name, values in tables["statistics"].items()
        )
        parts.append(f'"statistics": {{\n  {named}\n }}')
    return "{\n " + ",\n ".join(parts) + "\n}\n"


def _checksum(types: tuple[tuple[str, ...], ...]) -> str:
    """Return what tells that somebody changed a type in the file itself."""
    return sha256(json.dumps(types).encode()).hexdigest()[:CHECKSUM]


def _table(rows: list, indent: str = "  ") -> str:
    lines = f",\n{indent}".join(json.dumps(row) for row in rows)
    return f"[\n{indent}{lines}\n{indent[:-1]}]"


def _rounded(values: object) -> object:
    nested = isinstance(values, list | tuple)
    return [_rounded(value) for value in values] if nested else round(values, DIGITS)


def _from_json(data: Mapping[str, object]) -> HeadMap:
    if data.get("format") == FORMAT:
        if data.get("version") != VERSION:
            raise ValueError(f"version must be {VERSION}, got {data.get('version')!r}")
        types = tuple(tuple(map(str, layer)) for layer in data["types"])
        edits = tuple(map(str, data.get("edits", ())))
        if data.get("checksum", _checksum(types)) != _checksum(types):
            edits = (*edits, BY_HAND)
        plain = HeadMap(str(data["scheme"]), types, str(data.get("source", "")), edits=edits)
        return replace(plain, evidence=_evidence(data, types))
    if "layers" in data and "num_heads" in data:
        return _from_forcing_kv(data)
    raise ValueError(f"format must be {FORMAT!r}, got {data.get('format')!r}")


def _evidence(data: Mapping[str, object], types: tuple[tuple[str, ...], ...]) -> Evidence | None:
    if "fingerprint" not in data:
        return None
    votes = tuple(tuple(map(float, row)) for row in data.get("votes", ()))
    statistics = dict(data.get("statistics", {}))
    for name, rows in {"votes": votes, **statistics}.items():
        if [len(row) for row in rows] != [len(row) for row in types]:
            raise ValueError(f"{name} must have a value for every head, as types has")
    doubted = tuple((int(layer), int(head)) for layer, head in data.get("doubted", ()))
    parameters = dict(data.get("parameters", {}))
    return Evidence(str(data["fingerprint"]), parameters, statistics, votes, doubted)


def _from_forcing_kv(data: Mapping[str, object]) -> HeadMap:
    """Read ``{"num_heads": n, "layers": [{"layer_idx", "static_head", "dynamic_head"}]}``.

    Its code does not group layer 0: all heads there see what static ones see.
    """
    heads, layers = range(int(data["num_heads"])), {}
    for layer in data["layers"]:
        static, dynamic = set(layer["static_head"]), set(layer["dynamic_head"])
        index = layer["layer_idx"]
        if static & dynamic or static | dynamic != set(heads):
            raise ValueError(f"layer {index} must name each of {len(heads)} heads once")
        first = index == 0
        layers[index] = tuple(
            forcing_kv.STATIC if first or head in static else forcing_kv.DYNAMIC for head in heads
        )
    if sorted(layers) != list(range(len(layers))):
        raise ValueError(f"layers must be numbered from 0, got {sorted(layers)}")
    types = tuple(layers[index] for index in range(len(layers)))
    return HeadMap(forcing_kv.SCHEME, types, f"Forcing-KV, {data.get('profile', 'unnamed')}")


def _from_csv(text: str) -> HeadMap:
    rows = [row for row in csv.reader(StringIO(text)) if row]
    labels = {label.strip() for row in rows for label in row}
    if not rows or labels - set(PYRAMID_LABELS):
        wrong = sorted(labels - set(PYRAMID_LABELS))
        raise ValueError(
            f"labels must be -1 (wave), 1 (anchor) or 2 (veil), got {wrong[0][:40]!r}"
            if wrong
            else "it must have a line for every layer, got none"
        )
    types = tuple(tuple(PYRAMID_LABELS[label.strip()] for label in row) for row in rows)
    return HeadMap(pyramid.SCHEME, types, "Pyramid Forcing's labels")


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"its JSON ends or breaks in line {error.lineno}"
    if isinstance(error, KeyError):
        return f"it lacks {error.args[0]!r}"
    return str(error)
