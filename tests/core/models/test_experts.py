"""Files of two models: one denoises, the other makes every call on a clean latent."""

from dataclasses import replace

import pytest
import torch
from published_files import scaled
from random_model import TINY, random_weights
from safetensors.torch import save_file

from headforcing.headforcing_core import CLEAN, NoiseLevel, WanModel
from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.models import (
    HEADS_KEY,
    Lora,
    TwoExperts,
    family_named,
    fingerprint,
    load_checkpoint,
    read_published,
)
from headforcing.headforcing_core.models.checkpoint import build_wan
from headforcing.headforcing_core.video import PromptSchedule

SMALL = replace(TINY, layers=2)
FIRST, SECOND = random_weights(SMALL), random_weights(SMALL, seed=1)
TEXT = torch.randn(1, 5, SMALL.text_dim, generator=torch.Generator().manual_seed(0))
HEADS = {HEADS_KEY: str(SMALL.heads)}


def of_memory(name):
    """What the authors call a weight of the second model, written down a second time."""
    if name.startswith("blocks."):
        return ".memory_".join(name.rsplit(".", 1))
    return "memory_" + name


BOTH = {**FIRST, **{of_memory(name): weight for name, weight in SECOND.items()}}


def built(weights=BOTH, **options):
    return build_wan(TensorDict(weights), heads=SMALL.heads, **options)


def written(tmp_path, weights=BOTH):
    save_file(weights, tmp_path / "x.safetensors", HEADS)
    return tmp_path / "x.safetensors"


def assert_both(model, first=FIRST, second=SECOND):
    for one, weights in ((model.denoiser, first), (model.memory, second)):
        state = one.state_dict()
        assert state.keys() == weights.keys()
        for name, weight in weights.items():
            torch.testing.assert_close(state[name], weight, rtol=1e-6, atol=0, msg=name)


STYLES = {
    "plain": "{}",
    "model": "model.{}",
    "fsdp": "model._fsdp_wrapped_module.{}",
    "comfyui": "model.diffusion_model.{}",
}


@pytest.mark.parametrize("style", STYLES)
def test_both_are_read_under_every_prefix(tmp_path, style):
    named = {STYLES[style].format(name): weight for name, weight in BOTH.items()}
    assert_both(load_checkpoint(written(tmp_path, named), family="sgf_chunkwise").model)
    torch.save({"generator": FIRST, "generator_ema": named}, tmp_path / "x.pt")
    loaded = load_checkpoint(tmp_path / "x.pt", family="sgf_framewise", heads=SMALL.heads)
    assert_both(loaded.model)


def test_fsdp_may_stand_inside_names():
    inside = {
        name.replace("blocks.0", "blocks.0._fsdp_wrapped_module"): w for name, w in BOTH.items()
    }
    assert_both(built(inside))


def test_a_file_of_one_model_is_one_model(tmp_path):
    """SGF, before SGF+, has no second model."""
    loaded = load_checkpoint(written(tmp_path, FIRST), family="sgf_chunkwise")
    assert isinstance(loaded.model, WanModel)


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
@pytest.mark.parametrize("of_second", [True, False], ids=["both", "the denoiser alone"])
def test_scaled_fp8(prefix, of_second):
    """Converters that know ``.weight`` alone leave most of the second model as it was."""
    first, first_numbers, _ = scaled(FIRST, torch.float8_e4m3fn)
    second, second_numbers, _ = scaled(SECOND, torch.float8_e4m3fn)
    if not of_second:
        second, second_numbers = SECOND, SECOND
    named = {**first, **{of_memory(name): weight for name, weight in second.items()}}
    model = built({prefix + name: weight for name, weight in named.items()})
    assert_both(model, first_numbers, second_numbers)


def test_what_a_file_says_of_itself_it_says_of_both():
    """A host loads each with what lies beside its weights."""
    first, _, modules = scaled(FIRST, torch.float8_e4m3fn, "scale_weight")
    second, _, _ = scaled(SECOND, torch.float8_e4m3fn, "scale_weight")
    named = {**first, **{of_memory(n): w for n, w in second.items()}, "scaled_fp8": torch.zeros(2)}
    found = read_published(TensorDict(named), SMALL.heads, two_experts=True)
    assert found.second.config == found.config
    for one, rule in ((found, str), (found.second, of_memory)):
        scales = {f"{m}.scale_weight": rule(f"{m}.scale_weight") for m in modules}
        assert one.beside == {**scales, "scaled_fp8": "scaled_fp8"}
        assert {w.name: w.at for w in one.weights} == {name: rule(name) for name in FIRST}


