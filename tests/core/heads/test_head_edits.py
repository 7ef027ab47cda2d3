"""Edits of a head map as text, and the map as a page is told it."""

import json

import pytest
from planted import planted_profile

from headforcing.headforcing_core.heads import (
    CLASSIFIERS,
    EditedMap,
    classify,
    described,
    edits_in,
    with_edits,
)
from headforcing.headforcing_core.methods import HeadMap, published_map

MAP = HeadMap("head_forcing", (("hf.local", "hf.memory"), ("hf.anchor", "hf.local")))


def test_edits_are_read_in_any_spacing():
    read = [(e.layer, e.head, e.kind) for e in edits_in(" 3.5=hf.memory,4.1 = hf.local\n\n0.0=x,")]
    assert read == [(3, 5, "hf.memory"), (4, 1, "hf.local"), (0, 0, "x")]
    assert edits_in("") == edits_in(" \n ,") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0.0=hf.nothing", "got 'hf.nothing' for head 0.0, which is not known"),
        (
            "0.0=pyramid.wave",
            "the map's scheme, head_forcing (hf.local, hf.anchor, hf.memory, hf.recall)",
        ),
        ("0.0=pyramid.wave", "which is of another scheme"),
        ("2.0=hf.local", "layer 0 to 1 and number 0 to 1, got layer 2, head 0"),
        ("0.0=hf.local, 0.0=hf.memory", "must name each head once, got 0.0 twice"),
        ("0.0=hf.local, 00.0=hf.local", "must name each head once, got 0.0 twice"),
        ("hello", "edits must be LAYER.HEAD=TYPE, such as 3.5=hf.memory, got 'hello'"),
        ("-1.0=hf.local", "edits must be LAYER.HEAD=TYPE"),
        ("\u0660.\u0660=hf.local", "edits must be LAYER.HEAD=TYPE"),
        ("0.0=hf.local 0.1=hf.local", "edits must be LAYER.HEAD=TYPE"),
        ("[" * 500_000, "edits must be at most 400000 letters, got 500000"),
        ("0.0=x," * 10_001, "edits must be of at most 10000 heads, got 10001"),
    ],
)
def test_what_is_no_edit_is_one_sentence(text, said):
    with pytest.raises(ValueError) as caught:
        with_edits(MAP, text)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_edits_are_told_as_changes_by_hand():
    edited = with_edits(MAP, "0.0=hf.memory, 1.1=hf.local")
    assert edited.types == (("hf.memory", "hf.memory"), ("hf.anchor", "hf.local"))
    assert edited.edits == ("layer 0, head 0: hf.local became hf.memory",)
    assert with_edits(MAP, "") is MAP


def test_the_chosen_scheme_is_named():
    with pytest.raises(ValueError, match="the chosen scheme, head_forcing"):
        with_edits(MAP, "0.0=fkv.static", "the chosen scheme")


@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=lambda c: c.scheme)
def test_a_map_is_described(classifier):
    head_map = classify(planted_profile(), classifier)
    told = described(EditedMap(head_map))
    json.dumps(told, allow_nan=False)
    names = [kind["name"] for kind in told["kinds"]]
    assert tuple(tuple(names[n] for n in row) for row in told["types"]) == head_map.types
    assert {k["name"]: k["count"] for k in told["kinds"] if k["count"]} == head_map.counts
    letters = [kind["letter"] for kind in told["kinds"]]
    assert len(set(letters)) == len(letters)  # colour is not the only sign
    assert set(told["measured"]["statistics"]) == set(head_map.evidence.statistics)
    assert told["measured"]["doubted"] == [list(head) for head in head_map.evidence.doubted]


def test_before_and_after_lie_beside_each_other():
    told = described(EditedMap(MAP, "0.0=hf.anchor", "0.1=hf.anchor"))
    names = [kind["name"] for kind in told["kinds"]]
    assert names == ["hf.local", "hf.anchor", "hf.memory", "hf.recall"]
    assert (told["types"][0], told["base"][0]) == ([1, 1], [1, 2])
    assert told["edits"] == [[0, 1, 1]]
    beside = told["beside"]
    assert beside["types"][0] == [0, 2] and not beside["given"]
    assert ["hf.anchor", "hf.memory", 1] in beside["pairs"]
    assert told["measured"] is None


def test_a_map_beside_it_is_compared():
    other = HeadMap("pyramid", (("pyramid.wave",) * 2,) * 2)
    told = described(EditedMap(MAP), other)
    assert told["beside"]["given"] and not told["beside"]["alike"]
    assert sum(count for *_, count in told["beside"]["pairs"]) == 4
    with pytest.raises(ValueError, match="head maps to compare must be of one size"):
        described(EditedMap(MAP), published_map("pyramid_self_forcing"))
