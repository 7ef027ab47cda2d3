"""What other nodes lay on a model or a prompt, in a ComfyUI: run rightly, or told by name."""
# ruff: noqa: I001, T201

import json
import sys
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parent))
from check_sampling import plain
from in_host import CONFIG, FAMILY, SIZE, WEIGHTS, conditioning, ours, schedule, texts, theirs

import comfy.ldm.modules.attention as host_attention
import comfy.ldm.wan.model as host_wan
import comfy.model_sampling
import comfy.ops
import comfy.sample
import comfy.samplers
import nodes
import torch
from comfy.patcher_extension import WrappersMP
from safetensors.torch import save_file

from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.models import family_named
from headforcing.nodes.graph import encoded
from headforcing.nodes.host import attention, users_attention
from headforcing.nodes.host.checks import check_shift, check_size, core_start
from headforcing.nodes.host.digests import digest_of
from headforcing.nodes.host.fingerprint import name_of
from headforcing.nodes.host.loading import load_model
from headforcing.nodes.host.sampling import HostVideo
from headforcing.nodes.host.video_name import Video
from headforcing.nodes.measure_drift import HeadForcingMeasureDrift
from headforcing.nodes.profile_heads import about_run
from headforcing.nodes.prompt_schedule import HeadForcingPromptSchedule
from headforcing.nodes.sampler import _shape

FRAMES = 9
REQUEST = VideoRequest(FAMILY, FRAMES, *SIZE, 3)


def sampled(model, said=None, **options):
    video = HostVideo(REQUEST, schedule((0,), ("p0",)), said or conditioning(texts(1)), **options)
    with torch.inference_mode():
        return video.sample(model)


def exact():
    with torch.no_grad():
        run = REQUEST.rollout(ours(), schedule((0,), texts(1))).run()
        return torch.cat([done.latent for done in run], 2)


def told(call, *given, **options):
    """Return the sentence of a refusal, or what came instead."""
    try:
        call(*given, **options)
    except ValueError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001  that is what must not happen
        return f"{type(error).__name__}: {error}"
    return "nothing"


def clone():
    return MODEL.clone()


def with_option(name, value):
    model = clone()
    model.model_options[name] = value
    return model


def with_inner(name, value):
    model = clone()
    model.model_options["transformer_options"][name] = value
    return model


def with_patch(name, value):
    model = clone()
    model.add_object_patch(name, value)
    return model


def with_wrapper(kind, key):
    model = clone()
    model.add_wrapper_with_key(kind, key, lambda executor, *args, **kw: executor(*args, **kw))
    return model


def with_attention_patch():
    model = clone()
    model.set_model_attn1_patch(lambda q, k, v, extra: (q, k, v))
    return model


def with_replaced_block():
    model = clone()
    model.set_model_patch_replace(lambda args, more: args, "dit", "double_block", 0)
    return model


def with_injections():
    model = clone()
    model.set_injections("bypass_lora", [object()])
    return model


def node(name):
    return nodes.NODE_CLASS_MAPPINGS[name]


class Sampled(comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.V_PREDICTION):
    pass


class OtherOutput(comfy.model_sampling.ModelSamplingDiscreteFlow, comfy.model_sampling.X0):
    pass


def flow(shift):
    class Flow(comfy.model_sampling.ModelSamplingDiscreteFlow, comfy.model_sampling.CONST):
        pass

    sampling = Flow(MODEL.model.model_config)
    sampling.set_parameters(shift=shift, multiplier=1000)
    return sampling


def fluxed(mu):
    """Flux's own flow: shifted by the exponential of what it calls its shift."""

    class Flow(comfy.model_sampling.ModelSamplingFlux, comfy.model_sampling.CONST):
        pass

    sampling = Flow(MODEL.model.model_config)
    sampling.set_parameters(shift=mu)
    return sampling


