"""axe-core finds nothing in the panels, in a real browser; see check_axe.py for what is done."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from on_page import WORKFLOW, needs_page, seen_by

FOUND = find_spec("axe_playwright_python")
# what needs no Python: it is the page that runs it
AXE = Path(FOUND.submodule_search_locations[0]) / "axe.min.js" if FOUND else None
pytestmark = [*needs_page, pytest.mark.skipif(AXE is None, reason="no axe-playwright-python")]
THEMES = ("dark", "light")
PANELS = ("prompt_timeline", "head_map_view", "head_forcing_reading", "head_forcing_run")
# what is planted, and the rule that sees it
PLANTED = {
    "words without a label": "label",
    "a strip without a label": "aria-input-field-name",
    "prompts without a role": "aria-allowed-attr",
    "a button without words": "button-name",
    "words as light as their ground": "color-contrast",
}


found = seen_by("check_axe.py", WORKFLOW, after=(AXE,))


def test_the_panels_are_there(found):
    assert found["run"] == ["execution_success", ""]
    assert found["state"].startswith("done · chunk 40 of 40")
    assert found["panels"] == {**dict.fromkeys(PANELS, 1), "head_map_view": 3}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("panel", PANELS)
def test_axe_finds_nothing(found, theme, panel):
    said = found[theme][panel]
    assert said["violations"] == []
    # it did look
    assert {"color-contrast", "aria-valid-attr-value"} <= set(said["passes"])


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_taken_away_is_missed(found, name):
    assert PLANTED[name] in found["planted"][name]


def test_what_has_the_keys_is_framed(found):
    """Every stop of the tab key in a panel has an outline."""
    assert found["stops"] and all(width >= 2 for _, width in found["stops"])


def test_a_map_is_drawn_anew_in_other_colours(found):
    assert found["inks"]["dark"] != found["inks"]["light"]


def test_there_are_no_errors(found):
    assert found["errors"] == []
