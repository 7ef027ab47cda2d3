from dataclasses import replace

import pytest

from headforcing.headforcing_core import PositionRule
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.methods import (
    KreaRealtime,
    LongLive2,
    RewardForcing,
    RollingForcing,
)
from headforcing.headforcing_core.models import (
    FAMILIES,
    WAN_1_3B_MODEL,
    choose_family,
    family_named,
    recognise,
    unlike_published,
)

HASH = "0123456789abcdef" * 2 + "01234567"
CACHE = "hub/models--{}/snapshots/" + HASH
PUBLISHED = {  # where the authors put their files, and what users call them -> family
    "checkpoints/self_forcing_dmd.pt": "self_forcing",
    "Self-Forcing.safetensors": "self_forcing",
    "Wan2_1-T2V-1_3B-Self-Forcing-DMD_fp8_e4m3fn_scaled.safetensors": "self_forcing",
    "chunkwise/causal_forcing.pt": "causal_forcing_chunkwise",
    "framewise/causal_forcing.pt": "causal_forcing_framewise",
    "causal-forcing_frame-wise_fp16.safetensors": "causal_forcing_framewise",
    # of a template of ComfyUI for image to video
    "diffusion_models/causal_forcing-framewise.safetensors": "causal_forcing_framewise",
    "causal_forcing_framewise_4step_bf16.safetensors": "causal_forcing_framewise",
    "Causal Forcing framewise i2v.safetensors": "causal_forcing_framewise",
    "framewise/causal_forcing_i2v.pt": "causal_forcing_framewise",
    "causal_forcing_chunkwise.pt": "causal_forcing_chunkwise",
    "causal-forcing++/framewise-2step.pt": "causal_forcing_pp_2step",
    "causal-forcing++/framewise-1step.pt": "causal_forcing_pp_1step",
    CACHE.format("zhuhz22--Causal-Forcing") + "/causal-forcing++/framewise-2step.pt": (
        "causal_forcing_pp_2step"
    ),
    "causal-forcing++_framewise-2step_bf16.safetensors": "causal_forcing_pp_2step",
    "Causal Forcing++ 1-step.safetensors": "causal_forcing_pp_1step",
    "causal_forcing_plus_plus_two_step_fp8_e4m3fn.safetensors": "causal_forcing_pp_2step",
    "causal_forcing_pp_framewise_1steps_i2v.safetensors": "causal_forcing_pp_1step",
    "causal_forcing_dmd_framewise_2step.pt": "causal_forcing_pp_2step",
    "cfpp_framewise_2step.safetensors": "causal_forcing_pp_2step",
    "CF++_1-step_bf16.safetensors": "causal_forcing_pp_1step",
    "longlive_models/models/longlive_base.pt": "longlive",
    "LongLive-1.3B_bf16.safetensors": "longlive",
    "LongLive-2.0-5B/model_bf16.pt": "longlive2",
    CACHE.format("Efficient-Large-Model--LongLive-2.0-5B") + "/model_bf16.pt": "longlive2",
    "LongLive-2.0-5B.safetensors": "longlive2",
    "longlive2.safetensors": "longlive2",
    "LongLive 2.0 fp8_e4m3fn scaled.safetensors": "longlive2",
    "longlive_v2_5b_bf16.safetensors": "longlive2",
    "longlive-5b.safetensors": "longlive2",
    "longlive2_merged_generator.pt": "longlive2",
    "LongLive-2.0-5B-NVFP4-S4/model_4o6.pt": "longlive2",
    "rolling_forcing_dmd.pt": "rolling_forcing",
    "RollingForcing_fp16.safetensors": "rolling_forcing",
    "Rolling Forcing 1.3B fp8.safetensors": "rolling_forcing",
    "Reward-Forcing/rewardforcing.pt": "reward_forcing",
    "Reward-Forcing-T2V-1.3B/model.pt": "reward_forcing",
    "reward_forcing_e4m3fn.safetensors": "reward_forcing",
    "krea-realtime-video-14b.safetensors": "krea_14b",
    "Wan2_1-Krea_Realtime_14B_fp8_e4m3fn.safetensors": "krea_14b",
    "krea realtime video 14b bf16.safetensors": "krea_14b",
    "Self_Gradient_Forcing_Plus/chunkwise/model.pt": "sgf_chunkwise",
    "Self_Gradient_Forcing_Plus/framewise/model.pt": "sgf_framewise",
    "Self_Gradient_Forcing_Plus/hf_weights/framewise/model.pt": "sgf_framewise",
    "Self_Gradient_Forcing/chunkwise/ar/model.pt": "sgf_chunkwise",
    CACHE.format("ZihanSu--Self_Gradient_Forcing_Plus") + "/chunkwise/model.pt": "sgf_chunkwise",
    "self-gradient-forcing-plus_frame-wise.safetensors": "sgf_framewise",
    "sgf+_chunkwise_bf16.safetensors": "sgf_chunkwise",
    "SGF_plus_framewise_fp8_e4m3fn_scaled.safetensors": "sgf_framewise",
    "headforcing_demo.safetensors": "demo",
    "CausalForcing-framewise/transformer/diffusion_pytorch_model.safetensors": (
        "causal_forcing_framewise"
    ),
    # the file's own name counts
    "causal_forcing_against/self_forcing_dmd.pt": "self_forcing",
    "LongLive-2.0-5B/self_forcing_dmd.pt": "self_forcing",
    # what proves nothing is asked for: other projects, other stages, other models
    "": None,
    ".": None,
    "/": None,
    "../chunkwise": None,
    "model.pt": None,
    "chunkwise/model.pt": None,
    "framewise/model.pt": None,
    "framewise-2step.pt": None,
    "Self-Forcing/checkpoints/model.pt": None,
    "causal_forcing.pt": None,  # chunk-wise or frame-wise
    "causal_forcing_i2v.safetensors": None,
    "causal_forcing_chunkwise_framewise.pt": None,
    "framewise/chunkwise/causal_forcing.pt": None,
    "chunkwise/longvideo.pt": None,
    "chunkwise/causal_forcing_longvideo.pt": None,
    "causal_forcing_rolling_forcing_longvideo.pt": None,  # of four steps, not of five
    "causal_forcing_chunkwise_rolling_forcing.pt": None,
    "chunkwise/ar_diffusion.pt": None,
    "framewise/causal_forcing_ar_diffusion.pt": None,
    "framewise/causal_forcing_causal_cd.pt": None,
    "Self_Gradient_Forcing/init/framewise/ar_diffusion.pt": None,
    "self_forcing_ode_init.pt": None,
    "causal_forcing++/framewise/causal_forcing++.pt": None,  # of one step or of two
    "causal_forcing++_framewise_1step_2step.pt": None,
    "causal_forcing++_framewise_4step.pt": None,
    "causal_forcing_chunkwise_2step.pt": None,
    "self_forcing_plus_plus.safetensors": None,
    "self-forcing++.pt": None,
    "rolling_forcing_plus.pt": None,
    "longlive_2step.safetensors": None,
    "longlive_20s.safetensors": None,
    "LongLive-2.0-5B-NVFP4-S2/model_te.pt": None,  # of two steps
    "LongLive-2.0-5B-NVFP4-2Step.safetensors": None,
    "krea2_turbo.safetensors": None,
    "krea2.safetensors": None,
    "flux1-krea-dev.safetensors": None,
    "flux1-krea-dev_fp8_scaled.safetensors": None,
    "self_gradient_forcing.pt": None,
    "diagnostics/sgf.pt": None,
    "Self-Forcing/wan2.1_t2v.safetensors": None,
    "wan2.1_t2v_1.3B_bf16.safetensors": None,
    "wan2.2_ti2v_5B_fp16.safetensors": None,
    "Wan2.2-TI2V-5B/diffusion_pytorch_model-00001-of-00003.safetensors": None,
}


