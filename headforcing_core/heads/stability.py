"""How far a head map can be trusted: the same rule on parts of the same profile."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random
from statistics import fmean

from ..methods import HeadMap
from .classification import Aggregate, Classifier, Types
from .head_profile import HeadProfile
from .voting import recalling_of, types_of

SPLITS = 20


@dataclass(frozen=True)
class Stability:
    """Agreement of what parts of a profile say, 0 to 1. None where there is one part only.

    Args:
        halves: per type, heads that two halves of the videos both say over those that either says;
            mean over random splits. 1 if neither half says any.
        prompts, seeds, steps: share of heads with the same type, mean over pairs of prompts, of
            seeds, and of denoising steps.
        votes: mean share of samples that say a head's type; of a head that recalls, of pasts.
        doubted: heads in doubt, (layer, head).
    """

    halves: dict[str, float] | None
    prompts: float | None
    seeds: float | None
    steps: float | None
    votes: float
    doubted: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Comparison:
    """Two head maps of one model.

    Args:
        counts: heads by (type here, type there).
        agreeing: share of heads with the same type, if both name types alike.
    """

    counts: dict[tuple[str, str], int]
    agreeing: float | None


def stability_of(
    profile: HeadProfile, classifier: Classifier, head_map: HeadMap, seed: int = 0
) -> Stability:
    """Say how sure a map made from a profile is.

    Args:
        head_map: what ``classify`` made of them.
        seed: of the random halves.
    """
    how = Aggregate(head_map.evidence.parameters["rule"]["aggregate"])

    def types(part: HeadProfile) -> Types:
        return types_of(part.samples, classifier, how)

    def alike(parts: Iterable[HeadProfile]) -> float | None:
        said = [types(part) for part in parts]
        return fmean(agreement(a, b) for a, b in combinations(said, 2)) if len(said) > 1 else None

    votes = [share for row in head_map.evidence.votes for share in row]
    halves, recalling = _halves(profile, classifier, how, seed), recalling_of(profile, classifier)
    if halves is not None and recalling is not None:
        both = recalling.halves(SPLITS, seed)
        halves |= {} if both is None else {classifier.recalls: both}
    return Stability(
        halves=halves,
        prompts=alike(profile.where(lambda s, n=n: s.prompt == n) for n in profile.prompts),
        seeds=alike(profile.where(lambda s, n=n: s.seed == n) for n in profile.seeds),
        steps=alike(profile.where(lambda s, n=n: s.step == n) for n in profile.steps),
        votes=fmean(votes),
        doubted=head_map.evidence.doubted,
    )


def agreement(one: Types, other: Types) -> float:
    """Return the share of heads that have the same type."""
    pairs = [(a, b) for rows in zip(one, other, strict=True) for a, b in zip(*rows, strict=True)]
    return fmean(a == b for a, b in pairs)


def jaccard(one: Types, other: Types, kind: str) -> float:
    """Return the heads that are of a type in both, over those that are in either; 1 if none."""
    first, second = (
        {(layer, head) for layer, row in enumerate(x) for head, t in enumerate(row) if t == kind}
        for x in (one, other)
    )
    either = first | second
    return len(first & second) / len(either) if either else 1.0


def compare(one: HeadMap, other: HeadMap) -> Comparison:
    """Lay two maps of one model beside each other, of one paper or of two.

    Raises:
        ValueError: if they are of models of different sizes.
    """
    sizes = [(len(m.types), len(m.types[0])) for m in (one, other)]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"head maps to compare must be of one size, got {sizes[0][0]} layers of {sizes[0][1]} "
            f"heads and {sizes[1][0]} of {sizes[1][1]}"
        )
    counts: dict[tuple[str, str], int] = {}
    for rows in zip(one.types, other.types, strict=True):
        for pair in zip(*rows, strict=True):
            counts[pair] = counts.get(pair, 0) + 1
    same = one.scheme == other.scheme
    return Comparison(counts, agreement(one.types, other.types) if same else None)


def _halves(
    profile: HeadProfile, classifier: Classifier, how: Aggregate, seed: int
) -> dict[str, float] | None:
    videos = sorted(profile.videos)
    if len(videos) < 2:
        return None
    random, scores = Random(seed), {}
    for _ in range(SPLITS):
        one, other = (
            types_of(
                [s for s in profile.samples if ((s.prompt, s.seed) in half) is first],
                classifier,
                how,
            )
            for half in [set(random.sample(videos, len(videos) // 2))]
            for first in (True, False)
        )
        for kind in _kinds((one, other)):
            scores.setdefault(kind, []).append(jaccard(one, other, kind))
    return {kind: fmean(values) for kind, values in sorted(scores.items())}


def _kinds(said: Sequence[Types]) -> set[str]:
    return {kind for types in said for row in types for kind in row}
