"""Head maps and their files: what is changed stays told, what is damaged is refused."""

import json
from dataclasses import replace

import pytest
from PIL import ImageChops
from planted import planted_profile

from headforcing.headforcing_core.demo.networks import SHIPPED
from headforcing.headforcing_core.heads import CLASSIFIERS, COLOURS, classify, draw_types
from headforcing.headforcing_core.heads.head_map_pictures import INK, draw_bars
from headforcing.headforcing_core.methods import (
    HeadMap,
    read_head_map,
    settings_named,
    write_head_map,
)
from headforcing.headforcing_core.methods.head_map_files import map_text


@pytest.fixture(scope="module", params=CLASSIFIERS, ids=lambda c: c.scheme)
def head_map(request):
    return classify(planted_profile(), request.param)


def test_a_measured_map_survives_its_file(head_map, tmp_path):
    path = tmp_path / "map.json"
    write_head_map(path, head_map)
    again = read_head_map(path)
    assert (again.scheme, again.types, again.source) == (
        head_map.scheme,
        head_map.types,
        head_map.source,
    )
    mine, its = head_map.evidence, again.evidence
    assert (its.fingerprint, its.doubted) == (mine.fingerprint, mine.doubted)
    assert its.parameters == json.loads(json.dumps(mine.parameters))
    for name, values in mine.statistics.items():
        flat, back = (str(json.dumps(v)).count(",") for v in (values, its.statistics[name]))
        assert flat == back
    assert map_text(again) == path.read_text("utf-8")
    assert path.read_text("utf-8").count("\n") < 60  # a line per layer, for people to read


def test_every_scheme_names_the_types_of_its_method(head_map):
    assert set(head_map.counts) <= set(settings_named(head_map.scheme).build().rules)


def test_a_change_by_hand_is_told(tmp_path):
    head_map = classify(planted_profile(), CLASSIFIERS[0])
    before = head_map.types[1][2]
    changed = head_map.with_type(1, 2, "hf.local")
    assert changed.types[1][2] == "hf.local"
    assert changed.edits == (f"layer 1, head 2: {before} became hf.local",)
    assert changed.evidence == head_map.evidence
    assert changed.with_type(1, 2, "hf.local") is changed
    write_head_map(tmp_path / "map.json", changed)
    assert read_head_map(tmp_path / "map.json").edits == changed.edits
    with pytest.raises(ValueError, match="layer 0 to 1 and number 0 to 5, got layer 2, head 0"):
        head_map.with_type(2, 0, "hf.local")


def test_a_change_in_the_file_itself_is_told(tmp_path):
    path = tmp_path / "map.json"
    head_map = classify(planted_profile(), CLASSIFIERS[0])
    write_head_map(path, head_map)
    rows = [list(row) for row in head_map.types]
    rows[0][0], rows[0][1] = rows[0][1], rows[0][0]  # as many of each type
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"types": rows}))
    again = read_head_map(path)
    assert again.types[0] == tuple(rows[0]) and again.edits == ("types were changed in the file",)
    assert again.evidence.fingerprint == head_map.evidence.fingerprint
    write_head_map(path, again)
    assert read_head_map(path).edits == again.edits  # told once


def without(name):
    return lambda data: data.pop(name)


def shorter(name):
    def change(data):
        data[name][0] = data[name][0][:-1]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("types"), "it lacks 'types'"),
        (without("scheme"), "it lacks 'scheme'"),
        (shorter("types"), "as many heads in every layer"),
        (shorter("votes"), "votes must have a value for every head"),
        (lambda data: shorter("sink")(data["statistics"]), "sink must have a value"),
        (lambda data: data.update(version=2), "version must be 1, got 2"),
        (lambda data: data.update(format="a recipe"), "format must be"),
        (lambda data: data.update(votes=[["many"]]), "votes must have a value for every head"),
    ],
)
def test_a_damaged_file_is_one_sentence(change, message, tmp_path):
    path = tmp_path / "map.json"
    data = json.loads(map_text(classify(planted_profile(), CLASSIFIERS[0])))
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match=message) as error:
        read_head_map(path)
    assert "map.json must be a head map" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_truncated_file_is_one_sentence(head_map, tmp_path):
    path = tmp_path / "map.json"
    text = map_text(head_map)
    for end in range(1, len(text) - 3, 97):
        path.write_text(text[:end])
        with pytest.raises(ValueError, match=r"map\.json must be a head map"):
            read_head_map(path)