def on_models(found):
    made = {
        "context windows": lambda: with_option("context_handler", object()),
        "denoise masks": lambda: with_option("denoise_mask_function", len),
        "an unknown option": lambda: with_option("some_pack", 1),
        "an unknown transformer option": lambda: with_inner("audio_embeds", 1),
        "an unknown wrapper": lambda: with_wrapper(WrappersMP.PREDICT_NOISE, "some_pack"),
        "a wrapper without a key": lambda: with_wrapper(WrappersMP.OUTER_SAMPLE, None),
        "easycache": lambda: with_wrapper(WrappersMP.DIFFUSION_MODEL, "easycache"),
        "patches of attention": with_attention_patch,
        "replaced blocks": with_replaced_block,
        "a LoRA in bypass mode": with_injections,
        "another rope": lambda: with_patch("diffusion_model.rope_embedder", torch.nn.Identity()),
        "another ffn": lambda: with_patch("diffusion_model.blocks.1.ffn.forward", len),
        "self-attention": lambda: with_patch("diffusion_model.blocks.1.self_attn.forward", len),
        "another latent format": lambda: with_patch("latent_format", object()),
        "v prediction": lambda: with_patch("model_sampling", Sampled(MODEL.model.model_config)),
        "x0": lambda: with_patch("model_sampling", OtherOutput(MODEL.model.model_config)),
        "rope options": lambda: with_inner("rope_options", {"scale_t": 2.0}),
        "guidance": lambda: with_option("sampler_post_cfg_function", [len]),
        "more than an image": lambda: with_inner("ar_config", {"window": 3}),
    }
    for name, make in made.items():
        found[f"model {name}"] = told(lambda make=make: sampled(make()))


def on_networks(found):
    """Networks made from the host's own that want more than words."""
    for name in ("VaceWanModel", "WanModel_S2V", "HumoWanModel", "CameraWanModel"):
        network = getattr(host_wan, name, None)
        if network is None:
            continue
        model = clone()
        model.add_object_patch("diffusion_model", network.__new__(network))
        found[f"network {name}"] = told(sampled, model)


def on_prompts(found):
    latent = torch.zeros(1, 16, 1, *SIZE)
    beside = {
        "context_latents": [latent],
        "time_dim_concat": latent,
        "reference_latents": [latent],
        "vace_frames": [latent],
        "clip_vision_output": object(),
        "concat_latent_image": latent,
        "audio_embed": latent,
        "control": object(),
        "area": (1, 1, 0, 0),
        "mask": torch.ones(1, 6, 8),
        "hooks": object(),
        "start_percent": 0.2,
        "end_percent": 0.5,
        "strength": 0.5,
        "some_pack": 1,
        "some_latent": torch.zeros(3),
    }
    not_text = {"nothing": [[None, {}]], "no pair": [None], "no options": [[texts(1)[0]]]}
    nan = [[torch.full((1, 3, 4096), torch.nan), {}]]
    for name, entries in {**not_text, "not a number": nan}.items():
        found[f"text {name}"] = told(sampled, clone(), {"p0": entries})
    text = texts(1)[0]
    for name, value in beside.items():
        found[f"prompt {name}"] = told(sampled, clone(), {"p0": [[text, {name: value}]]})
    harmless = {"pooled_output": torch.zeros(1, 8), "start_percent": 0.0, "end_percent": 1.0}
    harmless |= {"strength": 1.0, "control": None, "reference_latents": []}
    got = sampled(clone(), {"p0": [[text, harmless]]})
    found["prompt alone"] = bool(torch.equal(got, WHOLE))


def on_sampling(found):
    """A flow of another shift samples the same levels, and is told where they are chosen."""
    found["error flow"] = float(
        (sampled(with_patch("model_sampling", flow(8.0))) - WHOLE).abs().max()
    )
    found["another shift"] = told(check_shift, with_patch("model_sampling", flow(8.0)), 5.0)
    flux = with_patch("model_sampling", fluxed(1.6094379))
    found["error flux"] = float((sampled(flux) - WHOLE).abs().max())
    found["flux of five"] = told(check_shift, flux, 5.0)
    found["flux of two"] = told(check_shift, with_patch("model_sampling", fluxed(0.72)), 0.72)
    found["the same shift"] = told(check_shift, with_patch("model_sampling", flow(5.0)), 5.0)
    found["no node"] = told(check_shift, clone(), 5.0)


def with_compute_dtype(found):
    """A node that says what is computed in."""
    model = clone()
    if not hasattr(model, "set_model_compute_dtype"):
        return
    model.set_model_compute_dtype(torch.bfloat16)
    got = sampled(model)
    found["compute dtype"] = float((got - WHOLE).abs().max())


def one_gpu(found):
    """The host's copies for other GPUs are not on what samples."""
    model = clone()
    model.set_additional_models("multigpu", [clone()])
    model.model_options["multigpu_options"] = {"x": 1}
    made = attention.patched(model)
    found["copies left"] = len(made.additional_models.get("multigpu", []))
    found["copies on the user's"] = len(model.additional_models["multigpu"])
    found["options left"] = [name for name in made.model_options if "multigpu" in name]
    found["error with copies"] = float((sampled(model) - WHOLE).abs().max())


class Room:
    """Of a patcher that asks for more than its model says it needs."""

    def __init__(self, model):
        self.model, self.asked = model, None

    def memory_required(self, shape):
        return self.model.model.memory_required(shape) * 1.3 + 1024**3


