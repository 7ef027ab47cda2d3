"""Which heads turn to what comes back, on a model whose heads were planted, so known."""

from dataclasses import replace

import pytest
import torch
from every_family import FAMILY_NAMES
from planted import TURNING, PlantedSubject

from headforcing.headforcing_core.heads import (
    FULL,
    HeadForcingTypes,
    ProfileSettings,
    classify,
    frames_to_make,
    possible_returns,
    profiled,
    read_profile,
    report_on,
    write_profile,
)
from headforcing.headforcing_core.heads.head_profile import Return, joined
from headforcing.headforcing_core.heads.map_report import as_text
from headforcing.headforcing_core.heads.recalling import Recalling
from headforcing.headforcing_core.methods import settings_named
from headforcing.headforcing_core.models import family_named

FAMILY = family_named("self_forcing")
SETTINGS = ProfileSettings(prompts=2, frames=30, rows=0, returns=2)
RECALLS = {(0, TURNING.index("recalls")), (1, TURNING.index("recalls") + 1)}


@pytest.fixture(scope="module")
def subject():
    return PlantedSubject(FAMILY)


@pytest.fixture(scope="module")
def profile(subject):
    *_, whole = profiled(subject, SETTINGS)
    return whole


def recalling(head_map):
    return {
        (layer, head)
        for layer, row in enumerate(head_map.types)
        for head, kind in enumerate(row)
        if kind == "hf.recall"
    }


def test_heads_that_turn_to_what_comes_back_are_found_and_no_others(profile):
    head_map = classify(profile, HeadForcingTypes(), doubt=0)
    assert recalling(head_map) == RECALLS
    shifts = dict(zip(TURNING, head_map.evidence.statistics["returns"][0], strict=True))
    assert shifts["recalls"] > 0.6  # of the rest of it, frames of the scene itself
    for name in ("first", "uniform", "present", "before"):
        assert abs(shifts[name]) < 1e-3, name
    assert 0.02 < shifts["mixed"] < 0.1


def test_a_threshold_decides_how_much_a_head_must_turn(profile):
    mixed = {(0, TURNING.index("mixed")), (1, TURNING.index("mixed") + 1)}
    rule = HeadForcingTypes(tau_return=0.02)
    assert recalling(classify(profile, rule, doubt=0)) == RECALLS | mixed
    assert not recalling(classify(profile, HeadForcingTypes(tau_return=1.0), doubt=0))


def test_the_papers_rule_is_what_it_was(profile):
    """All else is typed as without returns, and nothing else is without them."""
    before = classify(replace(profile, returns=()), HeadForcingTypes(), doubt=0)
    after = classify(profile, HeadForcingTypes(), doubt=0)
    assert "hf.recall" not in before.counts and "returns" not in before.evidence.statistics
    differ = {
        (layer, head)
        for layer, rows in enumerate(zip(before.types, after.types, strict=True))
        for head, (a, b) in enumerate(zip(*rows, strict=True))
        if a != b
    }
    assert differ == RECALLS


def test_pasts_are_alike_and_only_their_ends_differ(subject, profile):
    told = [story for story in subject.stories if len(story[0]) > 1][:3]
    starts, texts, seeds = zip(*told, strict=True)
    assert set(starts) == {(0, 6, 12, 18)} and len(set(seeds)) == 1
    assert texts == ((0, 1, 2, 0), (0, 1, 2, 1), (0, 1, 2, 3))
    assert {(back.prompt, back.seed) for back in profile.returns} == set(SETTINGS.returning)


def test_votes_and_halves_say_how_sure_it_is(profile):
    report = report_on(profile, HeadForcingTypes(), None, 0.6)
    assert report.stability.halves["hf.recall"] == 1.0
    assert all(report.head_map.evidence.votes[layer][head] == 1.0 for layer, head in RECALLS)
    assert "pasts after which something came back: 2" in as_text(report)
    without = report_on(replace(profile, returns=()), HeadForcingTypes(), None, 0.6)
    assert "none, so heads that recall are not told apart (4 different prompts would)" in as_text(
        without
    )


