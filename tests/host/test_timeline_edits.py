"""Every edit of the timeline in a real browser; see check_timeline_edits.py for what is done."""

import json

import pytest
from on_page import WORKFLOW, needs_page, seen_by

pytestmark = needs_page
MINE = " and a blue square moving slowly on striped olive"


found = seen_by("check_timeline_edits.py", WORKFLOW)


def lines(shown):
    return shown["text"].replace(MINE, "").split("\n")


BECOMES = {
    "add": ["[0:10] a red ball", "[10:15] a yellow ball", "[15:20] a new prompt"],
    "split": ["[0:10] a red ball", "[10:15] a yellow ball", "[15:20] a yellow ball"],
    "delete": ["[0:20] a red ball", "[20:30] a red ball"],
    "cut": ["[0:10] a red ball", "[10:20#] a yellow ball"],
    "later": ["[0-9.75s] a red ball", "[9.75-19.5s] a red ball", "[19.5-30s] a yellow ball"],
    "earlier": ["[0-10.5s] a yellow ball", "[10.5-20.25s] a red ball", "[20.25-30s] a red ball"],
    "dragged": ["[0-9.75s] a red ball", "[9.75-19.5s] a red ball", "[19.5-30s] a yellow ball"],
    "words": ["[0:10] a red ball", "[10:20] a green ball"],
}


@pytest.mark.parametrize("name", BECOMES)
def test_an_edit_is_written_and_is_one_step_of_undo(found, name):
    before, after, undone = found[name]
    assert lines(after)[: len(BECOMES[name])] == BECOMES[name]
    assert len(after["bars"]) == len(lines(after)) and not after["note"]
    assert (undone["text"], undone["bars"]) == (before["text"], before["bars"])


def test_a_cut_is_kept_again(found):
    cut, kept, undone = found["kept"]
    assert cut["bars"][1].startswith("2, cut, ") and kept["bars"][1].startswith("2, 9.75 s ")
    assert (undone["text"], undone["bars"]) == (cut["text"], cut["bars"])


def test_what_is_chosen_is_what_was_made(found):
    chosen = {name: found[name][1]["chosen"] for name in BECOMES}
    one, two = dict.fromkeys(("cut", "words"), 1), dict.fromkeys(("add", "split"), 2)
    assert chosen == {**one, **two, "later": 2, "dragged": 2, "earlier": 0, "delete": 0}


def test_words_stay_with_their_prompt_when_another_is_pressed(found):
    assert lines(found["left for a bar"])[:2] == ["[0:10] a green ball", "[10:20] a yellow ball"]
    assert found["left for a bar"]["field"] == f"a yellow ball{MINE}"


def test_words_are_written_before_what_a_button_does(found):
    both, words, none = map(lines, found["left for a button"])
    assert both[1:3] == ["[10:15] a red ball", "[15:20] a red ball"]
    assert words[1] == "[10:20] a red ball" and none[1] == "[10:20] a yellow ball"


KEYS = {  # the chosen bar, how many there are, and what is different then
    "right": (1, 3, None), "end": (2, 3, None), "home": (0, 3, None), "last": (2, 3, None),
    "moved": (2, 3, "[21:30] a red ball"), "earlier": (1, 3, "[9.75-18.75s] a red ball"),
    "split": (2, 4, "[14.25-18.75s] a red ball"), "new": (3, 5, "[16.5-18.75s] a new prompt"),
    "cut": (3, 5, "[16.5-18.75s#] a new prompt"), "deleted": (2, 4, "[14.25-18.75s] a red ball"),
    "left": (2, 4, "[14.25-18.75s] a red ball"),
}  # fmt: skip


@pytest.mark.parametrize("name", KEYS)
def test_keys_do_all_of_it(found, name):
    shown, (chosen, count, line) = found[f"key {name}"], KEYS[name]
    assert (shown["chosen"], len(shown["bars"])) == (chosen, count)
    assert line is None or lines(shown)[chosen] == line
    # the keys stay with the bar
    assert shown["held"] == str(chosen)


def test_enter_goes_to_the_words_and_escape_back(found):
    assert found["key field"]["typing"] and not found["key left"]["typing"]
    assert found["key left"]["field"] == found["key field"]["field"]


def test_a_button_that_can_be_pressed_no_more_leaves_the_keys_to_the_bar(found):
    shown = found["key exhausted"]
    assert shown["text"] == "a blue ball | a red ball" and shown["held"] == "1"


def test_json_stays_json(found):
    said = {name: json.loads(shown["text"]) for name, shown in found["json"].items()}
    words = "a [0:3] | green\nball"
    blue = {"start": 10, "text": "a blue ball", "end": 20}
    assert said["cut"][1] == {**blue, "cut": True}
    assert said["words"][1] == {**blue, "cut": True, "text": words}
    assert [one["start"] for one in said["split"]] == [0, 10, 15, 20]
    assert [one["text"] for one in said["moved"][:2]] == [words, "a red ball"]


def test_a_text_from_another_node_is_shown_and_not_edited(found):
    linked, pressed = found["linked"], found["linked, pressed"]
    assert "a green ball" in linked["bars"][1] and linked["locked"] and linked["read"]
    assert linked["note"] == "The text comes through a link: change it there."
    assert pressed["bars"] == linked["bars"] and pressed["text"] == linked["text"]
    assert pressed["chosen"] == 1 and pressed["field"] == "a green ball"
    assert not found["free"]["locked"] and "a blue ball" in found["free"]["bars"][1]


def test_a_text_that_is_made_by_a_run_is_said_to_be(found):
    computed = found["computed"]
    assert computed["bars"] == [] and computed["locked"]
    assert computed["note"].startswith("The text comes through a link, and is known when")


def test_a_copy_has_a_panel_of_its_own(found):
    copy, cut, original = (found[name] for name in ("copy", "copy, cut", "its original"))
    assert copy["there"] and copy["text"] == original["text"]
    assert len(cut["bars"]) == 3 and len(original["bars"]) == 2


def test_fifty_prompts_in_five_minutes_are_worked_with(found):
    many = found["many"]
    assert len(many["first"]["bars"]) == 50 and len(many["split"]["bars"]) == 51
    assert many["split"]["chosen"] == 21 and many["seen"]
    assert min(many["widths"]) >= 24  # a number and a pointer have room
    assert many["drawn"] < 5 and many["took"] < 5 and many["walked"] < 0.5


def test_in_a_subgraph_it_knows_the_video_and_is_undone(found):
    inside, cut, undone = (found[name] for name in ("inside", "inside, cut", "inside, undone"))
    assert inside["there"] and inside["bars"][1].startswith("2, 9.75 s (picture 156) to 30 s")
    assert cut["text"] == "[0:10] a red ball\n[10:20#] a blue ball"
    assert undone["text"] == inside["text"] and undone["there"]


def test_there_are_no_errors(found):
    assert found["errors"] == []
