"""Every family in a ComfyUI; see check_families.py for what is done there."""

import pytest
from comfy_host import needs_host
from host_script import found_by

pytestmark = needs_host

# of twelve chunks, with a prompt in the fifth and a cut in the ninth: steps, and clean calls
CALLS = {
    "self_forcing": 12 * (4 + 1),
    "longlive": 12 * (4 + 1) + 3,  # the prompt has the last chunks computed again
    "longlive2": 12 * (4 + 1),
    "longlive2 from an image": 12 * (4 + 1),
    "longlive2 from an image, begun": 10 * (4 + 1) + 2,
    "rolling_forcing": 12 + 2 * 4 + 12,  # the window fills in 4 calls, twice
    "rolling_forcing begun": 6 + 12,
    "rolling_forcing begun after a prompt": 6 + 4 + 12,
    "rolling_forcing from frames": 11 + 4 + 12,
    "reward_forcing": 12 * (4 + 1),
    "krea_14b with pictures": 12 * 5 + (0 + 1 + 1 + 1 + 1 + 1 + 1 + 1) + (0 + 1 + 1 + 1),
    "krea_14b with its first frame": 12 * 5 + 7 + 3,
    "krea_14b begun": 9 * (5 + 1),
    "krea_14b from frames": 11 * (5 + 1),
    "causal_forcing_pp_2step": 4 + 11 * 2 + 12,
    "causal_forcing_pp_2step from an image": 4 + 10 * 2 + 12,
    "causal_forcing_pp_1step": 4 + 11 + 12,
    "causal_forcing_pp_1step begun": 10 + 12,
    "causal_forcing_framewise": 12 * (4 + 1),
    "causal_forcing_chunkwise": 12 * (4 + 1),
    "sgf_chunkwise": 12 * (4 + 1),
    "sgf_chunkwise begun": 10 * (4 + 1) + 2,
    "sgf_framewise": 12 * (4 + 1),
}
AGAIN = {"longlive": 3}  # that a new prompt makes are in no total


@pytest.fixture(scope="module")
def found():
    return found_by("check_families.py")


def test_every_family_is_there(found):
    assert set(found["cases"]) == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_a_family_is_run_as_our_own_module_runs_it(found, name):
    """Chunk by chunk and handed on, with as many calls, all of them foreseen."""
    case = found["cases"][name]
    assert case["size"] > 0.5
    assert case["error"] < 1e-4
    own, foreseen = case["calls"]
    assert own == CALLS[name]
    assert foreseen == CALLS[name] - AGAIN.get(name, 0)
    assert case["given as it came"]
