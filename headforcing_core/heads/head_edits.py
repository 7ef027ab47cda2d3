"""Edits of a head map as text: 3.5=hf.memory, 4.1=hf.local (layer.head=type, both from 0)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..methods import HeadMap
from .head_map_pictures import COLOURS, kinds_of

MOST_EDITS, LONGEST = 10_000, 400_000
FORM = re.compile(r"([0-9]{1,4})\s*\.\s*([0-9]{1,4})\s*=\s*(\S{1,100})")


@dataclass(frozen=True)
class HeadEdit:
    """The type that a head was given by hand."""

    layer: int
    head: int
    kind: str


def edits_in(text: str) -> tuple[HeadEdit, ...]:
    """Read edits: LAYER.HEAD=TYPE with commas or line breaks between them; none of an empty text.

    Raises:
        ValueError: if the text says anything else, or a head twice.
    """
    if len(text) > LONGEST:
        raise ValueError(f"edits must be at most {LONGEST} letters, got {len(text)}")
    told = [part for part in map(str.strip, re.split(r"[,\n]", text)) if part]
    if len(told) > MOST_EDITS:
        raise ValueError(f"edits must be of at most {MOST_EDITS} heads, got {len(told)}")
    found: dict[tuple[int, int], HeadEdit] = {}
    for part in told:
        match = FORM.fullmatch(part)
        if match is None:
            raise ValueError(
                f"edits must be LAYER.HEAD=TYPE, such as 3.5=hf.memory, got {part[:40]!r}"
            )
        layer, head = int(match[1]), int(match[2])
        if (layer, head) in found:
            raise ValueError(f"edits must name each head once, got {layer}.{head} twice")
        found[layer, head] = HeadEdit(layer, head, match[3])
    return tuple(found.values())


def with_edits(head_map: HeadMap, text: str, whose: str = "the map's scheme") -> HeadMap:
    """Return a head map with the edits of a text; each stays told.

    Args:
        whose: what the map's scheme is, in the sentence on a type of another.

    Raises:
        ValueError: if the text cannot be read, or names what is not there.
    """
    edits, kinds = edits_in(text), kinds_of(head_map)
    for edit in edits:
        if edit.kind not in kinds:
            where = f"{edit.layer}.{edit.head}"
            known = "of another scheme" if edit.kind in COLOURS else "not known"
            raise ValueError(
                f"types must be of {whose}, {head_map.scheme} ({', '.join(kinds)}), got "
                f"{edit.kind!r} for head {where}, which is {known}"
            )
    return head_map.with_types((edit.layer, edit.head, edit.kind) for edit in edits)
