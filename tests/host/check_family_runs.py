"""Runs of the newer families in a ComfyUI: two models in a file, what is kept, what is refused."""
# ruff: noqa: I001, T201

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from check_decoders import as_vae, wan21
from check_families import CASES, SIZE, by_host, by_us, written
from check_graphs import told
from check_keeping import places
from check_sampling import lora_file, plain
from in_host import conditioning, texts

import comfy.model_management
import torch
from comfy_api.torch_helpers.torch_compile import set_torch_compile_wrapper

from headforcing.headforcing_core.heads import QUICK, profiled
from headforcing.headforcing_core.models import Lora, family_named, load_checkpoint
from headforcing.nodes.host import (
    HostDecoder, HostSubject, HostVideo, Video, check_family, name_of, with_adapter,
)  # fmt: skip
from headforcing.nodes.host.blending import blended
from headforcing.nodes.host.experts import second_of
from headforcing.nodes.host.fingerprint import values_of
from headforcing.nodes.host.loading import load_model
from headforcing.nodes.host.making import Making
from headforcing.nodes.host.stops import STOPS

SGF = family_named("sgf_chunkwise")
STOPPED = 6


def loaded(path, family):
    return load_model(str(path), family, torch.float32)


def difference(model, own):
    """Return how a video of two models differs from our own module's."""
    case = CASES["sgf_chunkwise"]
    request = case.request(SGF)
    known, _ = by_us(case, request, own, None, None, model)
    done, _, _ = by_host(case, request, model, None, None)
    mine, its = (torch.cat([d.latent for d in run], 2) for run in (known, done))
    return float((mine - its).abs().max())


def two_models(found):
    path, lora = written(SGF), lora_file()
    model, own = loaded(path, SGF), load_checkpoint(path, family=SGF.name).model
    adapted = with_adapter(model, str(lora), 0.7)
    merged = load_checkpoint(path, family=SGF.name, lora=Lora.open(lora, 0.7)).model
    found["error with a LoRA"] = difference(adapted, merged)
    found["the LoRA matters"] = difference(adapted, own)
    compiled = model.clone()
    set_torch_compile_wrapper(compiled, backend="eager", keys=["diffusion_model"])
    found["error compiled"] = difference(compiled, own)
    found["left on them"] = [len(m.object_patches) for m in (model, second_of(model))]
    comfy.model_management.unload_all_models()
    plain(model)
    networks = [one.model.model for one in comfy.model_management.current_loaded_models]
    found["a plain sampler loads"] = [m.model in networks for m in (model, second_of(model))]
    name, values = name_of(model), values_of(model)
    with torch.no_grad():
        second_of(model).model.diffusion_model.blocks[1].ffn[0].weight.neg_()
    found["the second names it"] = [name_of(model) != name, values_of(model) != values]


def video_of(name, model, decoder=None, chunks=None):
    case, family = CASES[name], family_named(CASES[name].family)
    request = case.request(family)
    if chunks is not None:
        request = replace(request, frames=chunks * family.frames_per_chunk)
    names = ("p0", "p1")
    prompts = case.schedule(case.request(family), names)
    said = conditioning(texts(2))
    return Video(model, request, prompts, [said[n] for n in prompts.texts], None, decoder)


def made(video, stop=None):
    """Make a video as the node does, up to a chunk."""
    given, asked = [], STOPS.asked
    STOPS.asked = lambda: given.append(1) or len(given) == stop
    try:
        with torch.inference_mode():
            return Making(renamed(video)).run()[0], len(given)
    finally:
        STOPS.asked = asked


def renamed(video):
    """With the names that the node has for prompts: one for each start."""
    names = tuple(f"p{number}" for number in range(len(video.prompts.texts)))
    return replace(video, prompts=replace(video.prompts, texts=names))


def keeping(found):
    """Stopped, and gone on with: bit by bit what one run makes."""
    for name in ("rolling_forcing begun", "causal_forcing_pp_2step", "longlive2", "sgf_chunkwise"):
        family = family_named(CASES[name].family)
        places(Path(tempfile.mkdtemp()))
        video = video_of(name, loaded(written(family), family))
        whole, _ = made(video)
        places(Path(tempfile.mkdtemp()))
        begun, first = made(video, STOPPED)
        again, rest = made(video)
        found[f"kept {name}"] = [
            bool(begun.equal(whole[:, :, : begun.shape[2]])),
            float((again - whole).abs().max()), first, rest,
        ]  # fmt: skip


