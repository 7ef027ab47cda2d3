"""Every family in a ComfyUI; see check_families.py for what is done there."""

import pytest
from comfy_host import needs_host
from host_script import found_by

pytestmark = needs_host

# twelve chunks, a prompt in the fourth, a cut in the eighth: steps and clean calls by family
CALLS = {
    "self_forcing": 12 * 5,
    "longlive": 12 * 5 + 3,  # the new prompt has the last chunks computed again
    "longlive2": 12 * 5,
    "longlive2 from an image": 12 * 5,
    "longlive2 from an image, begun": 10 * 5 + 2,
    "rolling_forcing": 12 + 12 + 2 * 4,  # windows grow from nothing twice
    "rolling_forcing begun": 12 + 6 + 4,
    "rolling_forcing from frames": 13 + 12 + 4 - 1 - 1,
}


@pytest.fixture(scope="module")
def found():
    return found_by("check_families.py")