def room(found):
    from headforcing.nodes.host.sampling import _reserve

    asked, kept = [], 10 * 2**30
    given = Room(MODEL)
    given.memory_required, given.model = given.memory_required, MODEL.model
    shape = [1, 16, 60, 60, 104]
    _reserve(3, kept)(lambda model, shape, *rest: asked.append(shape), given, shape, None)
    need = MODEL.model.memory_required([1, 16, 3, 60, 104]) + kept
    found["room"] = MODEL.model.memory_required(asked[0]) / need


def asked_attention(found):
    """Flags, other functions and a checkpoint's own way are obeyed."""
    network, seen = MODEL.model.diffusion_model, []
    own = host_wan.optimized_attention

    def counted(*args, **options):
        seen.append(options.get("preferred_attention"))
        return own(*args, **{k: v for k, v in options.items() if k != "preferred_attention"})

    found["by itself"] = users_attention.chosen_attention(network, {}) is None
    from comfy.cli_args import args

    for flag in ("use_ck_attention", "use_sage_attention"):
        before = getattr(args, flag, None)
        setattr(args, flag, True)
        found[f"flag {flag}"] = users_attention.chosen_attention(network, {}) is not None
        setattr(args, flag, before) if before is not None else delattr(args, flag)
    host_wan.optimized_attention = counted
    try:
        found["error replaced"] = float((sampled(clone()) - WHOLE).abs().max())
        found["replaced calls"] = len(seen)
        seen.clear()

        class Brought:
            function = staticmethod(own)

        brought = Brought()
        for block in network.blocks:
            block.self_attn.comfy_attention = brought
        found["error brought"] = float((sampled(clone()) - WHOLE).abs().max())
        found["brought calls"] = sum(one is brought for one in seen)
    finally:
        host_wan.optimized_attention = own
        for block in network.blocks:
            del block.self_attn.comfy_attention


class Recording:
    """Stands for the graph that newest hosts record a block's allocations with."""

    def __init__(self):
        self.paused = 0

    def __call__(self):
        return self

    def __enter__(self):
        self.paused += 1

    def __exit__(self, *error):
        pass


def outside_blocks(found):
    own, attention.outside_blocks = attention.outside_blocks, Recording()
    try:
        sampled(clone())
        found["paused"] = attention.outside_blocks.paused
    finally:
        attention.outside_blocks = own


def core(found):
    """The host's own autoregressive sampler and nodes, where it has them, and ours in turn."""
    path = FOLDER / "self_forcing.safetensors"
    save_file({f"model.{k}": v.contiguous() for k, v in WEIGHTS.items()}, path)
    model = load_model(str(path), FAMILY, torch.float32)
    found["kind"] = type(model.model.diffusion_model).__name__
    found["error loaded"] = float((sampled(model) - WHOLE).abs().max())
    image = torch.randn(1, 16, 1, *SIZE, generator=torch.Generator().manual_seed(2))
    given = with_inner("ar_config", {"initial_latent": image})
    found["start taken"] = bool(torch.equal(core_start(given)["samples"], image))
    found["no start"] = core_start(clone()) is None
    if not hasattr(model.model.diffusion_model, "init_kv_caches"):
        return
    sampler = comfy.samplers.ksampler("ar_video", {"num_frame_per_block": 3})
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(conditioning(texts(1))["p0"], conditioning(texts(1))["p0"])
    guider.set_cfg(1.0)
    noise = torch.randn(1, 16, FRAMES, *SIZE, generator=torch.Generator().manual_seed(1))
    sigmas = torch.tensor([*(level.sigma for level in FAMILY.levels), 0.0])
    with torch.inference_mode():
        made = guider.sample(
            noise, torch.zeros_like(noise), sampler, sigmas, disable_pbar=True, seed=1
        )
    found["core's video"] = [bool(torch.isfinite(made).all()), float(made.std())]
    found["error after core"] = float((sampled(model) - WHOLE).abs().max())


class Stored(torch.Tensor):
    """As GGUF loaders keep weights: bytes of another length, under the shape of the weight."""

    tensor_type = "Q8_0"

    def detach(self):
        return self

    def clone(self, *args, **options):
        return self


def reading(by):
    return lambda *args, **options: by


class Wrap(torch.nn.Module):
    """Another pack's way of standing before a block."""

    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward(self, *args, **options):
        return self.block(*args, **options)


