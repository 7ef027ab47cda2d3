"""From measured attention to head types, on heads whose type is known because it was planted."""

import math

import pytest
import torch

from headforcing.headforcing_core.classification import (
    dominant_period,
    forcing_kv_map,
    head_forcing_map,
    pyramid_map,
)


def test_planted_heads_get_their_types():
    # present only, first frames only, everything alike; two layers, in another order
    sink = torch.tensor([[0.0, 1.0, 0.15, 0.15], [0.15, 0.15, 0.0, 0.15]])
    current = torch.tensor([[1.0, 0.0, 0.15, 0.15], [0.15, 0.15, 1.0, 0.15]])
    made = head_forcing_map(sink, current, anchors=1 / 8, locals_=2 / 7)
    memory = "hf.memory"
    assert made.types == (
        ("hf.local", "hf.anchor", memory, memory),
        (memory, memory, "hf.local", memory),
    )


def test_wan_has_90_anchors_54_local_heads_and_216_with_memory():
    sink, current = torch.rand(2, 30, 12, generator=torch.Generator().manual_seed(0))
    made = head_forcing_map(sink, current)
    assert made.counts == {"hf.anchor": 90, "hf.local": 54, "hf.memory": 216}
    types = [kind for layer in made.types for kind in layer]

    def of(values, kind):
        return [v for v, k in zip(values.flatten().tolist(), types, strict=True) if k == kind]

    others = of(sink, "hf.local") + of(sink, "hf.memory")
    assert min(of(sink, "hf.anchor")) > max(others)
    assert min(of(current, "hf.local")) > max(of(current, "hf.memory"))


def test_equal_heads_are_taken_in_order():
    same = torch.full((2, 4), 0.5)
    made = head_forcing_map(same, same)
    assert made.types[0] == ("hf.anchor", "hf.anchor", "hf.local", "hf.local")
    assert set(made.types[1]) == {"hf.memory"}


def test_forcing_kv_heads_are_static_from_the_threshold_on_and_all_in_layer_0():
    recent = torch.tensor([[0.1, 0.9, 0.1], [0.8, 0.79, 1.0]])
    made = forcing_kv_map(recent)
    assert made.types[0] == ("fk.static",) * 3
    assert made.types[1] == ("fk.static", "fk.dynamic", "fk.static")


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
    made = pyramid_map(curve[None, None])
    assert made.types == ((f"pyramid.{kind}",),)


@pytest.mark.parametrize("period", [3, 4, 6, 8, 12])
def test_the_period_of_what_repeats_itself(period):
    # an overtone that outweighs the tone in the differences: the period is still the whole one
    curve = torch.cos(2 * math.pi * FRAMES / period)
    curve = curve + (0.65 * torch.cos(4 * math.pi * FRAMES / period) if period > 4 else 0)
    assert dominant_period(curve.double()) == pytest.approx(period, rel=0.1)
    if period > 4:
        assert dominant_period(curve.double(), harmonics=1) < 0.6 * period


def test_what_does_not_change_has_no_period():
    assert dominant_period(torch.arange(20.0).double()) == math.inf
    assert dominant_period(torch.ones(2)) == math.inf
