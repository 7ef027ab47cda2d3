"""The host's own nodes around ours, in a ComfyUI that runs: the right video, or one sentence."""

import numpy as np
import pytest
from comfy_host import needs_host
from live_host import errors_of
from PIL import Image
from prompts import demo, latents, node, only, with_defaults

pytestmark = needs_host

MODEL, PROMPT, VAE = ["1", 0], ["2", 0], ["1", 2]
# what the sampler gets, the nodes before it without what has a default, and what is said
REFUSED = {
    "context windows": (
        "model",
        {"6": ("WanContextWindowsManual", {"model": MODEL})},
        "context windows",
    ),
    "a range of steps": (
        "prompts",
        {"6": ("ConditioningSetTimestepRange", {"conditioning": PROMPT, "start": 0.0, "end": 0.5})},
        "got a range of steps with it",
    ),
    "v prediction": (
        "model",
        {"6": ("ModelSamplingDiscrete", {"model": MODEL, "sampling": "v_prediction"})},
        "a sampling node that reads another prediction (V_PREDICTION)",
    ),
    "a flow on what gives the clean latent": (
        "model",
        {"6": ("ModelSamplingSD3", {"model": MODEL, "shift": 5.0})},
        "a sampling node that reads another prediction (CONST)",
    ),
    "flux": ("model", {"6": ("ModelSamplingFlux", {"model": MODEL})}, "another prediction"),
    "edm": (
        "model",
        {"6": ("ModelSamplingContinuousEDM", {"model": MODEL})},
        "another prediction",
    ),
    "more noise": (
        "model",
        {"6": ("ModelNoiseScale", {"model": MODEL, "noise_scale": 2.0})},
        "another prediction",
    ),
    "reference latents": (
        "prompts",
        {"6": ("ReferenceLatent", {"conditioning": PROMPT, "latent": ["7", 0]}),
         "7": ("EmptyHunyuanLatentVideo", {"width": 64, "height": 64, "length": 9})},
        "got a reference image with it",
    ),
    "Bernini": (
        "prompts",
        {"6": ("BerniniConditioning",
               {"positive": PROMPT, "negative": PROMPT, "vae": VAE, "width": 64, "height": 64,
                "length": 9, "source_video": ["7", 0]}),
         "7": ("EmptyImage", {"width": 64, "height": 64, "batch_size": 9})},
        "got reference latents in the context with it",
    ),
    "a start image of another kind of model": (
        "prompts",
        {"6": ("WanImageToVideo",
               {"positive": PROMPT, "negative": PROMPT, "vae": VAE, "width": 64, "height": 64,
                "length": 9, "start_image": ["7", 0]}),
         "7": ("EmptyImage", {"width": 64, "height": 64})},
        "got a start image of an image-to-video model",
    ),
    "differential diffusion": (
        "model",
        {"6": ("DifferentialDiffusion", {"model": MODEL})},
        "a function of denoise masks",
    ),
    "tokens merged": ("model", {"6": ("TomePatchModel", {"model": MODEL})}, "attn1"),
    "skipped layers": (
        "model",
        {"6": ("SkipLayerGuidanceDiT", {"model": MODEL})},
        "model must be sampled without guidance",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_sampled_is_one_sentence(host, case):
    goes_to, between, message = REFUSED[case]
    if any(kind not in host.info for kind, _ in between.values()):
        pytest.skip("this host has no such node")
    prompt = demo(prefix="badnode/x", **{goes_to: ["6", 0]})
    prompt |= {key: with_defaults(host, kind, **given) for key, (kind, given) in between.items()}
    (said,) = errors_of(host.wait(host.queue(prompt)))
    assert message in said and said.strip().count("\n") == 0
    assert latents(host, "badnode/*.latent") == []


@pytest.fixture(scope="module")
def plain(host):
    host.run(demo(prefix="nodes/plain"))
    return only(host, "nodes/plain_*.latent")


@pytest.mark.parametrize("device", ["default", "cpu"])
def test_devices_are_selected_and_nothing_else_changes(host, plain, device):
    kinds = ("SelectModelDevice", "SelectCLIPDevice", "SelectVAEDevice")
    if not all(kind in host.info for kind in kinds):
        pytest.skip("this host has no such node")
    prompt = demo(prefix=f"nodes/{device}", model=["6", 0])
    prompt["6"] = node(kinds[0], model=MODEL, device=device)
    prompt["7"] = node(kinds[1], clip=["1", 1], device=device)
    prompt["2"]["inputs"]["clip"] = ["7", 0]
    prompt["8"] = node(kinds[2], vae=VAE, device="default")
    prompt["9"] = node("VAEDecode", samples=["3", 0], vae=["8", 0])
    prompt["10"] = node("SaveImage", images=["9", 0], filename_prefix=f"nodes/{device}")
    host.run(prompt)
    assert (only(host, f"nodes/{device}_*.latent") - plain).abs().max() < 1e-5
    assert len(list((host.base / "output" / "nodes").glob(f"{device}_*.png"))) == 45


def test_a_lora_loader_takes_the_demos_model_and_text_encoder(host, plain):
    """Nothing of the adapter is of this model: the host's loader says so in the log and goes on."""
    prompt = demo(prefix="nodes/lora", model=["6", 0])
    names = {"lora_name": "tiny_lora.safetensors", "strength_model": 1.0, "strength_clip": 1.0}
    prompt["6"] = node("LoraLoader", model=MODEL, clip=["1", 1], **names)
    prompt["2"]["inputs"]["clip"] = ["6", 1]
    host.run(prompt)
    assert (only(host, "nodes/lora_*.latent") - plain).abs().max() < 1e-5


def test_a_layer_of_the_demos_text_encoder_is_refused(host):
    prompt = demo(prefix="badnode/layer")
    prompt["6"] = node("CLIPSetLastLayer", clip=["1", 1], stop_at_clip_layer=-2)
    prompt["2"]["inputs"]["clip"] = ["6", 0]
    (said,) = errors_of(host.wait(host.queue(prompt)))
    assert "text encoder must be read at its last layer, got -2" in said


@pytest.fixture
def picture(host):
    """An image of the host's input folder."""
    folder = host.base / "input"
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    pixels = np.kron(rng.integers(0, 255, (4, 4, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "squares.png")
    return "squares.png"


def test_the_image_of_the_hosts_own_node_is_the_start(host, picture):
    if "ARVideoI2V" not in host.info:
        pytest.skip("this host has no such node")
    between = {
        "6": node("LoadImage", image=picture),
        "7": with_defaults(host, "ARVideoI2V", model=MODEL, vae=VAE, start_image=["6", 0],
                           width=64, height=64, length=33),
        "8": node("VAEEncode", pixels=["6", 0], vae=VAE),
    }  # fmt: skip
    host.run(demo(prefix="nodes/theirs", model=["7", 0]) | between)
    host.run(demo(prefix="nodes/sized", model=["7", 0], size=["7", 1]) | between)
    host.run(demo(prefix="nodes/ours", start=["8", 0]) | between)
    theirs, sized, ours = (only(host, f"nodes/{n}_*.latent") for n in ("theirs", "sized", "ours"))
    assert (theirs - ours).abs().max() < 1e-5
    assert sized.shape[2] == 10  # nine frames are asked for: the image, and whole chunks after it
    assert (sized - ours[:, :, :10]).abs().max() < 1e-5
    both = demo(prefix="badnode/both", model=["7", 0], start=["8", 0]) | between
    (said,) = errors_of(host.wait(host.queue(both)))
    assert "first frames must come from one place" in said


def cores_own(model, prefix, kind="SamplerARVideo"):
    """The nodes of the host's own template for such models, around a model."""
    return {
        "1": model,
        "2": node("CLIPTextEncode", clip=["11", 0], text="a red ball"),
        "11": node("StubClip", clip_name="x"),
        "12": node("EmptyARVideoLatent", width=64, height=64, length=33, batch_size=1),
        "13": node("ModelSamplingSD3", model=MODEL, shift=5.0),
        "14": node("BasicScheduler", model=["13", 0], scheduler="simple", steps=4, denoise=1.0),
        "15": node("SamplerARVideo", num_frame_per_block=3),
        "16": node("CFGGuider", model=["13", 0], positive=PROMPT, negative=PROMPT, cfg=1.0),
        "17": node("RandomNoise", noise_seed=0),
        "18": node("SamplerCustomAdvanced", noise=["17", 0], guider=["16", 0], sampler=["15", 0],
                   sigmas=["14", 0], latent_image=["12", 0]),
        "4": node("SaveLatent", samples=["18", 0], filename_prefix=prefix),
    }  # fmt: skip


def test_the_hosts_own_sampler_and_ours_are_swapped_in_its_template(host):
    if "SamplerARVideo" not in host.info:
        pytest.skip("this host has no such node")
    loaded = node("HeadForcingLoadARModel", model_name="self_forcing_dmd.pt", weight_dtype="fp32",
                  family="auto")  # fmt: skip
    host.run(cores_own(loaded, "swap/core"))
    swapped = cores_own(loaded, "swap/ours")
    swapped["18"] = node("HeadForcingSampler", model=["13", 0], prompts=PROMPT, seed=0, seconds=1.0,
                         width=832, height=480, family="auto", steps="", shift=0.0,
                         size=["12", 0], sigmas=["14", 0])  # fmt: skip
    for unused in ("15", "16", "17"):
        del swapped[unused]
    host.run(swapped)
    host.run(cores_own(loaded, "swap/again"))
    core, ours, again = (only(host, f"swap/{n}_*.latent") for n in ("core", "ours", "again"))
    assert core.shape == ours.shape == again.shape
    assert core.isfinite().all() and ours.isfinite().all() and ours.std() > 0.1
    assert (core - again).abs().max() < 1e-5


def test_edits_of_a_head_map_are_made_sent_and_sent_again(host):
    file = "published: pyramid_self_forcing.csv"
    prompt = {
        "1": node("HeadForcingLoadHeadMap", file=file, edits="2.3=pyramid.anchor"),
        "2": with_defaults(host, "HeadForcingEditHeadMap", head_map=["1", 0],
                           edits="5.2=pyramid.veil"),
        "3": node("PreviewImage", images=["2", 1]),
    }  # fmt: skip
    for _ in range(2):  # the second time nothing is run again
        host.run(prompt)
    made_of = {number: prompt[number] for number in ("1", "2")}
    told = host.post("/head_forcing/head_map", {"node": "2", "made_of": made_of, "edits": ""})
    assert told["current"] and told["notes"] == [
        "layer 2, head 3: pyramid.wave became pyramid.anchor"
    ]
    before = {"file": file, "steps": ["2.3=pyramid.anchor"], "edits": "5.2=pyramid.veil"}
    assert len(host.post("/head_forcing/head_map", before)["notes"]) == 2
    prompt["2"]["inputs"]["edits"] = "0.0=hf.local"
    (said,) = errors_of(host.wait(host.queue(prompt)))
    assert "which is of another scheme" in said


@pytest.mark.parametrize("file", ["../x.json", "/etc/passwd", "published: ../x.csv", "no.json"])
def test_only_maps_that_can_be_chosen_are_read_for_the_page(host, file):
    said = host.post("/head_forcing/head_map", {"file": file})["error"]
    assert said.startswith("file must be one that Load Head Map lists")