def left_by_others(found):
    """What a plain sampler's clone has left on the loaded model is nobody's but that clone's."""
    before, errors, same = name_of(MODEL), [], []
    shifted = with_patch("model_sampling", flow(3.0))
    other = with_patch("model_sampling", Sampled(MODEL.model.model_config))
    block = MODEL.model.diffusion_model.blocks[1]
    wrapped = with_patch("diffusion_model.blocks.1", Wrap(block))
    for model in (shifted, other, wrapped):
        plain(model)
        errors.append(float((sampled(clone()) - WHOLE).abs().max()))
        plain(model)
        same.append(name_of(MODEL) == before)
    found["errors after others"], found["names after others"] = errors, same
    plain(other)
    found["another's sampling"] = told(sampled, other)
    plain(clone())


def in_place(found):
    """Code that a pack has put on the modules themselves, where no patcher knows of it."""
    own = host_wan.WanSelfAttention.forward
    blocks = MODEL.model.diffusion_model.blocks
    blocks[1].self_attn.forward = lambda *args, **options: own(
        blocks[1].self_attn, *args, **options
    )
    found["in place"] = told(sampled, clone())
    del blocks[1].self_attn.forward
    kind = type(blocks[0].self_attn)
    before, kind.forward = kind.forward, lambda *args, **options: before(*args, **options)
    found["in its class"] = told(sampled, clone())
    kind.forward = before
    text = host_wan.WanT2VCrossAttention.forward
    for block in blocks:
        module = block.cross_attn
        module.forward = lambda *args, m=module, **options: 0.5 * text(m, *args, **options)
    halved = sampled(clone())
    for block in blocks:
        del block.cross_attn.forward
    found["text in place"] = float((halved - WHOLE).abs().max())
    found["after all"] = float((sampled(clone()) - WHOLE).abs().max())
    zero = torch.compile(torch.nn.Identity(), backend="eager")
    found["another thing compiled"] = told(
        sampled, with_patch("diffusion_model.blocks.1.ffn", zero)
    )
    whole = torch.compile(MODEL.model.diffusion_model, backend="eager")
    found["compiled whole"] = told(sampled, with_patch("diffusion_model", whole))


def named(found):
    """Weights that are no numbers, or only shapes; adapters that flip no sign."""

    def gguf(seed):
        model = theirs()
        layer = model.model.diffusion_model.blocks[0].ffn[0]
        rng = torch.Generator().manual_seed(seed)
        raw = torch.randint(0, 255, (512, 272), dtype=torch.uint8, generator=rng)
        layer.weight = torch.nn.Parameter(raw.as_subclass(Stored), requires_grad=False)
        return model

    def adapted(model, strength, key="diffusion_model.blocks.0.ffn.0.weight", seed=3):
        rng = torch.Generator().manual_seed(seed)
        patch = ("diff", (1e-6 * torch.randn(512, 256, generator=rng),))
        model = model.clone()
        model.add_patches({key: patch}, strength)
        return model

    kept = gguf(1)
    names = [name_of(kept), name_of(gguf(1)), name_of(gguf(2)), name_of(adapted(kept, 0.5)),
             name_of(adapted(gguf(1), 0.5)), name_of(adapted(kept, 0.6))]  # fmt: skip
    found["gguf same"] = names[0] == names[1] and names[3] == names[4]
    loaded = gguf(1)
    layer = loaded.model.diffusion_model.blocks[0].ffn[0]
    # a host that has merged an adapter keeps what was there aside
    loaded.backup["diffusion_model.blocks.0.ffn.0.weight"] = SimpleNamespace(weight=layer.weight)
    layer.weight = torch.nn.Parameter(torch.randn(512, 256), requires_grad=False)
    found["gguf loaded"] = name_of(loaded) == names[0]
    found["gguf other"] = len({names[0], names[2], names[3], names[5]})
    meta = theirs()
    layer = meta.model.diffusion_model.blocks[0].ffn[0]
    layer.weight = torch.nn.Parameter(layer.weight.to("meta"), requires_grad=False)
    found["meta"] = name_of(meta) != name_of(theirs())
    texted = {"model": clone(), "conditioning": [conditioning(texts(1))["p0"]], "start": None}
    about = {"request": REQUEST, "prompts": schedule((0,), ("p0",))}

    def video(model):
        return Video(**{**texted, **about, "model": model}).name

    whole = [video(clone()), video(adapted(clone(), 0.5)), video(adapted(clone(), 0.50001))]
    found["videos apart"] = len({*whole})
    found["video again"] = whole[1] == video(adapted(clone(), 0.5))
    name = "diffusion_model.blocks.0.cross_attn.forward"
    made = [video(with_patch(name, reading(by))) for by in (1.0, 0.5, 0.5)]
    found["text readers apart"] = len({*made, whole[0]})
    found["a text reader again"] = made[1] == made[2]
    made = [
        video(with_inner("optimized_attention_override", reading(by))) for by in (1.0, 0.5, 0.5)
    ]
    found["overrides apart"] = len({*made, whole[0]})
    moved = theirs(weights={n: w + 0.5 if w.ndim == 1 else w for n, w in WEIGHTS.items()})
    rounded = theirs(weights={n: w.bfloat16().float() for n, w in WEIGHTS.items()})
    found["values apart"] = len({video(moved), video(rounded), video(theirs()), whole[0]})


