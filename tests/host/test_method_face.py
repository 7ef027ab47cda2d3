"""Cache Method's drawing and folded widgets in the host's page; check_method_face.py does it."""

import pytest
import torch
from on_page import needs_page, seen_by

from headforcing.headforcing_core.demo.networks import CONFIG, FAMILY
from headforcing.headforcing_core.demo.profiles import MAPS
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.inspection import Forecast, ModelSizes
from headforcing.headforcing_core.methods import read_head_map, settings_named, with_values

pytestmark = needs_page
ROWS = [
    *("1 last + 3 now", "1 first + 3 now"),
    *("3 first + 6 kept + 9 last + 3 now", "1 first + 10 kept + 5 last + 3 now"),
]
METHOD_IN_VIEW = {"local_recent", "memory_sink", "memory_recent", "episodes_count", "on_switch"}
SAMPLER_IN_VIEW = ["seed", "control_after_generate", "seconds", "width", "height"]
# elements have rows of several heights: less than one may be over
ROW = 28


seen = seen_by("check_method_face.py")


@pytest.fixture(scope="module")
def found(seen, host):
    known = host.info["HeadForcingSampler"]["input"]["required"]["steps"][1]
    return {**seen, "ranks": known.get("advanced") is True}


def bytes_of(name, *values):
    """What caches of ten seconds of the demo take, as the sampler's plan says it."""
    method = with_values(settings_named(name), list(values)).build(FAMILY.frames_per_chunk)
    frames = FAMILY.video.latent_frames(10.0)
    head_map = None if method.scheme is None else read_head_map(MAPS / f"{method.scheme}.json")
    size = FAMILY.video.latent_size(64, 64)
    request = VideoRequest(FAMILY, frames, *size, 1, method=method, head_map=head_map)
    return Forecast(request, ModelSizes.plain(CONFIG, torch.float32), 1).plan.bytes


def needs_ranks(found):
    if not found["ranks"]:
        pytest.skip("this host knows no widgets of two ranks")
    # what this page has no place to fold into, it shows
    if found["asked"] == "elements" and not found["folds"]:
        pytest.skip("this page folds no elements")


def test_the_drawing_follows_a_widget(found):
    assert found["alone"]["rows"] == ROWS and found["alone"]["boxes"] == [2, 2, 19, 17]
    assert found["alone"]["bytes"] == 0  # of which model is not known
    changed = found["changed"]
    assert changed["rows"] == [*ROWS[:2], "3 first + 6 kept + 4 last + 3 now", ROWS[3]]
    assert changed["boxes"] == [2, 2, 14, 17]
    assert found["memrope"]["rows"] == ["3 first + 2 running means + 4 last + 3 now"]
    assert all(seen["there"] for seen in drawings(found).values())


def test_bytes_are_those_of_the_model_and_size(found):
    assert found["connected"]["bytes"] == bytes_of("head_forcing")
    assert found["two episodes"]["bytes"] == bytes_of("head_forcing", "episodes.count=2")
    assert found["memrope"]["bytes"] == bytes_of("memrope")
    assert found["open"]["bytes"] == bytes_of("head_forcing", "warm_up=2")
    assert found["wider"]["bytes"] == 0
    assert found["wider"]["wrong"] == [
        "width and height must be 64 and 64 for the demo model, got 96 and 64"
    ]


def test_undo_brings_the_drawing_back(found):
    assert found["two episodes"]["rows"][2] == "3 first + 2 kept + 9 last + 3 now"
    assert found["undone"] == found["connected"]


def test_what_cannot_be_drawn_is_said_once(found):
    (said,) = found["undrawn"]["wrong"]
    assert said.startswith("krea must come with models that are run as it says")
    for part in ("rows", "boxes", "bytes"):
        assert found["again"][part] == found["connected"][part]


def test_no_word_of_the_drawing_is_cut(found):
    for name, seen in drawings(found).items():
        assert seen["cut"] == [False, False], name
        # nor is there a hole under them, but where they are few; elements keep what they had
        few = name == "undrawn"
        assert few or found["asked"] == "elements" or seen["spare"] < 24, name


def drawings(found):
    return {name: seen for name, seen in found.items() if isinstance(seen, dict) and "cut" in seen}


def test_what_is_seldom_changed_is_folded(found):
    needs_ranks(found)
    assert found["method"]["seen"][0] == "method"
    assert {name.removeprefix("method.") for name in found["method"]["seen"][1:]} == METHOD_IN_VIEW
    assert found["sampler"]["seen"] == [*SAMPLER_IN_VIEW, "filename_prefix"]
    lines = {name: found[name]["line"] for name in ("method", "sampler")}
    canvas = found["asked"] == "canvas"
    # of elements, the page's own button says that there is more
    assert lines == (
        {"method": "▸ 32 more", "sampler": "▸ 8 more"} if canvas else dict.fromkeys(lines)
    )
    for name in ("method", "sampler"):
        drawn_as(found, name)


def drawn_as(found, name):
    """Elements show the widgets that are not folded, and no others."""
    labels = found[name]["labels"]
    if labels is not None:
        seen = [label.removeprefix("method.") for label in found[name]["seen"]]
        assert labels == [label for label in seen if label != "control_after_generate"]


def test_what_is_folded_and_changed_has_a_sign(found):
    needs_ranks(found)
    assert found["method changed"]["line"] == "▸ 32 more, 1 changed"
    assert found["sampler changed"]["line"] == "▸ 8 more, 2 changed"
    assert found["sampler closed"]["line"] == "▸ 8 more, 2 changed"


def test_a_node_is_unfolded_and_is_so_when_it_is_loaded(found):
    needs_ranks(found)
    for name in ("method open", "sampler open", "sampler loaded open"):
        assert found[name]["open"] and found[name]["seen"] == list(found[name]["values"]), name
        assert found[name]["line"] == ("▾ Fewer" if found["asked"] == "canvas" else None)
        drawn_as(found, name)
    assert found["sampler loaded open"] == found["sampler open"]
    assert found["nothing to fold"]["line"] is None


def test_a_node_is_as_tall_as_what_it_shows(found):
    needs_ranks(found)
    for name, seen in found.items():
        if isinstance(seen, dict) and "height" in seen and seen["least"] is not None:
            assert seen["height"] == seen["least"], name
    for kind, changed in (("method", 20), ("sampler", 8)):
        folded, opened = found[f"{kind} changed"]["height"], found[f"{kind} open"]["height"]
        assert opened - folded > 0.8 * 24 * changed
        assert 0 <= found[f"{kind} of old"]["height"] - folded < ROW
    assert 0 <= found["sampler closed"]["height"] - found["sampler changed"]["height"] < ROW


def test_what_is_saved_and_sent_does_not_know_of_the_fold(found):
    assert found["sent folded"] == found["sent open"]
    (sampler,) = (
        node["inputs"]
        for node in found["sent open"].values()
        if node["class_type"] == "HeadForcingSampler"
    )
    assert (sampler["fps"], sampler["quality"], sampler["tile"]) == (24, 20, 0)
    assert not any("fold" in name or "reading" in name for name in sampler)
    # values in the order of widgets, as files of a version without ranks have them
    assert found["sent of old"] == found["sent open"]
    for kind in ("method", "sampler"):
        assert found[f"{kind} of old"]["values"] == found[f"{kind} changed"]["values"]
    assert found["errors"] == []
