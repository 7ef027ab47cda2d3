"""A run in the host's page, in a real browser; see check_run_strip.py for what is done."""

import re

import pytest
from on_page import WORKFLOW, needs_page, seen_by

LIVE = "a blue square moving fast on plain grey"
pytestmark = needs_page


found = seen_by("check_run_strip.py", WORKFLOW)


def test_without_a_run_the_panel_is_a_line(found):
    idle = found["idle"]
    assert idle["state"] == "No run yet." and idle["hidden"]


def test_a_run_is_shown_while_it_is_made_and_after(found):
    running, done = found["running"], found["done"]
    assert running["state"].startswith("running · chunk ")
    assert "pictures/s" in running["facts"] and "left" in running["facts"]
    assert found["run"] == ["execution_success", ""]
    assert done["state"] == "done · chunk 40 of 40"
    assert done["tiles"] > 4 and done["kept"] == 0 and done["large"] > 0
    assert "caches" in done["facts"] and done["lights"]
    assert done["strip"]["aria-valuenow"] == "40"


def test_chunks_are_scrubbed_by_pointer_and_by_key(found):
    scrubbed = found["scrubbed"]
    assert scrubbed["about"].startswith("chunk 11 of 40\nfrom 7.5 s\nprompt ")
    assert found["keys"] == {
        "ArrowRight": "12", "Home": "1", "ArrowLeft": "1", "PageUp": "5", "End": "40"
    }  # fmt: skip


def test_a_page_that_is_loaded_anew_goes_on_showing_the_run(found):
    reloaded = found["reloaded"]
    assert reloaded["state"].startswith("running · chunk ")
    assert reloaded["tiles"] > 0 and reloaded["large"] > 0


def test_stop_here_is_in_the_panel(found):
    assert found["stop"] == ["execution_success", ""]
    assert found["stopped"]["state"].startswith("stopped here · chunk ")


def test_what_an_earlier_run_made_is_shown_as_kept(found):
    resumed = found["resumed"]
    assert resumed["kept"] > 0 and "kept from an earlier run" in resumed["facts"]


def test_a_prompt_that_is_none_is_said_to_be_none(found):
    said, left = found["no prompt"]
    assert said[0][0] == "wrong" and "one prompt without a time" in said[0][1]
    assert left == "[0:3] a red ball"


def test_a_live_prompt_has_a_receipt_and_comes_into_the_schedule(found):
    said, left, schedule = found["taken"]
    took = re.match(r"chunk (\d+) \(from ([\d.]+) s\) took it: (.*) · Prompt Schedule", said[0][1])
    assert took and took[3] == LIVE and left == ""
    # the page says three digits
    assert float(took[2]) == pytest.approx(0.75 * (int(took[1]) - 1), abs=0.05)
    assert f"[{took[2]}s] {LIVE}" in schedule.split("\n")
    assert found["undone"] and found["left alone"] and found["too late"]
    assert found["written again"] == 2


def test_nobody_else_sees_it_and_the_console_is_quiet(found):
    assert found["other"] == {"run": None}
    assert found["errors"] == []
