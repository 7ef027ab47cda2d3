"""Every family in a ComfyUI; see check_families.py for what is done there."""

import pytest
from comfy_host import needs_host
from host_script import found_by

pytestmark = [*needs_host, pytest.mark.whole]

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


@pytest.fixture(scope="module")
def runs():
    return found_by("check_family_runs.py")


def test_a_lora_reaches_the_denoiser_alone(runs):
    assert runs["error with a LoRA"] < 1e-4 < 0.1 < runs["the LoRA matters"]
    assert runs["the second names it"] == [True, True]


def test_a_compiled_denoiser_does_not_stand_for_the_second_model(runs):
    assert runs["error compiled"] < 1e-4
    assert runs["left on them"] == [1, 1]  # of their own: the sampling they were trained with


def test_a_plain_sampler_loads_the_denoiser_alone(runs):
    assert runs["a plain sampler loads"] == [True, False]


@pytest.mark.parametrize(
    "name", ["rolling_forcing begun", "causal_forcing_pp_2step", "longlive2", "sgf_chunkwise"]
)
def test_a_stopped_video_goes_on_bit_by_bit(runs, name):
    """After six chunks; the other six are made."""
    assert runs[f"kept {name}"] == [True, 0.0, 6, 6]


def test_what_decides_a_video_is_in_its_name(runs):
    assert runs["pictures decide"] and runs["else they do not"]
    assert runs["length decides where chunks are made together"] and runs["nowhere else"]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("two as one", "the file must be run as sgf_chunkwise or sgf_framewise"),
        ("16 as 48", "the file must hold a model of 48 latent channels, as LongLive 2.0 is"),
        ("48 as 16", "the file must hold a model of 16 latent channels, as Self-Forcing is"),
        ("another family", "family must fit the model, whose latents have 16 channels"),
        ("no vae", "vae must be connected to Head Forcing Sampler for Krea Realtime 14B"),
        ("sigmas of a solver", "sigmas must be left unconnected for LongLive 2.0, got 3 levels"),
        ("sigmas of too few chunks", "sigmas must be 5 levels and 0 for Rolling Forcing, got 3"),
        ("sigmas that fit", "nothing"),
        ("another latent format", "got 16 channels for a latent format of 48"),
    ],
)
def test_what_cannot_be_run_is_refused_in_a_sentence(runs, case, message):
    assert message in runs[case] and "\n" not in runs[case]


def test_without_a_vae_a_first_frame_can_be_kept(runs):
    assert runs["no vae needed"] == 36
    assert runs["profiled"] == 3 * 5  # chunks and steps


def test_prompts_of_any_length_come_in_bit_by_bit(runs):
    """From the fifth chunk on, a cut in the ninth comes at once."""
    assert runs["blended"] == {
        "starts": [0, 15, 18, 21, 24],
        "cuts": [24],
        "right": [True, True, True],
        "alone": True,
    }
