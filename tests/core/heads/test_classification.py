"""From measured attention to head types, on heads whose type is known because it was planted."""

import math
from types import SimpleNamespace

import pytest
import torch
from planted import HEADS, planted_profile

from headforcing.headforcing_core.heads import CLASSIFIERS, HeadForcingTypes, classify
from headforcing.headforcing_core.heads.classification import (
    DummyHeads,
    ForcingKVTypes,
    PyramidTypes,
    dominant_period,
    mean,
)


def planted_types(classifier, doubt=0.0):
    """Return {planted head: its type}, from the second layer, where heads are shifted by one."""
    head_map = classify(planted_profile(), classifier, doubt=doubt)
    first, second = head_map.types
    assert second == (*first[-1:], *first[:-1]) or classifier.scheme == "forcing_kv"
    return dict(zip(HEADS, (*second[1:], second[0]), strict=True))


def test_planted_heads_by_head_forcings_rule():
    found = planted_types(HeadForcingTypes(tau_anchor=1 / 6, tau_local=1 / 5))
    assert found == dict.fromkeys(HEADS, "hf.memory") | {
        "present": "hf.local",
        "first": "hf.anchor",
    }


def test_planted_heads_by_pyramid_forcings_rule():
    found = planted_types(PyramidTypes())
    assert found["wave"] == "pyramid.wave"
    assert found["agreeing"] == "pyramid.anchor"
    assert found["opposed"] == "pyramid.veil"


def test_planted_heads_by_forcing_kvs_rule():
    found = planted_types(ForcingKVTypes())
    assert found.pop("present") == "fk.static"
    assert set(found.values()) == {"fk.dynamic"}
    first_layer = classify(planted_profile(), ForcingKVTypes()).types[0]
    assert set(first_layer) == {"fk.static"}  # which its code does not group


def test_planted_heads_by_dummy_forcings_rule():
    found = planted_types(DummyHeads())
    assert found["first"] == "dummy.a"
    assert found["present"] == "dummy.c"
    assert list(found.values()).count("dummy.c") == 3


def test_what_rules_look_at_adds_up():
    (sample,) = (s for s in planted_profile().samples if s.step == 0)
    shares = HeadForcingTypes().statistics(sample)
    whole = sum(shares.values())
    torch.testing.assert_close(whole, torch.ones_like(whole))
    present, first = HEADS.index("present"), HEADS.index("first")
    assert shares["current"][0, present] > 0.999 and shares["sink"][0, first] > 0.999
    uniform = HEADS.index("uniform")
    assert shares["sink"][0, uniform] == pytest.approx(1 / 36, rel=1e-4)
    assert shares["middle"][0, uniform] == pytest.approx(32 / 36, rel=1e-4)
    assert {tuple(sorted(c.statistics(sample))) for c in CLASSIFIERS} == {
        ("current", "middle", "sink"),
        ("scores",),
        ("recent",),
        ("between", "first"),
    }


def random_masses():
    sink, current = torch.rand(2, 30, 12, generator=torch.Generator().manual_seed(0))
    return {"sink": sink, "current": current, "middle": 1 - sink - current}


def test_wan_has_90_anchors_54_local_heads_and_216_with_memory():
    masses = random_masses()
    types = HeadForcingTypes().types(masses)
    flat = [kind for layer in types for kind in layer]
    counts = {kind: flat.count(kind) for kind in set(flat)}
    assert counts == {"hf.anchor": 90, "hf.local": 54, "hf.memory": 216}

    def of(name, kind):
        values = masses[name].flatten().tolist()
        return [v for v, k in zip(values, flat, strict=True) if k == kind]

    others = of("sink", "hf.local") + of("sink", "hf.memory")
    assert min(of("sink", "hf.anchor")) > max(others)
    assert min(of("current", "hf.local")) > max(of("current", "hf.memory"))


def test_ranks_within_each_layer():
    types = HeadForcingTypes(per_layer=True).types(random_masses())
    for row in types:
        assert (row.count("hf.anchor"), row.count("hf.local")) == (3, 2)


def test_absolute_thresholds_may_leave_a_type_empty():
    masses = {"sink": torch.tensor([[0.1, 0.3]]), "current": torch.tensor([[0.91, 0.95]])}
    rule = HeadForcingTypes(tau_anchor=0.2, tau_local=0.9, absolute=True)
    assert rule.types(masses) == (("hf.local", "hf.anchor"),)
    strict = HeadForcingTypes(tau_anchor=0.5, tau_local=0.99, absolute=True)
    assert strict.types(masses) == (("hf.memory", "hf.memory"),)