@pytest.mark.parametrize(("path", "name"), PUBLISHED.items())
def test_file_names_tell_the_family(path, name):
    for at in (path, f"models/{path}"):
        found = recognise(at)
        assert (found and found.name) == name


@pytest.mark.parametrize("suffix", ["_bf16", "-fp8", " e4m3fn scaled", "_fp8_e4m3fn_fast", ".Q8_0"])
def test_what_users_put_behind_a_name_tells_nothing(suffix):
    for path, name in PUBLISHED.items():
        if name is not None and "model" not in path and "framewise-" not in path:
            stem, _, ending = path.rpartition(".")
            found = recognise(f"models/{stem}{suffix}.{ending}")
            assert (found and found.name) == name, path


def test_a_name_that_does_not_tell_asks_for_a_choice():
    with pytest.raises(ValueError, match=r"the family of wan\.pt must be chosen.*self_forcing"):
        choose_family("models/wan.pt", None)
    assert choose_family("models/wan.pt", "longlive").name == "longlive"


KINDS = {  # kinds of rollout that weights of 16 channels can be of: a family of each, and its file
    "longlive": "longlive_base.pt",
    "causal_forcing_framewise": "framewise/causal_forcing.pt",
    "rolling_forcing": "rolling_forcing_dmd.pt",
    "reward_forcing": "rewardforcing.pt",
    "krea_14b": "krea-realtime-video-14b.safetensors",
    "longlive2": "LongLive-2.0-5B/model_bf16.pt",
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("file", KINDS)
def test_a_file_of_one_kind_cannot_be_run_as_another(file, name):
    if name == file:
        assert choose_family(KINDS[file], name).name == name
        return
    with pytest.raises(ValueError, match=f"family must fit the file: .* says {file}, .*") as error:
        choose_family(KINDS[file], name)
    assert name in str(error.value) and "\n" not in str(error.value)


def test_families_of_one_kind_may_be_chosen():
    own = [f for f in FAMILIES if f.kind == family_named("self_forcing").kind]
    assert {f.name for f in own} >= {"longlive", "causal_forcing_chunkwise", "sgf_chunkwise"}
    for family in own:
        assert choose_family("self_forcing_dmd.pt", family.name) is family


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_weights_of_other_latents_are_refused(family):
    for channels in (16, 48):
        config = replace(WAN_1_3B_MODEL, in_dim=channels, out_dim=channels)
        if channels == family.channels:
            family.check_config(config)
            continue
        with pytest.raises(
            ValueError, match=f"{family.channels} latent channels, as .* {channels}:"
        ):
            family.check_config(config)


LAYERS = {(30, 1536): None, (40, 5120): "krea_14b", (30, 3072): "longlive2", (4, 96): "none"}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_another_published_size_is_worth_a_warning(family):
    for (layers, dim), owner in LAYERS.items():
        heads = max(1, dim // 128)
        config = replace(WAN_1_3B_MODEL, layers=layers, dim=dim, heads=heads)
        own = owner == family.name or (owner is None and family.name not in LAYERS.values())
        said = unlike_published(family, config)
        assert (said is None) == (own or owner == "none")
        assert said is None or f"with {layers} of {dim}" in said


def test_a_family_of_another_chunk_size_is_refused():
    with pytest.raises(ValueError, match=r"1 frames at a time, got self_forcing with 3"):
        choose_family("framewise/causal_forcing.pt", "self_forcing")
    assert choose_family("self_forcing_dmd.pt", "longlive").name == "longlive"  # same chunks


def test_an_unknown_family_lists_the_known():
    with pytest.raises(ValueError, match=r"must be one of longlive, .*got 'wan'"):
        family_named("wan")


FOUR, FIVE = (1000, 750, 500, 250), (1000, 800, 600, 400, 200)
ABSOLUTE, SPREAD = PositionRule.ABSOLUTE, PositionRule.SPREAD
AS_PUBLISHED = {  # chunk, steps, window, sink, horizon, positions, channels, first of the weights
    "self_forcing": (3, FOUR, 21, 0, 21, ABSOLUTE, 16, "generator_ema"),
    "causal_forcing_chunkwise": (3, FOUR, 21, 0, 21, ABSOLUTE, 16, "generator"),
    "causal_forcing_framewise": (1, FOUR, 21, 0, 21, ABSOLUTE, 16, "generator_ema"),
    "causal_forcing_pp_2step": (1, (1000, 500), 21, 0, 21, ABSOLUTE, 16, "generator_ema"),
    "causal_forcing_pp_1step": (1, (1000,), 21, 0, 21, ABSOLUTE, 16, "generator_ema"),
    "longlive": (3, FOUR, 12, 3, 21, ABSOLUTE, 16, "generator_ema"),
    "longlive2": (8, FOUR, 32, 8, 32, ABSOLUTE, 48, "generator"),
    "rolling_forcing": (3, FIVE, 21, 0, 21, ABSOLUTE, 16, "generator_ema"),
    "reward_forcing": (3, FOUR, 9, 3, 21, ABSOLUTE, 16, "generator_ema"),
    "krea_14b": (3, (*FOUR, 0), 6, 0, 21, ABSOLUTE, 16, "generator_ema"),
    "sgf_chunkwise": (3, FOUR, 12, 3, 12, SPREAD, 16, "generator_ema"),
    "sgf_framewise": (1, FOUR, 21, 4, 21, SPREAD, 16, "generator_ema"),
}
APART = {  # what few families have, and the others have not
    "first_steps": {"causal_forcing_pp_2step": FOUR, "causal_forcing_pp_1step": FOUR},
    "recaches": {"longlive": True},
    "with_lora": {"longlive": True},
    "two_experts": {"sgf_chunkwise": True, "sgf_framewise": True},
    "joint": {"rolling_forcing": True},
    "solves": {"longlive2": True},
    "holds_image": {"longlive2": True},
    "shot_words": {"longlive2": "The scene transitions. "},
    "blend": {"krea_14b": 4},
}
KEEPS = {
    "rolling_forcing": RollingForcing,
    "reward_forcing": RewardForcing,
    "krea_14b": KreaRealtime,
    "longlive2": LongLive2,
}
OURS = [family for family in FAMILIES if family.name != "demo"]


@pytest.mark.parametrize("family", OURS, ids=lambda f: f.name)
def test_families_are_run_as_published(family):
    chunk, steps, window, sink, horizon, positions, channels, weights = AS_PUBLISHED[family.name]
    assert (family.frames_per_chunk, family.steps, family.shift) == (chunk, steps, 5)
    assert (family.window, family.sink, family.horizon) == (window, sink, horizon)
    assert (family.positions, family.channels, family.weights[0]) == (positions, channels, weights)
    assert type(family.keeps) is KEEPS.get(family.name, type(None))
    assert round(family.levels[0].timestep) in (999, 1000)
    # Wan 2.2's small model packs sixteen pixels and has 24 pictures a second
    assert (family.video.space_stride, family.video.fps) == (
        (16, 24) if channels == 48 else (8, 16)
    )


@pytest.mark.parametrize("field", APART)
def test_what_few_families_do(field):
    plain = getattr(family_named("self_forcing"), field)
    got = {family.name: getattr(family, field) for family in OURS}
    assert got == {family.name: APART[field].get(family.name, plain) for family in OURS}


def test_every_family_is_written_down_twice():
    assert {family.name for family in OURS} == AS_PUBLISHED.keys()
    assert {name for name in PUBLISHED.values() if name} == {family.name for family in FAMILIES}


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


def test_noise_levels_of_a_rollout_that_is_made_for_its_own():
    with pytest.raises(ValueError, match=r"must be left unconnected for LongLive 2\.0, got 3"):
        family_named("longlive2").tuned(sigmas=(1.0, 0.8, 0.5, 0.0))
    rolling = family_named("rolling_forcing")
    with pytest.raises(ValueError, match="sigmas must be 5 levels and 0 for Rolling Forcing"):
        rolling.tuned(sigmas=(1.0, 0.8, 0.5, 0.0))
    assert len(rolling.tuned(sigmas=(1.0, 0.9, 0.8, 0.7, 0.6, 0.0)).levels) == 5
