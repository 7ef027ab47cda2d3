import pytest

from headforcing.headforcing_core import PositionRule
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.models import FAMILIES, choose_family, family_named
from headforcing.headforcing_core.models.families import recognise

PUBLISHED = {  # where the authors put their files -> family
    "checkpoints/self_forcing_dmd.pt": "self_forcing",
    "Self-Forcing.safetensors": "self_forcing",
    "chunkwise/causal_forcing.pt": "causal_forcing_chunkwise",
    "framewise/causal_forcing.pt": "causal_forcing_framewise",
    "causal-forcing_frame-wise_fp16.safetensors": "causal_forcing_framewise",
    "longlive_models/models/longlive_base.pt": "longlive",
    "causal_forcing_chunkwise.pt": "causal_forcing_chunkwise",
    # what proves nothing is asked for: other projects, other stages, other models
    "chunkwise/model.pt": None,
    "framewise/model.pt": None,
    "causal_forcing.pt": None,  # chunk-wise or frame-wise
    "chunkwise/longvideo.pt": None,
    "chunkwise/causal_forcing_longvideo.pt": None,
    "chunkwise/ar_diffusion.pt": None,
    "framewise/causal_forcing_ar_diffusion.pt": None,
    "self_forcing_ode_init.pt": None,
    "causal_forcing++/framewise/causal_forcing++.pt": None,
    "self_forcing_plus_plus.safetensors": None,
    "LongLive-2.0-5B.safetensors": None,
    "krea2_turbo.safetensors": None,
    "flux1-krea-dev.safetensors": None,
    "self_gradient_forcing.pt": None,
    "causal_forcing_against/self_forcing_dmd.pt": "self_forcing",  # the file's own name counts
    "Self-Forcing/wan2.1_t2v.safetensors": None,
    "rolling_forcing_dmd.pt": "rolling_forcing",
    "Reward-Forcing/rewardforcing.pt": "reward_forcing",
    "krea-realtime-video-14b.safetensors": "krea_14b",
    "wan2.1_t2v_1.3B_bf16.safetensors": None,
}


@pytest.mark.parametrize(("path", "name"), PUBLISHED.items())
def test_file_names_tell_the_family(path, name):
    found = recognise(f"models/{path}")
    assert (found and found.name) == name


def test_a_name_that_does_not_tell_asks_for_a_choice():
    with pytest.raises(ValueError, match=r"the family of wan\.pt must be chosen.*self_forcing"):
        choose_family("models/wan.pt", None)
    assert choose_family("models/wan.pt", "longlive").name == "longlive"


@pytest.mark.parametrize("name", ["rolling_forcing", "reward_forcing", "krea_14b"])
def test_families_of_another_kind_are_refused_with_the_reason(name):
    with pytest.raises(ValueError, match=r"cannot be run yet: it.*supported are"):
        family_named(name)


def test_a_family_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="says rolling_forcing, which cannot be run yet, got self"):
        choose_family("rolling_forcing_dmd.pt", "self_forcing")


def test_a_family_of_another_chunk_size_is_refused():
    with pytest.raises(ValueError, match=r"1 frames at a time, got self_forcing with 3"):
        choose_family("framewise/causal_forcing.pt", "self_forcing")
    assert choose_family("self_forcing_dmd.pt", "longlive").name == "longlive"  # same chunks


def test_an_unknown_family_lists_the_known():
    with pytest.raises(ValueError, match=r"must be one of longlive, .*got 'wan'"):
        family_named("wan")


FOUR, FIVE = (1000, 750, 500, 250), (1000, 800, 600, 400, 200)
AS_PUBLISHED = {  # chunk, steps, shift, window, sink, first choice of weights
    "self_forcing": (3, FOUR, 5, 21, 0, "generator_ema"),
    "causal_forcing_chunkwise": (3, FOUR, 5, 21, 0, "generator"),
    "causal_forcing_framewise": (1, FOUR, 5, 21, 0, "generator_ema"),
    "longlive": (3, FOUR, 5, 12, 3, "generator_ema"),
    "rolling_forcing": (3, FIVE, 5, 21, 0, "generator_ema"),
    "reward_forcing": (3, FOUR, 5, 12, 3, "generator_ema"),
    "krea_14b": (3, (*FIVE, 0), 5, 6, 0, "generator_ema"),
}


PUBLISHED = [family for family in FAMILIES if family.name != "demo"]


@pytest.mark.parametrize("family", PUBLISHED, ids=lambda f: f.name)
def test_families_are_run_as_published(family):
    chunk, steps, shift, window, sink, weights = AS_PUBLISHED[family.name]
    assert (family.frames_per_chunk, family.steps, family.shift) == (chunk, steps, shift)
    assert (family.window, family.sink, family.weights[0]) == (window, sink, weights)
    assert (family.horizon, family.positions) == (21, PositionRule.ABSOLUTE)
    assert family.with_lora == (family.name == "longlive")
    assert family.levels[0].timestep == 1000


@pytest.mark.parametrize("steps", [(), (500, 250), (250, 1000)])
def test_a_chunk_starts_as_noise(steps):
    with pytest.raises(ValueError, match="steps must begin at 1000: a chunk starts as pure noise"):
        family_named("self_forcing").tuned(steps=steps)


def test_a_new_sink_is_re_encoded_unless_told():
    family = family_named("self_forcing")
    assert family.positions is PositionRule.ABSOLUTE
    assert family.tuned(window=12).positions is PositionRule.ABSOLUTE
    assert family.tuned(sink=1).positions is PositionRule.CONTIGUOUS
    own = family.tuned(sink=1, positions=PositionRule.ABSOLUTE)
    assert own.positions is PositionRule.ABSOLUTE
    for sink in (0, 3):
        assert family_named("longlive").tuned(sink=sink).positions is PositionRule.ABSOLUTE


def test_noise_levels_can_be_given_as_they_are():
    """As a scheduler of the host lists them: what they lead to is no level."""
    family = family_named("self_forcing").tuned(sigmas=(1.0, 0.75, 0.5, 0.0))
    assert [level.sigma for level in family.levels] == [1.0, 0.75, 0.5]
    assert [level.timestep for level in family.levels] == [1000, 750, 500]
    assert VideoRequest(family, 3, 4, 5, seed=0).settings["sigmas"] == [1.0, 0.75, 0.5, 0.0]
    assert family_named("self_forcing").tuned().levels == family_named("self_forcing").levels


@pytest.mark.parametrize("sigmas", [(), (0.0,), (0.9, 0.5), (1.0, 0.5, 0.7), (1.0, 1.0), (1.0, -1)])
def test_noise_levels_that_no_chunk_can_start_from(sigmas):
    family = family_named("self_forcing").tuned(sigmas=sigmas)
    with pytest.raises(ValueError, match="sigmas must descend from 1"):
        VideoRequest(family, 3, 4, 5, seed=0)


def test_the_demo_model_draws_one_size():
    VideoRequest(family_named("demo"), 3, 8, 8, seed=0)
    with pytest.raises(ValueError, match="must be 64 and 64 for the demo model, got 80 and 64"):
        VideoRequest(family_named("demo"), 3, 8, 10, seed=0)
