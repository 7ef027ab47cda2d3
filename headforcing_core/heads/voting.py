"""From a profile and a rule to a head map, and how sure it is of every head."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TypeVar

import torch

from ..methods import Evidence, HeadMap
from .classification import Aggregate, Classifier, Types, mean
from .head_profile import HeadProfile, Sample
from .recalling import Recalling

# a head whose samples agree with its type less often than that is in doubt; 60 % is inferred
DOUBT = 0.6

Entry = TypeVar("Entry")
Table = tuple[tuple[Entry, ...], ...]


def classify(
    profile: HeadProfile,
    classifier: Classifier,
    aggregate: Aggregate | None = None,
    doubt: float = DOUBT,
) -> HeadMap:
    """Give every head a type.

    Args:
        aggregate: how samples become one; None: as the rule's paper does.
        doubt: share of samples that must agree with a head's type, each typed on its own; a head
            with less gets the type that forgets least. 0: none is in doubt.
    """
    how = aggregate or classifier.aggregate
    types = types_of(profile.samples, classifier, how)
    votes = _votes([types_of([s], classifier, Aggregate.MEAN) for s in profile.samples], types)
    statistics = mean([classifier.statistics(sample) for sample in profile.samples])
    known = {
        "profile": profile.parameters,
        "videos": len(profile.videos),
        "samples": len(profile.samples),
    }
    recalling = recalling_of(profile, classifier)
    if recalling is not None:
        votes = _changed(votes, {head: recalling.votes(*head) for head in recalling.heads})
        statistics["returns"] = recalling.mean
        known["returns"] = len(recalling.shifts)
    doubted = tuple(
        (layer, head)
        for layer, row in enumerate(votes)
        for head, share in enumerate(row)
        if share < doubt
    )
    evidence = Evidence(
        fingerprint=profile.fingerprint,
        parameters={
            **known,
            "rule": {"aggregate": how.value, "doubt": doubt, **asdict(classifier)},
        },
        statistics={name: value.tolist() for name, value in statistics.items()},
        votes=votes,
        doubted=doubted,
    )
    if classifier.unsure is not None:
        types = _changed(types, dict.fromkeys(doubted, classifier.unsure))
    if recalling is not None:
        types = _changed(types, dict.fromkeys(recalling.heads, classifier.recalls))
    source = f"profile of {profile.parameters.get('model', 'a model')}"
    return HeadMap(classifier.scheme, types, source, evidence=evidence)


def recalling_of(profile: HeadProfile, classifier: Classifier) -> Recalling | None:
    """Return what heads do when something comes back; None if it is not known, or not asked."""
    if classifier.recalls is None:
        return None
    return Recalling.of(profile, classifier.tau_return)


def _changed(table: Table, changes: Mapping[tuple[int, int], Entry]) -> Table:
    """Return a table ``[L][H]`` with the entries of some heads replaced."""
    return tuple(
        tuple(changes.get((layer, head), entry) for head, entry in enumerate(row))
        for layer, row in enumerate(table)
    )


def types_of(samples: Sequence[Sample], classifier: Classifier, aggregate: Aggregate) -> Types:
    """Return the type of every head that samples say together."""
    if aggregate is Aggregate.MEAN:
        return classifier.types(mean([classifier.statistics(sample) for sample in samples]))
    if aggregate is Aggregate.SAMPLES:
        groups = [[sample] for sample in samples]
    else:
        in_order = sorted(samples, key=lambda sample: sample.prompt)
        groups = [list(group) for _, group in groupby(in_order, lambda sample: sample.prompt)]
    return _most([types_of(group, classifier, Aggregate.MEAN) for group in groups])


def _most(said: Sequence[Types]) -> Types:
    """Return the most frequent type of every head; of equals the one that was said first."""
    layers = zip(*said, strict=True)
    return tuple(
        tuple(Counter(of_head).most_common(1)[0][0] for of_head in zip(*rows, strict=True))
        for rows in layers
    )


def _votes(said: Sequence[Types], types: Types) -> tuple[tuple[float, ...], ...]:
    """Return, for every head, the share of what was said that is its type."""
    agree = torch.tensor(
        [
            [[a == b for a, b in zip(*rows, strict=True)] for rows in zip(each, types, strict=True)]
            for each in said
        ]
    )
    return tuple(tuple(row) for row in agree.double().mean(0).tolist())
