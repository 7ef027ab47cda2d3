"""Head maps that lie: each is one sentence, at once; what is written is read back equal."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest
from planted import planted_profile

from headforcing.headforcing_core.demo.networks import SHIPPED
from headforcing.headforcing_core.heads import CLASSIFIERS, classify
from headforcing.headforcing_core.methods import (
    PUBLISHED,
    Evidence,
    HeadMap,
    read_head_map,
    write_head_map,
)
from headforcing.headforcing_core.methods.head_map_files import map_text

ROOT = Path(__file__).parents[3]
OURS = json.loads(map_text(classify(planted_profile(), CLASSIFIERS[0])))
CURVES = json.loads(map_text(classify(planted_profile(), CLASSIFIERS[1])))
KV = {
    "num_heads": 2,
    "num_layers": 2,
    "layers": [
        {"layer_idx": 0, "static_head": [0], "dynamic_head": [1]},
        {"layer_idx": 1, "static_head": [], "dynamic_head": [0, 1]},
    ],
}
TYPES = [["a", "b"], ["b", "b"]]


def refused(path, said):
    began = monotonic()
    with pytest.raises(ValueError, match=said) as error:
        read_head_map(path)
    assert " must " in str(error.value) and len(str(error.value)) < 400
    assert len(str(error.value).splitlines()) == 1
    assert monotonic() - began < 6


def changed(data, **values):
    """Change entries; statistics and layers by their own names."""
    data = json.loads(json.dumps(data))
    for name, value in values.items():
        holder = data["statistics"] if name in data.get("statistics", {}) else data
        holder[name] = value
    return json.dumps(data)


def layer(**values):
    return changed(KV, layers=[{**KV["layers"][0], **values}, KV["layers"][1]])


NUMBERS = "9" * 400, "9" * 5000
LIES = {
    "types of letters": (changed(OURS, types=["hf.local", "hf.local"]), "types of a layer must be"),
    "types in a dict": (changed(OURS, types={"0": ["a"]}), "types must be a list, got a dict"),
    "types of numbers": (changed(OURS, types=[[1, 2]]), "a type must be a text .*, got 1"),
    "types of nothing": (changed(OURS, types=[[None]]), "a type must be a text .*, got None"),
    "types in types": (changed(OURS, types=[[["a"]]]), "a type must be a text .*, got a list"),
    "types null": (changed(OURS, types=None), "types must be a list, got None"),
    "no types": (changed(OURS, types=[]), "as many heads in every layer"),
    "no heads": (changed(OURS, types=[[], []]), "as many heads in every layer, got"),
    "a type of no letters": (changed(OURS, types=[[""]]), "names of 1 to 100 letters, got ''"),
    "a type of two lines": (changed(OURS, types=[["a\nb"]]), "names of 1 to 100 letters"),
    "a type of many letters": (changed(OURS, types=[["x" * 9999]]), "names of 1 to 100 letters"),
    "half a letter": (changed(OURS, types=[["\ud800"]]), "a type must be a text"),
    "many layers": (changed(OURS, types=[["a"]] * 1025), "types must be at most 1024, got 1025"),
    "many heads": (changed(OURS, types=[["a"] * 1025]), "must be at most 1024, got 1025"),
    "a scheme of numbers": (changed(OURS, scheme=3), "scheme must be a text"),
    "a source": (changed(OURS, source=["x"]), "source must be a text .*, got a list"),
    "edits": (changed(OURS, edits="by hand"), "edits must be a list"),
    "edits of numbers": (changed(OURS, edits=[1]), "edits must be a text"),
    "a checksum": (changed(OURS, checksum=1), "checksum must be a text"),
    "a version that is true": (changed(OURS, version=True), "version must be 1, got True"),
    "a version that is a float": (changed(OURS, version=1.0), "version must be 1, got 1.0"),
    "counts of others": (changed(OURS, counts={"a": 12}), "counts must be those of types"),
    "counts that are none": (changed(OURS, counts=[1]), "counts must be a JSON object"),
    "counts that are true": (changed(OURS, counts={"a": True}), "the count of 'a' must be a whole"),
    "a fingerprint": (changed(OURS, fingerprint=7), "fingerprint must be a text"),
    "parameters": (changed(OURS, parameters=[["a", 1]]), "parameters must be a JSON object"),
    "votes below": (changed(OURS, votes=[[-0.1] * 6] * 2), "votes must be shares from 0 to 1"),
    "votes above": (changed(OURS, votes=[[1.5] * 6] * 2), "votes must be shares from 0 to 1"),
    "votes of texts": (changed(OURS, votes=[["1"] * 6] * 2), "votes must be numbers, got '1'"),
    "votes that are true": (changed(OURS, votes=[[True] * 6] * 2), "votes must be numbers"),
    "votes of letters": (changed(OURS, votes=["111111"] * 2), "votes must have a value for every"),
    "votes of lists": (changed(OURS, votes=[[[1]] * 6] * 2), "votes must be numbers, got"),
    "statistics": (changed(OURS, statistics=[]), "statistics must be a JSON object"),
    "a statistic": (changed(OURS, sink=5), "sink must have a value for every head"),
    "a statistic of rows": (changed(OURS, sink=[[1] * 6]), "sink must have a value for every head"),
    "a statistic of texts": (changed(OURS, sink=[["x"] * 6] * 2), "sink must be numbers"),
    "a statistic of nothing": (changed(OURS, sink=[[None] * 6] * 2), "sink must be numbers"),
    "a statistic of both": (
        changed(OURS, sink=[[1] * 6, [[1]] * 6]),
        "sink must have as many values for every head",
    ),
    "curves of many lengths": (
        changed(CURVES, scores=[[[1, 2]] * 6, [[1]] * 6]),
        "scores must have as many values for every head",
    ),
    "curves of curves": (changed(CURVES, scores=[[[[1]]] * 6] * 2), "scores must be numbers"),
    "doubt": (changed(OURS, doubted=[[2, 0]]), "the layer of a doubted head must be .* 0 to 1"),
    "doubt of a head": (changed(OURS, doubted=[[0, 6]]), "number of a doubted head must be"),
    "doubt below": (changed(OURS, doubted=[[0, -1]]), "number of a doubted head must be"),
    "doubt of floats": (changed(OURS, doubted=[[0, 1.0]]), "number of a doubted head must be"),
    "doubt of truth": (changed(OURS, doubted=[[True, 0]]), "the layer of a doubted head must be"),
    "doubt of one": (changed(OURS, doubted=[[1]]), r"doubted must name heads as \[layer, head\]"),
    "doubt of letters": (changed(OURS, doubted=["01"]), "doubted must name heads as"),
    "much doubt": (changed(OURS, doubted=[[0, 0]] * 13), "doubted must be at most 12, got 13"),
    "a billion heads": (changed(KV, num_heads=10**9), "num_heads must be .*, got 1000000000"),
    "true heads": (changed(KV, num_heads=True), "num_heads must be a whole number"),
    "half heads": (changed(KV, num_heads=2.0), "num_heads must be a whole number"),
    "heads of letters": (changed(KV, num_heads="2"), "num_heads must be a whole number"),
    "no heads at all": (changed(KV, num_heads=0), "num_heads must be a whole number from 1"),
    "layers of letters": (changed(KV, layers="ab"), "layers must be a list"),
    "layers of lists": (changed(KV, layers=[[]]), "num_layers must be that of layers"),
    "no layers": (changed(KV, layers=[], num_layers=0), "as many heads in every layer"),
    "other layers": (changed(KV, num_layers=3), "num_layers must be that of layers, 2, got 3"),
    "a layer twice": (layer(layer_idx=1), "layers must be numbered from 0, got 1 twice"),
    "a layer beyond": (layer(layer_idx=2), "layer_idx must be a whole number from 0 to 1, got 2"),
    "a true layer": (layer(layer_idx=False), "layer_idx must be a whole number"),
    "a head in both": (layer(dynamic_head=[0, 1]), "layer 0 must name each of 2 heads once"),
    "a head in none": (layer(dynamic_head=[]), "layer 0 must name each of 2 heads once"),
    "a head twice": (layer(dynamic_head=[1, 1]), "dynamic_head must name each head once"),
    "true heads of a layer": (layer(static_head=[False]), "heads of static_head must be a whole"),
    "heads in words": (layer(static_head="0"), "static_head must be a list"),
    "heads of heads": (layer(static_head=[[0]]), "heads of static_head must be a whole number"),
    "a profile": (changed(KV, profile={}), "profile must be a text"),
    "keys twice": ('{"format": "x", "format": "headforcing head map"}', "a key once"),
    "not a number": (changed(OURS, sink=[[float("nan")] * 6] * 2), "must be finite, got NaN"),
    "infinity": (changed(KV, num_heads=float("inf")), "must be finite, got Infinity"),
    "brackets": ('{"types":' + "[" * 100_000, "must nest|must be whole"),
    "braces": ('{"a":' * 100_000, "must nest|must be whole"),
    "digits": ('{"num_heads": ' + NUMBERS[0] + ', "layers": []}', "at most 100 digits"),
    "more digits": ('{"num_heads": ' + NUMBERS[1] + ', "layers": []}', "at most 100 digits"),
    "a version of digits": ('{"version": ' + NUMBERS[1] + "}", "at most 100 digits"),
    "a list": ("[[1, 2]]", "labels must be -1"),
    "labels of letters": ("-1,1\n1,x\n", "labels must be .*, got 'x'"),
    "a long label": ("1" * 200_000, "its lines must be labels|labels must be"),
    "a label in quotes without end": ('1,"' + "1\n" * 200_000, "its lines must be|labels must be"),
    "half labels": ("1.0,2.0\n", "labels must be .*, got '1.0'"),
    "digits as labels": ("9" * 5000, "labels must be"),
    "many labels": (",".join(["1"] * 1025), "at most 1024 lines of 1024 labels"),
    "many lines": ("1\n" * 1025, "at most 1024 lines of 1024 labels"),
    "lines of many lengths": ("1,1\n1\n", "as many heads in every layer"),
    "zeros": ("\0" * 100, "labels must be|its lines must be"),
    "words": ("hello", "labels must be"),
    "blank lines": ("\n\n", "must have a line for every layer, got none"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_map_that_lies_is_one_sentence(tmp_path, name):
    content, said = LIES[name]
    path = tmp_path / "m.json"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    refused(path, said)


def test_what_the_lies_were_made_of_is_read(tmp_path):
    for content in (OURS, CURVES, KV):
        (tmp_path / "m.json").write_text(json.dumps(content))
        assert read_head_map(tmp_path / "m.json").types


@pytest.mark.parametrize("published", sorted(p.name for p in PUBLISHED.glob("*.[jc]s*")))
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "marked"])
def test_published_maps_are_read_whatever_editor_wrote_them(tmp_path, published, mark):
    whole = PUBLISHED / published
    (tmp_path / published).write_bytes(mark + whole.read_bytes())
    again = read_head_map(tmp_path / published)
    assert again == read_head_map(whole) and len(again.types) == 30
    (tmp_path / published).write_bytes(whole.read_bytes().replace(b"\n", b"\r\n"))
    assert read_head_map(tmp_path / published) == again
    (tmp_path / published).write_text(whole.read_text("utf-8"), "utf-16")
    refused(tmp_path / published, "must be text in UTF-8, got UTF-16; save it as UTF-8")


MAPS = {
    "plain": HeadMap("mine", (("a", "b"), ("b", "b"))),
    "told": HeadMap("mine", (("a",),), "from é, \u2028 and 'x'", edits=("one", 'two "x"')),
    "evidence of nothing": HeadMap("mine", (("a",),), evidence=Evidence("f")),
    "evidence": HeadMap(
        "mine",
        (("a", "b"),),
        evidence=Evidence(
            "f", {"a": [1, None], "b": {"c": 0.1}}, {"x": [[1.0, 2.0]]}, ((0.5, 1.0),), ((0, 1),)
        ),
    ),
    "the largest": HeadMap("mine", (("x" * 8,) * 1024,) * 1024),
}


@pytest.mark.parametrize("name", MAPS)
def test_what_is_written_is_read_back_equal(tmp_path, name):
    write_head_map(tmp_path / "m.json", MAPS[name])
    assert read_head_map(tmp_path / "m.json") == MAPS[name]


def test_what_could_not_be_read_back_is_not_written():
    evidence = Evidence("f", {}, {"x": [[float("nan")]]}, ((1.0,),))
    with pytest.raises(ValueError, match="must have finite numbers, got nan"):
        map_text(HeadMap("mine", (("a",),), evidence=evidence))
    for types in (((),), (), (("a",), ("a", "b")), (("a",) * 1025,), (("",),)):
        with pytest.raises(ValueError, match="must"):
            HeadMap("mine", types)


def test_a_type_changed_by_hand_need_not_be_counted_again(tmp_path):
    data = json.loads(json.dumps(OURS))
    data["types"][0][0] = "hf.memory" if data["types"][0][0] != "hf.memory" else "hf.local"
    (tmp_path / "m.json").write_text(json.dumps(data))
    again = read_head_map(tmp_path / "m.json")
    assert again.edits == ("types were changed in the file",)


def test_every_map_of_the_demo_is_read_and_written_alike(tmp_path):
    for path in sorted((SHIPPED / "head_maps").glob("*.json")):
        head_map = read_head_map(path)
        write_head_map(tmp_path / path.name, head_map)
        assert (tmp_path / path.name).read_text() == path.read_text()
        assert read_head_map(tmp_path / path.name) == head_map
        assert replace(head_map, source="x") != head_map


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX")
def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    refused(tmp_path / "pipe.json", "must be a plain file, got a pipe")
    refused(tmp_path, "must be a plain file, got a folder")
    refused(Path("/dev/zero"), "must be a plain file")
    refused(tmp_path / "absent.json", "a head map must be a file that exists, got")
    (tmp_path / "empty.csv").write_bytes(b"")
    refused(tmp_path / "empty.csv", "must be a text of 1 to 16777216 bytes, got 0")
    (tmp_path / "x.json").write_bytes(bytes(range(256)))
    refused(tmp_path / "x.json", "must be text in UTF-8")


@pytest.mark.skipif(sys.platform == "win32", reason="limits of memory are POSIX")
def test_memory_stays_in_proportion_to_the_file(tmp_path):
    (tmp_path / "a.json").write_text(changed(KV, num_heads=10**9))
    (tmp_path / "b.json").write_text('{"format": ' + "[" * 5_000_000)
    (tmp_path / "c.json").write_text('{"format": [' + "[]," * 5_000_000 + "[]]}")
    (tmp_path / "d.json").write_text('{"types": [' + "1," * 1_000_000 + "1]}")
    (tmp_path / "e.csv").write_text("1," * 4_000_000)
    (tmp_path / "f.json").write_text('{"a": ' + "9" * 10_000_000 + "}")
    code = f"""
import resource, sys
sys.path.insert(0, {str(ROOT / "tests")!r})
import pack
from pathlib import Path
from headforcing.headforcing_core.methods import read_head_map
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + (1 << 28),) * 2)
for path in sorted(Path({str(tmp_path)!r}).iterdir()):
    try:
        read_head_map(path)
    except ValueError as error:
        assert " must " in str(error), error
    else:
        raise AssertionError(path)
print("refused")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("refused"), done.stderr[-2000:]