def test_a_scale_that_the_second_model_lost():
    first, _, _ = scaled(FIRST, torch.float8_e4m3fn)
    second = {of_memory(n): w.to(torch.float8_e4m3fn) for n, w in SECOND.items() if w.ndim == 2}
    with pytest.raises(ValueError, match="fp8 weights of a scaled file must have scales, got none"):
        built({**BOTH, **first, **second})


def test_bare_fp8():
    bare = {name: w.to(torch.float8_e4m3fn) if w.ndim == 2 else w for name, w in BOTH.items()}
    model = built(bare)
    name = "blocks.1.ffn.0.weight"
    assert torch.equal(model.memory.state_dict()[name], bare[of_memory(name)].float())


def changed(names, change):
    return {name: change(w) if name in names else w for name, w in BOTH.items()}


HALVES = {
    "one is missing": (
        {n: w for n, w in BOTH.items() if n != "blocks.1.ffn.2.memory_bias"},
        r"the second model of a file must have 69 tensors, got 1 missing: "
        r"blocks\.1\.ffn\.2\.memory_bias; the file is incomplete",
    ),
    "most is missing": (
        {**FIRST, "memory_head.modulation": SECOND["head.modulation"]},
        "second model of a file must have 69 tensors, got 68 missing: blocks.0.cross_attn.k.memory",
    ),
    "more than there is": (
        {**BOTH, "blocks.0.self_attn.q.memory_gate": torch.ones(1)},
        r"got 1 unknown: blocks\.0\.self_attn\.q\.memory_gate",
    ),
    "of another size": (
        {**FIRST, **{of_memory(n): w for n, w in random_weights(replace(SMALL, dim=48)).items()}},
        r"second model of a file must have 69 tensors, got \d+ of wrong shape: ",
    ),
    "of more layers": (
        {**FIRST, **{of_memory(n): w for n, w in random_weights(replace(SMALL, layers=3)).items()}},
        "second model of a file must have 69 tensors, got 27 unknown: blocks.2",
    ),
    "without a first": (
        {of_memory(n): w for n, w in SECOND.items()},
        "must hold a Wan video model, but it has no patch_embedding.weight",
    ),
    "no numbers": (
        changed({"blocks.0.memory_modulation"}, lambda w: w * torch.nan),
        r"got NaN or infinity in 1 tensors: blocks\.0\.memory_modulation; ",
    ),
    "first not whole": (
        {n: w for n, w in BOTH.items() if n != "head.modulation"},
        "a Wan text-to-video model must have 69 tensors, got 1 missing: head.modulation",
    ),
}


@pytest.mark.parametrize("kind", HALVES)
def test_half_a_second_model_is_refused_in_a_sentence(kind):
    weights, said = HALVES[kind]
    with pytest.raises(ValueError, match=said) as error:
        built(weights)
    assert "\n" not in str(error.value)


REFUSAL = (
    "the file must be run as sgf_chunkwise or sgf_framewise, .* got 69 weights of one, such as .*"
    "memory_.*; choose one of these two"
)


@pytest.mark.parametrize("family", ["self_forcing", "causal_forcing_framewise", "longlive"])
def test_families_that_know_no_second_model_refuse_it_by_name(tmp_path, family):
    with pytest.raises(ValueError, match=REFUSAL):
        load_checkpoint(written(tmp_path), family=family)


def test_whoever_does_not_ask_for_a_second_model_never_passes_over_one():
    with pytest.raises(ValueError, match=REFUSAL):
        read_published(TensorDict(BOTH), SMALL.heads)


def test_both_must_be_of_one_size():
    other = build_wan(TensorDict(random_weights(TINY)), heads=TINY.heads)
    with pytest.raises(ValueError, match="both models must be of one size, got WanConfig"):
        TwoExperts(built(FIRST), other)


def test_an_adapter_reaches_the_denoiser_alone():
    rng = torch.Generator().manual_seed(0)
    down, up = torch.randn(4, 96, generator=rng), torch.randn(96, 4, generator=rng)
    layer = "blocks.1.self_attn.q"
    lora = {f"base_model.model.{layer}.lora_{x}.weight": w for x, w in (("A", down), ("B", up))}
    moved = {**FIRST, f"{layer}.weight": FIRST[f"{layer}.weight"] + up @ down}
    assert_both(built(lora=Lora(TensorDict(lora))), moved)
    memory = {name.replace(".lora_", ".memory_weight.lora_"): x for name, x in lora.items()}
    with pytest.raises(ValueError, match="a LoRA must be"):
        built(lora=Lora(TensorDict(memory)))