def test_a_head_that_recalls_now_and_then_is_in_doubt(profile):
    own = profile.returns[0]
    layer, head = sorted(RECALLS)[0]
    other = own.shifts.clone()
    other[:, layer, head] = 0
    mixed = tuple(Return(n, 0, own.shifts if n < 2 else other) for n in range(4))
    head_map = classify(replace(profile, returns=mixed), HeadForcingTypes(), doubt=0.6)
    assert (layer, head) in recalling(head_map)  # on the mean; it keeps more, not less
    assert (layer, head) in head_map.evidence.doubted
    found = Recalling.of(replace(profile, returns=mixed), 0.3)
    assert found.votes(layer, head) == 0.5 and found.halves(20, 0) < 1


def test_measuring_goes_on_where_it_was(subject, profile, tmp_path):
    parts = profiled(subject, SETTINGS)
    for _ in range(len(SETTINGS.videos) + 1):
        part = next(parts)
    file = tmp_path / "p.safetensors"
    write_profile(file, part)
    known = read_profile(file)
    assert len(known.returns) == 1 and known.returning == {(0, 0)}
    assert frames_to_make(subject, SETTINGS, known) == 3 * 21
    made = []
    *_, whole = profiled(subject, SETTINGS, known, made.append)
    assert sum(made) == 3 * 21
    for one, other in zip(whole.returns, profile.returns, strict=True):
        assert (one.prompt, one.seed) == (other.prompt, other.seed)
        assert torch.equal(one.shifts, other.shifts)
    with pytest.raises(ValueError, match="different returns"):
        joined([replace(whole, samples=()), replace(whole, samples=())])


def test_what_is_to_be_made_is_what_is_made(subject):
    made = []
    list(profiled(subject, SETTINGS, None, made.append))
    assert sum(made) == frames_to_make(subject, SETTINGS)


def test_too_few_prompts_are_refused_in_a_sentence():
    class Few(PlantedSubject):
        prompts = 3

    said = "returns must be measured with 4 different prompts or more, which take turns, got 3"
    with pytest.raises(ValueError, match=said):
        next(profiled(Few(FAMILY), SETTINGS))
    with pytest.raises(ValueError, match="returns must be 0 to 2"):
        replace(SETTINGS, returns=3)
    assert possible_returns(FULL.returns, Few(FAMILY)) == 0
    assert possible_returns(FULL.returns, PlantedSubject(FAMILY)) == FULL.returns


def test_a_schedule_that_says_things_twice_is_measured_by_what_differs():
    """A B A C B D E: a new scene must be new, or what is new has been there."""

    class Twice(PlantedSubject):
        prompts = 7
        said = (0, 1, 0, 2, 1, 3, 4)

        def key(self, prompt):
            return str(self.said[prompt])

        def roll(self, request, story, observe, watch, last):
            meant = tuple(self.said[number] for number in story.texts)
            super().roll(request, replace(story, texts=meant), observe, watch, last)

    subject = Twice(FAMILY)
    *_, profile = profiled(subject, SETTINGS)
    told = [texts for starts, texts, _ in subject.stories if len(starts) > 1]
    assert told[:3] == [(0, 1, 2, 0), (0, 1, 2, 1), (0, 1, 2, 3)]
    assert recalling(classify(profile, HeadForcingTypes(), doubt=0)) == RECALLS
    Twice.said = (0, 1, 0, 1, 2, 0, 1)
    with pytest.raises(ValueError, match=r"4 different prompts or more, .* got 3"):
        next(profiled(subject, SETTINGS))


@pytest.mark.parametrize("name", FAMILY_NAMES)
def test_every_family_is_measured_or_refused(name):
    """A model whose prompts come in slowly would show nothing of what is said."""
    family = family_named(name)
    settings = replace(SETTINGS, frames=30 * family.frames_per_chunk, prompts=1, returns=1)
    refused = name in ("rolling_forcing", "krea_14b")
    assert possible_returns(1, PlantedSubject(family)) == (not refused)
    if refused:
        with pytest.raises(ValueError, match="returns must be measured on models that make 4"):
            frames_to_make(PlantedSubject(family), settings)


def test_heads_that_recall_have_a_budget_of_their_own():
    rules = settings_named("head_forcing").build().rules
    assert rules["hf.recall"].policy.middle.count > rules["hf.memory"].policy.middle.count
    assert rules["hf.recall"].policy.seen + 3 <= FAMILY.horizon
