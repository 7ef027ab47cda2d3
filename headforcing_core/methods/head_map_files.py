"""Head maps as files: ours, and those that Pyramid Forcing and Forcing-KV publish."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from hashlib import sha256
from math import isfinite
from pathlib import Path

from ..files import (
    as_list,
    as_number,
    as_object,
    as_words,
    entry,
    json_of,
    named,
    read_text,
    shown,
    write_text,
)
from . import forcing_kv, pyramid
from .head_map import MOST_HEADS, MOST_LAYERS, Evidence, HeadMap
from .head_map_values import doubted_of, heads_of, statistics_of, types_of, votes_of

FORMAT = "headforcing head map"
VERSION = 1
LARGEST, MOST_EDITS, LONGEST_SOURCE = 1 << 24, 10_000, 1000
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
    content = read_text(path, LARGEST, "a head map must be a file that exists")
    try:
        begins = content.lstrip()[:1]
        return _from_json(json_of(content)) if begins == "{" else _from_csv(content)
    except ValueError as error:
        raise ValueError(
            f"{named(path)} must be a head map (ours, Forcing-KV's JSON or Pyramid Forcing's "
            f"CSV): {error}"
        ) from None


def write_head_map(path: str | Path, head_map: HeadMap) -> None:
    """Write a head map as JSON that people can read and edit: a line for every layer.

    Raises:
        OSError: if the disk is full or the place is gone; an older file stays as it was.
    """
    write_text(Path(path), map_text(head_map))


def map_text(head_map: HeadMap) -> str:
    """Return the text of a head map's file.

    Raises:
        ValueError: if what was measured is NaN or infinite.
    """
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
    if isinstance(values, list | tuple):
        return [_rounded(value) for value in values]
    if not isfinite(values):
        raise ValueError(f"a head map must have finite numbers, got {values}")
    return round(values, DIGITS)


def _from_json(data: Mapping[str, object]) -> HeadMap:
    if data.get("format") != FORMAT:
        if "layers" in data and "num_heads" in data:
            return _from_forcing_kv(data)
        raise ValueError(f"format must be {FORMAT!r}, got {shown(data.get('format'))}")
    version = data.get("version")
    if type(version) is not int or version != VERSION:
        raise ValueError(f"version must be {VERSION}, got {shown(version)}")
    types = types_of(entry(data, "types"))
    edits = tuple(
        as_words(edit, "edits") for edit in as_list(data.get("edits", []), "edits", MOST_EDITS)
    )
    as_written = as_words(data.get("checksum", _checksum(types)), "checksum") == _checksum(types)
    if not as_written:
        edits = (*edits, BY_HAND)
    plain = HeadMap(
        as_words(entry(data, "scheme"), "scheme"),
        types,
        as_words(data.get("source", ""), "source"),
        edits=edits,
    )
    _check_counts(data, plain, as_written)
    return replace(plain, evidence=_evidence(data, types))


def _check_counts(data: Mapping[str, object], head_map: HeadMap, as_written: bool) -> None:
    """Refuse counts of other types; who changes a type in the file need not count again."""
    counts = as_object(data.get("counts", head_map.counts), "counts")
    for kind, count in counts.items():
        as_number(count, f"the count of {shown(kind)}", MOST_LAYERS * MOST_HEADS)
    if as_written and counts != head_map.counts:
        raise ValueError(f"counts must be those of types, got {shown(counts)} of other numbers")


def _evidence(data: Mapping[str, object], types: tuple[tuple[str, ...], ...]) -> Evidence | None:
    if "fingerprint" not in data:
        return None
    return Evidence(
        as_words(entry(data, "fingerprint"), "fingerprint"),
        as_object(data.get("parameters", {}), "parameters"),
        statistics_of(data.get("statistics", {}), types),
        votes_of(data.get("votes", []), types),
        doubted_of(data.get("doubted", []), types),
    )


def _from_forcing_kv(data: Mapping[str, object]) -> HeadMap:
    """Read ``{"num_heads": n, "layers": [{"layer_idx", "static_head", "dynamic_head"}]}``.

    Its code does not group layer 0: all heads there see what static ones see.
    """
    heads = as_number(data["num_heads"], "num_heads", MOST_HEADS, 1)
    rows = as_list(data["layers"], "layers", MOST_LAYERS)
    told = as_number(data.get("num_layers", len(rows)), "num_layers", MOST_LAYERS)
    if told != len(rows):
        raise ValueError(f"num_layers must be that of layers, {len(rows)}, got {told}")
    layers: dict[int, tuple[str, ...]] = {}
    for row in rows:
        layer = as_object(row, "a layer")
        index = as_number(entry(layer, "layer_idx"), "layer_idx", len(rows) - 1)
        static, dynamic = (
            heads_of(entry(layer, name), name, heads) for name in ("static_head", "dynamic_head")
        )
        if static & dynamic or len(static | dynamic) != heads:
            raise ValueError(f"layer {index} must name each of {heads} heads once")
        if index in layers:
            raise ValueError(f"layers must be numbered from 0, got {index} twice")
        layers[index] = tuple(
            forcing_kv.STATIC if index == 0 or head in static else forcing_kv.DYNAMIC
            for head in range(heads)
        )
    types = tuple(layers[index] for index in range(len(layers)))
    name = as_words(data.get("profile", "unnamed"), "profile", LONGEST_SOURCE)
    return HeadMap(forcing_kv.SCHEME, types, f"Forcing-KV, {name}")


def _from_csv(content: str) -> HeadMap:
    types = []
    try:
        for row in filter(None, csv.reader(content.splitlines())):
            if len(row) > MOST_HEADS or len(types) == MOST_LAYERS:
                raise ValueError(
                    f"it must have at most {MOST_LAYERS} lines of {MOST_HEADS} labels, got more"
                )
            types.append(tuple(map(_labelled, row)))
    except csv.Error:
        raise ValueError("its lines must be labels with commas between them, got others") from None
    if not types:
        raise ValueError("it must have a line for every layer, got none")
    return HeadMap(pyramid.SCHEME, tuple(types), "Pyramid Forcing's labels")


def _labelled(label: str) -> str:
    if label.strip() not in PYRAMID_LABELS:
        raise ValueError(
            f"labels must be -1 (wave), 1 (anchor) or 2 (veil), got {shown(label.strip())}"
        )
    return PYRAMID_LABELS[label.strip()]
