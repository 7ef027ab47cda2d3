"""The timeline of Prompt Schedule in a real browser; see check_timeline.py for what is done."""

from on_page import WORKFLOW, needs_page, seen_by

pytestmark = needs_page


found = seen_by("check_timeline.py", WORKFLOW)


def test_an_edge_is_dragged_and_sent(found):
    text, bars = found["dragged"]
    assert text != found["first"][0] and len(bars) == 3
    assert found["sent"] == text
    assert found["while"].split(" (")[0] in bars[1]


def test_a_drag_is_one_step_of_undo(found):
    assert found["undone"] == found["first"]


def test_a_key_makes_a_cut(found):
    text, bars = found["cut"]
    assert text == found["first"][0].replace("[10:20]", "[10:20#]")
    assert "cut" in bars[1]


def test_what_is_typed_is_drawn_or_refused(found):
    assert "must" in found["bad"]
    text, bars = found["typed"]
    assert text == "a red ball | a blue ball" and "a blue ball" in bars[1] and len(bars) == 2


def test_there_are_no_errors(found):
    assert found["errors"] == []
