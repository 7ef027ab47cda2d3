"""How sure a head map is, on samples whose agreement is known."""

import pytest
import torch

from headforcing.headforcing_core.heads import Aggregate, HeadForcingTypes, HeadProfile, classify
from headforcing.headforcing_core.heads.head_profile import Sample
from headforcing.headforcing_core.heads.stability import agreement, compare, jaccard, stability_of
from headforcing.headforcing_core.heads.voting import types_of
from headforcing.headforcing_core.methods import HeadMap
from headforcing.headforcing_core.video import ModelGeometry

L, A, M = "hf.local", "hf.anchor", "hf.memory"
RULE = HeadForcingTypes(tau_anchor=0.5, tau_local=0.5, absolute=True)
# attention on the sink, the middle and the current frame of a head of each type
MASS = {A: (0.8, 0.1, 0.1), L: (0.1, 0.1, 0.8), M: (0.2, 0.6, 0.2)}


def sample(types, prompt=0, seed=0, step=0):
    mass = torch.tensor([[MASS[kind] for kind in types]])
    return Sample(prompt, seed, 3, step, (0, 1, 2), 1, mass, mass)


def profile(*samples):
    heads = samples[0].mass.shape[1]
    return HeadProfile(ModelGeometry(1, heads, 6), "name", {"model": "made up"}, samples)


def test_a_profile_of_one_mind_is_stable():
    same = [sample((L, A, M), prompt, seed, step) for prompt in (0, 1) for seed in (0, 1)
            for step in (0, None)]  # fmt: skip
    found = stability_of(profile(*same), RULE, classify(profile(*same), RULE))
    assert found.halves == {L: 1.0, A: 1.0, M: 1.0}
    assert (found.prompts, found.seeds, found.steps, found.votes) == (1.0, 1.0, 1.0, 1.0)
    assert found.doubted == ()


def test_disagreement_shows_where_it_is():
    # prompts differ in one head of four, steps in none
    samples = [
        sample((L, A, M, L if prompt else M), prompt, 0, step)
        for prompt in (0, 1)
        for step in (0, 1)
    ]
    head_map = classify(profile(*samples), RULE, doubt=0.6)
    found = stability_of(profile(*samples), RULE, head_map)
    assert (found.prompts, found.seeds, found.steps) == (0.75, None, 1.0)
    assert found.votes == pytest.approx((3 + 0.5) / 4)
    assert found.doubted == ((0, 3),)
    assert found.halves == {L: 0.5, A: 1.0, M: 0.5}


def test_heads_in_doubt_remember():
    samples = [sample((A if n < 5 else L,), prompt=n) for n in range(10)]
    mean = classify(profile(*samples), RULE, doubt=0.0)
    assert mean.types == ((M,),)  # neither mass reaches the threshold
    voted = classify(profile(*samples[:9]), RULE, Aggregate.SAMPLES, doubt=0.5)
    assert voted.types == ((A,),) and voted.evidence.votes == ((5 / 9,),)
    doubted = classify(profile(*samples[:9]), RULE, Aggregate.SAMPLES, doubt=0.6)
    assert doubted.types == ((M,),) and doubted.evidence.doubted == ((0, 0),)


def test_votes_by_prompt_count_prompts_not_samples():
    samples = [sample((A,), 0, 0, step) for step in (0, 1, 2)]
    samples += [sample((L,), prompt) for prompt in (1, 2)]
    assert types_of(samples, RULE, Aggregate.SAMPLES) == ((A,),)
    assert types_of(samples, RULE, Aggregate.PROMPTS) == ((L,),)


def test_agreement_and_jaccard():
    one, other = ((L, A), (M, M)), ((L, M), (M, A))
    assert agreement(one, other) == 0.5
    assert jaccard(one, other, M) == pytest.approx(1 / 3)
    assert jaccard(one, other, A) == 0.0
    assert jaccard(one, other, "hf.none") == 1.0


def test_maps_of_two_papers_are_laid_side_by_side():
    mine = HeadMap("head_forcing", ((L, A, M, M),))
    other = HeadMap("pyramid", (("pyramid.wave", *["pyramid.anchor"] * 3),))
    found = compare(mine, other)
    assert found.agreeing is None  # an anchor here is not an anchor there
    assert found.counts == {
        (L, "pyramid.wave"): 1,
        (A, "pyramid.anchor"): 1,
        (M, "pyramid.anchor"): 2,
    }
    assert compare(mine, HeadMap("head_forcing", ((L, L, M, M),))).agreeing == 0.75
    with pytest.raises(ValueError, match="must be of one size, got 1 layers of 4 heads and 1 of 2"):
        compare(mine, HeadMap("head_forcing", ((L, L),)))