def test_the_fingerprint_is_that_of_both():
    named = fingerprint(built().state_dict())
    assert named == fingerprint(BOTH)
    halves = fingerprint(FIRST), fingerprint(SECOND)
    swapped = {**SECOND, **{of_memory(name): weight for name, weight in FIRST.items()}}
    others = {fingerprint(built(w).state_dict()) for w in (FIRST, SECOND, swapped)}
    assert len({named, *halves, *others}) == 4
    for weights in (FIRST, SECOND):
        flipped = dict(weights)
        name = "blocks.1.ffn.0.weight"
        flipped[name] = -flipped[name]
        two = (flipped, SECOND) if weights is FIRST else (FIRST, flipped)
        whole = {**two[0], **{of_memory(n): w for n, w in two[1].items()}}
        assert fingerprint(built(whole).state_dict()) != named


def test_dtype_and_config_are_those_of_both():
    model = built(dtype=torch.bfloat16)
    assert model.dtype == model.memory.dtype == torch.bfloat16
    assert model.config == model.memory.config == SMALL
    assert model.device == torch.device("cpu")


def test_both_are_compiled():
    model = built()
    model.compile("eager")
    assert model.denoiser._compiled and model.memory._compiled


NOISY = NoiseLevel(0.5, 500.0)
LEVELS = {
    "noisy": NOISY,
    "timestep 0": NoiseLevel(0.00498, 0.0),
    "frames apart": [NOISY, NoiseLevel(0.25, 400.0), NOISY],
    "an image held": [CLEAN, NOISY, NOISY],
    "clean": CLEAN,
    "clean, each frame": [CLEAN] * 3,
}


def heard(model, latent, level, text):
    """Return what a call asks its past, layer by layer, and gives."""
    asked = []

    def attend(layer, q, k, v):
        asked.extend((q, k, v))
        return v

    asked.append(model.predict_clean(latent, level, text, attend))
    return asked


def assert_clean_calls_are_the_seconds(model):
    latent = torch.randn(1, 16, 3, 4, 6, generator=torch.Generator().manual_seed(2))
    text = model.prepare_text(TEXT)
    for name, level in LEVELS.items():
        own = model.memory if name.startswith("clean") else model.denoiser
        alone = heard(own, latent, level, own.prepare_text(TEXT))
        both = zip(heard(model, latent, level, text), alone, strict=True)
        assert all(torch.equal(got, exact) for got, exact in both), name


class Counted(WanModel):
    """Counts its calls."""

    calls = 0

    def forward(self, *args):
        self.calls += 1
        return super().forward(*args)


def counted():
    model = built()
    for one in (model.denoiser, model.memory):
        one.__class__ = Counted
    return model


def counted_halves():
    model = counted()
    return model.denoiser, model.memory


def video(model, frames=9):
    family = family_named("self_forcing").tuned(window=6)
    request = VideoRequest(family, frames, 4, 6, seed=1)
    return torch.cat(
        [done.latent for done in request.rollout(model, PromptSchedule.constant(TEXT)).run()], 2
    )


def assert_the_second_remembers(model):
    latents = video(model)
    assert (model.denoiser.calls, model.memory.calls) == (3 * 4, 3)
    return latents


class CleanToFirst(TwoExperts):
    """The defect: what is remembered is written by the denoiser."""

    def predict_clean(self, noisy, level, text, attend):
        return self.denoiser.predict_clean(noisy, level, text.denoiser, attend)


class TextOfFirst(TwoExperts):
    """The defect: one text for both."""

    def predict_clean(self, noisy, level, text, attend):
        return super().predict_clean(noisy, level, text._replace(memory=text.denoiser), attend)


def test_a_call_is_that_of_its_model():
    assert_clean_calls_are_the_seconds(built())


def test_every_clean_call_runs_entirely_through_the_second_model():
    model = counted()
    latents = assert_the_second_remembers(model)
    assert torch.equal(latents[:, :, :3], video(built(FIRST))[:, :, :3])  # no past as yet
    assert not torch.allclose(latents, video(built(FIRST)), atol=1e-2)


def test_two_of_one_are_that_one():
    one = built(FIRST)
    assert torch.equal(video(TwoExperts(one, built(FIRST))), video(one))


@pytest.mark.parametrize("defect", [CleanToFirst, TextOfFirst])
def test_a_model_that_remembers_with_the_wrong_half_is_noticed(defect):
    model = counted()
    wrong = defect(model.denoiser, model.memory)
    with pytest.raises(AssertionError, match="clean"):
        assert_clean_calls_are_the_seconds(wrong)
    assert not torch.allclose(video(wrong), video(model), atol=1e-2)
    if defect is CleanToFirst:
        with pytest.raises(AssertionError):
            assert_the_second_remembers(defect(*counted_halves()))