def naming(found):
    model = loaded(written(family_named("self_forcing")), family_named("self_forcing"))
    one, other = (HostDecoder.of(as_vae(wan21(dim), 16), 0, 16) for dim in (8, 12))
    krea = "krea_14b with pictures"
    first = "krea_14b with its first frame"
    found["pictures decide"] = video_of(krea, model, one).name != video_of(krea, model, other).name
    same = video_of(first, model, one).name == video_of(first, model, other).name
    found["else they do not"] = same
    lengths = (video_of("rolling_forcing", model, chunks=n).name for n in (12, 20))
    found["length decides where chunks are made together"] = len({*lengths}) == 2
    lengths = (video_of("self_forcing", model, chunks=n).name for n in (12, 20))
    found["nowhere else"] = len({*lengths}) == 1


def refusals(found):
    families = {name: family_named(name) for name in ("self_forcing", "longlive2", "krea_14b")}
    path = written(families["self_forcing"])
    found["two as one"] = told(loaded, written(SGF), families["self_forcing"])
    found["16 as 48"] = told(loaded, path, families["longlive2"])
    found["48 as 16"] = told(loaded, written(families["longlive2"]), families["self_forcing"])
    model = loaded(path, families["self_forcing"])
    found["another family"] = told(check_family, model, families["longlive2"])
    case = CASES["krea_14b with pictures"]
    request = case.request(families["krea_14b"])
    prompts, said = case.schedule(request, ("p0", "p1")), conditioning(texts(2))
    found["no vae"] = told(HostVideo(request, prompts, said).sample, model)
    alone = case.request(families["krea_14b"].without_pictures())
    with torch.inference_mode():
        found["no vae needed"] = HostVideo(alone, prompts, said).sample(model).shape[2]
    noisy, few = (1.0, 0.8, 0.5, 0.0), (*(1 - 0.2 * n for n in range(5)), 0.0)
    rolling = family_named("rolling_forcing")
    found["sigmas of a solver"] = told(families["longlive2"].tuned, sigmas=noisy)
    found["sigmas of too few chunks"] = told(rolling.tuned, sigmas=noisy)
    found["sigmas that fit"] = told(rolling.tuned, sigmas=few)
    latents = model.model.latent_format
    latents.latent_channels = 48
    found["another latent format"] = told(HostVideo(alone, prompts, said).sample, model)
    latents.latent_channels = 16


def blending(found):
    """Prompts of different lengths, of which the longer comes in."""
    case, family = CASES["krea_14b with pictures"], family_named("krea_14b")
    short, long = (torch.randn(1, rows, 8) for rows in (5, 7))
    request = case.request(family)
    prompts = case.schedule(request, ("p0", "p1"))
    schedule, said = blended(request, prompts, {"p0": [[short, {"x": 1}]], "p1": [[long, {}]]})
    shown = [said[name] for name in schedule.texts[:4]]
    want = torch.cat([short, torch.zeros(1, 2, 8)], 1)
    found["blended"] = {
        "starts": schedule.starts,
        "cuts": sorted(schedule.cuts),
        "right": [
            bool(torch.allclose(entry[0][0], torch.lerp(want, long, part)))
            for entry, part in zip(shown[1:], (1 / 3, 2 / 3, 1), strict=True)
        ],
        "alone": all(entry[0][1] == {} for entry in said.values()),
    }


def profiles(found):
    """Heads of a model whose past is computed anew, where no autoencoder is at hand."""
    family = family_named("krea_14b").without_pictures()
    said = conditioning(texts(1))["p0"]
    subject = HostSubject(loaded(written(family), family), family, SIZE, [said], {})
    settings = replace(QUICK, prompts=1, seeds=1, returns=0)
    with torch.inference_mode():
        *_, profile = profiled(subject, settings, subject.empty_profile(settings))
    found["profiled"] = len(profile.samples)


def main():
    found = {}
    two_models(found)
    keeping(found)
    naming(found)
    refusals(found)
    blending(found)
    profiles(found)
    print("FOUND", json.dumps(found))


if __name__ == "__main__":
    main()