def colours(picture):
    return {"#{:02X}{:02X}{:02X}".format(*rgb) for _, rgb in picture.getcolors(1 << 20)}


def test_a_picture_shows_every_type_and_every_doubt(head_map):
    picture = draw_types(head_map)
    assert {COLOURS[kind].upper() for kind in head_map.counts} <= colours(picture)
    layers, heads = len(head_map.types), len(head_map.types[0])
    assert picture.height > layers * 26 and picture.width > heads * 26


def test_a_head_in_doubt_has_a_frame():
    sure = classify(planted_profile(), CLASSIFIERS[0], doubt=0.0)
    unsure = replace(sure, evidence=replace(sure.evidence, doubted=((1, 2),)))
    plain, framed = draw_types(sure), draw_types(unsure)
    changed = ImageChops.difference(plain, framed).crop((0, 44, 460, 44 + 2 * 26)).getbbox()
    left, top = 44 + 2 * 26, 26
    assert changed == (left + 1, top + 1, left + 25, top + 25)


def test_types_of_one_scheme_differ_in_colour():
    for scheme in {kind.split(".")[0] for kind in COLOURS}:
        own = [colour for kind, colour in COLOURS.items() if kind.split(".")[0] == scheme]
        assert len(set(own)) == len(own) >= 2


def test_bars_are_as_long_as_their_values():
    picture = draw_bars("bytes", {"0": {"hf.local": 1.0}, "1": {"hf.local": 4.0}}, "MiB")
    wanted = COLOURS["hf.local"]
    rgb = tuple(int(wanted[i : i + 2], 16) for i in (1, 3, 5))
    lengths = {}
    for y in range(44, 44 + 2 * 18):
        row = [picture.getpixel((x, y)) for x in range(picture.width)]
        lengths[(y - 44) // 18] = max(lengths.get((y - 44) // 18, 0), row.count(rgb))
    assert lengths[1] == pytest.approx(4 * lengths[0], rel=0.05)


def test_maps_from_elsewhere_have_pictures_too():
    picture = draw_types(HeadMap("mine", (("x.a", "x.b"), ("x.b", "x.b"))))
    assert INK.upper() in colours(picture)


def test_layers_are_lines_and_heads_stand_in_their_order(tmp_path):
    """In every kind of file: no row and no column has the same types backwards."""
    (tmp_path / "labels.csv").write_text("-1,1,2,2\n1,1,-1,2\n2,-1,-1,-1\n")
    csv = read_head_map(tmp_path / "labels.csv")
    wave, anchor, veil = (f"pyramid.{name}" for name in ("wave", "anchor", "veil"))
    assert csv.types == (
        (wave, anchor, veil, veil),
        (anchor, anchor, wave, veil),
        (veil, wave, wave, wave),
    )
    layers = [
        {"layer_idx": 1, "static_head": [0, 3], "dynamic_head": [1, 2]},
        {"layer_idx": 0, "static_head": [0], "dynamic_head": [1, 2, 3]},
        {"layer_idx": 2, "static_head": [1], "dynamic_head": [0, 2, 3]},
    ]
    (tmp_path / "kv.json").write_text(json.dumps({"num_heads": 4, "layers": layers}))
    static, dynamic = "fk.static", "fk.dynamic"
    kv = read_head_map(tmp_path / "kv.json")
    assert kv.types == (
        (static,) * 4,
        (static, dynamic, dynamic, static),
        (dynamic, static, dynamic, dynamic),
    )
    for number, head_map in enumerate((csv, kv)):
        path = tmp_path / f"ours{number}.json"
        write_head_map(path, head_map)
        assert read_head_map(path).types == head_map.types
        assert json.loads(path.read_text())["types"] == [list(row) for row in head_map.types]


def test_the_maps_of_the_demo_model_are_of_their_heads():
    """The map that ships is what its own statistics say, head by head."""
    head_map = read_head_map(SHIPPED / "head_maps" / "head_forcing.json")
    sink = head_map.evidence.statistics["sink"]
    places = [(layer, head) for layer, row in enumerate(sink) for head in range(len(row))]
    most = sorted(places, key=lambda at: sink[at[0]][at[1]], reverse=True)
    anchors = {(x, y) for x, y in places if head_map.types[x][y] == "hf.anchor"}
    # a quarter of the heads, but for those in doubt
    assert anchors and anchors <= set(most[: len(places) // 4])
