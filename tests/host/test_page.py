"""The demo workflow in the host's page, in a real browser; see check_page.py for what is done."""

import json
import re

import numpy as np
import pytest
from on_page import WORKFLOW, needs_page, seen_by
from PIL import Image
from ui_workflow import fields, is_widget

METHOD = "HeadForcingCacheMethod"
pytestmark = needs_page
seen = seen_by("check_page.py", WORKFLOW)


@pytest.fixture(scope="module")
def found(seen, host):
    options = host.info[METHOD]["input"]["required"]["method"][1]["options"]
    return {**seen, "own": {option["key"]: own_settings(option) for option in options}}


def own_settings(option):
    """What the node shows of a method when nothing has been edited."""
    widgets = option["inputs"]["required"] | option["inputs"]["optional"]
    values = {f"method.{name}": spec[1]["default"] for name, spec in widgets.items()}
    return {"method": option["key"], **values}


def test_the_graph_is_drawn_as_asked(found):
    if found["asked"] == "elements" and not found["can draw elements"]:
        pytest.skip("this page draws on a canvas only")
    assert (found["drawn as elements"] > 0) == (found["asked"] == "elements")


def test_the_demo_workflow_is_dropped_and_runs(found):
    assert found["first run"] == ["execution_success", ""]
    assert found["videos"] == 1
    said = found["seen"]["said"]
    assert len(said) == 40 and said[0].startswith("chunk 1 of 40, ")
    assert found["seen"]["previews"] == 40  # one for every chunk: the host was asked for none
    assert found["errors"] == []


def test_a_new_prompt_time_and_method_run(found):
    assert found["changed run"] == ["execution_success", ""]
    # the widgets are those of the method that was chosen
    assert found["widgets"] == list(found["own"]["sink_window:short"])


def test_a_method_chosen_again_has_its_edits(found):
    one, other = (found["own"][name] for name in ("head_forcing", "head_forcing:compact"))
    edited = {**one, "method.anchor_recent": 5, "method.on_switch": "keep"}
    edited_other = {**other, "method.memory_recent": 2}
    (saved,) = (
        dict(zip(other, node["widgets_values"], strict=True))
        for node in json.loads(WORKFLOW.read_text("utf-8"))["nodes"]
        if node["type"] == METHOD
    )
    assert saved["method"] == "head_forcing:compact" and saved != other
    assert found["settings"] == {
        "another": [other],
        "again": [edited],
        "loaded": [edited],
        "another, loaded": [edited_other],
        "added, copied": [edited_other, other, edited_other],
        "each its own": [edited_other, one, edited],
        "undone": [edited_other, one, edited],
        "again, undone": [edited, one, edited],
        "dropped": [saved],
        "another, dropped": [one],
        "again, dropped": [saved],
    }


def test_an_interrupted_run_goes_on(found):
    assert found["interrupted"][0] == "execution_interrupted"
    words = found["words interrupted"]
    assert re.match(r"stopped after \d+ of 160 chunks; they are kept in /\S+, and the same", words)
    assert found["run again"] == ["execution_success", ""]
    assert found["last words"].startswith("chunk 20 of 20, ")


def test_a_button_stops_a_run_with_what_is_finished(found, host):
    assert found["stopped"] == ["execution_success", ""]
    assert re.fullmatch(r"stopped as asked after \d+ of 160 chunks", found["words stopped"])
    known = host.info["HeadForcingSampler"]
    # the button is none of what is saved or sent
    assert None not in found["saved"] and len(found["saved"]) == 1 + sum(
        is_widget(spec) for _, spec in fields(known)
    )
    assert set(found["sent"]) <= {name for name, _ in fields(known)}


def test_a_video_that_is_dropped_brings_its_graph_back(found):
    before, after = found["graph of the file"]
    assert before == after and "HeadForcingSampler" in after


def test_help_is_shown_in_both_languages(found):
    assert found["help"] == {"en": "Head Forcing Sampler", "zh": "Head Forcing 采样器"}


def test_the_page_shows_the_video(found):
    """The red ball's colour is in the page when the run is done, and was not there before."""

    def red(name):
        picture = np.asarray(Image.open(found["folder"] / f"{name}.png").convert("RGB"), int)
        return int(((picture[..., 0] > 180) & (picture[..., 1:].max(-1) < 90)).sum())

    assert red("done") > red("dropped") + 2000