def test_equal_heads_are_taken_in_order():
    same = torch.full((2, 4), 0.5)
    types = HeadForcingTypes().types({"sink": same, "current": same})
    assert types[0] == ("hf.anchor", "hf.anchor", "hf.local", "hf.local")
    assert set(types[1]) == {"hf.memory"}


def test_the_share_of_each_rule_is_of_what_it_says():
    """One head with nearly all on the first frame, one that has none there; by hand."""
    mass = torch.tensor(
        [[[0.80, 0.02, 0.02, 0.04, 0.04, 0.04, 0.04], [0.0, 0.3, 0.1, 0.1, 0.1, 0.2, 0.2]]],
        dtype=torch.float64,
    )
    sample = SimpleNamespace(mass=mass, past=4)
    of_forcing_kv = ForcingKVTypes().statistics(sample)["recent"]
    torch.testing.assert_close(of_forcing_kv, torch.tensor([[0.16 / 0.2, 0.6]], dtype=mass.dtype))
    wider = ForcingKVTypes(sink_frames=2, last=3).statistics(sample)["recent"]
    expected = torch.tensor([[0.12 / 0.18, 0.5 / 0.7]], dtype=mass.dtype)
    torch.testing.assert_close(wider, expected)
    shares = HeadForcingTypes().statistics(sample)
    for name, values in {"sink": (0.8, 0.0), "middle": (0.08, 0.5), "current": (0.12, 0.5)}.items():
        expected = torch.tensor([values], dtype=mass.dtype)
        torch.testing.assert_close(shares[name], expected)


def test_forcing_kv_heads_are_static_from_the_threshold_on():
    recent = torch.tensor([[0.1, 0.9, 0.1], [0.8, 0.79, 1.0]], dtype=torch.float64)
    types = ForcingKVTypes().types({"recent": recent})
    assert types == (("fk.static",) * 3, ("fk.static", "fk.dynamic", "fk.static"))


FRAMES = torch.arange(48.0)


@pytest.mark.parametrize(
    ("curve", "kind"),
    [
        (torch.full((10,), 0.2), "anchor"),
        (torch.tensor([1.0] * 8 + [-9.0] * 2), "anchor"),  # four fifths are above zero
        (torch.tensor([-1.0] * 8 + [9.0] * 2), "veil"),
        (torch.sin(2 * math.pi * FRAMES / 6), "wave"),
        (torch.sin(2 * math.pi * FRAMES / 12) + 0.1, "anchor"),  # too slow for a wave
        (torch.sin(2 * math.pi * FRAMES / 12) - 0.1, "veil"),
        (torch.tensor([1.0, -1.0]), "veil"),  # too short to repeat itself
    ],
)
def test_pyramid_heads_by_sign_and_period(curve, kind):
    assert PyramidTypes().types({"scores": curve[None, None]}) == ((f"pyramid.{kind}",),)


@pytest.mark.parametrize("period", [3, 4, 6, 8, 12])
def test_the_period_of_what_repeats_itself(period):
    # an overtone that outweighs the tone in the differences: the period is still the whole one
    curve = torch.cos(2 * math.pi * FRAMES / period)
    curve = curve + (0.65 * torch.cos(4 * math.pi * FRAMES / period) if period > 4 else 0)
    assert dominant_period(curve.double()) == pytest.approx(period, rel=0.1)
    for frames in range(max(15, 2 * period), 48):  # whatever the window
        assert dominant_period(curve[:frames].double()) == pytest.approx(period, rel=0.15)
    if period > 4:
        assert dominant_period(curve.double(), harmonics=1) < 0.6 * period


def test_curves_are_averaged_over_the_longest_pasts():
    short, one, other = (
        {"scores": torch.full((1, 1, n), value)} for n, value in ((3, 9.0), (5, 1.0), (5, 2.0))
    )
    assert mean([short, one, other])["scores"].tolist() == [[[1.5] * 5]]


def test_what_does_not_change_has_no_period():
    assert dominant_period(torch.arange(20.0).double()) == math.inf
    assert dominant_period(torch.ones(2)) == math.inf


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        (HeadForcingTypes, {"tau_anchor": 1.5}),
        (HeadForcingTypes, {"sink_frames": 0}),
        (ForcingKVTypes, {"threshold": -1.0}),
        (ForcingKVTypes, {"last": 0}),
    ],
)
def test_thresholds_that_mean_nothing_are_refused(rule, values):
    with pytest.raises(ValueError, match="must be"):
        rule(**values)