def functions():
    """Functions that differ in one place each, and the same again from the same code."""

    def default(scale):
        def read(*args, _scale=scale, **options):
            return _scale

        return read

    def inner(sine):
        if sine:
            return lambda x: (lambda y: y.sin())(x)
        return lambda x: (lambda y: y.cos())(x)

    def itself(scale):
        def read(x):
            return x[..., :] * scale if x in {"a", "b"} else read(x)

        return read

    return {
        "defaults": [default(1.0), default(0.5), default(1.0)],
        "inner": [inner(True), inner(False), inner(True)],
        "itself": [itself(1.0), itself(0.5), itself(1.0)],
        "attention": [pytorch(), None, pytorch()],
    }


def pytorch():
    """What the host's node for the way of attending puts on a model."""
    model = clone()
    if not hasattr(model, "set_model_optimized_attention"):
        return len
    model.set_model_optimized_attention(host_attention.attention_pytorch)
    return model.model_options["transformer_options"]["optimized_attention_override"]


def digests(found):
    for name, (one, other, again) in functions().items():
        made = [digest_of(one), digest_of(other), digest_of(again)]
        found.setdefault("digests", {})[name] = made[0] == made[2] != made[1]
    found["empty"] = told(with_empty)


def with_empty():
    sampled(with_inner("patches_replace", {"dit": {}}))
    check_size({}, 16)


def profiles(found):
    """What a profile is kept under: two conditionings and two families are four profiles."""
    made = [
        about_run(family_named(name), 64, 64, encoded(conditioning([text])["p0"]))
        for name in ("self_forcing", "longlive")
        for text in texts(2)
    ]
    found["profiles apart"] = len({json.dumps(one, sort_keys=True) for one in made})
    again = about_run(FAMILY, 64, 64, encoded(conditioning(texts(1))["p0"]))
    found["the same profile"] = again == made[0]


def counted(found):
    """What is said in seconds and pixels is counted as the family's videos are."""
    families = [family_named(name) for name in ("self_forcing", "longlive2")]
    found["shapes"] = [_shape(family, 10.0, 1280, 704, None, None) for family in families]
    measure, pictures = HeadForcingMeasureDrift.execute, torch.zeros(40, 8, 8, 3)
    found["stretches"] = [told(measure, pictures, "x", 2.0, fps=fps) for fps in (16.0, 24.0)]

    class Clip:
        def tokenize(self, text):
            return text

        def encode_from_tokens_scheduled(self, tokens):
            return [[tokens, {}]]

    said = (Clip(), '"0": "a", "48": "b"', "", "auto")
    schedules = [HeadForcingPromptSchedule.execute(*said, *more)[0] for more in ((), (24.0,))]
    found["prompts"] = [schedule.prompts[1].start for schedule in schedules]
    # without fps a model's own decides
    found["told"] = [schedules[0].told(family).prompts[1].start for family in families]
    said = (Clip(), "[0:2] a [2:4#] b [4:6] The scene transitions. c", "", "auto")
    schedule = HeadForcingPromptSchedule.execute(*said)[0]
    for family in families:
        of = schedule.told(family)
        texts = [entries[0][0] for entries in of.conditioning]
        shots = {number: entries[0][0] for number, entries in of.shots.items()}
        found.setdefault("shots", []).append([texts, [p.cut for p in of.prompts], shots])


def main():
    found = {}
    for look in (on_models, on_networks, on_prompts, on_sampling, with_compute_dtype, one_gpu,
                 room, asked_attention, outside_blocks, core, left_by_others, in_place,
                 named, profiles, digests, counted):  # fmt: skip
        look(found)
    print("FOUND", json.dumps(found))


if __name__ == "__main__":
    import tempfile

    FOLDER = Path(tempfile.mkdtemp())
    MODEL = theirs()
    WHOLE = sampled(MODEL)
    assert CONFIG.heads
    scale = MODEL.model.process_latent_in(WHOLE)
    assert (scale - exact()).abs().max() < 1e-4
    main()
