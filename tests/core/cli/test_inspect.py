"""``headforcing inspect``: rules that can be checked by reading."""

import json
from pathlib import Path

import pytest

from headforcing.headforcing_core.cli import main
from headforcing.headforcing_core.methods import (
    PUBLISHED,
    HeadMap,
    published_map,
    read_head_map,
    write_head_map,
)

README = Path(__file__).parents[3] / "README.md"


def test_the_readme_says_what_methods_cost(capsys):
    assert main(["inspect", "--frames", "240"]) == 0
    for line in capsys.readouterr().out.splitlines():
        assert line in README.read_text("utf-8")


def test_the_readme_says_what_is_saved_out_of_the_way(capsys):
    readme, told = " ".join(README.read_text("utf-8").split()), {}
    for more in ([], ["--offload"]):
        assert main(["inspect", "--frames", "240", *more]) == 0
        for line in capsys.readouterr().out.splitlines()[2:]:
            method, _, _, caches, _, *crossed = line.strip("| ").split(" | ")
            told[method] = (*told.get(method, ()), caches, *crossed[1:])
    has, had, copied = "{1}", "{0}", "{2}"
    for method, says in {
        "`rolling_sink`": f"has {has} GiB on the card in place of {had} and copies {copied} GiB",
        "`head_forcing:compact`": f"{has} in place of {had} for {copied}",
        "`pyramid`": f"every call, {has} in place of {had} for {copied}",
    }.items():
        assert says.format(*told[method]) in readme
    assert main(["inspect", "rolling", "--offload"]) == 2
    assert "--offload must come without METHOD" in capsys.readouterr().err


def test_json_tells_frames_positions_and_bytes(capsys):
    published = str(PUBLISHED / "pyramid_self_forcing.csv")
    assert main(["inspect", "pyramid", "--frames", "60", "--map", published, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["heads_of_type"] == {
        "pyramid.wave": 156,
        "pyramid.anchor": 172,
        "pyramid.veil": 32,
    }
    chunk = told["chunks"][10]
    assert chunk["frames"] == [30, 31, 32]
    wave = chunk["heads"]["pyramid.wave"]
    assert [r["query_frames"] for r in wave["readings"]] == [[30], [31], [32]]
    pages = [(p["frames"], p["position"], p["relative"]) for p in wave["readings"][0]["pages"]]
    cyclic = [([t], 9, -21) for t in (6, 12, 18, 24)]
    assert pages == [([0], 9, -21), *cyclic, ([29], 29, -1)]
    assert 0 < wave["held_bytes"] <= wave["room_bytes"]


def test_a_family_has_its_own_sizes(capsys):
    def told(*options):
        assert main(["inspect", *options, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    size = ("--width", "1280", "--height", "704", "--frames", "64")
    own = told("rolling", "--family", "longlive2", *size)
    assert (own["frames_per_chunk"], own["horizon"]) == (8, 32)
    # 44 x 80 latents, two by two to a token; 24 heads
    (one,) = own["chunks"][-1]["heads"].values()
    assert one["room_bytes"] % (22 * 40 * 128 * 2 * 2) == 0
    costs = {
        family: {cost["method"]: cost for cost in told("--family", family, *size)}
        for family in ("self_forcing", "longlive2", "krea_14b")
    }
    full = {family: methods["full"]["bytes"] for family, methods in costs.items()}
    frame = 64 * 128 * 2 * 2
    # tokens, heads and layers; the same size of picture has a quarter of the tokens
    assert full["longlive2"] == frame * 22 * 40 * 24 * 30
    # whose past is never more than the three frames that it is computed from
    assert full["krea_14b"] == 6 * 128 * 2 * 2 * 44 * 80 * 40 * 40
    assert full["self_forcing"] == 66 * 128 * 2 * 2 * 44 * 80 * 12 * 30
    # as many heads of each type, of all that there are
    ten = told("--family", "longlive2", "--frames", "64")
    assert {"pyramid", "forcing_kv"} <= {cost["method"] for cost in ten}
    # its past is made anew: what must outlive a chunk makes no sense
    assert "head_forcing" not in costs["krea_14b"] and "rolling" in costs["krea_14b"]


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["magic"], "a method must be one of"),
        (["rolling", "--set", "window=2"], "window must hold"),
        (["rolling", "--map", "nowhere.json"], "must be a file that exists"),
        (["rolling", "--map", str(PUBLISHED / "pyramid_self_forcing.csv")], "this one needs none"),
        (["head_forcing", "--set", "memory_recent=20"], "at most horizon=21 frames"),
        (["rolling", "--frames", "0"], "--frames must be 1 to 518400 frames, got 0"),
        (["rolling", "--switch", "61"], "--switch must be 1 to 60 frames, got 61"),
        (["full", "--frames", "518400"], "at most 10,000,000 pages"),
        (["rolling", "--free", "1"], "--free must come without METHOD"),
        (["--set", "kv_dtype=int8"], "--set must come with METHOD, got none"),
        (["--map", "nowhere.json"], "--map must come with METHOD"),
        (["--switch", "3"], "--switch must come with METHOD"),
        (["forcing_kv", "--set", "bands.bands=7"], "must divide the 1560 tokens of a frame, got 7"),
    ],
)
def test_bad_options_are_one_sentence(options, rule, capsys):
    assert main(["inspect", *options]) == 2
    said = capsys.readouterr().err
    assert rule in said and len(said.strip().splitlines()) == 1


def test_published_maps():
    counts = published_map("forcing_kv_self_forcing").counts
    assert counts == {"fk.static": 12 + 129, "fk.dynamic": 219}
    assert sum(published_map("forcing_kv_longlive").counts.values()) == 360
    with pytest.raises(ValueError, match="must be one of forcing_kv_longlive"):
        published_map("magic")


def test_a_map_survives_its_file(tmp_path):
    head_map = HeadMap("head_forcing", (("hf.local", "hf.anchor"), ("hf.memory",) * 2), "by hand")
    write_head_map(tmp_path / "map.json", head_map)
    assert read_head_map(tmp_path / "map.json") == head_map


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ('{"format": "headforcing head map", "version": 9}', "version must be 1"),
        ('{"format": "headforcing head map", "version": 1, "scheme"', "breaks in line 1"),
        ('{"layers": [{"layer_idx": 0}], "num_heads": 2}', "it lacks 'static_head'"),
        ("1,2,x\n", "labels must be -1"),
        ("", "must be a text of 1 to 16777216 bytes, got 0"),
        ("\n\n", "a line for every layer"),
        ("1,2\n1\n", "as many heads in every layer"),
    ],
)
def test_a_file_that_is_no_map_is_one_sentence(tmp_path, text, rule):
    (tmp_path / "map").write_text(text)
    with pytest.raises(ValueError, match=rule):
        read_head_map(tmp_path / "map")
