"""Head maps looked at and painted in the host's page; see check_head_map.py for what is done."""

import re

from on_page import CHOSEN, needs_page, seen_by

pytestmark = needs_page
PUBLISHED = ["Wpyramid.wave156", "Apyramid.anchor172", "Vpyramid.veil32"]


found = seen_by("check_head_map.py")


def test_a_chosen_map_is_shown_before_any_run(found):
    assert found["nothing connected"]["note"] == "Connect a head map."
    assert found["loaded"]["kinds"][:3] == PUBLISHED
    assert found["hovered"]["said"].startswith("layer 2, head 3: pyramid.wave\n")
    assert found["hovered"]["said"].endswith("The map brings no measurement.")


def test_a_click_changes_a_head_and_what_is_sent(found):
    assert found["clicked"]["edits"] == found["sent"]["edits"] == "2.3=pyramid.anchor"
    assert found["clicked"]["kinds"][:2] == ["Wpyramid.wave155", "Apyramid.anchor173"]
    assert found["clicked"]["pairs"].startswith("1 of 360 heads differ.")
    # the node behind shows it, too
    assert found["behind"]["kinds"][:2] == ["Wpyramid.wave155", "Apyramid.anchor173"]
    assert found["behind"]["edits"] == ""


def test_a_drag_paints_and_is_one_step_of_undo(found):
    painted = ", ".join(f"5.{head}=pyramid.veil" for head in range(2, 10))
    assert found["dragged"]["edits"] == f"2.3=pyramid.anchor, {painted}"
    assert found["undone"]["edits"] == "2.3=pyramid.anchor"
    assert found["undone again"]["edits"] == ""
    assert found["undone again"]["kinds"][:3] == PUBLISHED


def test_keys_change_a_head_and_take_it_back(found):
    assert found["by keys"]["edits"] == "1.1=pyramid.anchor"
    assert found["by keys"]["said"].startswith("layer 1, head 1: pyramid.anchor; changed by hand")
    assert found["taken back"]["edits"] == ""


def test_what_cannot_be_made_is_said_as_python_says_it(found):
    assert "types must be of the map's scheme, pyramid (" in found["refused"]["note"]
    assert found["refused"]["kinds"][:3] == PUBLISHED


def test_two_maps_lie_beside_each_other(found):
    assert found["two maps"]["pairs"].startswith("2 of 360 heads differ.")
    assert "beside it pyramid.veil" in found["two maps"]["said"]
    other = found["another paper's"]["pairs"]
    assert other.startswith("Types of two papers") and "pyramid.wave → fk.dynamic: 50" in other


def test_measured_heads_are_shown_edited_and_found_after_a_reload(found):
    # where another renderer's check has run this very graph, the host knows its map
    known = found["asked"] != CHOSEN[0]
    assert found["before"]["note"] == (None if known else "Run to measure the heads.")
    assert found["ran"] == found["ran edited"] == found["ran again"] == ["execution_success", ""]
    names, before = counted(found["measured"])
    assert names == ("Lhf.local", "Ahf.anchor", "Mhf.memory", "Rhf.recall")
    said = found["edited"]["said"]
    assert "sink 0." in said and "of its samples say what it was measured as" in said
    for when in ("edited", "after", "reloaded"):
        assert found[when]["edits"] == "0.0=hf.recall"
        assert sum(before) == sum(counted(found[when])[1]) == 36
        assert counted(found[when])[1][3] == before[3] + 1
        assert found[when]["kinds"] == found["edited"]["kinds"]
        assert found[when]["note"] is None


def test_a_map_of_a_graph_that_was_changed_says_so(found):
    assert found["changed"]["note"].startswith("Of the last run: the graph has changed since.")
    assert found["errors"] == []


def counted(seen):
    """Types of Head Forcing, each behind its letter, and how many heads each has."""
    found = [re.findall(r"^(.*?)(\d+)$", kind)[0] for kind in seen["kinds"][:4]]
    return tuple(name for name, _ in found), [int(count) for _, count in found]
