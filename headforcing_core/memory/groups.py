"""Heads that share a past: the same rule, the same frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..methods import ALL_HEADS, UNDECIDED, HeadMap, HeadRule, Method
from ..methods.middles import Episodes, Scope
from ..ranks import Deal
from ..video import ModelGeometry


@dataclass(frozen=True)
class HeadGroup:
    """Heads of one type that keep the same frames.

    Args:
        type: of the heads.
        rule: what they keep.
        heads: layer -> heads there; layers without any are missing.
    """

    type: str
    rule: HeadRule
    heads: Mapping[int, tuple[int, ...]]


def group_heads(
    method: Method, head_map: HeadMap | None, geometry: ModelGeometry
) -> tuple[HeadGroup, ...]:
    """Divide the heads of a model among the rules of a method.

    Raises:
        ValueError: if the method needs a head map and there is none, or one of another scheme or
            model.
    """
    if method.online and head_map is None:
        rule = method.rules[UNDECIDED]
        every = (
            (layer, head) for layer in range(geometry.layers) for head in range(geometry.heads)
        )
        return tuple(HeadGroup(UNDECIDED, rule, {layer: (head,)}) for layer, head in every)
    groups: list[HeadGroup] = []
    for type_, heads in _by_type(method, head_map, geometry).items():
        rule = method.rules[type_]
        groups += [HeadGroup(type_, rule, share) for share in _shares(rule, heads)]
    return tuple(groups)


def own_groups(groups: tuple[HeadGroup, ...], deal: Deal, rank: int) -> tuple[HeadGroup, ...]:
    """Return all groups, each with the heads of one rank, counted from 0 in every layer."""
    number = {
        (layer, head): n
        for layer, ranks in enumerate(deal.heads)
        for n, head in enumerate(ranks[rank])
    }
    return tuple(replace(group, heads=_numbered(group.heads, number)) for group in groups)


def _numbered(
    heads: Mapping[int, tuple[int, ...]], number: Mapping[tuple[int, int], int]
) -> dict[int, tuple[int, ...]]:
    every = {
        layer: tuple(number[layer, head] for head in those if (layer, head) in number)
        for layer, those in heads.items()
    }
    return {layer: those for layer, those in every.items() if those}


def check_map(method: Method, head_map: HeadMap | None) -> None:
    """Refuse a head map that does not tell a method what it must know.

    Raises:
        ValueError: if there is none, or it is of another scheme.
    """
    if head_map is None and method.needs_map:
        raise ValueError(
            f"{method.name} must have a head map of this model ({method.scheme}), got none; "
            "profile the model, or import a map"
        )
    if head_map is None or method.scheme is None:
        return
    if head_map.scheme != method.scheme:
        raise ValueError(
            f"{method.name} must have a head map of {method.scheme}, got one of {head_map.scheme}"
        )
    unknown = set(head_map.counts) - set(method.rules)
    if unknown:
        raise ValueError(
            f"a head map of {method.scheme} must name {', '.join(method.rules)}, "
            f"got {', '.join(sorted(unknown))}"
        )


def _by_type(
    method: Method, head_map: HeadMap | None, geometry: ModelGeometry
) -> dict[str, dict[int, tuple[int, ...]]]:
    if method.scheme is None:
        return {ALL_HEADS: dict.fromkeys(range(geometry.layers), tuple(range(geometry.heads)))}
    check_map(method, head_map)
    head_map.check(geometry)
    found: dict[str, dict[int, tuple[int, ...]]] = {type_: {} for type_ in method.rules}
    for layer, types in enumerate(head_map.types):
        for type_ in method.rules:
            heads = tuple(head for head, kind in enumerate(types) if kind == type_)
            if heads:
                found[type_][layer] = heads
    return found


def _shares(
    rule: HeadRule, heads: dict[int, tuple[int, ...]]
) -> list[Mapping[int, tuple[int, ...]]]:
    """Split heads of one rule into those that share their decisions."""
    middle = rule.policy.middle
    scope = middle.scope if isinstance(middle, Episodes) and middle.looks else Scope.MODEL
    if scope is Scope.MODEL:
        return [heads] if heads else []
    if scope is Scope.LAYER:
        return [{layer: those} for layer, those in heads.items()]
    return [{layer: (head,)} for layer, those in heads.items() for head in those]
